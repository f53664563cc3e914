"""Archives of every format: by the programs that usually make them, by Python, or by hand."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

Files = dict[str, bytes]

BLOCK = 512


def run(*command: str | Path, cwd: Path | None = None, stdin: bytes = b"") -> bytes:
    """Run a program, which must succeed."""
    return subprocess.run(command, cwd=cwd, input=stdin, check=True, capture_output=True).stdout


def write_tree(top: Path, files: Files) -> None:
    """Write files below a directory."""
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


# ---- Written in Python --------------------------------------------------------------------------


def tar_of(entries: Iterable[tuple[str, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of files, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(entries: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of files, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def zip_files(content: bytes) -> Files | None:
    """What Python's reader, which goes by the central directory, finds in a zip.

    None where it does not try: a higher version of the format is asked for.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            return {os.path.normpath(name): archive.read(name) for name in names}
    except NotImplementedError as error:
        if "zip file version" in str(error):
            return None
        raise


def cpio_of(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A cpio of the format newc, in this order."""
    parts = []
    for inode, (name, content) in enumerate([*entries, ("TRAILER!!!", b"")]):
        stored = os.fsencode(name) + b"\0"
        numbers = [inode, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(stored), 0]
        header = b"070701" + b"".join(b"%08X" % number for number in numbers) + stored
        for part in (header, content):
            parts += [part, bytes(-len(part) % 4)]
    return b"".join(parts)


def rar4_of(entries: Iterable[tuple[str, bytes]], archive_flags: int = 0) -> bytes:
    """A RAR 4 of files that are stored, not compressed."""

    def block(kind: int, flags: int, rest: bytes) -> bytes:
        body = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
        return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body

    whole = b"Rar!\x1a\x07\0" + block(0x73, archive_flags, bytes(6))
    for name, content in entries:
        size, stored = len(content), os.fsencode(name)
        fields = (size, size, 3, zlib.crc32(content), 0, 20, 0x30, len(stored), 0o100644)
        whole += block(0x74, 0x8000, struct.pack("<IIBIIBBHI", *fields) + stored) + content
    return whole + block(0x7B, 0x4000, b"")


def rar5_of(entries: Iterable[tuple[str, bytes]], archive_flags: int = 0) -> bytes:
    """A RAR 5 of files that are stored, not compressed."""

    def number(value: int) -> bytes:
        encoded = b""
        while value > 127:
            encoded += bytes([value & 127 | 128])
            value >>= 7
        return encoded + bytes([value])

    def block(kind: int, flags: int, rest: bytes) -> bytes:
        body = bytes([kind, flags]) + rest
        body = number(len(body)) + body
        return struct.pack("<I", zlib.crc32(body)) + body

    whole = b"Rar!\x1a\x07\x01\0" + block(1, 0, number(archive_flags))
    for name, content in entries:
        size, stored = number(len(content)), os.fsencode(name)
        crc = struct.pack("<I", zlib.crc32(content))
        fields = size + b"\x04" + size + number(0o100644) + crc + b"\0\x01"
        whole += block(2, 2, fields + number(len(stored)) + stored) + content
    return whole + block(5, 4, b"\0")


# ---- Written by programs ------------------------------------------------------------------------


def _by_program(files: Files, command: Callable[[Path], Iterable[str | Path]]) -> bytes:
    """What a program that is given the names writes to `out` beside the tree."""
    with tempfile.TemporaryDirectory() as place:
        top, out = Path(place, "tree"), Path(place, "out")
        top.mkdir()
        write_tree(top, files)
        names = b"".join(os.fsencode(name) + b"\n" for name in files)
        written = run(*command(out), cwd=top, stdin=names)
        if not out.exists():
            found = list(out.parent.glob("out.*"))
            return found[0].read_bytes() if found else written
        return out.read_bytes()


def _tar(*options: str) -> Callable[[Files], bytes]:
    return lambda files: _by_program(files, lambda out: ("tar", "-cf", out, *options, "-T", "-"))


def _cpio(form: str) -> Callable[[Files], bytes]:
    return lambda files: _by_program(files, lambda _: ("cpio", "--quiet", "-o", "-H", form))


def _packed(*command: str) -> Callable[[Files], bytes]:
    return lambda files: run(*command, stdin=tar_of(files.items()))


#: For each format, what makes an archive of some files.
MAKERS: dict[str, Callable[[Files], bytes]] = {
    "tar gnu": _tar("--format=gnu"),
    "tar pax": _tar("--format=pax"),
    "tar ustar": _tar("--format=ustar"),
    "tar v7": _tar("--format=v7"),
    "tar.gz": _packed("gzip", "-c"),
    "tar.bz2": _packed("bzip2", "-c"),
    "tar.xz": _packed("xz", "-c"),
    "tar.lzma": _packed("xz", "-c", "--format=lzma"),
    "tar.zst": _packed("zstd", "-qc"),
    "cpio newc": _cpio("newc"),
    "cpio crc": _cpio("crc"),
    "cpio odc": _cpio("odc"),
    "cpio bin": _cpio("bin"),
    "cpio.gz": lambda files: gzip.compress(cpio_of(files.items())),
    "zip": lambda files: _by_program(files, lambda out: ("zip", "-q", f"{out}.zip", "-@")),
    "zip stored": lambda files: zip_of(files.items(), zipfile.ZIP_STORED),
    "zip bzip2": lambda files: zip_of(files.items(), zipfile.ZIP_BZIP2),
    "7z": lambda files: _by_program(files, lambda out: ("7z", "a", "-bd", f"{out}.7z", ".")),
    "7z bzip2": lambda files: _by_program(
        files, lambda out: ("7z", "a", "-bd", "-m0=bzip2", f"{out}.7z", ".")
    ),
    "rar4": lambda files: rar4_of(files.items()),
    "rar5": lambda files: rar5_of(files.items()),
}

#: As above, in Python alone and so many times faster; the entries are in the order of the files.
QUICK_MAKERS: dict[str, Callable[[Files], bytes]] = {
    "tar gnu": lambda files: tar_of(files.items()),
    "tar pax": lambda files: tar_of(files.items(), tarfile.PAX_FORMAT),
    "tar.gz": lambda files: gzip.compress(tar_of(files.items()), 1),
    "tar.bz2": lambda files: bz2.compress(tar_of(files.items())),
    "tar.xz": lambda files: lzma.compress(tar_of(files.items()), preset=0),
    "cpio newc": lambda files: cpio_of(files.items()),
    "zip": lambda files: zip_of(files.items()),
    "zip stored": lambda files: zip_of(files.items(), zipfile.ZIP_STORED),
    "rar4": lambda files: rar4_of(files.items()),
    "rar5": lambda files: rar5_of(files.items()),
}
