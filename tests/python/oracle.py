"""What a report of a tree must say, found out the slow and obvious way.

Two oracles that share no code with the product:

* :func:`survey` recurses with ``os.listdir`` and ``os.stat`` relative to directory descriptors,
  so that neither a path longer than PATH_MAX nor a name that is not UTF-8 is a special case.
* :func:`find_rows` asks GNU find.

Paths are ``bytes`` throughout: the top as given, ``/``, then the names.
"""

# ruff: noqa: PTH100, PTH123
# Names are bytes here, as the kernel has them.

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Union

AnyPath = Union[str, bytes, "os.PathLike[str]"]

CSV_HEADER = (
    b'inode,parent-inode,directory-depth,"filename","fileExtension",UID,GID,st_size,st_dev,'
    b'st_blocks,st_nlink,"st_mode",st_atime,st_mtime,st_ctime,pw_fcount,pw_dirsum\n'
)
CSV_ROW = b'%d,%d,%d,"%s","%s",%d,%d,%d,%d,%d,%d,"%07o",%d,%d,%d,%d,%d\n'
CONTROL_BYTES = bytes(range(32))


class Row(NamedTuple):
    """One entry. ``file_count`` and ``dir_sum`` are None for a directory that cannot be read."""

    path: bytes
    extension: bytes | None
    inode: int
    parent_inode: int
    depth: int
    uid: int
    gid: int
    size: int
    dev: int
    blocks: int
    nlink: int
    mode: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    file_count: int | None
    dir_sum: int | None

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


