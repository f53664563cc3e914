"""The values that pwalk's functions return."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pwalk import _core

# Names of the entry types, by the number that dirent's d_type and the top bits of st_mode have.
_KIND_NAMES = {
    8: "files",
    4: "directories",
    10: "symlinks",
    1: "fifos",
    12: "sockets",
    2: "character devices",
    6: "block devices",
}


# What the system has no words for.
_MESSAGES = {
    ("inherit", errno.EINVAL): (
        "its group is its owner's, root's or to be replaced, and there is no directory above to "
        "take one from"
    ),
    ("undo", errno.EINVAL): "no line of a journal",
}


class EntryError(str):
    """An entry that could not be looked at, or not be changed: its full path, with the reason.

    Undecodable bytes of the path are surrogate escapes, as :func:`os.fsdecode` gives them.

    :ivar errno: the error number, as in the :mod:`errno` module
    :ivar strerror: what the system calls that error
    :ivar operation: what failed: ``"open"``, ``"read"`` (listing a directory), ``"stat"`` or
        ``"encode"`` (a path too long for the format); in a repair also ``"chown"``, ``"chmod"``,
        ``"inherit"`` (finding a group) or ``"undo"``
    """

    __slots__ = ("errno", "operation", "strerror")

    errno: int
    strerror: str
    operation: str

    def __new__(cls, path: str, operation: str, number: int) -> EntryError:
        """Make one from a decoded path."""
        self = super().__new__(cls, path)
        self.operation = operation
        self.errno = number
        self.strerror = _MESSAGES.get((operation, number)) or os.strerror(number)
        return self

    def __reduce__(self) -> tuple[type[EntryError], tuple[str, str, int]]:
        """Support pickle and copy."""
        return EntryError, (str(self), self.operation, self.errno)


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a running scan.

    :ivar entries: entries reported so far, directories included
    :ivar directories: directories reported so far
    :ivar bytes: the sum of their ``st_size``, in bytes
    :ivar errors: entries that could not be looked at
    :ivar vanished: entries that were listed but gone when looked at; these are not errors
    :ivar elapsed: seconds since the start
    :ivar rate: entries a second since the start
    :ivar threads: threads at work
    :ivar threads_peak: the most threads that were at work at once
    :ivar path: a directory that is being worked on
    :ivar kinds: entries by kind, the kinds that occur
    :ivar automount_points: directories left alone because opening them would mount something
    :ivar spilled: bytes written to temporary files, because the output was behind
    """

    entries: int = 0
    directories: int = 0
    bytes: int = 0
    errors: int = 0
    vanished: int = 0
    elapsed: float = 0.0
    rate: float = 0.0
    threads: int = 0
    threads_peak: int = 0
    path: str = ""
    kinds: dict[str, int] = field(default_factory=dict)
    automount_points: int = 0
    spilled: int = 0


def progress_of(report: _core.Totals | _core.Repair) -> Progress:
    """Take a snapshot of a running scan."""
    now = report.progress()
    kinds = now.kinds
    return Progress(
        entries=now.entries,
        directories=now.directories,
        bytes=now.bytes,
        errors=now.errors,
        vanished=now.vanished,
        elapsed=now.elapsed,
        rate=now.entries / now.elapsed if now.elapsed > 0 else 0.0,
        threads=now.threads,
        threads_peak=now.threads_peak,
        path=os.fsdecode(now.path),
        kinds={name: kinds[kind] for kind, name in _KIND_NAMES.items() if kinds[kind]},
        automount_points=now.automount_points,
        spilled=now.spilled,
    )


def errors_of(report: _core.Totals | _core.RepairRecords) -> list[EntryError]:
    """Take the failures met so far."""
    return [
        EntryError(os.fsdecode(path), operation, number)
        for path, operation, number in report.errors()
    ]
