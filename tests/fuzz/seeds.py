"""Small files of each format to begin with, made from its text: DIRECTORY/TARGET/*."""

from __future__ import annotations

import io
import lzma
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import archives

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


def small_archives() -> dict[str, bytes]:
    """One of each format that is written without other programs, and a sparse tar."""
    files = {"a.txt": b"some text\n" * 50, "d/b": bytes(range(256)), "empty": b""}
    made = {kind: maker(files) for kind, maker in archives.QUICK_MAKERS.items()}
    made["tar.lzma"] = lzma.compress(made["tar gnu"], lzma.FORMAT_ALONE)
    made["long"] = archives.tar_of([("long" * 40, b"1")], tarfile.GNU_FORMAT)
    made["zip lzma"] = archives.zip_of([("a", b"text" * 99)], zipfile.ZIP_LZMA)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("GNUSparseFile.0/s")
        part = b"1\n1024\n512\n".ljust(512, b"\0") + b"x" * 512
        info.size = len(part)
        headers = {"major": "1", "minor": "0", "name": "s", "realsize": "4096"}
        info.pax_headers = {f"GNU.sparse.{key}": value for key, value in headers.items()}
        tar.addfile(info, io.BytesIO(part))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.LNKTYPE, "s"
        tar.addfile(link)
    made["sparse"] = buffer.getvalue()
    return made


def main() -> None:
    """Write the seeds."""
    for name, content in small_archives().items():
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
