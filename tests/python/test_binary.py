"""PWAL, read and written by the text of its format alone, with :mod:`struct`."""

from __future__ import annotations

import errno
import os
import stat
import struct
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import oracle
import polars
import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support
import trees

MAGIC = 0x5057414C
HEADER = "IHHQQ"
RECORD = "QQiIIqQqQIqqqqqHH"
BIG_ENDIAN = 1
NANOSECONDS = 2


class Record(NamedTuple):
    """The fields of a record, in order, and its two strings."""

    inode: int
    parent_inode: int
    depth: int
    uid: int
    gid: int
    size: int
    st_dev: int
    st_blocks: int
    st_nlink: int
    st_mode: int
    atime: int
    mtime: int
    ctime: int
    file_count: int
    dir_sum: int
    filename: bytes
    extension: bytes


def parse(content: bytes) -> tuple[tuple[int, ...], list[Record]]:
    """Read a file of this machine's byte order."""
    header = struct.unpack_from("=" + HEADER, content)
    records = []
    at = struct.calcsize("=" + HEADER)
    while at < len(content):
        *fields, name_length, extension_length = struct.unpack_from("=" + RECORD, content, at)
        at += struct.calcsize("=" + RECORD)
        name = content[at : at + name_length]
        assert content[at + name_length] == 0
        at += name_length + 1
        extension = content[at : at + extension_length]
        assert content[at + extension_length] == 0
        at += extension_length + 1
        records.append(Record._make([*fields, name, extension]))
    return header, records


def build(
    records: list[Record], order: str = "<", flags: int = NANOSECONDS, **header: int
) -> bytes:
    """Write a file in the byte order that ``order`` is for :mod:`struct`."""
    version = header.get("version", 1)
    count = header.get("count", len(records))
    flags |= BIG_ENDIAN if order == ">" else 0
    content = struct.pack(
        order + HEADER, header.get("magic", MAGIC), version, flags, count, 1_700_000_000
    )
    for record in records:
        *fields, name, extension = record
        content += struct.pack(order + RECORD, *fields, len(name), len(extension))
        content += name + b"\0" + extension + b"\0"
    return content


def a_file(name: bytes = b"/t/a.txt", **other: int) -> Record:
    fields: dict[str, int | bytes] = {
        "inode": 12,
        "parent_inode": 2,
        "depth": 0,
        "uid": 1000,
        "gid": 2**32 - 2,
        "size": 2**40 + 7,
        "st_dev": 65024,
        "st_blocks": 16,
        "st_nlink": 2,
        "st_mode": stat.S_IFREG | 0o640,
        "atime": 1_600_000_000_123_456_789,
        "mtime": -1,
        "ctime": 1_600_000_001_000_000_000,
        "file_count": -1,
        "dir_sum": 0,
        "filename": name,
        "extension": b"txt",
        **other,
    }
    return Record(**fields)  # type: ignore[arg-type]


def within(time_ns: int) -> int:
    """Clamp a time to what nanoseconds since 1970 hold in 64 bits."""
    return max(-(2**63), min(time_ns, 2**63 - 1))


def clamped_rows(top: Path) -> dict[bytes, oracle.Row]:
    """The rows of a report that has been through the format."""
    return {
        path: row._replace(
            atime_ns=within(row.atime_ns),
            mtime_ns=within(row.mtime_ns),
            ctime_ns=within(row.ctime_ns),
        )
        for path, row in oracle.expected_rows(top).items()
    }


@pytest.fixture
def pwal(tmp_path: Path) -> Path:
    return tmp_path / "a.pwal"


def read(path: Path, content: bytes) -> tuple[pa.Table, bool]:
    path.write_bytes(content)
    file = pwalk.read_binary(path)
    return pa.table(file), file.torn


# --- what is written ---------------------------------------------------------------------------


