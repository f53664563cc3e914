"""What compare_dir must answer, worked out slowly and one thing after the other.

Shares nothing with the product: whole files are read, whole directories listed, and paths are
strings of bytes from the top, so that trees must not be deeper than PATH_MAX.
"""

# ruff: noqa: PTH116, PTH118, PTH123, PTH208, PTH115
# Names are bytes.

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from komparu import DiffReason, DirResult

Identity: TypeAlias = tuple[int, int]

MOST_VISITS = 4000


class TooManyError(Exception):
    """Symlinks multiply the tree beyond what a test has time for."""


@dataclass(frozen=True)
class _Place:
    """A directory, by the path it has been reached on."""

    path: bytes
    identity: Identity
    above: tuple[Identity, ...]

    def loop(self, entry: _Entry) -> int | None:
        """Return the depth of the ancestor that a symlink in this directory leads to."""
        identities = (*self.above, self.identity)
        if not entry.is_link or entry.identity not in identities:
            return None
        return len(identities) - 1 - identities[::-1].index(entry.identity)

    def enter(self, name: bytes, entry: _Entry) -> _Place:
        path = os.path.join(self.path, name)
        return _Place(path, entry.identity, (*self.above, self.identity))


@dataclass(frozen=True)
class _Entry:
    """What a name is; what it leads to, where symlinks are followed."""

    status: os.stat_result
    is_link: bool  # that has been followed

    @property
    def identity(self) -> Identity:
        return self.status.st_dev, self.status.st_ino

    @property
    def type(self) -> int:
        return stat.S_IFMT(self.status.st_mode)

    @property
    def is_device(self) -> bool:
        return self.type in (stat.S_IFCHR, stat.S_IFBLK)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


def compare(
    top_a: bytes | os.PathLike[str],
    top_b: bytes | os.PathLike[str],
    *,
    follow_symlinks: bool = True,
    ignore: Sequence[str] = (),
) -> DirResult:
    """Compare two directories that exist."""
    model = _Model(follow_symlinks, ignore)
    places = [_Place(path, _identity(path), ()) for path in map(os.fsencode, (top_a, top_b))]
    model.directories(b"", *places)
    equal = not (model.diff or model.only[0] or model.only[1] or model.errors)
    return DirResult(equal, model.diff, *model.only, errors=model.errors)


def _identity(path: bytes) -> Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _mount(path: bytes) -> str:
    fd = os.open(path, os.O_PATH)
    try:
        with open(f"/proc/self/fdinfo/{fd}") as file:
            return next(line for line in file if line.startswith("mnt_id:"))
    finally:
        os.close(fd)


def _as_listed(directory: bytes, name: bytes) -> os.stat_result:
    """Return as much as a listing tells of an entry of a directory that must not be searched."""
    with os.scandir(directory) as entries:
        entry = next(entry for entry in entries if entry.name == name)
    kinds = (
        (entry.is_symlink(), stat.S_IFLNK),
        (entry.is_dir(follow_symlinks=False), stat.S_IFDIR),
        (entry.is_file(follow_symlinks=False), stat.S_IFREG),
    )
    mode = next(mode for is_it, mode in kinds if is_it)
    return os.stat_result((mode, *(0,) * 9))


