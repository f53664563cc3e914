"""Walks and their process: forks, the exit of the interpreter, signals, no more threads."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import latency
import pwalk
import pyarrow
import pytest
import support
from walks import BOTH_ORDERS

STREAMS = ["pwalk.scan(sys.argv[1])", "pwalk.read_binary(sys.argv[2])"]
WAYS_TO_EXIT = ["pass", "sys.exit(0)", "raise SystemExit", "os._exit(0)"]


@BOTH_ORDERS
@pytest.mark.parametrize("way", WAYS_TO_EXIT)
def test_both_processes_go_on_after_a_fork(forest: Path, way: str, topdown: bool) -> None:
    code = """
import os, sys, walks
top, topdown, way = sys.argv[1], sys.argv[2] == "True", sys.argv[3]
expected = list(os.walk(top, topdown))
def go_on(steps, walk):
    for step in walk:
        steps.append(step)
        if topdown and "x" in step[1]: raise AssertionError
    assert steps == expected, (len(steps), len(expected))
children = []
for steps_before in 0, 1, 45, 700:
    _, walk = walks.settled(top, topdown=topdown)
    steps = [next(walk) for _ in range(steps_before)]
    other = walks.settled(top, topdown=topdown)[1]
    next(other)
    pid = os.fork()
    if pid == 0:
        if steps_before != 1:
            go_on(steps, walk)
        next(other)
        exec(way)
        sys.exit(0)
    children.append(pid)
    go_on(steps, walk)
print([os.waitpid(pid, 0)[1] for pid in children])
"""
    assert support.run_quietly(code, forest, str(topdown), way) == b"[0, 0, 0, 0]\n"


def test_multiprocessing_and_grandchildren(forest: Path) -> None:
    code = """
import multiprocessing, os, sys, walks
top = sys.argv[1]
def work(steps):
    _, walk = walks.settled(top)
    first = [next(walk) for _ in range(steps)]
    pid = os.fork()
    rest = list(walk)
    assert first + rest == expected
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return len(rest)
expected = list(os.walk(top))
held = walks.settled(top)[1]
next(held)
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(pool.map(work, [1, 10, 100]) == [len(expected) - n for n in (1, 10, 100)])
"""
    assert support.run_quietly(code, forest) == b"True\n"


@pytest.fixture
def recorded(bulk: Path, tmp_path: Path) -> Path:
    """A PWAL file of ``bulk``."""
    pwalk.report(bulk, format="binary", output=tmp_path / "scan.pwal")
    return tmp_path / "scan.pwal"


@pytest.mark.parametrize("opened", STREAMS)
def test_a_forked_child_lets_go_of_what_a_thread_consumes(
    bulk: Path, recorded: Path, opened: str
) -> None:
    """Whatever the thread was doing at the fork: locks may be in any state."""
    code = f"""
import os, sys, threading, pwalk
for _ in range(10):
    stream = {opened}
    thread = threading.Thread(target=lambda: sum(1 for _ in stream))
    thread.start()
    children = []
    while thread.is_alive() and len(children) < 5:
        pid = os.fork()
        if pid == 0:
            stream.close()
            del stream, thread
            os._exit(0)
        children.append(pid)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    thread.join()
print("ended")
"""
    assert support.run_quietly(code, bulk, recorded) == b"ended\n"


@pytest.mark.parametrize("opened", STREAMS)
def test_a_forked_child_is_told_that_a_stream_is_not_its_own(
    bulk: Path, recorded: Path, opened: str
) -> None:
    code = f"""
import os, sys, pwalk
stream = {opened}
batches = iter(stream)
count = next(batches).num_rows
pid = os.fork()
if pid == 0:
    try:
        next(batches)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print(count + sum(batch.num_rows for batch in batches))
"""
    told = "this is read in the process that has opened it"
    rows = pyarrow.table(pwalk.read_binary(recorded)).num_rows
    said = support.run_quietly(code, bulk, recorded)
    assert said.decode().splitlines() == [told, str(rows)]


@pytest.mark.slow
@BOTH_ORDERS
def test_the_interpreter_exits_with_a_walk_under_way(forest: Path, topdown: bool) -> None:
    code = """
import os, pwalk, sys, walks
top, topdown, steps = sys.argv[1], sys.argv[2] == "True", int(sys.argv[3])
walk = pwalk.walk(top, topdown)
_, settled = walks.settled(top, topdown=topdown)
for _ in range(steps):
    next(walk), next(settled)
sys.modules["held"] = settled
class Late:
    def __del__(self):
        next(self.walk)
late = Late()
late.walk = pwalk.walk(top, topdown)
next(late.walk)
"""
    for steps in (0, 1, 2, 30, 60, 100, 300, 301, 302, 303):
        support.run_quietly(code, forest, str(topdown), str(steps))


@BOTH_ORDERS
def test_the_interpreter_exits_with_threads_in_walks(forest: Path, topdown: bool) -> None:
    code = """
