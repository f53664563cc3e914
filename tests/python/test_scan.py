"""The live stream: what it holds, who can read it, and that it cleans up after itself."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import oracle
import polars
import pwalk
import pyarrow as pa
import pytest
import support
import trees


def assert_cleaned_up(
    descriptors: set[tuple[str, str]], threads: set[str], directory: Path
) -> None:
    """Nothing is open below ``directory`` and no thread is left that was not there before."""

    def clean() -> bool:
        opened = support.open_descriptors() - descriptors
        return not opened and support.threads() <= threads

    support.wait_until(clean, f"threads and descriptors of the scan of {directory} to go")


def warmed_up(top: Path) -> tuple[set[tuple[str, str]], set[str]]:
    """What is open and running once every library has started what it keeps."""
    pa.table(pwalk.scan(top))
    settled: list[set[str]] = [support.threads()]

    def steady() -> bool:
        settled.append(support.threads())
        return len(settled) > 20 and len(set(map(frozenset, settled[-20:]))) == 1

    support.wait_until(steady, "the threads of a finished scan to go")
    return support.open_descriptors(), support.threads()


def test_the_stream_has_the_schema_of_the_parquet_file(plain: Path) -> None:
    schema = pa.table(pwalk.scan(plain)).schema
    assert [(f.name, f.type) for f in schema] == [(f.name, f.type) for f in support.SCHEMA]


def test_the_whole_tree_of_traps_comes_through_value_for_value(traps: Path) -> None:
    table = pa.table(pwalk.scan(traps, ignore_snapshots=False))
    support.assert_same_rows(table, oracle.expected_rows(traps, ignore_snapshots=False))


@pytest.mark.skipif(not oracle.have_gnu_find(), reason="GNU find is not installed")
def test_find_sees_the_same_entries_with_the_same_attributes(traps: Path) -> None:
    names = ("inode", "size", "st_mode", "st_nlink", "uid", "gid", "st_blocks", "st_dev", "depth")
    rows = pa.table(pwalk.scan(traps, ignore_snapshots=False)).to_pylist()
    got = {
        row["filename_raw"] or row["filename"].encode(): tuple(row[name] for name in names)
        for row in rows
    }
    expected = {
        path: (
            row.inode,
            row.size,
            row.permissions,
            row.nlink,
            support.signed32(row.uid),
            support.signed32(row.gid),
            row.blocks,
            row.dev,
            row.depth,
        )
        for path, row in oracle.find_rows(traps).items()
    }
    assert {p: (*v[:2], v[2] & 0o7777, *v[3:]) for p, v in got.items()} == expected


@pytest.mark.slow
def test_a_real_system_directory_comes_through_value_for_value() -> None:
    before = oracle.survey("/usr").rows
    got = support.values_by_path(pa.table(pwalk.scan("/usr")))
    after = oracle.survey("/usr").rows
    settled = {path for path, row in before.items() if after.get(path) == row}
    assert len(settled) > len(before) * 0.9, "/usr changes too much to compare"
    wrong = [p for p in settled if got.get(p) != support.expected_values(before[p])]
    assert wrong == []
    assert set(got) <= set(before) | set(after)


@pytest.mark.parametrize("options", [{"max_threads": 1}, {"max_threads": 8}, {"max_inflight": 1}])
def test_the_number_of_threads_changes_nothing(traps: Path, options: dict[str, int]) -> None:
    table = pa.table(pwalk.scan(traps, **options))  # type: ignore[arg-type]
    support.assert_same_rows(table, oracle.expected_rows(traps))


def test_attributes_held_by_the_client_are_the_same_on_a_local_disk(traps: Path) -> None:
    table = pa.table(pwalk.scan(traps, cached_attributes=True))
    support.assert_same_rows(table, oracle.expected_rows(traps))


def test_iterating_gives_record_batches_that_hold_every_row(flat: Path) -> None:
    batches = list(pwalk.scan(flat))
    assert all(isinstance(batch, pa.RecordBatch) for batch in batches)
    support.assert_same_rows(pa.Table.from_batches(batches), oracle.expected_rows(flat))


def test_a_stream_of_an_empty_directory_holds_one_row(tree: Path) -> None:
    support.assert_same_rows(pa.table(pwalk.scan(tree)), oracle.expected_rows(tree))


def test_polars_builds_a_frame_from_a_live_scan(traps: Path) -> None:
    frame = polars.DataFrame(pwalk.scan(traps))
    assert frame.columns == support.SCHEMA.names
    expected = oracle.expected_rows(traps)
    assert sorted(frame["inode"].to_list()) == sorted(row.inode for row in expected.values())


def test_duckdb_queries_a_live_scan(plain: Path) -> None:
    live = pwalk.scan(plain)
    found = (
        duckdb.connect()
        .register("live", live)
        .execute(
            "SELECT extension, count(*), sum(size) FROM live WHERE file_count = -1 GROUP BY ALL"
        )
    )
    assert found.fetchall() == [("txt", 100, 5 * sum(range(20)))]


def test_duckdb_finds_a_live_scan_by_the_name_of_its_variable(plain: Path) -> None:
    live = pwalk.scan(plain)
    found = duckdb.sql("SELECT count(*) FROM live")
    assert found is not None
    assert found.fetchall() == [(len(oracle.expected_rows(plain)),)]
    assert live.errors == []


def consume_by_iteration(scan: pwalk.Scan) -> object:
    return list(scan)


def consume_by_pyarrow(scan: pwalk.Scan) -> object:
    return pa.table(scan)


CONSUMERS = [consume_by_iteration, consume_by_pyarrow]


@pytest.mark.parametrize("first", CONSUMERS)
@pytest.mark.parametrize("second", CONSUMERS)
def test_a_second_consumption_raises(
    plain: Path,
    first: Callable[[pwalk.Scan], object],
    second: Callable[[pwalk.Scan], object],
) -> None:
    scan = pwalk.scan(plain)
    first(scan)
    with pytest.raises(RuntimeError):
        second(scan)


def test_the_rest_of_a_half_read_scan_is_never_passed_off_as_the_whole(flat: Path) -> None:
    with pwalk.scan(flat) as scan:
        next(iter(scan))
        with pytest.raises(RuntimeError):
            pa.table(scan)


def test_a_closed_scan_raises_rather_than_looks_empty(plain: Path) -> None:
    scan = pwalk.scan(plain)
    scan.close()
    with pytest.raises(RuntimeError):
        list(scan)


def test_closing_twice_is_harmless(plain: Path) -> None:
    scan = pwalk.scan(plain)
    pa.table(scan)
    scan.close()
    scan.close()
    assert scan.errors == []


def test_a_finished_scan_leaves_no_thread_and_no_descriptor(traps: Path) -> None:
    descriptors, threads = warmed_up(traps)
    scan = pwalk.scan(traps)
    pa.table(scan)
    assert_cleaned_up(descriptors, threads, traps)


def test_closing_half_way_leaves_no_thread_and_no_descriptor(flat: Path) -> None:
    descriptors, threads = warmed_up(flat)
    scan = pwalk.scan(flat)
    next(iter(scan))
    scan.close()
    assert_cleaned_up(descriptors, threads, flat)


def test_closing_before_the_first_batch_leaves_no_thread_and_no_descriptor(bulk: Path) -> None:
    descriptors, threads = warmed_up(bulk / "copy000" if (bulk / "copy000").exists() else bulk)
    pwalk.scan(bulk).close()
    assert_cleaned_up(descriptors, threads, bulk)


def test_leaving_the_context_half_way_leaves_no_thread_and_no_descriptor(flat: Path) -> None:
    descriptors, threads = warmed_up(flat)
    with pwalk.scan(flat) as scan:
        next(iter(scan))
    assert_cleaned_up(descriptors, threads, flat)


def test_an_exception_in_the_context_closes_the_scan_and_propagates(flat: Path) -> None:
    def fail_half_way() -> None:
        with pwalk.scan(flat) as scan:
            next(iter(scan))
            raise KeyError("mine")

    descriptors, threads = warmed_up(flat)
    with pytest.raises(KeyError, match="mine"):
        fail_half_way()
    assert_cleaned_up(descriptors, threads, flat)


def test_dropping_a_scan_half_way_leaves_no_thread_and_no_descriptor(flat: Path) -> None:
    descriptors, threads = warmed_up(flat)
    scan = pwalk.scan(flat)
    batches = iter(scan)
    next(batches)
    del scan, batches
    gc.collect()
    assert_cleaned_up(descriptors, threads, flat)


def test_dropping_the_arrow_stream_half_way_leaves_no_thread_and_no_descriptor(
    flat: Path,
) -> None:
    descriptors, threads = warmed_up(flat)
    reader = pa.RecordBatchReader.from_stream(pwalk.scan(flat))
    reader.read_next_batch()
    reader.close()
    del reader
    gc.collect()
    assert_cleaned_up(descriptors, threads, flat)


def test_batches_outlive_the_scan_they_came_from(plain: Path) -> None:
    expected = oracle.expected_rows(plain)
    scan = pwalk.scan(plain)
    batches = list(scan)
    scan.close()
    del scan
    gc.collect()
    support.assert_same_rows(pa.Table.from_batches(batches), expected)


def test_several_scans_at_once_do_not_disturb_one_another(traps: Path, plain: Path) -> None:
    tops = [traps, plain] * 4
    with ThreadPoolExecutor(len(tops)) as pool:
        tables = list(pool.map(lambda top: pa.table(pwalk.scan(top)), tops))
    for top, table in zip(tops, tables, strict=True):
        support.assert_same_rows(table, oracle.expected_rows(top))


def test_two_scans_may_be_read_in_turn(flat: Path) -> None:
    batches: tuple[list[pa.RecordBatch], list[pa.RecordBatch]] = ([], [])
    streams = [iter(pwalk.scan(flat)), iter(pwalk.scan(flat))]
    running = {0, 1}
    while running:
        for number in sorted(running):
            batch = next(streams[number], None)
            if batch is None:
                running.discard(number)
            else:
                batches[number].append(batch)
    for held in batches:
        assert sum(batch.num_rows for batch in held) == trees.FLAT_COUNT + 1


def test_progress_tells_what_was_seen(plain: Path) -> None:
    scan = pwalk.scan(plain)
    pa.table(scan)
    seen = scan.progress
    expected = oracle.expected_rows(plain).values()
    files = sum(row.size for row in expected if not row.is_directory)
    assert isinstance(seen, pwalk.Progress)
    assert (seen.entries, seen.directories) == (len(expected), 6)
    assert files <= seen.bytes <= sum(row.size for row in expected)
    assert (seen.errors, seen.vanished) == (0, 0)
    assert seen.elapsed > 0
    assert seen.rate >= 0
    assert seen.threads >= 0


def test_progress_is_a_snapshot_and_only_grows(flat: Path) -> None:
    with pwalk.scan(flat) as scan:
        snapshots = [scan.progress]
        entries = [snapshots[0].entries]
        for _ in scan:
            snapshots.append(scan.progress)
            entries.append(snapshots[-1].entries)
        snapshots.append(scan.progress)
        entries.append(snapshots[-1].entries)
    assert entries == sorted(entries)
    assert entries[-1] == trees.FLAT_COUNT + 1
    assert [seen.entries for seen in snapshots] == entries, "a snapshot changed afterwards"


def test_a_scan_keeps_the_top_it_was_given_after_a_change_of_directory(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plain)
    expected = oracle.expected_rows(".")
    with pwalk.scan(".") as scan:
        monkeypatch.chdir(tmp_path)
        support.assert_same_rows(pa.table(scan), expected)


def test_the_top_itself_may_be_oddly_named(tree: Path) -> None:
    top = tree / "\udcff"
    top.mkdir()
    (top / "inside").touch()
    support.assert_same_rows(pa.table(pwalk.scan(top)), oracle.expected_rows(top))


def test_one_huge_directory_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    """3,000,000 names with their attributes would need several hundred MB."""
    code = """
import memory
from pwalk import _arguments, _core

def rows(files):
    tree = _core.synthetic_file_system(_core.SyntheticTree(files, flat=True), b"t")
    options = _arguments.report_options(
        max_threads=4, max_inflight=None, stall_timeout=300.0, ignore_snapshots=True,
        one_file_system=False, max_depth=None, exclude=[], buffer_threshold="4MB",
    )
    scan, rows = _core.Scan(b"t", options, tree), 0
    while (batch := scan.next(1.0)) is not False:
        rows += batch.rows if isinstance(batch, _core.Batch) else 0
    return rows

assert rows(100_000) == 100_001
before = memory.peak()
assert rows(3_000_000) == 3_000_001
print(memory.peak() - before)
"""
    grown = int(support.run_script(code, cwd=tmp_path).stdout)
    assert grown < 32 << 10, f"{grown} KiB"
