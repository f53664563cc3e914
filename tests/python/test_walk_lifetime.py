"""What a walk leaves behind, however it ends: nothing."""

from __future__ import annotations

import gc
import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import latency
import pwalk
import pytest
import support
import walks

BOTH_ORDERS = pytest.mark.parametrize("topdown", [True, False], ids=["top-down", "bottom-up"])
WAYS_TO_EXIT = ["pass", "sys.exit(0)", "raise SystemExit", "os._exit(0)"]


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree large enough that readers are running half-way; not to be changed."""
    top = tmp_path_factory.mktemp("forest") / "top"
    walks.forest(top, 30, 40)
    return top


def threads_at_rest() -> set[str]:
    """The threads once none comes or goes: libraries keep idle ones, other tests' may be ending."""
    before: set[str] = set()
    while (now := support.threads()) != before:
        before = now
        time.sleep(0.05)
    return now


class Trace:
    """The threads and descriptors of this process that were not there before."""

    def __init__(self) -> None:
        self.threads = threads_at_rest()
        self.descriptors = support.open_descriptors()

    def assert_gone(self) -> None:
        support.wait_until(lambda: support.threads() <= self.threads, "threads to end")
        assert support.open_descriptors() <= self.descriptors


def half(top: Path, topdown: bool, steps: int = 50) -> Any:
    """A walk some steps under way, which has threads."""
    _, walk = walks.settled(str(top), topdown=topdown)
    before = support.threads()
    for _ in range(steps):
        next(walk)
    assert support.threads() - before, "there is no reader: the test would show nothing"
    return walk


# --- how consumers stop ----------------------------------------------------------------------


def close(walk: Any) -> None:
    walk.close()


def throw(walk: Any) -> None:
    with pytest.raises(KeyError):
        walk.throw(KeyError)


def exhaust(walk: Any) -> None:
    assert len(list(walk)) > 1000


def drop(walk: Any) -> None:
    del walk


def raise_in_the_loop(walk: Any) -> None:
    def consume() -> None:
        for _ in walk:
            raise LookupError

    with pytest.raises(LookupError):
        consume()


def break_the_loop(walk: Any) -> None:
    for _ in walk:
        break


@BOTH_ORDERS
@pytest.mark.parametrize(
    "stop",
    [close, throw, exhaust, drop, raise_in_the_loop, break_the_loop],
    ids=lambda f: f.__name__,
)
def test_nothing_is_left(forest: Path, stop: Callable[[Any], None], topdown: bool) -> None:
    trace = Trace()
    for _ in range(5):
        walks_ = [half(forest, topdown)]
        stop(walks_.pop())
    trace.assert_gone()


@BOTH_ORDERS
def test_nothing_is_left_of_what_the_public_function_began(forest: Path, topdown: bool) -> None:
    trace = Trace()
    for number in range(20):
        walk = pwalk.walk(forest, topdown)
        assert len(list(itertools.islice(walk, number))) == number
        del walk
    trace.assert_gone()


def test_nothing_is_left_of_a_walk_in_a_cycle(forest: Path) -> None:
    class Box:
        walk: Any
        itself: Any

    trace = Trace()
    box = Box()
    box.walk, box.itself = half(forest, True), box
    gone = weakref.ref(box)
    del box
    gc.collect()
    assert gone() is None
    trace.assert_gone()


def test_nothing_is_left_when_onerror_holds_the_walk(forest: Path) -> None:
    trace = Trace()

    def begin() -> weakref.ref[Any]:
        def onerror(_: OSError) -> None:
            raise AssertionError(walk)

        walk = pwalk.walk(str(forest), onerror=onerror)
        next(walk)
        return weakref.ref(onerror)

    gone = begin()
    gc.collect()
    assert gone() is None
    trace.assert_gone()


def test_nothing_is_open_between_two_steps(forest: Path) -> None:
    trace = Trace()
    core, walk = walks.settled(str(forest))
    for _ in itertools.islice(walk, 100):
        assert core.wait_idle(30)
        assert support.open_descriptors() <= trace.descriptors
    walk.close()  # type: ignore[attr-defined]
    trace.assert_gone()


