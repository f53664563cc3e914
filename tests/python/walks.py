"""Walks that may use what they listed ahead, although a test has only just made the tree."""

# Done relative to descriptors.

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pwalk import _core, _walk

SETTLING_TIME = 0.01
# Time stamps are late by as much as a timer's tick.
AGE = SETTLING_TIME + 0.01

Step = tuple[Any, list[Any], list[Any]]
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
