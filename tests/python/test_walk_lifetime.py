"""What a walk leaves behind, however it ends: nothing."""

from __future__ import annotations

import gc
import itertools
import os
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
from walks import BOTH_ORDERS


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
    core, walk = walks.settled(str(top), topdown=topdown)
    for _ in range(steps):
        next(walk)
    assert core.counts["threads_peak"] > 0, "there is no reader: the test would show nothing"
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
        assert support.run_quietly(code, top) == b"[] True\n"


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


@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="generators are not safe from two threads without the GIL, any function's: gh-120321",
)
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
import memory, pwalk, sys, time
from pwalk.testing import MockFilesystem
topdown = sys.argv[1] == "True"
for _ in pwalk.walk_mock(MockFilesystem(200_000), topdown, max_threads=4): pass
before = memory.peak()
slow = pwalk.walk_mock(MockFilesystem(10**9), topdown, max_threads=4)
for _ in range(20):
    next(slow)
    time.sleep(0.05)
for _ in pwalk.walk_mock(MockFilesystem(2_000_000), topdown, max_threads=4): pass
print(memory.peak() - before)
"""
    grown = int(support.run_script(code, str(topdown), cwd=tmp_path).stdout)
    assert grown < 40 << 10, f"{grown} KiB"


@pytest.mark.slow
def test_memory_is_bounded_by_the_window_where_directories_are_large(
    tmp_path: Path, flat: Path
) -> None:
    """Of 24 directories of 100,000 names, 60 MB, a window of 4 MiB holds one or two."""
    code = """
import memory, sys, time, walks
top = sys.argv[1]
def sizes(**options):
    _, walk = walks.settled(top, followlinks=True, window_bytes=4 << 20, **options)
    return [(len(files), time.sleep(0.05))[0] for _, _, files in walk]
expected = sizes(max_threads=1)
before = memory.peak()
assert sizes(max_threads=4) == expected
print(sum(expected), memory.peak() - before)
"""
    top = tmp_path / "top"
    top.mkdir()
    for number in range(24):
        (top / f"link{number}").symlink_to(flat)
    total, grown = support.run_script(code, top, cwd=tmp_path).stdout.split()
    assert int(total) == 24 * 100_000
    assert int(grown) < 30 << 10, f"{int(grown)} KiB"


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
