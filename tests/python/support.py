"""Running the command, reading what it wrote, and comparing it with the oracle."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import oracle
import pyarrow as pa
import restricted

LIVENESS = 120.0
"""Seconds after which something that should have ended is taken to hang."""

PWALK = (sys.executable, "-m", "pwalk.cli")

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")

SCHEMA = pa.schema(
    [
        ("inode", pa.int64()),
        ("parent_inode", pa.int64()),
        ("depth", pa.int32()),
        ("filename", pa.string()),
        ("extension", pa.string()),
        ("uid", pa.int32()),
        ("gid", pa.int32()),
        ("size", pa.int64()),
        ("st_dev", pa.int64()),
        ("st_blocks", pa.int64()),
        ("st_nlink", pa.int32()),
        ("st_mode", pa.int32()),
        ("atime", UTC_MICROSECONDS),
        ("mtime", UTC_MICROSECONDS),
        ("ctime", UTC_MICROSECONDS),
        ("file_count", pa.int64()),
        ("dir_sum", pa.int64()),
        ("is_hardlink", pa.bool_()),
        ("filename_raw", pa.binary()),
    ]
)

Values = tuple[Any, ...]


def run_pwalk(
    *arguments: str | os.PathLike[str],
    cwd: Path,
    stdin: bytes = b"",
    descriptors: int | None = None,
    ordinary: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in ``cwd``. Whatever happens, it never shows a traceback.

    ``descriptors`` and ``ordinary`` are those of :func:`restricted.command`.
    """
    answer = subprocess.run(
        [*restricted.command(descriptors, ordinary), *PWALK, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=LIVENESS,
        env=wide_environment(),
    )
    assert b"Traceback" not in answer.stderr, answer.stderr.decode(errors="replace")
    return answer


def run_script(
    code: str,
    *arguments: str | os.PathLike[str],
    cwd: Path,
    ordinary: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Run Python code that may import these modules; it must succeed."""
    answer = subprocess.run(
        [*restricted.command(ordinary=ordinary), sys.executable, "-c", code, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=LIVENESS,
        env={**wide_environment(), "PYTHONPATH": module_path()},
    )
    assert answer.returncode == 0, answer.stderr.decode(errors="replace")
    return answer


def wide_environment() -> dict[str, str]:
    """The environment with a terminal too wide for messages to be wrapped."""
    return {**os.environ, "COLUMNS": "4000", "NO_COLOR": "1"}


def module_path() -> str:
    """PYTHONPATH for a child that imports these modules."""
    here = str(Path(__file__).resolve().parent)
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))


def decompressed(path: str | Path) -> bytes:
    """The content of a file, unpacked if its first bytes say that it is packed."""
    content = Path(path).read_bytes()
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard  # not to be had for an interpreter without the GIL

        with zstandard.ZstdDecompressor().stream_reader(
            io.BytesIO(content), read_across_frames=True
        ) as reader:
            return reader.read()
    return content


def split_csv(content: bytes) -> tuple[bytes, Counter[bytes]]:
    """The header line and the multiset of the other lines, each with its newline."""
    lines = _split(content)
    return lines[0], Counter(lines[1:])


def _split(content: bytes) -> list[bytes]:
    return [line + b"\n" for line in content.split(b"\n")[:-1]]


def line_about(content: bytes, path: bytes) -> bytes:
    """The only CSV line whose file name is ``path``, as the CSV writes it."""
    quoted = b',"' + oracle.csv_string(path) + b'","'
    found = [line for line in _split(content) if quoted in line]
    assert len(found) == 1, found
    return found[0]


def expected_values(row: oracle.Row) -> Values:
    """A row as the columns of the Parquet file hold it, without ``filename``."""
    return (
        row.inode,
        row.parent_inode,
        row.depth,
        escaped(row.extension) if row.extension else None,
        signed32(row.uid),
        signed32(row.gid),
        row.size,
        row.dev,
        row.blocks,
        row.nlink,
        row.mode,
        row.atime_ns // 1000,
        row.mtime_ns // 1000,
        row.ctime_ns // 1000,
        row.file_count,
        row.dir_sum,
        row.nlink > 1 and not row.is_directory,
    )


def values_by_path(data: pa.Table | pa.RecordBatch) -> dict[bytes, Values]:
    """The rows of an Arrow table by raw path, comparable with :func:`expected_values`.

    No extension and an empty one are not told apart here; one test of their own does that.
    """
    table = data if isinstance(data, pa.Table) else pa.Table.from_batches([data])
    columns: dict[str, list[Any]] = {}
    for name in SCHEMA.names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        columns[name] = column.to_pylist()
    filenames = columns.pop("filename")
    raw = columns.pop("filename_raw")
    columns["extension"] = [lower_escapes(x) if x else None for x in columns["extension"]]
    paths = [b if b is not None else f.encode() for f, b in zip(filenames, raw, strict=True)]
    rows = dict(zip(paths, zip(*columns.values(), strict=True), strict=True))
    assert len(rows) == table.num_rows, "a path has more than one row"
    for path, filename in zip(paths, filenames, strict=True):
        assert lower_escapes(filename) == escaped(path)
    for path, bad in zip(paths, raw, strict=True):
        assert (bad is None) == is_utf8(path), path
    return rows


def assert_same_rows(data: pa.Table, expected: dict[bytes, oracle.Row]) -> None:
    """Every row of ``data`` is the oracle's, and none is missing."""
    got = values_by_path(data)
    assert set(got) == set(expected)
    wrong = {
        path: (got[path], expected_values(row))
        for path, row in expected.items()
        if got[path] != expected_values(row)
    }
    assert wrong == {}


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def escaped(raw: bytes) -> str:
    r"""Decode, each byte that is not UTF-8 as \xNN, escapes in lower case."""
    return lower_escapes(raw.decode("utf-8", "backslashreplace"))


def lower_escapes(text: str) -> str:
    r"""The specification leaves open the case of the digits in \xNN."""
    return re.sub(r"\\x[0-9a-fA-F]{2}", lambda found: found.group().lower(), text)


def signed32(number: int) -> int:
    """The signed integer with the bit pattern of an unsigned one."""
    return number - 2**32 if number >= 2**31 else number


def facts(errors: Iterable[Any]) -> list[tuple[bytes, str, int]]:
    """Entry errors as the oracle notes them, sorted."""
    return sorted((os.fsencode(str(e)), str(e.operation), int(e.errno)) for e in errors)


def wait_until(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    """Wait for ``condition``, generously; fail if it never comes."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"still waiting after {limit} s: {what}"
        time.sleep(0.005)


def open_descriptors() -> set[tuple[str, str]]:
    """Every open descriptor of this process and what it refers to."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one this listing used
            found.add((link.name, str(link.readlink())))
    return found


def threads() -> set[str]:
    """The kernel's list of this process's threads."""
    return {task.name for task in Path("/proc/self/task").iterdir()}


def names_in(directory: Path) -> Sequence[str]:
    return sorted(entry.name for entry in directory.iterdir())


def run_quietly(code: str, *arguments: str | os.PathLike[str], status: int = 0) -> bytes:
    """Run Python code that must not complain."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=LIVENESS,
        env={**os.environ, "PYTHONPATH": module_path()},
    )
    assert (done.returncode, done.stderr) == (status, b""), done
    return done.stdout