# --- many at once ----------------------------------------------------------------------------


@BOTH_ORDERS
def test_a_hundred_walks_at_once_need_no_more_descriptors_than_os_walk(
    tmp_path: Path, topdown: bool
) -> None:
    """With so few descriptors that os.walk can do it, so can we; and nothing is missing."""
    code = """
import os, pwalk, resource, sys
from pathlib import Path
top, topdown = sys.argv[1], sys.argv[2] == "True"
below = Path(top)
for level in range(30):
    for name in "abc":
        (below / name).mkdir(parents=True)
    below /= "b"
used = len(os.listdir("/proc/self/fd"))
limit = max(int(name) for name in os.listdir("/proc/self/fd")) + 3
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
def refuse(error):
    raise error
expected = list(os.walk(top, topdown, refuse))
assert len(expected) == 91
for begin in os.walk, pwalk.walk:
    every = [begin(top, topdown, refuse) for _ in range(100)]
    for step in expected:
        for walk in every:
            assert next(walk) == step
    assert [next(walk, None) for walk in every] == [None] * 100
"""
    support.run_script(code, tmp_path / "top", str(topdown), cwd=tmp_path)


def test_readers_leave_a_descriptor_to_whoever_walks(tmp_path: Path) -> None:
    code = """
import os, pwalk, resource, sys
top = sys.argv[1]
expected = list(os.walk(top))
limit = max(int(name) for name in os.listdir("/proc/self/fd")) + 8
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
told = []
every = [pwalk.walk(top, onerror=told.append) for _ in range(16)]
steps = [[next(walk, None) for walk in every] for _ in expected]
print([str(error) for error in told[:3]], steps == [[step] * 16 for step in expected])
"""
    options = ("--directories", "40", "--files", "3", "--delay-us", "2000")
    with latency.mounted(tmp_path / "top", *options) as top:
        assert quiet(code, top) == b"[] True\n"


@BOTH_ORDERS
def test_each_thread_may_have_its_own_walk(forest: Path, topdown: bool) -> None:
    trace = Trace()
    expected = list(os.walk(forest, topdown))
    found: list[Any] = []
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    def work() -> None:
        found.append(list(walks.settled(str(forest), topdown=topdown)[1]))
        found.append(list(pwalk.walk(str(forest), topdown)))

    busy_ones = [threading.Thread(target=busy) for _ in range(2)]
    workers = [threading.Thread(target=work) for _ in range(6)]
    for thread in busy_ones + workers:
        thread.start()
    for thread in workers:
        thread.join(support.LIVENESS)
    stop.set()
    for thread in busy_ones:
        thread.join(support.LIVENESS)
    assert len(found) == 12
    assert all(one == expected for one in found)
    trace.assert_gone()


def test_a_walk_may_go_on_in_another_thread(forest: Path) -> None:
    walk = half(forest, True)
    rest: list[Any] = []
    thread = threading.Thread(target=lambda: rest.extend(walk))
    thread.start()
    thread.join(support.LIVENESS)
    assert rest == list(os.walk(forest))[50:]


def test_two_threads_cannot_be_in_one_walk(forest: Path) -> None:
    """One of them gets a ValueError, as with os.walk; no step is lost or doubled."""
    walk = pwalk.walk(str(forest))
    steps: list[Any] = []
    refused = []

    def work() -> None:
        while True:
            try:
                step = next(walk, None)
            except ValueError as error:
                refused.append(str(error))
                continue
            if step is None:
                return
            steps.append(step)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(support.LIVENESS)
    assert sorted(steps) == sorted(os.walk(forest))
    assert set(refused) <= {"generator already executing"}


# --- memory ----------------------------------------------------------------------------------


