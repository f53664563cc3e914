"""Small files of each format to begin with, made from its text: DIRECTORY/TARGET/*."""

from __future__ import annotations

import struct
import sys
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


def main() -> None:
    """Write the seeds."""
    seeds = Path(sys.argv[1]) / "pwal_fuzz"
    seeds.mkdir(parents=True, exist_ok=True)
    names = [(b"/t/a.txt", b"txt"), (b"/t/\xff.", b""), (b"/t/" + b"n" * 300, b"")]
    for index, (order, flags) in enumerate([("<", 0), ("<", 2), (">", 1), (">", 3)]):
        (seeds / f"whole-{index}").write_bytes(pwal(order, flags, names))
        (seeds / f"torn-{index}").write_bytes(pwal(order, flags, names)[:-7])


if __name__ == "__main__":
    main()