@dataclass
class _Model:
    follow: bool
    ignore: Sequence[str]
    diff: dict[str, DiffReason] = field(default_factory=dict)
    only: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    errors: set[str] = field(default_factory=set)
    visits: int = 0

    def directories(self, at: bytes, a: _Place, b: _Place) -> None:
        if a.identity == b.identity and _mount(a.path) == _mount(b.path):
            return
        try:
            names_a, names_b = self.names(a), self.names(b)
        except OSError:
            self.errors.add(os.fsdecode(at or b"."))
            return
        for name in names_a | names_b:
            path = os.path.join(at, name)
            if name not in names_b:
                self.only_in(0, path, a, name)
            elif name not in names_a:
                self.only_in(1, path, b, name)
            else:
                self.pair(path, a, b, name)

    def names(self, place: _Place) -> set[bytes]:
        names = {
            name
            for name in os.listdir(place.path)
            if not any(fnmatch.fnmatchcase(os.fsdecode(name), pattern) for pattern in self.ignore)
        }
        self.visits += len(names)
        if self.visits > MOST_VISITS:
            raise TooManyError
        return names

    def entry(self, place: _Place, name: bytes) -> _Entry:
        path = os.path.join(place.path, name)
        try:
            status = os.lstat(path)
        except PermissionError:
            status = _as_listed(place.path, name)
        if self.follow and stat.S_ISLNK(status.st_mode):
            return _Entry(os.stat(path), True)
        return _Entry(status, False)

    def only_in(self, side: int, path: bytes, place: _Place, name: bytes) -> None:
        try:
            entry = self.entry(place, name)
        except OSError:
            self.errors.add(os.fsdecode(path))
        else:
            self.below(side, path, place, name, entry)

    def below(self, side: int, path: bytes, place: _Place, name: bytes, entry: _Entry) -> None:
        """Tell of an entry, or of all that is in it, on one side."""
        if not entry.is_directory:
            self.only[side].add(os.fsdecode(path))
            return
        inner = place.enter(name, entry)
        try:
            if place.loop(entry) is not None:
                raise OSError(errno.ELOOP, "a loop")
            names = self.names(inner)
        except OSError:
            self.errors.add(os.fsdecode(path))
            return
        for child in names:
            self.only_in(side, os.path.join(path, child), inner, child)

    def pair(self, path: bytes, a: _Place, b: _Place, name: bytes) -> None:
        try:
            left, right = self.entry(a, name), self.entry(b, name)
            if left.type == right.type:
                self.same_type(path, (a, left), (b, right), name)
                return
        except OSError:
            self.errors.add(os.fsdecode(path))
            return
        self.diff[os.fsdecode(path)] = DiffReason.TYPE_MISMATCH
        for side, place, entry in ((0, a, left), (1, b, right)):
            if entry.is_directory:
                self.below(side, path, place, name, entry)

    def same_type(
        self, path: bytes, a: tuple[_Place, _Entry], b: tuple[_Place, _Entry], name: bytes
    ) -> None:
        left, right = a[1], b[1]
        path_a, path_b = (os.path.join(place.path, name) for place, _ in (a, b))
        reason = None
        if left.is_directory:
            self.both_directories(path, a, b, name)
        elif stat.S_ISREG(left.status.st_mode):
            reason = self.difference(path_a, path_b)
        elif stat.S_ISLNK(left.status.st_mode):
            if os.readlink(path_a) != os.readlink(path_b):
                reason = DiffReason.CONTENT_MISMATCH
        elif left.is_device and left.status.st_rdev != right.status.st_rdev:
            reason = DiffReason.CONTENT_MISMATCH
        if reason is not None:
            self.diff[os.fsdecode(path)] = reason

    def both_directories(
        self, path: bytes, a: tuple[_Place, _Entry], b: tuple[_Place, _Entry], name: bytes
    ) -> None:
        inner = [place.enter(name, entry) for place, entry in (a, b)]
        same = inner[0].identity == inner[1].identity
        loops = [place.loop(entry) for place, entry in (a, b)]
        if same and _mount(inner[0].path) == _mount(inner[1].path):
            return
        if loops == [None, None]:
            self.directories(path, *inner)
        elif loops[0] != loops[1]:
            self.errors.add(os.fsdecode(path))

    def difference(self, a: bytes, b: bytes) -> DiffReason | None:
        with open(a, "rb") as file_a, open(b, "rb") as file_b:
            left, right = file_a.read(), file_b.read()
        if left == right:
            return None
        if len(left) != len(right):
            return DiffReason.SIZE_MISMATCH
        return DiffReason.CONTENT_MISMATCH
