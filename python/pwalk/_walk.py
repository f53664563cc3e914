"""``os.walk``, in parallel: :func:`walk`, and :func:`walk_mock` over a tree that is computed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import AnyStr

from pwalk import _arguments, _core
from pwalk.testing import MockFilesystem

OnError = Callable[[OSError], object]

# Since 3.12, os.walk looks which children are symlinks when it is resumed, not when each is due.
_EARLY_LINK_CHECKS = sys.version_info >= (3, 12)


def walk(
    top: AnyStr | os.PathLike[AnyStr],
    topdown: bool = True,
    onerror: OnError | None = None,
    followlinks: bool = False,
    max_threads: int | None = None,
    ignore_snapshots: bool = True,
) -> Iterator[tuple[AnyStr, list[AnyStr], list[AnyStr]]]:
    """Walk a tree as :func:`os.walk` does, reading ahead with other threads.

    Content and order are those of :func:`os.walk`, for ``str``, ``bytes`` and path-like tops; names
    that cannot be decoded use surrogateescape. Directories are listed before their turn, in the
    order in which they will be needed, within 64 MiB of names and 1,024 directories. When a
    directory's turn comes, its device, inode, mtime and ctime are compared with those taken before
    it was listed; where one differs, or the directory had been changed less than 3 s before, it is
    listed again. So the caller may change the tree between two steps and finds what
    :func:`os.walk` would have found.

    :param top: the directory to begin with; a symlink to one is followed
    :param topdown: yield a directory before those in it. The caller may then edit ``dirnames`` in
        place: what is removed is not entered, what is added is, and the order is kept. Otherwise
        a directory comes after those in it, and editing has no effect.
    :param onerror: called with an :class:`OSError`, which has ``errno`` and ``filename``, for each
        directory that cannot be listed; what it raises ends the walk. By default such directories
        are left out silently, as :func:`os.walk` does.
    :param followlinks: enter symlinks that lead to directories, too. Loops are then endless, or as
        long as the system permits.
    :param max_threads: cores to keep busy; threads that wait for storage do not count, there may be
        up to 128 of them. ``None``: ``SLURM_CPUS_ON_NODE``, or the cores this process may run on.
        1: serially, listing a directory only when its turn comes.
    :param ignore_snapshots: leave out directories named ``.snapshot``, unless ``top`` is one or the
        caller adds one to ``dirnames``

    :returns: an iterator of ``(dirpath, dirnames, filenames)``. When it is closed or dropped,
        all threads end; nothing stays open between two steps.

    :raises TypeError: when an argument is of the wrong kind
    :raises ValueError: when ``top`` has a null byte, or ``max_threads`` is negative

    Raises an auditing event ``os.walk`` with the arguments ``top``, ``topdown``, ``onerror``,
    ``followlinks``.

    The algorithm is that of CPython's ``Lib/os.py``, of the version that is running.
    """
    path = _arguments.walk_top("top", top)
    if onerror is not None and not callable(onerror):
        raise TypeError(f"onerror must be callable or None, not {type(onerror).__name__}")
    threads = _arguments.count("max_threads", max_threads)
    sys.audit("os.walk", top, topdown, onerror, followlinks)
    core = _core.OrderedWalk(
        path,
        _core.posix_file_system(),
        topdown=bool(topdown),
        followlinks=bool(followlinks),
        ignore_snapshots=bool(ignore_snapshots),
        max_threads=threads,
        early_link_checks=_EARLY_LINK_CHECKS,
    )
    return iterate(core, onerror)


def walk_mock(
    fs: MockFilesystem, topdown: bool = True, max_threads: int | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a computed tree with the engine behind :func:`walk`.

    :param fs: the tree
    :param topdown: as in :func:`walk`
    :param max_threads: as in :func:`walk`

    :returns: an iterator of ``(dirpath, dirnames, filenames)``, beginning with ``fs.root``

    :raises TypeError: when ``fs`` is no :class:`pwalk.testing.MockFilesystem`
    :raises ValueError: when ``max_threads`` is negative
    """
    if not isinstance(fs, MockFilesystem):
        raise TypeError(f"fs must be a MockFilesystem, not {type(fs).__name__}")
    core = _core.OrderedWalk(
        fs.root,
        _core.synthetic_file_system(fs.tree, os.fsencode(fs.root)),
        topdown=bool(topdown),
        followlinks=False,
        ignore_snapshots=True,
        max_threads=_arguments.count("max_threads", max_threads),
        early_link_checks=_EARLY_LINK_CHECKS,
    )
    return iterate(core, None)


def iterate(
    core: _core.OrderedWalk[AnyStr], onerror: OnError | None
) -> Iterator[tuple[AnyStr, list[AnyStr], list[AnyStr]]]:
    """Yield what the core comes to, and close it in the end, whatever the end is."""
    step = core.next
    try:
        while (found := step()) is not None:
            if isinstance(found, tuple):
                yield found
            elif onerror is not None:
                onerror(found)
    finally:
        core.close()