def test_every_record_is_what_lstat_says(traps: Path, tmp_path: Path) -> None:
    written, errors = pwalk.report(traps, format="binary", output=tmp_path / "t.pwal")
    (magic, version, flags, count, begun), records = parse(Path(written).read_bytes())
    assert (magic, version, flags) == (MAGIC, 1, NANOSECONDS)
    assert abs(begun - Path(written).stat().st_mtime) < 3600
    survey = oracle.survey(traps)
    assert support.facts(errors) == sorted(survey.errors)
    assert count == len(records) == len(survey.rows)
    found = {record.filename: record for record in records}
    for path, row in survey.rows.items():
        record = found[path]
        assert record[:10] == (
            row.inode,
            row.parent_inode,
            row.depth,
            row.uid,
            row.gid,
            row.size,
            row.dev,
            row.blocks,
            row.nlink,
            row.mode,
        )
        assert record[10:13] == tuple(map(within, (row.atime_ns, row.mtime_ns, row.ctime_ns)))
        known = row.file_count is not None
        assert record.file_count == (row.file_count if known else -1)
        assert record.dir_sum == (row.dir_sum if known else 0)
        assert record.extension == (row.extension or b"")


def test_the_default_name_is_scan_pwal(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pwalk.report(plain, format="binary") == ("scan.pwal", [])
    assert support.names_in(tmp_path) == ["scan.pwal"]


def test_a_path_longer_than_the_format_allows_is_an_error_and_no_row(
    tree: Path, tmp_path: Path
) -> None:
    longest = 65535
    descriptor = os.open(tree, os.O_RDONLY)
    length = len(os.fsencode(tree))
    step = b"n" * 255
    while length + 256 <= longest:
        os.mkdir(step, dir_fd=descriptor)
        inner = os.open(step, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor, length = inner, length + 256
    fitting = b"f" * (longest - length - 1)
    for name in {fitting, fitting + b"f"} - {b"", b"f"}:
        os.mkdir(name, dir_fd=descriptor)
    os.close(descriptor)
    assert len(fitting) > 0, "the tree's own path leaves no room for both names"

    written, errors = pwalk.report(tree, format="binary", output=tmp_path / "t.pwal")
    header, records = parse(Path(written).read_bytes())
    assert [(len(os.fsencode(e)), e.operation, e.errno) for e in errors] == [
        (longest + 1, "encode", errno.ENAMETOOLONG)
    ]
    assert max(len(record.filename) for record in records) == longest
    survey = oracle.survey(tree)
    assert header[3] == len(records) == len(survey.rows) - 1


def test_a_pipe_cannot_be_written_because_the_count_comes_last(plain: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: fifo.read_bytes())
    reader.start()
    with pytest.raises(OSError, match="fifo") as raised:
        pwalk.report(plain, format="binary", output=fifo)
    reader.join(30)
    assert raised.value.errno == errno.ESPIPE


@pytest.mark.parametrize("output", ["-", None])
def test_what_binary_cannot_be_is_refused(plain: Path, output: str | None) -> None:
    compression = None if output else "zstd"
    named = "output" if output else "compression"
    with pytest.raises(ValueError, match=named):
        pwalk.report(plain, format="binary", output=output, compression=compression)


# --- what is read ------------------------------------------------------------------------------


def test_a_report_read_back_is_the_scan(traps: Path, tmp_path: Path) -> None:
    written, _ = pwalk.report(traps, format="binary", output=tmp_path / "t.pwal")
    file = pwalk.read_binary(written)
    support.assert_same_rows(pa.table(file), clamped_rows(traps))
    assert not file.torn
    assert file.schema.equals(pwalk.scan(traps).schema)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("flags", [0, NANOSECONDS])
def test_both_byte_orders_and_both_time_units_are_read(pwal: Path, order: str, flags: int) -> None:
    times = {} if flags else {"atime": 1_600_000_000, "mtime": -1, "ctime": 1_600_000_001}
    table, torn = read(pwal, build([a_file(b"/t/a.txt", **times)], order, flags))
    [row] = table.to_pylist()
    assert not torn
    assert table.column("atime").cast("int64")[0].as_py() == (
        1_600_000_000_123_456 if flags else 1_600_000_000_000_000
    )
    # Times before 1970 are rounded down, as the kernel's seconds are.
    assert table.column("mtime").cast("int64")[0].as_py() == (-1 if flags else -1_000_000)
    assert table.column("ctime").cast("int64")[0].as_py() == 1_600_000_001_000_000
    del row["atime"], row["mtime"], row["ctime"]
    assert row == {
        "inode": 12,
        "parent_inode": 2,
        "depth": 0,
        "filename": "/t/a.txt",
        "extension": "txt",
        "uid": 1000,
        "gid": -2,
        "size": 2**40 + 7,
        "st_dev": 65024,
        "st_blocks": 16,
        "st_nlink": 2,
        "st_mode": stat.S_IFREG | 0o640,
        "file_count": -1,
        "dir_sum": 0,
        "is_hardlink": True,
        "filename_raw": None,
    }


def test_names_that_are_not_utf8_and_missing_extensions_come_as_in_a_scan(pwal: Path) -> None:
    directory = {"st_mode": stat.S_IFDIR | 0o700, "file_count": 3, "dir_sum": 9}
    table, _ = read(
        pwal,
        build(
            [
                a_file(b"/t/\xff.c")._replace(extension=b"c"),
                a_file(b"/t/x.")._replace(extension=b""),
                a_file(b"/t/.bashrc")._replace(extension=b""),
                a_file(b"/t/d.", **directory)._replace(extension=b""),
                a_file(b"/t/locked", **{**directory, "file_count": -1, "dir_sum": 0}),
            ]
        ),
    )
    assert table.column("filename")[0].as_py() == "/t/\\xff.c"
    assert table.column("filename_raw").to_pylist() == [b"/t/\xff.c", None, None, None, None]
    assert table.column("extension").to_pylist()[:4] == ["c", "", None, None]
    assert table.column("file_count").to_pylist() == [-1, -1, -1, 3, None]
    assert table.column("dir_sum").to_pylist() == [0, 0, 0, 9, None]


def test_of_a_file_torn_anywhere_every_whole_record_is_delivered(pwal: Path) -> None:
    records = [a_file(b"/t/" + bytes([97 + i]) * (i + 1)) for i in range(4)]
    content = build(records)
    ends = [len(build(records[: i + 1])) for i in range(4)]
    for length in range(24, len(content)):
        table, torn = read(pwal, content[:length])
        assert table.num_rows == sum(end <= length for end in ends)
        assert torn
    assert read(pwal, content)[1] is False


def test_a_file_that_was_never_closed_is_torn(pwal: Path) -> None:
    table, torn = read(pwal, build([a_file()], count=0))
    assert (table.num_rows, torn) == (1, True)
    assert read(pwal, build([]))[1] is False


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends before the header"),
        (b"PAR1" + bytes(100), "is no PWAL file"),
        (build([a_file()])[:20], "ends before the header"),
        (build([a_file()], magic=MAGIC + 1), "is no PWAL file"),
        (build([a_file()], version=2), "version"),
        (build([a_file()], ">", version=0), "version"),
    ],
)
def test_what_is_no_pwal_file_is_refused_at_once(pwal: Path, content: bytes, said: str) -> None:
    pwal.write_bytes(content)
    with pytest.raises(ValueError, match=said) as raised:
        pwalk.read_binary(pwal)
    assert str(pwal) in str(raised.value)


