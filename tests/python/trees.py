"""Trees full of what goes wrong in real ones, and a removal that copes with all of it."""

# ruff: noqa: PTH102, PTH208, PTH211
# Much of this is done relative to descriptors and with names that are bytes.

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

FLAT_COUNT = 100_000

ODD_NAMES: tuple[bytes, ...] = (
    b"plain.txt",
    b"a.tar.gz",
    b".bashrc",
    b".profile.bak",
    b"x.",
    b"...",
    b"..x",
    b"..",  # skipped: shows that the list is filtered, not trusted
    b"a.b c",
    b"UPPER.TXT",
    b"no extension",
    b'quo"te',
    b'"',
    b'q.e"x"t',
    b"comma,name.c,v",
    b"single'quote",
    b"back\\slash.x\\41",
    b"\\xff.literal",
    b"new\nline",
    b"\n",
    b"tab\tname.t\tx",
    b"return\r\n.txt",
    b"\x01\x02\x1f",
    b"ext.\x01\x02",
    b"\x01.hidden",
    b"escape\x1b[31m.red",
    b"delete\x7f.del",
    b"-leading-dash",
    b" leading space",
    b"trailing space ",
    b"*?[a]",
    b"$(echo).sh",
    b"%s%n%d",
    b"\xff",
    b"\xff\xfe.\xfd",
    b"truncated-\xe2\x82.txt",
    b"overlong-\xc0\x80",
    b"surrogate-\xed\xa0\x80.sur",
    b"too-large-\xf4\x90\x80\x80",
    b"latin-\xe9t\xe9.fran\xe7ais",
    "grüße.größe".encode(),
    "日本語.テスト".encode(),
    "🙂.🙃".encode(),
    "e\u0301-combining".encode(),
    "\ufeffbyte-order-mark".encode(),
    "\u202eright-to-left.gpj".encode(),
    "\u0085next-line\u2028separator".encode(),
    b"n" * 255,
    b"m" * 250 + b".long",
    b"e." + b"x" * 253,
)

DEEP_NAME = b"d" * 200
DEEP_LEVELS = 24
SHALLOW_STEPS = 40


def build_traps(top: Path) -> None:
    """Fill ``top`` with every trap this user is allowed to set."""
    top.mkdir(parents=True, exist_ok=True)
    odd_names(top / "names")
    odd_directories(top / "directories")
    kinds(top / "kinds")
    snapshots(top / "snapshots")
    times(top / "times")
    sizes(top / "sizes")
    locked(top / "locked")
    owners(top / "owners")
    deep(top / "deep")


def odd_names(at: Path) -> None:
    """Regular files of different sizes under odd names."""
    at.mkdir()
    fd = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for size, name in enumerate(ODD_NAMES):
            if name not in (b".", b".."):
                _write(name, b"x" * size, fd)
    finally:
        os.close(fd)


def odd_directories(at: Path) -> None:
    """Directories under odd names, empty ones and ones that hold a file."""
    at.mkdir()
    for name in (b"empty", b"dir.ext", b".hidden.d", b"new\nline.d", b"\xff\xfe", b'quo"te'):
        path = os.fsencode(at) + b"/" + name
        os.mkdir(path)
        if name != b"empty":
            _write(path + b"/inside.txt", b"inside")
            os.mkdir(path + b"/" + name)


def kinds(at: Path) -> None:
    """Hard links, symbolic links of every sort, FIFOs, sockets and, for root, devices."""
    at.mkdir()
    (at / "file.dat").write_bytes(b"one" * 1000)
    (at / "folder").mkdir()
    (at / "folder" / "child.txt").write_bytes(b"child")
    os.link(at / "file.dat", at / "hard.one")
    os.link(at / "file.dat", at / "folder" / "hard.two")
    (at / "to-file.lnk").symlink_to("file.dat")
    (at / "to-folder.lnk").symlink_to("folder")
    (at / "dangling.lnk").symlink_to("nowhere/at/all")
    (at / "loop.lnk").symlink_to("loop.lnk")
    (at / "ping").symlink_to("pong")
    (at / "pong").symlink_to("ping")
    (at / "parent.lnk").symlink_to("..")
    (at / "root.lnk").symlink_to("/")
    os.symlink(b"\xff\n", os.fsencode(at) + b"/odd-target.lnk")
    os.link(at / "dangling.lnk", at / "hard-symlink.lnk", follow_symlinks=False)
    os.mkfifo(at / "pipe.fifo")
    os.link(at / "pipe.fifo", at / "hard-pipe.fifo")
    os.mknod(at / "socket.sock", stat.S_IFSOCK | 0o600)
    (at / "socket.sock").chmod(0o666)
    for name, kind in (("null.chr", stat.S_IFCHR), ("disk.blk", stat.S_IFBLK)):
        with contextlib.suppress(PermissionError):
            os.mknod(at / name, kind | 0o600, os.makedev(1, 3))
    for mode in (0o000, 0o777, 0o1644, 0o2755, 0o4755, 0o7777):
        special = at / f"mode.{mode:o}"
        special.write_bytes(b"m")
        special.chmod(mode)


