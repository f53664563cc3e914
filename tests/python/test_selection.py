"""What is left out: excluded paths, deep directories, other file systems, snapshots."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import mounts
import oracle
import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support
from oracle import AnyPath


def scanned(top: AnyPath, **options: object) -> set[str]:
    """Check a scan against the oracle and return the paths below the top, relative to it."""
    table = pa.table(pwalk.scan(top, **options))  # type: ignore[arg-type]
    support.assert_same_rows(table, oracle.expected_rows(top, **options))  # type: ignore[arg-type]
    start = len(os.fspath(top)) + 1
    return {path[start:] for path in table.column("filename").to_pylist()} - {""}


def grow(top: Path, *files: str) -> None:
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(os.fsencode(name))


def test_an_excluded_directory_and_all_below_it_have_no_row(tree: Path) -> None:
    grow(tree, "a/file", "a/sub/deep", "b/file")
    assert scanned(tree, exclude=[str(tree / "a")]) == {"b", "b/file"}


def test_exclusion_is_by_whole_components(tree: Path) -> None:
    grow(tree, "a/file", "ab/file", "a.b", "aa", "b/a")
    assert scanned(tree, exclude=[str(tree / "a")]) == {"ab", "ab/file", "a.b", "aa", "b", "b/a"}


def test_an_excluded_file_has_no_row_and_its_neighbours_have(tree: Path) -> None:
    grow(tree, "file", "file2", "sub/file")
    assert scanned(tree, exclude=[str(tree / "file")]) == {"file2", "sub", "sub/file"}


def test_an_excluded_name_is_still_counted_in_its_directory(tree: Path) -> None:
    grow(tree, "gone/file", "kept")
    rows = pa.table(pwalk.scan(tree, exclude=[str(tree / "gone")])).to_pylist()
    assert [row["file_count"] for row in rows if row["filename"] == str(tree)] == [2]


def test_several_paths_may_be_excluded_and_one_that_is_not_there(tree: Path) -> None:
    grow(tree, "a/x/1", "a/y/2", "b/3")
    gone = [str(tree / "a" / "x"), str(tree / "b" / "3"), str(tree / "missing")]
    assert scanned(tree, exclude=gone) == {"a", "a/y", "a/y/2", "b"}


def test_a_trailing_slash_on_an_excluded_path_changes_nothing(tree: Path) -> None:
    grow(tree, "a/file", "b")
    assert scanned(tree, exclude=[f"{tree}/a/"]) == {"b"}


def test_a_path_object_may_be_excluded(tree: Path) -> None:
    grow(tree, "a/file", "b")
    assert scanned(tree, exclude=[tree / "a"]) == {"b"}


def test_an_excluded_symbolic_link_leaves_its_target(tree: Path) -> None:
    grow(tree, "target/file")
    (tree / "link").symlink_to("target")
    assert scanned(tree, exclude=[str(tree / "link")]) == {"target", "target/file"}


def test_an_excluded_path_is_not_a_pattern(tree: Path) -> None:
    grow(tree, "a1", "a2", "a*", "b")
    assert scanned(tree, exclude=[f"{tree}/a*"]) == {"a1", "a2", "b"}


def test_excluded_names_may_be_odd(tree: Path) -> None:
    grow(tree, "plain", "new\nline", "\udcff/file", 'quo"te')
    gone = [f"{tree}/new\nline", f"{tree}/\udcff", f'{tree}/quo"te']
    assert scanned(tree, exclude=gone) == {"plain"}


@pytest.mark.parametrize("form", ["tree", "tree/", "./tree", "tree/."])
@pytest.mark.parametrize("excluded", ["absolute", "relative", "printed"])
def test_top_and_excluded_path_need_not_be_of_the_same_form(
    tree: Path, monkeypatch: pytest.MonkeyPatch, form: str, excluded: str
) -> None:
    grow(tree, "a/file", "b")
    monkeypatch.chdir(tree.parent)
    path = {"absolute": f"{tree}/a", "relative": "tree/a", "printed": f"{form}/a"}[excluded]
    assert scanned(form, exclude=[path]) == {"b"}


def test_a_relative_path_is_excluded_below_an_absolute_top(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tree, "a/file", "b/a")
    monkeypatch.chdir(tree.parent)
    assert scanned(tree, exclude=["tree/a"]) == {"b", "b/a"}


def test_a_relative_exclusion_counts_from_the_working_directory_not_the_top(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tree, "a/file")
    monkeypatch.chdir(tree.parent)
    assert scanned(tree, exclude=["a"]) == {"a", "a/file"}


@pytest.mark.parametrize(
    ("depth", "left"),
    [
        (1, {"file", "one", "one/file"}),
        (2, {"file", "one", "one/file", "one/two", "one/two/file"}),
    ],
)
def test_directories_deeper_than_the_limit_have_no_row_and_are_not_entered(
    tree: Path, depth: int, left: set[str]
) -> None:
    grow(tree, "file", "one/file", "one/two/file", "one/two/three/file")
    assert scanned(tree, max_depth=depth) == left


@pytest.mark.parametrize("unlimited", [None, 0, 1000])
def test_without_a_limit_every_level_is_entered(tree: Path, unlimited: int | None) -> None:
    grow(tree, "1/2/3/4/5/6/file")
    assert "1/2/3/4/5/6/file" in scanned(tree, max_depth=unlimited)


def test_a_directory_at_the_limit_still_counts_the_directories_not_entered(tree: Path) -> None:
    grow(tree, "one/two/file", "one/beside")
    rows = pa.table(pwalk.scan(tree, max_depth=1)).to_pylist()
    counted = {row["filename"]: (row["file_count"], row["dir_sum"]) for row in rows}
    expected = 2, (tree / "one" / "two").stat().st_size + len("one/beside")
    assert counted[str(tree / "one")] == expected


def test_the_limit_counts_from_a_relative_top_too(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tree, "one/two/file")
    monkeypatch.chdir(tree)
    assert scanned("./one/..", max_depth=1) == {"one"}


def test_snapshots_are_skipped_at_every_depth_by_default(tree: Path) -> None:
    grow(tree, ".snapshot/x", "a/.snapshot/x", "a/b/.snapshot/x", "a/b/kept")
    assert scanned(tree) == {"a", "a/b", "a/b/kept"}


def test_snapshots_are_entered_when_asked_for(tree: Path) -> None:
    grow(tree, ".snapshot/x", "a/.snapshot/y")
    assert scanned(tree, ignore_snapshots=False) == {
        ".snapshot",
        ".snapshot/x",
        "a",
        "a/.snapshot",
        "a/.snapshot/y",
    }


def test_names_that_only_resemble_snapshot_are_not_skipped(tree: Path) -> None:
    near = {".snapshots", "x.snapshot", "snapshot", ".Snapshot"}
    grow(tree, *(f"{name}/file" for name in near))
    assert scanned(tree) == near | {f"{name}/file" for name in near}


def test_a_file_or_link_named_snapshot_is_not_skipped(tree: Path) -> None:
    grow(tree, "a/.snapshot", "target/file")
    (tree / "b").mkdir()
    (tree / "b" / ".snapshot").symlink_to("../target")
    expected = {"a", "a/.snapshot", "b", "b/.snapshot", "target", "target/file"}
    assert scanned(tree) == expected


def test_a_top_that_is_itself_a_snapshot_is_scanned(tree: Path) -> None:
    grow(tree, ".snapshot/file")
    assert scanned(tree / ".snapshot") == {"file"}


def names_of(rows: Sequence[dict[str, object]], top: Path) -> dict[str, dict[str, object]]:
    return {str(row["filename"])[len(str(top)) + 1 :]: row for row in rows}


def test_one_file_system_leaves_out_what_is_mounted_below(tree: Path) -> None:
    grow(tree, "a/file", "z/file")
    with mounts.tmpfs(tree / "mounted") as mounted:
        grow(mounted, "inside/file")
        assert scanned(tree, one_file_system=True) == {"a", "a/file", "z", "z/file"}
        assert "mounted/inside/file" in scanned(tree)


def test_a_left_out_mount_is_counted_but_not_summed(tree: Path) -> None:
    grow(tree, "file")
    with mounts.tmpfs(tree / "mounted"):
        table = pa.table(pwalk.scan(tree, one_file_system=True))
    top = names_of(table.to_pylist(), tree)[""]
    assert (top["file_count"], top["dir_sum"]) == (2, len("file"))


def test_one_file_system_does_not_enter_a_bind_mount_of_the_same_device(tree: Path) -> None:
    grow(tree, "source/file")
    with mounts.bind(tree / "source", tree / "bound"):
        assert scanned(tree, one_file_system=True) == {"source", "source/file"}
        assert "bound/file" in scanned(tree)


def test_one_file_system_is_that_of_a_top_that_is_a_mount_point(tmp_path: Path) -> None:
    with mounts.tmpfs(tmp_path / "mounted") as mounted:
        grow(mounted, "sub/file")
        assert scanned(mounted, one_file_system=True) == {"sub", "sub/file"}


def test_selections_combine(tree: Path) -> None:
    grow(tree, "a/b/c/file", "a/b/file", "a/.snapshot/file", "x/y/file", "x/file", "top")
    left = scanned(tree, exclude=[tree / "x" / "y"], max_depth=2)
    assert left == {"a", "a/b", "a/b/file", "x", "x/file", "top"}


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_report_takes_the_same_selection_as_a_scan(tree: Path, tmp_path: Path, form: str) -> None:
    grow(tree, "a/file", "b/c/file", "b/.snapshot/file")
    path, errors = pwalk.report(
        tree, form, tmp_path / "out", exclude=[tree / "a"], max_depth=1, ignore_snapshots=False
    )
    expected = oracle.expected_rows(tree, exclude=[tree / "a"], max_depth=1, ignore_snapshots=False)
    assert errors == []
    if form == "parquet":
        support.assert_same_rows(pq.read_table(path), expected)
    else:
        _, lines = support.split_csv(Path(path).read_bytes())
        assert sorted(lines) == sorted(oracle.csv_lines(expected.values()))