@dataclass
class Survey:
    """Rows by path, and the failures as ``(path, operation, errno)``."""

    rows: dict[bytes, Row] = field(default_factory=dict)
    errors: list[tuple[bytes, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class _Selection:
    ignore_snapshots: bool
    one_file_system: bool
    excluded: frozenset[bytes]
    max_depth: int | None
    mount: tuple[int, str]
    top: bytes
    absolute_top: bytes

    def excludes(self, path: bytes) -> bool:
        if not self.excluded:
            return False
        below = path[len(self.top) + 1 :]
        return os.path.normpath(self.absolute_top + b"/" + below) in self.excluded

    def too_deep(self, level: int) -> bool:
        return bool(self.max_depth) and level > (self.max_depth or 0)


class _Subdirectory(NamedTuple):
    name: bytes
    path: bytes
    level: int
    parent_inode: int
    status: os.stat_result


def extension_of(name: bytes) -> bytes | None:
    """What follows the last dot of ``name``, its first character not counted; None without one."""
    dot = name.rfind(b".", 1)
    return None if dot < 0 else name[dot + 1 :]


def survey(
    top: AnyPath,
    *,
    ignore_snapshots: bool = True,
    one_file_system: bool = False,
    exclude: Iterable[AnyPath] = (),
    max_depth: int | None = None,
) -> Survey:
    """Return what a report on ``top`` with this selection must hold."""
    top_path = os.fsencode(top)
    found = Survey()
    top_fd = _open_directory(top_path, None)
    try:
        top_status = os.fstat(top_fd)
        selection = _Selection(
            ignore_snapshots,
            one_file_system,
            frozenset(os.path.abspath(os.fsencode(path)) for path in exclude),
            max_depth,
            (top_status.st_dev, _mount_id(top_fd)),
            top_path,
            os.path.abspath(top_path),
        )
        root = _Subdirectory(b"", top_path, 0, 0, top_status)
        stack = [(top_fd, _list(top_fd, root, selection, found))]
        while stack:
            parent_fd, pending = stack[-1]
            if not pending:
                stack.pop()
                if parent_fd != top_fd:
                    os.close(parent_fd)
                continue
            child = pending.pop()
            try:
                child_fd = _open_directory(child.name, parent_fd)
            except OSError as error:
                found.errors.append((child.path, "open", error.errno or 0))
                _add(found, child, None, None)
                continue
            stack.append((child_fd, _list(child_fd, child, selection, found)))
    finally:
        os.close(top_fd)
    return found


def expected_rows(
    top: AnyPath,
    *,
    ignore_snapshots: bool = True,
    one_file_system: bool = False,
    exclude: Iterable[AnyPath] = (),
    max_depth: int | None = None,
) -> dict[bytes, Row]:
    """Return only the rows of :func:`survey`."""
    return survey(
        top,
        ignore_snapshots=ignore_snapshots,
        one_file_system=one_file_system,
        exclude=exclude,
        max_depth=max_depth,
    ).rows


def _open_directory(path: bytes, dir_fd: int | None) -> int:
    """Open for listing, leaving the access time alone where that is allowed."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if dir_fd is not None:
        flags |= os.O_NOFOLLOW
    try:
        return os.open(path, flags | os.O_NOATIME, dir_fd=dir_fd)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        return os.open(path, flags, dir_fd=dir_fd)


def _mount_id(fd: int) -> str:
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
        return next(line.split()[1] for line in lines if line.startswith("mnt_id:"))


def _same_mount(name: bytes, dir_fd: int, status: os.stat_result, selection: _Selection) -> bool:
    if not selection.one_file_system:
        return True
    if status.st_dev != selection.mount[0]:
        return False
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        return _mount_id(fd) == selection.mount[1]
    finally:
        os.close(fd)


def _list(
    fd: int, directory: _Subdirectory, selection: _Selection, found: Survey
) -> list[_Subdirectory]:
    """Add the rows of one directory and of what is not a directory in it; return the rest."""
    names = [os.fsencode(name) for name in os.listdir(fd)]
    inode = directory.status.st_ino
    total = 0
    pending: list[_Subdirectory] = []
    for name in names:
        path = directory.path + b"/" + name
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            found.errors.append((path, "stat", error.errno or 0))
            continue
        if not _same_mount(name, fd, status, selection):
            continue
        total += status.st_size
        if selection.excludes(path):
            continue
        child = _Subdirectory(name, path, directory.level + 1, inode, status)
        if not stat.S_ISDIR(status.st_mode):
            _add(found, child, -1, 0)
        elif selection.ignore_snapshots and name == b".snapshot":
            continue
        elif not selection.too_deep(child.level):
            pending.append(child)
    _add(found, directory, len(names), total)
    return pending


def _add(found: Survey, entry: _Subdirectory, file_count: int | None, dir_sum: int | None) -> None:
    status = entry.status
    is_directory = stat.S_ISDIR(status.st_mode)
    found.rows[entry.path] = Row(
        path=entry.path,
        extension=None if is_directory else extension_of(entry.name),
        inode=status.st_ino,
        parent_inode=entry.parent_inode,
        depth=entry.level - 1,
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size,
        dev=status.st_dev,
        blocks=status.st_blocks,
        nlink=status.st_nlink,
        mode=status.st_mode,
        atime_ns=status.st_atime_ns,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        file_count=file_count,
        dir_sum=dir_sum,
    )


def csv_string(raw: bytes) -> bytes:
    """Double the quotes and drop the control bytes, as the CSV does between its quotes."""
    return raw.translate(None, CONTROL_BYTES).replace(b'"', b'""')


def csv_line(row: Row) -> bytes:
    """Format a row as pwalk 3.0 prints it."""
    return CSV_ROW % (
        row.inode,
        row.parent_inode,
        row.depth,
        csv_string(row.path),
        csv_string(row.extension or b""),
        row.uid,
        row.gid,
        row.size,
        row.dev,
        row.blocks,
        row.nlink,
        row.mode,
        row.atime_ns // 10**9,
        row.mtime_ns // 10**9,
        row.ctime_ns // 10**9,
        row.file_count,
        row.dir_sum,
    )


def csv_lines(rows: Iterable[Row]) -> list[bytes]:
    """The lines of a CSV report without its header: unreadable directories have none."""
    return [csv_line(row) for row in rows if row.file_count is not None]


class FindRow(NamedTuple):
    """What GNU find says of an entry. ``depth`` counts as the report does: -1 is the top."""

    path: bytes
    inode: int
    size: int
    kind: bytes
    permissions: int
    nlink: int
    uid: int
    gid: int
    blocks: int
    dev: int
    mtime_ns: int
    ctime_ns: int
    depth: int


_FIND_FORMAT = r"%p\0%i\0%s\0%y\0%m\0%n\0%U\0%G\0%b\0%D\0%T@\0%C@\0%d\0"
_KINDS = {
    stat.S_IFREG: b"f",
    stat.S_IFDIR: b"d",
    stat.S_IFLNK: b"l",
    stat.S_IFIFO: b"p",
    stat.S_IFSOCK: b"s",
    stat.S_IFCHR: b"c",
    stat.S_IFBLK: b"b",
}


def have_gnu_find() -> bool:
    """Is there a find that understands ``-printf``?"""
    if shutil.which("find") is None:
        return False
    shown = subprocess.run(["find", "--version"], capture_output=True, check=False)
    return b"GNU findutils" in shown.stdout


def find_rows(top: AnyPath) -> dict[bytes, FindRow]:
    """Everything below and including ``top``, as ``find -printf`` sees it."""
    answer = subprocess.run(
        ["find", "-P", os.fsencode(top), "-printf", _FIND_FORMAT],
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    fields = answer.stdout.split(b"\0")[:-1]
    width = len(FindRow._fields)
    rows = {}
    for start in range(0, len(fields), width):
        path, inode, size, kind, mode, nlink, uid, gid, blocks, dev, mtime, ctime, depth = fields[
            start : start + width
        ]
        rows[path] = FindRow(
            path,
            int(inode),
            int(size),
            kind,
            int(mode, 8),
            int(nlink),
            int(uid),
            int(gid),
            int(blocks),
            int(dev),
            _nanoseconds(mtime),
            _nanoseconds(ctime),
            int(depth) - 1,
        )
    return rows


def as_find_row(row: Row) -> FindRow:
    """Reduce a row to what find can say."""
    return FindRow(
        row.path,
        row.inode,
        row.size,
        _KINDS[stat.S_IFMT(row.mode)],
        stat.S_IMODE(row.mode),
        row.nlink,
        row.uid,
        row.gid,
        row.blocks,
        row.dev,
        row.mtime_ns,
        row.ctime_ns,
        row.depth,
    )


def _nanoseconds(printed: bytes) -> int:
    """find prints tv_sec, a point, and tv_nsec: the fraction always counts upwards."""
    seconds, _, fraction = printed.partition(b".")
    return int(seconds) * 10**9 + int(fraction[:9].ljust(9, b"0"))
