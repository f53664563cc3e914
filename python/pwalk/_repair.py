"""Making a shared tree usable by its group, as root, without ever making things worse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

from pwalk import _arguments, _core
from pwalk._report import Pace, ProgressCallback
from pwalk._stream import POLL_INTERVAL
from pwalk._types import EntryError, Progress, errors_of, progress_of

HARDLINKS = ("skip", "repair")

# In the core's order.
_KINDS = ("group", "setgid", "permissions", "cleared")
_REASONS = (
    "has other links, maybe outside of the tree",
    "has setuid or setgid, and so is not made writable",
    "has setgid, which could fall to content that its owner writes meanwhile",
    "has capabilities, which a change of group would take",
    "has an ACL, which more permissions would open",
    "changed again and again",
    "was replaced by another entry",
    "is or lies in a protected directory",
    "is an automount point",
    "has been changed since",
    "is missing",
    "may have been written to since, and had setuid or setgid bits",
)

_READ_AT_ONCE = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """A change made to one entry, or that would be made.

    :ivar path: the entry's full path; undecodable bytes are surrogate escapes
    :ivar what: which kinds of change, of ``"group"``, ``"setgid"`` (given to a directory),
        ``"permissions"`` (bits given) and ``"cleared"`` (bits taken: setuid or setgid that a change
        of group took from a file; in an undo, what the repair gave)
    :ivar old_mode: permission bits before (0 to 0o7777)
    :ivar new_mode: permission bits after
    :ivar old_uid: owner before
    :ivar new_uid: owner after: always the same
    :ivar old_gid: group before
    :ivar new_gid: group after
    """

    path: str
    what: tuple[str, ...]
    old_mode: int
    new_mode: int
    old_uid: int
    new_uid: int
    old_gid: int
    new_gid: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was left alone although it is not as it should be.

    :ivar path: the entry's full path; undecodable bytes are surrogate escapes
    :ivar reason: why
    """

    path: str
    reason: str


