"""The report command: flags old and new, exit codes, what goes to which stream."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import mounts
import oracle
import pyarrow.parquet as pq
import pytest
import support
import trees


def lines_of(answer_stdout: bytes) -> Counter[bytes]:
    return support.split_csv(answer_stdout)[1]


def expected_lines(top: Path, **selection: object) -> Counter[bytes]:
    rows = oracle.expected_rows(top, **selection)  # type: ignore[arg-type]
    return Counter(oracle.csv_lines(rows.values()))


def csv_of(top: Path, cwd: Path, *flags: str | os.PathLike[str]) -> bytes:
    """What the command streams to stdout; it must succeed."""
    answer = support.run_pwalk("report", top, "--format", "csv", "--output", "-", *flags, cwd=cwd)
    assert answer.returncode == 0, answer.stderr.decode(errors="replace")
    return answer.stdout


def grow(top: Path, *files: str) -> None:
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(os.fsencode(name))


def test_a_complete_report_exits_0_and_keeps_stdout_clean(plain: Path, tmp_path: Path) -> None:
    answer = support.run_pwalk("report", plain, "--output", "out.parquet", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, b"")
    support.assert_same_rows(pq.read_table(tmp_path / "out.parquet"), oracle.expected_rows(plain))


def test_without_a_subcommand_it_reports(plain: Path, tmp_path: Path) -> None:
    target = tmp_path / "test.parquet"
    answer = support.run_pwalk("--format=parquet", f"--output={target}", plain, cwd=tmp_path)
    assert answer.returncode == 0
    support.assert_same_rows(pq.read_table(target), oracle.expected_rows(plain))


def test_without_a_subcommand_a_path_alone_is_enough(plain: Path, tmp_path: Path) -> None:
    answer = support.run_pwalk(plain, cwd=tmp_path)
    assert answer.returncode == 0
    assert support.names_in(tmp_path) == ["scan.parquet"]


def test_flags_may_come_before_and_after_the_path(plain: Path, tmp_path: Path) -> None:
    before = support.run_pwalk("report", "--format", "csv", "--output", "-", plain, cwd=tmp_path)
    after = support.run_pwalk("report", plain, "--format", "csv", "--output", "-", cwd=tmp_path)
    assert lines_of(before.stdout) == lines_of(after.stdout) == expected_lines(plain)


def test_a_dash_streams_the_csv_to_stdout_and_writes_no_file(traps: Path, tmp_path: Path) -> None:
    answer = support.run_pwalk(
        "report", traps, "--snapshots", "--format", "csv", "--output", "-", cwd=tmp_path
    )
    assert answer.stdout.startswith(oracle.CSV_HEADER)
    assert lines_of(answer.stdout) == expected_lines(traps, ignore_snapshots=False)
    assert support.names_in(tmp_path) == []


def test_a_stream_of_a_hundred_thousand_lines_arrives_whole(flat: Path, tmp_path: Path) -> None:
    assert lines_of(csv_of(flat, tmp_path)) == expected_lines(flat)


def test_the_header_is_there_unless_it_is_turned_off(plain: Path, tmp_path: Path) -> None:
    default = csv_of(plain, tmp_path)
    assert support.split_csv(default) == support.split_csv(csv_of(plain, tmp_path, "--header"))
    bare = csv_of(plain, tmp_path, "--no-header")
    assert default.startswith(oracle.CSV_HEADER)
    assert Counter(bare.splitlines(keepends=True)) == lines_of(default)


@pytest.mark.parametrize(
    ("flags", "ignored"), [((), True), (("--NoSnap",), True), (("--snapshots",), False)]
)
def test_snapshots_are_skipped_unless_asked_for(
    tree: Path, tmp_path: Path, flags: tuple[str, ...], ignored: bool
) -> None:
    grow(tree, ".snapshot/inside", "beside")
    lines = lines_of(csv_of(tree, tmp_path, *flags))
    assert lines == expected_lines(tree, ignore_snapshots=ignored)
    assert any(b"/.snapshot/inside" in line for line in lines) is not ignored


@pytest.mark.parametrize("flag", ["--exclude", "--exclude-from"])
def test_a_list_of_excluded_paths_has_one_a_line(tree: Path, tmp_path: Path, flag: str) -> None:
    grow(tree, "a/file", "ab/file", "b c/file", "d")
    listed = tmp_path / "list"
    listed.write_text(f"{tree}/a\n{tree}/b c\n\n")
    lines = lines_of(csv_of(tree, tmp_path, flag, listed))
    assert lines == expected_lines(tree, exclude=[tree / "a", tree / "b c"])
    assert len(lines) == 4


def test_the_last_excluded_path_needs_no_newline_and_may_be_odd(tree: Path, tmp_path: Path) -> None:
    grow(tree, "a", "\udcff/inside", " b")
    listed = tmp_path / "list"
    listed.write_bytes(os.fsencode(f"{tree}/\udcff\n{tree}/ b"))
    lines = lines_of(csv_of(tree, tmp_path, "--exclude", listed))
    assert lines == expected_lines(tree, exclude=[f"{tree}/\udcff", f"{tree}/ b"])
    assert len(lines) == 2


def test_excluded_paths_may_be_given_one_by_one(tree: Path, tmp_path: Path) -> None:
    grow(tree, "a/file", "b/file", "c")
    flags = ("--exclude-path", f"{tree}/a", "--exclude-path", f"{tree}/c")
    lines = lines_of(csv_of(tree, tmp_path, *flags))
    assert lines == expected_lines(tree, exclude=[tree / "a", tree / "c"])
    assert len(lines) == 3


@pytest.mark.parametrize("depth", ["0", "1", "2", "9"])
def test_depth_limits_the_directories_listed_and_0_does_not(
    tree: Path, tmp_path: Path, depth: str
) -> None:
    grow(tree, "file", "one/file", "one/two/file", "one/two/three/file")
    lines = lines_of(csv_of(tree, tmp_path, "--depth", depth))
    assert lines == expected_lines(tree, max_depth=int(depth))


@pytest.mark.parametrize("flag", ["-x", "--one-file-system"])
def test_one_file_system_leaves_out_mounts(tmp_path: Path, flag: str) -> None:
    top = tmp_path / "top"
    grow(top, "kept")
    with mounts.tmpfs(top / "mounted") as mounted:
        grow(mounted, "inside")
        lines = lines_of(csv_of(top, tmp_path, flag))
        assert lines == expected_lines(top, one_file_system=True)
    assert len(lines) == 2


@pytest.mark.parametrize(
    "flags",
    [
        ("--max-threads", "1"),
        ("--max-threads", "3", "--max-inflight", "64"),
        ("--max-inflight", "1"),
        ("--buffer-threshold", "1MB"),
        ("--stall-timeout", "60"),
    ],
)
def test_tuning_flags_change_nothing_in_the_result(
    flat: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    assert lines_of(csv_of(flat, tmp_path, *flags)) == expected_lines(flat)


@pytest.mark.parametrize(
    ("compression", "magic"),
    [("none", b"inode,"), ("gzip", b"\x1f\x8b"), ("zstd", b"\x28\xb5\x2f\xfd")],
)
def test_the_compression_of_a_csv_may_be_chosen(
    plain: Path, tmp_path: Path, compression: str, magic: bytes
) -> None:
    answer = support.run_pwalk(
        "report",
        plain,
        "--format=csv",
        f"--compression={compression}",
        "--output=out",
        cwd=tmp_path,
    )
    assert answer.returncode == 0
    assert (tmp_path / "out").read_bytes().startswith(magic)
    assert lines_of(support.decompressed(tmp_path / "out")) == expected_lines(plain)


@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_the_compression_of_a_parquet_file_may_be_chosen(
    plain: Path, tmp_path: Path, codec: str
) -> None:
    answer = support.run_pwalk(
        "report", plain, "--compression", codec, "--output", "out", cwd=tmp_path
    )
    assert answer.returncode == 0
    with pq.ParquetFile(tmp_path / "out") as file:
        used = file.metadata.row_group(0).column(0).compression
    assert used == {"zstd": "ZSTD", "gzip": "GZIP", "none": "UNCOMPRESSED"}[codec]


def test_the_summary_on_stderr_tells_how_much_and_where(tree: Path, tmp_path: Path) -> None:
    trees.plain(tree, directories=1, files=136)
    answer = support.run_pwalk("report", tree, "--output", "result.parquet", cwd=tmp_path)
    summary = answer.stderr.decode().replace(str(tmp_path), "")
    assert "result.parquet" in summary
    assert re.search(r"\b13[68]\b", summary), summary  # files, or all entries


def test_quiet_says_nothing_when_all_is_well(plain: Path, tmp_path: Path) -> None:
    for flag in ("-q", "--quiet"):
        answer = support.run_pwalk("report", plain, flag, cwd=tmp_path)
        assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"", b"")


def test_no_escape_sequence_is_written_where_there_is_no_terminal(
    plain: Path, tmp_path: Path
) -> None:
    answer = support.run_pwalk("report", plain, cwd=tmp_path)
    assert answer.stderr != b""
    assert b"\x1b" not in answer.stderr
    assert b"\r" not in answer.stderr


def test_a_name_with_escape_sequences_does_not_reach_the_terminal(
    tree: Path, tmp_path: Path
) -> None:
    (tree / "\x1b[2Jclear").touch()
    answer = support.run_pwalk("report", tree, "--format", "csv", cwd=tmp_path)
    assert b"clear" in answer.stderr
    assert b"\x1b[2J" not in answer.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("report", "--help"), ("walk", "--help")])
def test_help_goes_to_stdout_and_exits_0(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    answer = support.run_pwalk(*arguments, cwd=tmp_path)
    assert answer.returncode == 0
    assert b"Usage" in answer.stdout


def test_the_help_of_report_names_every_flag(tmp_path: Path) -> None:
    answer = support.run_pwalk("report", "--help", cwd=tmp_path)
    flags = (
        *("--format", "--output", "--compression", "--header", "--no-header", "--quiet"),
        *("--max-threads", "--max-inflight", "--buffer-threshold", "--stall-timeout"),
        *("--NoSnap", "--snapshots", "--exclude", "--exclude-from", "--exclude-path"),
        *("--depth", "--one-file-system"),
    )
    assert [flag for flag in flags if flag not in answer.stdout.decode()] == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_sixty_four_descriptors_are_enough(traps: Path, tmp_path: Path, form: str) -> None:
    answer = support.run_pwalk(
        "report", traps, "--format", form, "--output", "out", cwd=tmp_path, descriptors=64
    )
    expected = oracle.survey(traps)
    assert answer.returncode == bool(expected.errors), answer.stderr.decode(errors="replace")
    if form == "csv":
        assert lines_of((tmp_path / "out").read_bytes()) == expected_lines(traps)
    else:
        support.assert_same_rows(pq.read_table(tmp_path / "out"), expected.rows)


def test_sixty_four_descriptors_are_enough_for_many_directories(tree: Path, tmp_path: Path) -> None:
    grow(tree, *(f"{a}/{b}/{c}/file" for a in range(12) for b in range(12) for c in range(4)))
    answer = support.run_pwalk(
        "report", tree, "--format", "csv", "--output", "-", cwd=tmp_path, descriptors=64
    )
    assert answer.returncode == 0, answer.stderr.decode(errors="replace")
    assert lines_of(answer.stdout) == expected_lines(tree)