def snapshots(at: Path) -> None:
    """``.snapshot`` at several depths, as a directory and as other things, and near misses."""
    for base in (at, at / "a", at / "a" / "b"):
        (base / ".snapshot" / "hourly.0").mkdir(parents=True)
        (base / ".snapshot" / "hourly.0" / "kept.txt").write_bytes(b"kept" * 50)
        (base / "beside.txt").write_bytes(b"beside")
    for near in (".snapshots", "x.snapshot", "snapshot", ".Snapshot"):
        (at / near).mkdir()
        (at / near / "visible.txt").write_bytes(b"visible")
    (at / "as-file").mkdir()
    (at / "as-file" / ".snapshot").write_bytes(b"only a file")
    (at / "as-link").mkdir()
    (at / "as-link" / ".snapshot").symlink_to("../a")


def times(at: Path) -> None:
    """Times before the epoch, between seconds, and as late as the file system holds."""
    at.mkdir()
    second = 10**9
    moments = {
        "epoch": 0,
        "one-nanosecond-before": -1,
        "one-and-a-half-before": -3 * second // 2,
        "sub-microsecond": 1_999,
        "sub-microsecond-before": -1_999,
        "year-1901": -2_147_483_648 * second,
        "year-2038": 2_147_483_648 * second + 999_999_999,
        "year-2106": 4_294_967_296 * second,
        "year-2500": 16_725_225_600 * second + 1,
    }
    for name, moment in moments.items():
        path = at / f"{name}.time"
        path.write_bytes(b"t")
        os.utime(path, ns=(moment, moment))
    folder = at / "old-folder"
    folder.mkdir()
    os.utime(folder, ns=(-second, -second - 1))


def sizes(at: Path) -> None:
    """Empty, sparse and huge files."""
    at.mkdir()
    (at / "empty").touch()
    with (at / "holes.img").open("wb") as file:
        file.write(b"start")
        file.truncate(1 << 30)
    for bits in (43, 40, 33, 31):
        with (at / "huge.img").open("wb") as file:
            try:
                file.truncate(1 << bits)
            except OSError as error:
                if error.errno != errno.EFBIG:
                    raise
            else:
                return


def locked(at: Path) -> None:
    """Directories that only a privileged user can read, list, or look into."""
    at.mkdir()
    for name, mode in (("none", 0o000), ("no-list", 0o311), ("no-search", 0o444)):
        folder = at / f"{name}.d"
        (folder / "sub").mkdir(parents=True)
        (folder / "file.txt").write_bytes(b"locked")
        (folder / "sub" / "below.txt").write_bytes(b"below")
        folder.chmod(mode)
    (at / "open.txt").write_bytes(b"open")


def owners(at: Path) -> None:
    """For root: files of owners above the signed 32-bit range, and of nobody in particular."""
    at.mkdir()
    for number in (1, 2_147_483_647, 2_147_483_648, 4_294_967_294):
        path = at / f"owner.{number}"
        path.write_bytes(b"o")
        with contextlib.suppress(PermissionError):
            os.chown(path, number, number)
    (at / "link").symlink_to("owner.1")
    with contextlib.suppress(PermissionError):
        os.chown(at / "link", 3_000_000_000, 3_000_000_001, follow_symlinks=False)


def deep(at: Path, levels: int = DEEP_LEVELS) -> bytes:
    """A chain of directories whose path is longer than PATH_MAX; return the path of its file."""
    at.mkdir()
    path = os.fsencode(at)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in [DEEP_NAME] * levels + [b"s"] * SHALLOW_STEPS:
            os.mkdir(name, dir_fd=fd)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
            path += b"/" + name
            _write(b"beside.txt", b"beside", fd)
        _write(b"bottom.txt", b"bottom", fd)
    finally:
        os.close(fd)
    return path + b"/bottom.txt"


def flat(at: Path, count: int = FLAT_COUNT) -> None:
    """One directory of ``count`` empty files."""
    at.mkdir(parents=True)
    fd = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(count):
            os.mknod(f"file-{number:07d}.dat", stat.S_IFREG | 0o644, dir_fd=fd)
    finally:
        os.close(fd)


def plain(at: Path, directories: int = 5, files: int = 20) -> None:
    """A tree with nothing odd in it: each file's size is its number."""
    for folder in range(directories):
        base = at / f"folder{folder}"
        base.mkdir(parents=True)
        for number in range(files):
            (base / f"file{number}.txt").write_bytes(b"p" * number)


def remove_tree(top: Path) -> None:
    """Remove ``top`` whatever it holds: locked, deeper than PATH_MAX, oddly named."""
    name = os.fsencode(top.name)
    try:
        parent = os.open(top.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        if os.path.lexists(top):
            _remove(name, parent)
    finally:
        os.close(parent)


def _remove(name: bytes, dir_fd: int) -> None:
    status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=dir_fd)
        return
    if stat.S_IMODE(status.st_mode) & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=dir_fd)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        for child in os.listdir(fd):
            _remove(os.fsencode(child), fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=dir_fd)


def _write(name: bytes, content: bytes, dir_fd: int | None = None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    fd = os.open(name, flags, 0o644, dir_fd=dir_fd)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)