def test_something_else_in_place_of_a_record_is_an_error_after_the_good_ones(pwal: Path) -> None:
    content = bytearray(build([a_file(), a_file(b"/t/b.txt")]))
    content[-1] = 1  # the last NUL
    pwal.write_bytes(bytes(content))
    batches = iter(pwalk.read_binary(pwal))
    assert next(batches).column("filename").to_pylist() == ["/t/a.txt"]
    with pytest.raises(ValueError, match="record 1"):
        next(batches)


def test_a_damaged_file_is_converted_to_nothing(pwal: Path, tmp_path: Path) -> None:
    content = bytearray(build([a_file(), a_file(b"/t/b.txt")]))
    content[-1] = 1  # the last NUL
    pwal.write_bytes(bytes(content))
    done = support.run_pwalk("convert", pwal, "out.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert b"record 1" in done.stderr
    assert support.names_in(tmp_path) == [pwal.name]


def test_a_missing_file_and_a_directory_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        pwalk.read_binary(tmp_path / "none")
    assert raised.value.filename == str(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        pwalk.read_binary(tmp_path)


def test_it_can_be_consumed_once_by_whoever_knows_arrow(pwal: Path) -> None:
    pwal.write_bytes(build([a_file()]))
    file = pwalk.read_binary(pwal)
    assert polars.DataFrame(file).shape[0] == 1
    with pytest.raises(RuntimeError, match="one-shot"):
        pa.table(file)
    with pwalk.read_binary(pwal) as closed:
        assert sum(batch.num_rows for batch in closed) == 1
    with pytest.raises(RuntimeError, match="one-shot"):
        list(closed)


def test_a_stream_outlives_the_object_it_came_from(pwal: Path) -> None:
    pwal.write_bytes(build([a_file()]))
    before = support.open_descriptors()
    reader = pa.RecordBatchReader.from_stream(pwalk.read_binary(pwal))
    assert reader.read_all().num_rows == 1
    del reader
    assert support.open_descriptors() == before


# --- converting --------------------------------------------------------------------------------


def test_converted_to_csv_it_is_the_csv_report(traps: Path, tmp_path: Path) -> None:
    pwalk.report(traps, format="binary", output=tmp_path / "t.pwal")
    done = support.run_pwalk("convert", tmp_path / "t.pwal", tmp_path / "t.csv.zst", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    header, lines = support.split_csv(support.decompressed(tmp_path / "t.csv.zst"))
    assert header == oracle.CSV_HEADER
    assert lines == Counter(oracle.csv_lines(clamped_rows(traps).values()))


def test_converted_to_parquet_it_is_the_parquet_report(traps: Path, tmp_path: Path) -> None:
    pwalk.report(traps, format="binary", output=tmp_path / "t.pwal")
    done = support.run_pwalk("convert", tmp_path / "t.pwal", tmp_path / "t.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    support.assert_same_rows(pq.read_table(tmp_path / "t.parquet"), clamped_rows(traps))


def test_converting_a_torn_file_says_so(tmp_path: Path) -> None:
    torn = tmp_path / "torn.pwal"
    torn.write_bytes(build([a_file(), a_file(b"/t/b.txt")])[:-3])
    done = support.run_pwalk("convert", torn, "-", "--no-header", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count(b"\n") == 1
    assert b"torn" in done.stderr


@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path, output: str) -> None:
    content = bytearray(build([a_file(), a_file()]))
    content[-1] = 1
    (tmp_path / "bad.pwal").write_bytes(bytes(content))
    done = support.run_pwalk("convert", tmp_path / "bad.pwal", tmp_path / output, cwd=tmp_path)
    assert done.returncode == 2
    assert b"is no PWAL record" in done.stderr
    assert b"Traceback" not in done.stderr
    assert support.names_in(tmp_path) == ["bad.pwal"]


def test_the_name_of_the_output_asks_for_the_format(plain: Path, tmp_path: Path) -> None:
    done = support.run_pwalk("report", plain, "-o", tmp_path / "t.pwal", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert pa.table(pwalk.read_binary(tmp_path / "t.pwal")).num_rows == len(
        oracle.expected_rows(plain)
    )


def test_the_longest_tree_of_the_traps_is_read_in_both_ways(tmp_path: Path) -> None:
    top = tmp_path / "deep"
    trees.deep(top)
    pwalk.report(top, format="binary", output=tmp_path / "t.pwal")
    support.assert_same_rows(
        pa.table(pwalk.read_binary(tmp_path / "t.pwal")), oracle.expected_rows(top)
    )
    trees.remove_tree(top)