@pytest.mark.slow
@BOTH_ORDERS
def test_memory_is_bounded_however_slow_the_consumer_and_large_the_tree(
    tmp_path: Path, topdown: bool
) -> None:
    """2,000,000 names would need more than 100 MB."""
    code = """
import pwalk, resource, sys, time
from pwalk.testing import MockFilesystem
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
topdown = sys.argv[1] == "True"
for _ in pwalk.walk_mock(MockFilesystem(200_000), topdown, max_threads=4): pass
before = peak()
slow = pwalk.walk_mock(MockFilesystem(10**9), topdown, max_threads=4)
for _ in range(20):
    next(slow)
    time.sleep(0.05)
for _ in pwalk.walk_mock(MockFilesystem(2_000_000), topdown, max_threads=4): pass
print(peak() - before)
"""
    grown = float(support.run_script(code, str(topdown), cwd=tmp_path).stdout)
    assert grown < 40


@pytest.mark.slow
def test_memory_is_bounded_by_the_window_where_directories_are_large(
    tmp_path: Path, flat: Path
) -> None:
    """Of 24 directories of 100,000 names, 60 MB, a window of 4 MiB holds one or two."""
    code = """
import resource, sys, time, walks
top = sys.argv[1]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def sizes(**options):
    _, walk = walks.settled(top, followlinks=True, window_bytes=4 << 20, **options)
    return [(len(files), time.sleep(0.05))[0] for _, _, files in walk]
expected = sizes(max_threads=1)
before = peak()
assert sizes(max_threads=4) == expected
print(sum(expected), peak() - before)
"""
    top = tmp_path / "top"
    top.mkdir()
    for number in range(24):
        (top / f"link{number}").symlink_to(flat)
    total, grown = support.run_script(code, top, cwd=tmp_path).stdout.split()
    assert int(total) == 24 * 100_000
    assert float(grown) < 30


@pytest.mark.slow
@BOTH_ORDERS
def test_nothing_leaks(forest: Path, topdown: bool) -> None:
    code = """
import errno, gc, itertools, os, pwalk, sys, walks
top, topdown = sys.argv[1], sys.argv[2] == "True"
class Name(str): pass
def onerror(error): pass
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
def rounds(count):
    for number in range(count):
        for walk in (
            pwalk.walk(top, topdown, onerror),
            pwalk.walk(top + "/missing", topdown, onerror),
            itertools.islice(pwalk.walk(top, topdown, onerror), 40),
            walks.settled(top, topdown=topdown)[1],
        ):
            for _, names, _ in walk:
                if names and topdown:
                    names[0] = Name(names[0])
                    names.append("nowhere")
def state():
    gc.collect()
    return len(gc.get_objects()), sys.getrefcount(top), sys.getrefcount(onerror)
rounds(20)
before, memory = state(), resident()
rounds(100)
after = state()
assert abs(after[0] - before[0]) < 20 and after[1:] == before[1:], (before, after)
print(resident() - memory)
"""
    small = forest / "outer0"
    grown = float(support.run_script(code, small, str(topdown), cwd=forest).stdout)
    assert grown < 4


# --- processes -------------------------------------------------------------------------------


def quiet(code: str, *arguments: str | os.PathLike[str], status: int = 0) -> bytes:
    """Run Python code that must not complain."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
        env={**os.environ, "PYTHONPATH": support.module_path()},
    )
    assert (done.returncode, done.stderr) == (status, b"")
    return done.stdout


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
    assert quiet(code, forest, str(topdown), way) == b"[0, 0, 0, 0]\n"


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
    assert quiet(code, forest) == b"True\n"


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
        quiet(code, forest, str(topdown), str(steps))


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
        quiet(code, forest, str(topdown))


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
        assert quiet(code, top) == b"5 []\n"


def test_without_threads_the_walk_goes_on_serially(forest: Path) -> None:
    """Where no thread can be started, everything is listed when it is due."""
    code = """
import os, resource, sys, threading
if resource.getrlimit(resource.RLIMIT_STACK)[0] != 2**46:
    # So large a stack is what the next program would give each of its threads.
    resource.setrlimit(resource.RLIMIT_STACK, (2**46, resource.RLIM_INFINITY))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
import walks
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
    assert quiet(code, forest) == b"no threads\n0\n0\n"
