"""Walks that may use what they listed ahead, although a test has only just made the tree."""

# Done relative to descriptors.

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pwalk
import pytest
from pwalk import _core, _walk

SETTLING_TIME = 0.01
# Time stamps are late by as much as a timer's tick.
AGE = SETTLING_TIME + 0.01

BOTH_ORDERS = pytest.mark.parametrize("topdown", [True, False], ids=["top-down", "bottom-up"])

Step = tuple[Any, list[Any], list[Any]]
Steps = list[Step]
Walk = Iterator[Step]


def settled(
    top: Any,
    topdown: bool = True,
    onerror: Callable[[OSError], object] | None = None,
    followlinks: bool = False,
    max_threads: int = 4,
    ignore_snapshots: bool = True,
    window_directories: int = 0,
    window_bytes: int = 0,
) -> tuple[_core.OrderedWalk[Any], Walk]:
    """What :func:`pwalk.walk` does, but a tree is old enough after :data:`AGE` seconds."""
    core = _core.OrderedWalk(
        top,
        _core.posix_file_system(),
        topdown=topdown,
        followlinks=followlinks,
        ignore_snapshots=ignore_snapshots,
        max_threads=max_threads,
        early_link_checks=sys.version_info >= (3, 12),
        settling_time=SETTLING_TIME,
        window_directories=window_directories,
        window_bytes=window_bytes,
    )
    return core, _walk.iterate(core, onerror)


def read_ahead(top: Any, **options: Any) -> Walk:
    """Like :func:`settled`; between two steps everything is listed that may be listed ahead."""
    time.sleep(AGE)
    core, walk = settled(top, **options)
    for step in walk:
        assert core.wait_idle(30)
        yield step


def forest(at: Path, wide: int = 20, inner: int = 30) -> None:
    """Directories enough to keep readers busy: ``wide`` times ``inner`` of them."""
    for outer in range(wide):
        for number in range(inner):
            folder = at / f"outer{outer}" / f"inner{number}"
            folder.mkdir(parents=True)
            (folder / "file.txt").touch()


@contextmanager
def chain(at: Path, name: str, levels: int) -> Iterator[None]:
    """``levels`` directories, one in the other, however long their path becomes."""
    top = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    fd = os.dup(top)
    for _ in range(levels):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    try:
        yield
    finally:
        for _ in range(levels - 1):
            os.rename(f"{name}/{name}", "below", src_dir_fd=top, dst_dir_fd=top)
            os.rmdir(name, dir_fd=top)
            os.rename("below", name, src_dir_fd=top, dst_dir_fd=top)
        os.rmdir(name, dir_fd=top)
        os.close(top)


# --- arguments of other types ---------------------------------------------------------------


class Text(str):
    pass


class Raw(bytes):
    pass


class PathLike:
    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


# --- beside os.walk --------------------------------------------------------------------------


class Errors(list[Any]):
    """An ``onerror`` that keeps what there is to know of an error."""

    def __call__(self, error: OSError) -> None:
        assert error.filename2 is None
        self.append((type(error), error.errno, error.strerror, error.filename, str(error)))


def of_os(top: Any, **options: Any) -> tuple[Steps, Errors]:
    told = Errors()
    return list(os.walk(top, onerror=told, **options)), told


def of_pwalk(top: Any, **options: Any) -> tuple[Steps, Errors]:
    told = Errors()
    return list(pwalk.walk(top, onerror=told, ignore_snapshots=False, **options)), told


def difference(ours: Steps, theirs: Steps) -> object:
    """The first step that differs; pytest would compare, and print, all of them."""
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other or any(type(a) is not type(b) for a, b in zip(one, other, strict=True)):
            return number, one, other
    return None if len(ours) == len(theirs) else (len(ours), len(theirs))


def assert_same(top: Any, **options: Any) -> Steps:
    """Walk ``top``, which nobody changes, both ways."""
    threads = {"max_threads": options.pop("max_threads")} if "max_threads" in options else {}
    theirs, their_errors = of_os(top, **options)
    ours, errors = of_pwalk(top, **options, **threads)
    assert difference(ours, theirs) is None
    assert errors == their_errors
    return ours


def assert_same_in_circles(top: Any, **options: Any) -> Steps:
    """As :func:`assert_same`, for paths with more than 20 links in them.

    When anything is mounted meanwhile, by another test for instance, the kernel begins anew with
    some path, does not forget the links that it has counted, and says ELOOP: to os.walk, too.
    """
    for _ in range(5):
        with suppress(AssertionError):
            return assert_same(top, **options)
    return assert_same(top, **options)


def assert_same_when_quiet(top: Any, **options: Any) -> Steps:
    """Walk ``top``, which the system may change; try again if it did."""
    for _ in range(5):
        before = of_os(top, **options)
        ours = of_pwalk(top, **options)
        if difference(before[0], of_os(top, **options)[0]) is None:
            assert difference(ours[0], before[0]) is None
            assert ours[1] == before[1]
            return ours[0]
    pytest.skip(f"{top} is changing all the time")