class _Records(Sequence[T], Generic[T]):
    """Records of the core's, which may be more than would fit into memory as Python objects."""

    def __init__(
        self,
        read: Callable[[int, int], list[tuple[bytes, int, int, int, int, int, int, int]]],
        length: int,
        convert: Callable[[tuple[bytes, int, int, int, int, int, int, int]], T],
    ) -> None:
        self._read = read
        self._length = length
        self._convert = convert

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        return self._convert(self._read(range(self._length)[index], 1)[0])

    def __iter__(self) -> Iterator[T]:
        for first in range(0, self._length, _READ_AT_ONCE):
            yield from map(self._convert, self._read(first, _READ_AT_ONCE))

    def __repr__(self) -> str:
        return f"<{self._length:,} records>"


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What a repair came to, or an undo.

    :ivar dry_run: whether nothing has been changed
    :ivar counts: how many entries have each kind of change, by the names that :class:`Change` has
    :ivar changes: a :class:`Change` for each entry changed, in no particular order
    :ivar errors: entries that could not be looked at or be changed
    :ivar skipped: a :class:`Skipped` for each entry left alone that is not as it should be
    :ivar unlogged: changes that the system log did not take
    :ivar progress: how many entries were looked at, and how long that took
    """

    dry_run: bool
    counts: dict[str, int]
    changes: Sequence[Change]
    errors: list[EntryError]
    skipped: Sequence[Skipped]
    unlogged: int = 0
    progress: Progress = field(default_factory=Progress)


def repair(
    top: _arguments.StrPath,
    dry_run: bool = True,
    change_gids: Iterable[int] | None = None,
    force_group_writable: bool = False,
    exclude: _arguments.StrPath | Iterable[_arguments.StrPath] | None = None,
    *,
    max_threads: int | None = None,
    ignore_snapshots: bool = True,
    one_file_system: bool = True,
    hardlinks: str = "skip",
    journal: _arguments.StrPath | None = None,
    progress: ProgressCallback | None = None,
) -> RepairResult:
    """Make a shared tree usable by its group.

    For each entry, the top included:

    1. A directory gets setgid if it lacks it.
    2. If the entry's gid equals its uid (a private group), or is 0, or is in ``change_gids``, its
       group becomes that of the nearest directory above it, not above the top, whose own group is
       none of these. If there is none, that is one error, the top's.
    3. Directories get at least g+rx, files at least g+r; with ``force_group_writable`` also g+w.
       Permissions are only added; but a change of group takes setuid and setgid from a file.
    4. Symlinks are neither followed nor changed. Devices, FIFOs and sockets get the group only.

    What a change could do harm to is left alone and listed: what has other links; files that keep
    setgid and lack a permission; files with capabilities that a change of group would take; entries
    with an ACL that would open. Files that keep setuid or setgid are not made writable.

    Every change is made through a descriptor of the entry, taken relative to that of its directory,
    so that nobody who swaps names meanwhile can have anything else changed. Every change made is
    reported to the system log. A second run finishes what an interrupted one has left.

    :param top: the directory to repair
    :param dry_run: find the changes, but make none; for any user. Only root can make them
    :param change_gids: groups that are to be replaced; each must exist
    :param force_group_writable: give the group write permission too
    :param exclude: paths to leave alone, matched whole, component by component
    :param max_threads: cores to keep busy; None for all that this process may use
    :param ignore_snapshots: leave directories called ``.snapshot`` alone
    :param one_file_system: leave entries of other mounts alone
    :param hardlinks: ``"skip"`` leaves what is no directory alone if it has more than one link,
        because another link may be outside of the tree, where the group had no access;
        ``"repair"`` does not mind
    :param journal: a file to which each change is written before it is made, for :func:`undo`;
        created for root alone, or gone on with; itself left alone. A dry run does not touch it
    :param progress: called with a :class:`Progress`, at least once and at most 10 times a second,
        on this thread; what it raises ends the repair
    :returns: the changes, what failed, and what was left alone
    :raises ProtectedPathError: when the top, resolved, is ``/``, or is or lies in one of /bin /boot
        /dev /etc /lib /lib64 /proc /root /sbin /sys /usr
    :raises OSError: on systems other than Linux (``EOPNOTSUPP``)
    :raises PermissionError: when it is no dry run and the user is not root; when the journal is
        another's, or others may write to it
    :raises OSError: when the top is missing, is no directory or cannot be read; when the journal
        cannot be written: then the change that was to come has not been made
    :raises TypeError: when an argument has the wrong type
    :raises ValueError: when an argument has a value that cannot be used
    """
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    with RunningRepair(
        top,
        dry_run,
        change_gids,
        force_group_writable,
        exclude,
        max_threads=max_threads,
        ignore_snapshots=ignore_snapshots,
        one_file_system=one_file_system,
        hardlinks=hardlinks,
        journal=journal,
    ) as running:
        running.follow(progress)
    return running.result()


class RunningRepair(AbstractContextManager["RunningRepair"]):
    """A repair under way; stopped at the end of the context. Takes what :func:`repair` takes."""

    def __init__(
        self,
        top: _arguments.StrPath,
        dry_run: bool,
        change_gids: Iterable[int] | None,
        force_group_writable: bool,
        exclude: _arguments.StrPath | Iterable[_arguments.StrPath] | None,
        *,
        max_threads: int | None,
        ignore_snapshots: bool,
        one_file_system: bool,
        hardlinks: str,
        journal: _arguments.StrPath | None,
    ) -> None:
        encoded = _arguments.path_bytes("top", top)
        options = _core.RepairOptions(
            dry_run=_arguments.flag("dry_run", dry_run),
            change_gids=_arguments.group_numbers("change_gids", change_gids),
            force_group_writable=_arguments.flag("force_group_writable", force_group_writable),
            hard_links=_arguments.choice("hardlinks", hardlinks, HARDLINKS) == "repair",
            journal=b"" if journal is None else _arguments.path_bytes("journal", journal),
            exclude=_arguments.exclusions(exclude),
            max_threads=_arguments.count("max_threads", max_threads),
            ignore_snapshots=_arguments.flag("ignore_snapshots", ignore_snapshots),
            one_file_system=_arguments.flag("one_file_system", one_file_system),
        )
        self._dry_run = dry_run
        self._core = _core.Repair(encoded, options, _core.posix_file_system())

    def follow(self, progress: ProgressCallback | None) -> None:
        """Wait for the end, and call back meanwhile."""
        pace = Pace()
        while not self._core.wait(POLL_INTERVAL):
            if progress is not None and pace.due():
                progress(progress_of(self._core))
        if progress is not None and pace.due_at_end():
            progress(progress_of(self._core))

    def result(self) -> RepairResult:
        """Return what it has come to so far."""
        return _result(self._core, self._dry_run, progress_of(self._core))

    def __exit__(self, *_: object) -> None:
        self._core.close()


def undo(journal: _arguments.StrPath, dry_run: bool = True) -> RepairResult:
    """Put back what a repair has changed, as its journal says, the last change first.

    An entry is restored only if it is the same inode, and its owner, group and mode are what the
    repair left; what is not restored is in ``skipped``, with the reason. Nothing is said about
    entries that are as they were before the repair. Setuid and setgid bits are given back only to
    files that have not been written to since; a setgid bit of a group that is not the owner's own
    only to root's, as an owner can hide that a file has been written to.

    :param journal: the file that :func:`repair` has written
    :param dry_run: find the changes, but make none
    :returns: the changes, what failed, and what was left alone
    :raises OSError: on systems other than Linux (``EOPNOTSUPP``)
    :raises PermissionError: when it is no dry run, and the user is not root, or anyone but root
        could have written the journal
    :raises OSError: when the journal cannot be read
    :raises TypeError: when an argument has the wrong type
    :raises ValueError: when the journal's path is empty or has a null byte
    """
    encoded = _arguments.path_bytes("journal", journal)
    core = _core.Undo(encoded, _arguments.flag("dry_run", dry_run), _core.posix_file_system())
    while not core.advance(POLL_INTERVAL):
        pass
    return _result(core, dry_run, Progress())


def validate_gid(gid: int) -> bool:
    """Return whether the group database has a group of this number.

    :raises OSError: when the database cannot be asked
    :raises TypeError: when it is no int
    """
    try:
        return _core.group_exists(_arguments.group_number("gid", gid))
    except ValueError:
        return False


def _result(core: _core.RepairRecords, dry_run: bool, progress: Progress) -> RepairResult:
    counts = core.counts()
    return RepairResult(
        dry_run=dry_run,
        counts=dict(zip(_KINDS, counts.kinds, strict=True)),
        changes=_Records(core.changes, counts.changes, _change),
        errors=errors_of(core),
        skipped=_Records(core.skipped, counts.skipped, _skipped),
        unlogged=counts.unlogged,
        progress=progress,
    )


def _change(record: tuple[bytes, int, int, int, int, int, int, int]) -> Change:
    path, kinds, _, uid, old_gid, new_gid, old_mode, new_mode = record
    return Change(
        path=os.fsdecode(path),
        what=tuple(name for bit, name in enumerate(_KINDS) if kinds >> bit & 1),
        old_mode=old_mode,
        new_mode=new_mode,
        old_uid=uid,
        new_uid=uid,
        old_gid=old_gid,
        new_gid=new_gid,
    )


def _skipped(record: tuple[bytes, int, int, int, int, int, int, int]) -> Skipped:
    return Skipped(os.fsdecode(record[0]), _REASONS[record[2]])
