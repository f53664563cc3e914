"""The CSV report: byte for byte what pwalk 3.0 writes, up to the order of the lines."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path

import oracle
import pwalk
import pytest
import support
import trees
from oracle import AnyPath


def report(top: AnyPath, output: Path, **options: object) -> bytes:
    path, _ = pwalk.report(top, "csv", output, **options)  # type: ignore[arg-type]
    return support.decompressed(path)


def report_on_one(tree: Path, name: bytes, content: bytes = b"") -> bytes:
    """The line about the only file of a tree."""
    path = tree / os.fsdecode(name)
    path.write_bytes(content)
    return support.line_about(report(tree, tree.parent / "one.csv"), os.fsencode(path))


def fields(line: bytes) -> list[bytes]:
    """The fields of a line whose strings hold neither a comma nor a quote."""
    return line.rstrip(b"\n").split(b",")


def test_the_whole_tree_of_traps_is_reported_byte_for_byte(traps: Path, tmp_path: Path) -> None:
    header, lines = support.split_csv(report(traps, tmp_path / "out.csv", ignore_snapshots=False))
    expected = oracle.expected_rows(traps, ignore_snapshots=False)
    assert header == oracle.CSV_HEADER
    assert lines == Counter(oracle.csv_lines(expected.values()))


def test_a_directory_of_a_hundred_thousand_files_is_reported_byte_for_byte(
    flat: Path, tmp_path: Path
) -> None:
    _, lines = support.split_csv(report(flat, tmp_path / "out.csv"))
    assert lines == Counter(oracle.csv_lines(oracle.expected_rows(flat).values()))


def test_the_header_is_the_first_line_and_comes_once(plain: Path, tmp_path: Path) -> None:
    content = report(plain, tmp_path / "out.csv")
    assert content.startswith(oracle.CSV_HEADER)
    assert content.count(b"parent-inode") == 1


def test_without_header_the_same_lines_remain(plain: Path, tmp_path: Path) -> None:
    _, with_header = support.split_csv(report(plain, tmp_path / "with.csv"))
    content = report(plain, tmp_path / "without.csv", header=False)
    assert b"parent-inode" not in content
    assert Counter(content.splitlines(keepends=True)) == with_header


def test_the_file_ends_with_a_newline(plain: Path, tmp_path: Path) -> None:
    content = report(plain, tmp_path / "out.csv")
    assert content.endswith(b"\n")
    assert not content.endswith(b"\n\n")


def test_the_top_has_depth_minus_one_and_parent_inode_zero(tree: Path, tmp_path: Path) -> None:
    line = support.line_about(report(tree, tmp_path / "out.csv"), os.fsencode(tree))
    assert fields(line)[:3] == [b"%d" % tree.stat().st_ino, b"0", b"-1"]


def test_a_directory_has_the_depth_of_the_files_beside_it(tree: Path, tmp_path: Path) -> None:
    (tree / "folder" / "below").mkdir(parents=True)
    (tree / "beside").touch()
    (tree / "folder" / "inside").touch()
    content = report(tree, tmp_path / "out.csv")
    depths = {
        path.name: fields(support.line_about(content, os.fsencode(path)))[2]
        for path in (
            tree / "folder",
            tree / "beside",
            tree / "folder/below",
            tree / "folder/inside",
        )
    }
    assert depths == {"folder": b"0", "beside": b"0", "below": b"1", "inside": b"1"}


def test_an_entry_names_the_inode_of_its_directory(tree: Path, tmp_path: Path) -> None:
    (tree / "folder").mkdir()
    (tree / "folder" / "file").touch()
    content = report(tree, tmp_path / "out.csv")
    inside = fields(support.line_about(content, os.fsencode(tree / "folder" / "file")))
    assert inside[1] == b"%d" % (tree / "folder").stat().st_ino


@pytest.mark.parametrize(
    ("given", "printed"), [("tt", "tt/a"), ("tt/", "tt//a"), ("./tt", "./tt/a")]
)
def test_a_path_is_the_top_as_given_a_slash_and_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, printed: str
) -> None:
    (tmp_path / "tt").mkdir()
    (tmp_path / "tt" / "a").touch()
    monkeypatch.chdir(tmp_path)
    content = report(given, tmp_path / "out.csv")
    assert b',"' + printed.encode() + b'",' in content
    assert b',"' + given.encode() + b'",' in content


def test_a_top_of_a_single_dot_is_printed_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tt").mkdir()
    (tmp_path / "tt" / "a").touch()
    monkeypatch.chdir(tmp_path / "tt")
    _, lines = support.split_csv(report(".", tmp_path / "out.csv"))
    assert lines == Counter(oracle.csv_lines(oracle.expected_rows(".").values()))
    assert b',"./a",' in b"".join(lines)


def test_the_root_directory_is_joined_like_any_other_top(tmp_path: Path) -> None:
    path, _ = pwalk.report("/", "csv", tmp_path / "out.csv", max_depth=1, one_file_system=True)
    printed = {line.split(b'"')[1] for line in Path(path).read_bytes().splitlines()[1:]}
    assert b"/" in printed
    assert b"//usr" in printed


def test_a_path_object_and_a_string_give_the_same_report(plain: Path, tmp_path: Path) -> None:
    of_path = support.split_csv(report(plain, tmp_path / "path.csv"))
    of_text = support.split_csv(report(str(plain), tmp_path / "text.csv"))
    assert of_path == of_text


def test_quotes_are_doubled_in_path_and_extension(tree: Path) -> None:
    line = report_on_one(tree, b'q.e"x"t')
    assert b'/q.e""x""t","e""x""t",' in line


def test_bytes_below_32_are_dropped_and_127_is_kept(tree: Path) -> None:
    line = report_on_one(tree, b"a\x01b\nc.\x1fd\x7fe\t")
    assert b'/abc.d\x7fe","d\x7fe",' in line


def test_bytes_that_are_not_utf8_are_written_as_they_are(tree: Path) -> None:
    line = report_on_one(tree, b"\xff\xfe.\xe9")
    assert b'/\xff\xfe.\xe9","\xe9",' in line


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        (b".bashrc", b""),
        (b"a.tar.gz", b"gz"),
        (b"x.", b""),
        (b"...", b""),
        (b"..x", b"x"),
        (b".a.b", b"b"),
        (b"a.b c", b"b c"),
        (b"none", b""),
        (b"A.TXT", b"TXT"),
        (b"e." + b"x" * 253, b"x" * 253),
        ("ö.é".encode(), "é".encode()),
    ],
)
def test_the_extension_follows_the_last_dot_but_the_first_character(
    tree: Path, name: bytes, extension: bytes
) -> None:
    assert fields(report_on_one(tree, name))[4] == b'"' + extension + b'"'


def test_the_extension_is_taken_from_the_name_before_bytes_are_dropped(tree: Path) -> None:
    assert b'/.hidden","hidden",' in report_on_one(tree, b"\x01.hidden")


def test_a_directory_has_no_extension(tree: Path, tmp_path: Path) -> None:
    (tree / "dir.ext").mkdir()
    line = support.line_about(report(tree, tmp_path / "out.csv"), os.fsencode(tree / "dir.ext"))
    assert fields(line)[4] == b'""'


def test_what_is_not_a_directory_counts_minus_one_and_sums_to_zero(tree: Path) -> None:
    assert report_on_one(tree, b"file", b"content").endswith(b",-1,0\n")


def test_an_empty_directory_counts_and_sums_to_zero(tree: Path, tmp_path: Path) -> None:
    line = support.line_about(report(tree, tmp_path / "out.csv"), os.fsencode(tree))
    assert line.endswith(b",0,0\n")


def test_a_directory_counts_its_names_and_sums_their_sizes(tree: Path, tmp_path: Path) -> None:
    (tree / "sub").mkdir()
    (tree / "sub" / "not-counted").write_bytes(b"z" * 999)
    (tree / "five").write_bytes(b"12345")
    (tree / "link").symlink_to("1234567")
    os.link(tree / "five", tree / "again")
    os.mkfifo(tree / "fifo")
    line = support.line_about(report(tree, tmp_path / "out.csv"), os.fsencode(tree))
    total = 5 + 5 + 7 + (tree / "sub").lstat().st_size
    assert line.endswith(b",5,%d\n" % total)


def test_a_skipped_snapshot_is_counted_and_summed_but_has_no_row(
    tree: Path, tmp_path: Path
) -> None:
    (tree / ".snapshot" / "inside").mkdir(parents=True)
    content = report(tree, tmp_path / "out.csv")
    line = support.line_about(content, os.fsencode(tree))
    assert line.endswith(b",1,%d\n" % (tree / ".snapshot").lstat().st_size)
    assert b".snapshot" not in content


def test_the_mode_is_octal_with_its_type_in_seven_digits(tree: Path, tmp_path: Path) -> None:
    (tree / "file").touch()
    (tree / "file").chmod(0o4640)
    (tree / "folder").mkdir(mode=0o700)
    (tree / "link").symlink_to("x")
    content = report(tree, tmp_path / "out.csv")
    modes = {
        name: fields(support.line_about(content, os.fsencode(tree / name)))[11]
        for name in ("file", "folder", "link")
    }
    assert modes == {"file": b'"0104640"', "folder": b'"0040700"', "link": b'"0120777"'}


@pytest.mark.parametrize(
    ("nanoseconds", "seconds"),
    [(-1, b"-1"), (-1_500_000_000, b"-2"), (0, b"0"), (1_999_999_999, b"1")],
)
def test_times_are_whole_seconds_rounded_down(
    tree: Path, tmp_path: Path, nanoseconds: int, seconds: bytes
) -> None:
    (tree / "file").touch()
    os.utime(tree / "file", ns=(nanoseconds, nanoseconds))
    line = support.line_about(report(tree, tmp_path / "out.csv"), os.fsencode(tree / "file"))
    assert fields(line)[12:14] == [seconds, seconds]


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_ids_above_the_signed_range_are_printed_unsigned(tree: Path, tmp_path: Path) -> None:
    (tree / "file").touch()
    os.chown(tree / "file", 4_294_967_294, 2_147_483_648)
    line = support.line_about(report(tree, tmp_path / "out.csv"), os.fsencode(tree / "file"))
    assert fields(line)[5:7] == [b"4294967294", b"2147483648"]


def test_a_path_longer_than_path_max_is_printed_whole(tree: Path, tmp_path: Path) -> None:
    bottom = trees.deep(tree / "deep")
    assert len(bottom) > os.pathconf(tree, "PC_PATH_MAX")
    assert support.line_about(report(tree, tmp_path / "out.csv"), bottom).endswith(b",-1,0\n")


def test_a_path_with_dropped_bytes_is_logged_as_a_bad_file(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tree / "bad\x01name").touch()
    (tree / "good name").touch()
    with caplog.at_level(logging.WARNING, logger="pwalk"):
        report(tree, tmp_path / "out.csv")
    messages = [r.getMessage() for r in caplog.records if r.name == "pwalk"]
    assert len(messages) == 1
    assert messages[0].startswith("Bad File: ")
    assert "name" in messages[0]


def test_a_tree_without_control_bytes_logs_no_bad_file(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (b'quo"te', b"\xff", b"delete\x7f"):
        Path(os.fsdecode(os.fsencode(tree) + b"/" + name)).touch()
    with caplog.at_level(logging.WARNING, logger="pwalk"):
        report(tree, tmp_path / "out.csv")
    assert [r for r in caplog.records if r.getMessage().startswith("Bad File")] == []


def test_the_command_names_a_bad_file_on_stderr_in_one_line(tree: Path, tmp_path: Path) -> None:
    (tree / "bad\nforged line").touch()
    answer = support.run_pwalk("report", tree, "--format", "csv", cwd=tmp_path)
    assert answer.returncode == 0
    lines = answer.stderr.split(b"\n")
    assert any(b"Bad File: " in line for line in lines)
    assert not any(line.startswith(b"forged line") for line in lines)


@pytest.mark.parametrize(
    ("compression", "magic"),
    [("none", b"inode,"), ("gzip", b"\x1f\x8b"), ("zstd", b"\x28\xb5\x2f\xfd")],
)
def test_every_compression_holds_the_same_lines(
    traps: Path, tmp_path: Path, compression: str, magic: bytes
) -> None:
    path, _ = pwalk.report(traps, "csv", tmp_path / "packed", compression=compression)
    assert Path(path).read_bytes().startswith(magic)
    _, lines = support.split_csv(support.decompressed(path))
    assert lines == Counter(oracle.csv_lines(oracle.expected_rows(traps).values()))


def test_a_named_csv_is_not_compressed_and_a_csv_zst_is(plain: Path, tmp_path: Path) -> None:
    bare, _ = pwalk.report(plain, "csv", tmp_path / "named.csv")
    packed, _ = pwalk.report(plain, "csv", tmp_path / "named.csv.zst")
    assert Path(bare).read_bytes().startswith(b"inode,")
    assert Path(packed).read_bytes().startswith(b"\x28\xb5\x2f\xfd")


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_a_large_report_survives_compression(flat: Path, tmp_path: Path, compression: str) -> None:
    path, _ = pwalk.report(flat, "csv", tmp_path / "packed", compression=compression)
    assert support.decompressed(path).count(b"\n") == trees.FLAT_COUNT + 2
