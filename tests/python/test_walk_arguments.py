"""pwalk.walk() as a function: its arguments, its threads, the iterator that it returns."""

# os.walk is the measure here, and os.path what its callers use.

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pwalk
import pytest
import restricted
import support
import walks
from walks import BOTH_ORDERS, Errors, PathLike, Steps

# --- arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ({"top": None}, TypeError, "top"),
        ({"top": 3}, TypeError, "top"),
        ({"top": 1.5}, TypeError, "top"),
        ({"top": ["."]}, TypeError, "top"),
        ({"top": bytearray(b".")}, TypeError, "top"),
        ({"top": PathLike(7)}, TypeError, "top|__fspath__"),
        ({"top": "a\0b"}, ValueError, "top"),
        ({"top": b"\0"}, ValueError, "top"),
        ({"top": PathLike("a\0b")}, ValueError, "top"),
        ({"top": "\ud800"}, ValueError, "top"),
        ({"onerror": 3}, TypeError, "onerror"),
        ({"onerror": "print"}, TypeError, "onerror"),
        ({"max_threads": "2"}, TypeError, "max_threads"),
        ({"max_threads": 2.0}, TypeError, "max_threads"),
        ({"max_threads": True}, TypeError, "max_threads"),
        ({"max_threads": -1}, ValueError, "max_threads"),
        ({"max_threads": 2**32}, ValueError, "max_threads"),
        ({"max_threads": 10**30}, ValueError, "max_threads"),
        ({"follow_links": True}, TypeError, "follow_links"),
    ],
    ids=repr,
)
def test_bad_arguments_are_refused_at_once(
    arguments: dict[str, Any], kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind, match=named):
        pwalk.walk(**{"top": ".", **arguments})


def test_arguments_are_those_of_os_walk_in_its_order(little: Path) -> None:
    told = Errors()
    found = list(pwalk.walk(str(little), False, told, True))
    assert found == list(os.walk(str(little), False, told, True))
    assert list(pwalk.walk(str(little), 0, None, "yes")) == found  # type: ignore[arg-type]


def test_the_same_audit_event_is_raised() -> None:
    code = """
import os, pwalk, sys
seen = []
sys.addaudithook(lambda name, given: seen.append(given) if name.endswith(".walk") else None)
def complain(error): pass
class Top:
    def __fspath__(self): return "/nowhere"
top = Top()
list(os.walk(top, 0, complain, 1))
list(pwalk.walk(top, 0, complain, 1))
list(os.walk(b"/nowhere"))
list(pwalk.walk(b"/nowhere"))
assert seen == [(top, 0, complain, 1)] * 2 + [(b"/nowhere", True, None, False)] * 2, seen
def forbid(name, given):
    if name == "os.walk":
        raise LookupError("forbidden")
sys.addaudithook(forbid)
try:
    list(pwalk.walk("/"))
except LookupError:
    print("refused")
"""
    assert support.run_script(code, cwd=Path("/")).stdout == b"refused\n"


# --- one thread ------------------------------------------------------------------------------


@BOTH_ORDERS
def test_one_thread_lists_a_directory_when_it_is_reached(tree: Path, topdown: bool) -> None:
    walks.forest(tree, 8, 8)
    before = support.threads()
    walk = pwalk.walk(str(tree), topdown, max_threads=1)
    seen = 0
    for path, _, files in walk:
        assert support.threads() <= before
        assert files == (["file.txt"] if "inner" in Path(path).name else [])
        seen += 1
    assert seen == 73
    core, walk = walks.settled(str(tree), topdown=topdown, max_threads=1)
    while next(walk, None):
        counts = core.counts
        if counts["direct"] == seen:
            break
    assert counts == {"direct": seen, "reused": 0, "reread": 0, "threads_peak": 0}


def test_more_threads_list_ahead(tree: Path) -> None:
    walks.forest(tree, 8, 8)
    core, found = walks.settled(str(tree), max_threads=4)
    next(found)
    assert core.wait_idle(support.LIVENESS)
    assert core.counts["threads_peak"] > 0
    found.close()  # type: ignore[attr-defined]


# --- the iterator ----------------------------------------------------------------------------


def test_it_is_an_iterator_that_ends_for_good(little: Path) -> None:
    walk = pwalk.walk(str(little))
    assert iter(walk) is walk
    assert len(list(walk)) == 6
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(walk)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_close_ends_it(little: Path, steps: int) -> None:
    walk: Any = pwalk.walk(str(little))
    assert len(list(itertools.islice(walk, steps))) == steps
    for _ in range(2):
        walk.close()
        assert list(walk) == []


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_an_exception_thrown_in_ends_it(little: Path, steps: int) -> None:
    walk: Any = pwalk.walk(str(little))
    assert len(list(itertools.islice(walk, steps))) == steps
    with pytest.raises(KeyError, match="thrown"):
        walk.throw(KeyError("thrown"))
    assert list(walk) == []


@BOTH_ORDERS
def test_onerror_cannot_go_on_with_the_walk_it_is_called_from(locked: Path, topdown: bool) -> None:
    refused = []

    def go_on(_: OSError) -> None:
        with pytest.raises(ValueError, match="already executing"):
            next(walk)
        with pytest.raises(ValueError, match="already executing"):
            walk.close()
        refused.append(True)

    with restricted.ordinary_thread():
        walk: Any = pwalk.walk(str(locked), topdown, go_on)
        assert len(list(walk)) == 4
    assert refused == [True]


def test_onerror_may_walk_something_else(locked: Path) -> None:
    inner: Steps = []
    with restricted.ordinary_thread():
        outer = list(pwalk.walk(str(locked), onerror=lambda _: inner.extend(pwalk.walk(locked))))
        assert inner == outer == list(os.walk(locked))
