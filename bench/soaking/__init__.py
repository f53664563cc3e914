"""The parts of soak.py.

trees        what is worked on, made from a seed; what of it is known beforehand
changer      a process that keeps changing some of it
server       a process that serves files over HTTP, well and badly
subject      the process that is looked at: operations, and rests between them
outcomes     how an operation may end, and what interrupts it
scans        operations of pwalk
repairs      the operation that repairs a tree and takes that back
comparisons  operations of komparu
tasks        operations of komparu.aio
watcher      samples of a process, as the kernel counts
verdict      whether what was sampled is flat
"""
