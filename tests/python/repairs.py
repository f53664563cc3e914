"""An independent model of what a repair does, and trees to repair.

The model is written from the rules alone: a listing (path -> :class:`Entry`) in, another out.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pwalk import Change


@dataclass(frozen=True)
class Entry:
    """What the rules look at."""

    kind: str
    uid: int
    gid: int
    mode: int
    links: int = 1


Listing = dict[str, Entry]

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def require_root() -> None:
    """Skip the calling test where owners and groups cannot be chosen."""
    if os.geteuid() != 0:
        pytest.skip("only root can make entries of other owners and groups")


def look(path: str | bytes | os.PathLike[str]) -> Entry:
    """Return one entry as it is."""
    status = os.lstat(path)
    return Entry(
        _KINDS[stat.S_IFMT(status.st_mode)],
        status.st_uid,
        status.st_gid,
        stat.S_IMODE(status.st_mode),
        status.st_nlink,
    )


def listing(top: Path) -> Listing:
    """Return every entry below and including ``top``, by path."""
    found = {str(top): look(top)}
    for directory, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(directory, name)  # noqa: PTH118 - names may be undecodable
            found[path] = look(path)
    return found


def set_values(path: str | Path, uid: int, gid: int, mode: int) -> None:
    """Give an entry an owner, a group and permission bits."""
    os.chown(path, uid, gid, follow_symlinks=False)
    if not os.path.islink(path):  # noqa: PTH114
        os.chmod(path, mode)  # noqa: PTH101


def shared_directory(place: Path) -> Path:
    """Make a shared directory of group 5, with nothing in it."""
    top = place / "top"
    top.mkdir()
    set_values(top, 1000, 5, 0o2770)
    return top


ACL_ACCESS = "system.posix_acl_access"
CAPABILITY = "security.capability"


def give_acl(path: Path, user: int, mask: int) -> None:
    """Give a file an ACL: rw for its owner and ``user``, nothing for its group, and a mask.

    The format is that of linux/posix_acl_xattr.h.
    """
    entries = [(1, 6, -1), (2, 6, user), (4, 0, -1), (16, mask, -1), (32, 0, -1)]
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(path, ACL_ACCESS, struct.pack("<I", 2) + packed)


def give_capability(path: Path) -> None:
    """Let a program open raw sockets; the format is that of linux/capability.h, revision 2."""
    os.setxattr(path, CAPABILITY, struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))


def repaired(
    before: Listing,
    top: Path,
    change_gids: Collection[int] = (),
    *,
    group_writable: bool = False,
    hard_links: bool = False,
) -> Listing:
    """Return what the rules make of a tree."""
    after = dict(before)
    for path in sorted(before, key=lambda path: path.count("/")):  # those above come first
        entry = before[path]
        if entry.kind == "symlink" or (
            entry.kind != "directory" and entry.links > 1 and not hard_links
        ):
            continue
        gid, mode = entry.gid, entry.mode
        if _needs_group(entry, change_gids):
            above = path
            while above != str(top):
                above = os.path.dirname(above)  # noqa: PTH120
                if not _needs_group(after[above], change_gids):
                    gid = after[above].gid
                    break
        if entry.kind == "directory":
            mode |= 0o2050
        else:
            if gid != entry.gid:
                mode &= ~0o6000
            if entry.kind == "file":
                mode |= 0o040
        if entry.kind == "file" and mode & 0o2000 and mode != entry.mode:
            continue  # whoever writes to it meanwhile must not get setgid back
        writable = entry.kind == "directory" or (entry.kind == "file" and not mode & 0o6000)
        if group_writable and writable:
            mode |= 0o020
        after[path] = replace(entry, gid=gid, mode=mode)
    return after


def _needs_group(entry: Entry, change_gids: Collection[int]) -> bool:
    return entry.gid in (entry.uid, 0) or entry.gid in change_gids


def differences(before: Listing, after: Listing) -> dict[str, tuple[int, int, int, int]]:
    """Return old and new group and mode of what differs, by path."""
    assert before.keys() == after.keys()
    return {
        path: (old.gid, after[path].gid, old.mode, after[path].mode)
        for path, old in before.items()
        if (old.gid, old.mode) != (after[path].gid, after[path].mode)
    }


def said(changes: Collection[Change]) -> dict[str, tuple[int, int, int, int]]:
    """Return the same of what a repair says; no entry may be in it twice."""
    found = {c.path: (c.old_gid, c.new_gid, c.old_mode, c.new_mode) for c in changes}
    assert len(found) == len(changes)
    return found
