"""Small files of each format to begin with, made from its text: DIRECTORY/TARGET/*."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

MAGIC = 0x5057414C


def pwal(order: str, flags: int, names: list[tuple[bytes, bytes]]) -> bytes:
    """A PWAL file in one byte order."""
    content = struct.pack(order + "IHHQQ", MAGIC, 1, flags, len(names), 1_700_000_000)
    for number, (name, extension) in enumerate(names):
        fields = (number, 2, 0, 1000, 1000, 5, 65024, 8, 1, 0o100644, 1, -1, 3, -1, 0)
        lengths = (len(name), len(extension))
        content += struct.pack(order + "QQiIIqQqQIqqqqqHH", *fields, *lengths)
        content += name + b"\0" + extension + b"\0"
    return content


def rar4(name: bytes, content: bytes) -> bytes:
    """A RAR 4 archive of one stored file."""

    def block(kind: int, flags: int, rest: bytes) -> bytes:
        body = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
        return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body

    sizes = (len(content), len(content), 3, zlib.crc32(content), 0, 20, 0x30, len(name), 0o100644)
    file = block(0x74, 0x8000, struct.pack("<IIBIIBBHI", *sizes) + name)
    return b"Rar!\x1a\x07\0" + block(0x73, 0, bytes(6)) + file + content + block(0x7B, 0x4000, b"")


def rar5(name: bytes, content: bytes) -> bytes:
    """A RAR 5 archive of one stored file; lengths are below 128."""

    def block(kind: int, flags: int, rest: bytes) -> bytes:
        body = bytes([kind, flags]) + rest
        body = bytes([len(body)]) + body
        return struct.pack("<I", zlib.crc32(body)) + body

    size = bytes([len(content)])
    fields = size + b"\x04" + size + b"\xa4\x83\x02" + struct.pack("<I", zlib.crc32(content))
    file = block(2, 2, fields + b"\0\x01" + bytes([len(name)]) + name)
    return b"Rar!\x1a\x07\x01\0" + block(1, 0, b"\0") + file + content + block(5, 4, b"\0")


def cpio(names: dict[bytes, bytes]) -> bytes:
    """A cpio archive of the format newc."""
    whole = b""
    for inode, (name, content) in enumerate([*names.items(), (b"TRAILER!!!", b"")]):
        numbers = [inode, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08X" % number for number in numbers) + name + b"\0"
        for part in (header, content):
            whole += part + bytes(-len(part) % 4)
    return whole


def archives() -> dict[str, bytes]:
    """Small archives of all formats that Python can write, or that are easily written."""
    files = {b"a.txt": b"some text\n" * 50, b"d/b": bytes(range(256)), b"empty": b""}
    made = {"cpio": cpio(files), "rar4": rar4(b"a", b"text"), "rar5": rar5(b"a", b"text")}
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name.decode() + ("é" * 60 if kind else ""))
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.LNKTYPE, info.name
            tar.addfile(link)
        made[f"tar-{kind}"] = buffer.getvalue()
    sparse = io.BytesIO()
    with tarfile.open(fileobj=sparse, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("GNUSparseFile.0/s")
        part = b"1\n1024\n512\n".ljust(512, b"\0") + b"x" * 512
        info.size = len(part)
        headers = {"major": "1", "minor": "0", "name": "s", "realsize": "4096"}
        info.pax_headers = {f"GNU.sparse.{key}": value for key, value in headers.items()}
        tar.addfile(info, io.BytesIO(part))
    made["tar-sparse"] = sparse.getvalue()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name.decode(), content)
        made[f"zip-{method}"] = buffer.getvalue()
    small = made["cpio"]
    made["cpio.gz"] = gzip.compress(small)
    made["cpio.bz2"] = bz2.compress(small)
    made["cpio.xz"] = lzma.compress(small)
    made["cpio.lzma"] = lzma.compress(small, lzma.FORMAT_ALONE)
    return made


def main() -> None:
    """Write the seeds."""
    for name, content in archives().items():
        path = Path(sys.argv[1]) / "archive_fuzz" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    seeds = Path(sys.argv[1]) / "pwal_fuzz"
    seeds.mkdir(parents=True, exist_ok=True)
    names = [(b"/t/a.txt", b"txt"), (b"/t/\xff.", b""), (b"/t/" + b"n" * 300, b"")]
    for index, (order, flags) in enumerate([("<", 0), ("<", 2), (">", 1), (">", 3)]):
        (seeds / f"whole-{index}").write_bytes(pwal(order, flags, names))
        (seeds / f"torn-{index}").write_bytes(pwal(order, flags, names)[:-7])


if __name__ == "__main__":
    main()