import sys, threading, time, walks
top, topdown = sys.argv[1], sys.argv[2] == "True"
def work():
    while True:
        for _ in walks.settled(top, topdown=topdown)[1]: pass
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    for _ in range(4):
        support.run_quietly(code, forest, str(topdown))


def test_an_exception_ends_the_process_as_usual(forest: Path) -> None:
    code = """
import sys, walks
for number, step in enumerate(walks.settled(sys.argv[1])[1]):
    if number == 100:
        raise LookupError("enough")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, forest],
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
        env={**os.environ, "PYTHONPATH": support.module_path()},
    )
    assert done.returncode == 1
    assert done.stderr.endswith(b"LookupError: enough\n")
    assert done.stderr.count(b"Traceback") == 1


@pytest.mark.parametrize("threads", ["None", "4", "1"])
@BOTH_ORDERS
def test_ctrl_c_while_a_directory_hangs(tmp_path: Path, topdown: bool, threads: str) -> None:
    code = """
import ast, pwalk, sys
top, topdown, threads = sys.argv[1], sys.argv[2] == "True", ast.literal_eval(sys.argv[3])
try:
    for path, _, _ in pwalk.walk(top, topdown, max_threads=threads):
        print(path, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    options = ("--directories", "12", "--files", "3", "--delay-us", "1000", "--hang", "d000007")
    with latency.mounted(tmp_path / "top", *options) as top:
        listed = [f"{top}/{name}\n".encode() for name in sorted(os.listdir(top))]  # noqa: PTH208
        before = listed[: listed.index(f"{top}/d000007\n".encode())]
        with subprocess.Popen(
            [sys.executable, "-c", code, top, str(topdown), threads], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            for line in [f"{top}\n".encode(), *before] if topdown else before:
                assert child.stdout.readline() == line
            timer = threading.Timer(0.3, child.send_signal, [signal.SIGINT])
            timer.start()
            rest, _ = child.communicate(timeout=support.LIVENESS)
        assert rest == b"interrupted\n"
        assert child.returncode == 0


def test_ctrl_c_when_not_even_a_signal_ends_the_call(tmp_path: Path) -> None:
    code = """
import os, pwalk, sys
try:
    for path, _, _ in pwalk.walk(sys.argv[1]):
        print(path, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    options = ("--directories", "12", "--files", "3", "--delay-us", "2000", "--hang", "d000007")
    with latency.mounted(tmp_path / "top", *options, "--uninterruptible") as top:
        child = subprocess.Popen([sys.executable, "-c", code, top], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(8):
            child.stdout.readline()
        timer = threading.Timer(0.3, child.send_signal, [signal.SIGINT])
        timer.start()
        assert child.stdout.readline() == b"interrupted\n"
    # Only now can the kernel end that thread.
    rest, _ = child.communicate(timeout=support.LIVENESS)
    assert rest == b""
    assert child.returncode == 0


def test_closing_a_walk_does_not_wait_for_what_hangs(tmp_path: Path) -> None:
    options = ("--directories", "12", "--files", "3", "--delay-us", "1000", "--hang", "d000007")
    with latency.mounted(tmp_path / "top", *options) as top:
        walk: Any = pwalk.walk(top, max_threads=4)
        for _ in range(6):
            next(walk)
        closer = threading.Thread(target=walk.close)
        closer.start()
        closer.join(support.LIVENESS)
        assert not closer.is_alive()


def test_sigalrm_is_handled_while_a_directory_hangs(tmp_path: Path) -> None:
    """A handler that returns does not disturb the walk."""
    code = """
import os, pwalk, signal, sys
rings = []
def ring(*_):
    rings.append(1)
    if len(rings) == 5:
        raise LookupError
    signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.05)
told = []
try:
    list(pwalk.walk(sys.argv[1], True, told.append))
except LookupError:
    print(len(rings), told)
"""
    options = ("--directories", "12", "--files", "3", "--delay-us", "1000", "--hang", "d000007")
    with latency.mounted(tmp_path / "top", *options) as top:
        assert support.run_quietly(code, top) == b"5 []\n"


def test_without_threads_the_walk_goes_on_serially(forest: Path) -> None:
    """Where no thread can be started, everything is listed when it is due."""
    code = """
import os, resource, sys, threading
if resource.getrlimit(resource.RLIMIT_STACK)[0] != 2**46:
    # So large a stack is what the next program would give each of its threads.
    resource.setrlimit(resource.RLIMIT_STACK, (2**46, resource.RLIM_INFINITY))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
import walks
from walks import BOTH_ORDERS
try:
    threading.Thread(target=print).start()
except RuntimeError:
    print("no threads")
top = sys.argv[1]
for topdown in True, False:
    core, walk = walks.settled(top, topdown=topdown)
    steps = []
    for step in walk:
        steps.append(step)
        peak = core.counts["threads_peak"]
    assert steps == list(os.walk(top, topdown))
    print(peak)
"""
    if resource.getrlimit(resource.RLIMIT_STACK)[1] != resource.RLIM_INFINITY:
        pytest.skip("the size of stacks is limited here: threads cannot be kept from starting")
    assert support.run_quietly(code, forest) == b"no threads\n0\n0\n"
