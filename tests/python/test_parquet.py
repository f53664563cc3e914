"""The Parquet report: schema, every value, metadata, and the readers people use."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path

import duckdb
import oracle
import polars
import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support
import trees
from oracle import AnyPath


def report(top: AnyPath, directory: Path, **options: object) -> Path:
    path, _ = pwalk.report(
        top,
        output=directory / "out.parquet",
        **options,  # type: ignore[arg-type]
    )
    return Path(path)


def read(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read()


def metadata(path: Path) -> dict[str, str]:
    with pq.ParquetFile(path) as file:
        pairs = file.metadata.metadata
        return {key.decode(): value.decode() for key, value in pairs.items()}


def cell(table: pa.Table, path: AnyPath, column: str) -> object:
    """The value in one column of the row whose ``filename`` is ``path``."""
    names = table.column("filename").to_pylist()
    return table.column(column).to_pylist()[names.index(os.fsdecode(path))]


def microseconds(table: pa.Table, path: AnyPath, column: str) -> object:
    plain = table.set_column(
        table.schema.get_field_index(column), column, table.column(column).cast(pa.int64())
    )
    return cell(plain, path, column)


def test_names_types_and_order_of_the_columns_are_fixed(plain: Path, tmp_path: Path) -> None:
    schema = read(report(plain, tmp_path)).schema
    assert [(f.name, f.type) for f in schema] == [(f.name, f.type) for f in support.SCHEMA]


def test_the_whole_tree_of_traps_is_reported_value_for_value(traps: Path, tmp_path: Path) -> None:
    table = read(report(traps, tmp_path, ignore_snapshots=False))
    support.assert_same_rows(table, oracle.expected_rows(traps, ignore_snapshots=False))


def test_a_directory_of_a_hundred_thousand_files_is_reported_value_for_value(
    flat: Path, tmp_path: Path
) -> None:
    support.assert_same_rows(read(report(flat, tmp_path)), oracle.expected_rows(flat))


def test_a_hundred_thousand_rows_are_one_row_group(flat: Path, tmp_path: Path) -> None:
    with pq.ParquetFile(report(flat, tmp_path)) as file:
        assert file.metadata.num_row_groups == 1
        assert file.metadata.num_rows == trees.FLAT_COUNT + 1


@pytest.mark.parametrize(
    ("compression", "codec"),
    [(None, "ZSTD"), ("zstd", "ZSTD"), ("gzip", "GZIP"), ("none", "UNCOMPRESSED")],
)
def test_the_compression_is_the_one_asked_for_and_zstd_by_default(
    plain: Path, tmp_path: Path, compression: str | None, codec: str
) -> None:
    with pq.ParquetFile(report(plain, tmp_path, compression=compression)) as file:
        group = file.metadata.row_group(0)
        used = {group.column(i).compression for i in range(group.num_columns)}
    assert used == {codec}


def test_no_extension_is_null_and_an_empty_one_is_not(tree: Path, tmp_path: Path) -> None:
    for name in ("none", ".bashrc", "x.", "..."):
        (tree / name).touch()
    (tree / "dir.ext").mkdir()
    table = read(report(tree, tmp_path))
    extensions = {
        name: cell(table, tree / name, "extension")
        for name in ("none", ".bashrc", "x.", "...", "dir.ext")
    }
    assert extensions == {"none": None, ".bashrc": None, "x.": "", "...": "", "dir.ext": None}


def test_a_path_in_utf8_has_no_raw_name_and_keeps_every_character(
    tree: Path, tmp_path: Path
) -> None:
    for name in ('quo"te', "new\nline", "back\\xff", "\x01", "日本語", "\ufeffmark"):
        (tree / name).touch()
    table = read(report(tree, tmp_path))
    assert table.column("filename_raw").null_count == table.num_rows
    assert set(table.column("filename").to_pylist()) == {
        str(tree),
        *map(str, tree.iterdir()),
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\xff", "\\xff"),
        (b"a\xe9b", "a\\xe9b"),
        (b"cut-\xe2\x82.txt", "cut-\\xe2\\x82.txt"),
        (b"overlong-\xc0\x80", "overlong-\\xc0\\x80"),
        (b"surrogate-\xed\xa0\x80", "surrogate-\\xed\\xa0\\x80"),
        (b"beyond-\xf4\x90\x80\x80", "beyond-\\xf4\\x90\\x80\\x80"),
        (b"cut-\xf0\x9f\x99ok", "cut-\\xf0\\x9f\\x99ok"),
        ("good-é".encode() + b"\xe9", "good-é\\xe9"),
    ],
)
def test_each_byte_that_is_not_utf8_is_escaped_and_the_raw_path_kept(
    tree: Path, tmp_path: Path, name: bytes, shown: str
) -> None:
    raw = os.fsencode(tree) + b"/" + name
    os.mkfifo(raw)
    rows = read(report(tree, tmp_path)).to_pylist()
    kept = [row for row in rows if row["filename_raw"] is not None]
    assert [row["filename_raw"] for row in kept] == [raw]
    assert support.lower_escapes(kept[0]["filename"]) == f"{tree}/{shown}"


def test_a_good_name_under_a_bad_directory_has_a_raw_path(tree: Path, tmp_path: Path) -> None:
    (tree / "\udcff").mkdir()
    (tree / "\udcff" / "good.txt").touch()
    folder = os.fsencode(tree) + b"/\xff"
    raw = read(report(tree, tmp_path)).column("filename_raw").to_pylist()
    assert Counter(raw) == Counter([None, folder, folder + b"/good.txt"])


@pytest.mark.parametrize("nanoseconds", [-1, -1_999, -1_500_000_000, 0, 1_999, 1_999_999_999])
def test_times_are_microseconds_rounded_down(tree: Path, tmp_path: Path, nanoseconds: int) -> None:
    os.utime(tree, ns=(nanoseconds, nanoseconds))
    table = read(report(tree, tmp_path))
    assert microseconds(table, tree, "mtime") == nanoseconds // 1000


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_ids_above_the_signed_range_keep_their_bits(tree: Path, tmp_path: Path) -> None:
    (tree / "file").touch()
    os.chown(tree / "file", 4_294_967_294, 2_147_483_648)
    table = read(report(tree, tmp_path))
    assert cell(table, tree / "file", "uid") == -2
    assert cell(table, tree / "file", "gid") == -(2**31)


def test_a_hard_link_is_what_has_several_links_and_is_no_directory(
    tree: Path, tmp_path: Path
) -> None:
    (tree / "folder" / "sub").mkdir(parents=True)
    (tree / "single").touch()
    (tree / "one").touch()
    os.link(tree / "one", tree / "two")
    os.mkfifo(tree / "fifo")
    os.link(tree / "fifo", tree / "fifo-too")
    table = read(report(tree, tmp_path))
    linked = {row["filename"] for row in table.to_pylist() if row["is_hardlink"]}
    assert linked == {str(tree / name) for name in ("one", "two", "fifo", "fifo-too")}


def test_the_file_tells_where_and_when_it_was_made(plain: Path, tmp_path: Path) -> None:
    about = metadata(report(plain, tmp_path))
    assert about["top"] == str(plain)
    assert about["host"].split(".")[0] == os.uname().nodename.split(".")[0]
    assert about["version"] == pwalk.__version__
    assert int(about["entries"]) == len(oracle.expected_rows(plain))
    assert int(about["errors"]) == 0


def test_the_file_tells_with_which_options_it_was_made(plain: Path, tmp_path: Path) -> None:
    given = {"max_depth": 7, "cached_attributes": True}
    about = metadata(report(plain, tmp_path, exclude=[plain / "folder0"], **given))
    options = json.loads(about["options"])
    assert {name: options[name] for name in given} == given
    assert options["exclude"] == [str(plain / "folder0")]
    assert options["one_file_system"] is False


def test_the_file_tells_when_the_scan_started_and_finished(plain: Path, tmp_path: Path) -> None:
    def moment(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

    about = metadata(report(plain, tmp_path))
    written = (tmp_path / "out.parquet").stat().st_mtime
    started, finished = moment(about["started"]), moment(about["finished"])
    assert started <= finished
    assert written - support.LIVENESS < started <= written + 1
    assert finished <= written + 1


def test_polars_reads_the_same_rows_as_pyarrow(traps: Path, tmp_path: Path) -> None:
    path = report(traps, tmp_path)
    expected = read(path)
    frame = polars.read_parquet(path)
    assert frame.columns == support.SCHEMA.names
    assert frame["inode"].to_list() == expected.column("inode").to_pylist()
    assert frame["filename"].to_list() == expected.column("filename").to_pylist()
    assert frame["filename_raw"].to_list() == expected.column("filename_raw").to_pylist()
    assert (
        frame["mtime"].cast(polars.Int64).to_list()
        == expected.column("mtime").cast(pa.int64()).to_pylist()
    )


def test_duckdb_finds_the_bytes_by_owner_of_the_last_seven_days(tree: Path, tmp_path: Path) -> None:
    trees.plain(tree)
    os.utime(tree / "folder0" / "file19.txt", (0, 0))
    path = report(tree, tmp_path)
    found = duckdb.execute(
        "SELECT uid, sum(size) FROM read_parquet(?)"
        " WHERE mtime > now() - INTERVAL 7 DAY AND file_count = -1 GROUP BY uid",
        [str(path)],
    ).fetchall()
    assert found == [(os.geteuid(), 5 * sum(range(20)) - 19)]


def test_duckdb_finds_the_largest_directories(tree: Path, tmp_path: Path) -> None:
    for number in range(10):
        (tree / f"folder{number}").mkdir()
        (tree / f"folder{number}" / "file").write_bytes(b"x" * 1000 * number)
    path = report(tree, tmp_path)
    found = duckdb.execute(
        "SELECT filename, dir_sum FROM read_parquet(?)"
        " WHERE file_count >= 0 AND depth = 0 ORDER BY dir_sum DESC LIMIT 2",
        [str(path)],
    ).fetchall()
    assert found == [(str(tree / "folder9"), 9000), (str(tree / "folder8"), 8000)]


def test_duckdb_finds_the_oldest_data(tree: Path, tmp_path: Path) -> None:
    trees.plain(tree)
    os.utime(tree / "folder3" / "file7.txt", (1, -86_400))
    path = report(tree, tmp_path)
    found = duckdb.execute(
        "SELECT filename, epoch_us(mtime) FROM read_parquet(?) ORDER BY mtime LIMIT 1",
        [str(path)],
    ).fetchall()
    assert found == [(str(tree / "folder3" / "file7.txt"), -86_400 * 10**6)]


def test_duckdb_reads_every_row_of_the_tree_of_traps(traps: Path, tmp_path: Path) -> None:
    path = report(traps, tmp_path)
    found = duckdb.execute("SELECT inode, filename FROM read_parquet(?)", [str(path)]).fetchall()
    table = read(path)
    columns = (table.column(name).to_pylist() for name in ("inode", "filename"))
    expected = zip(*columns, strict=True)
    assert Counter(found) == Counter(expected)
