"""Entries that cannot be read, seen by children that permission bits apply to."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import support
import trees

COMPARE_SCAN = """
import json, sys
import oracle, pwalk, pyarrow as pa, support
scan = pwalk.scan(sys.argv[1])
table = pa.table(scan)
expected = oracle.survey(sys.argv[1])
support.assert_same_rows(table, expected.rows)
assert expected.errors, "everything was readable: this child may still override permissions"
got, wanted = support.facts(scan.errors), sorted(expected.errors)
assert got == wanted, (got, wanted)
assert scan.progress.errors == len(wanted)
json.dump(len(wanted), sys.stdout)
"""

COMPARE_CSV = """
import sys
from collections import Counter
import oracle, pwalk, support
path, errors = pwalk.report(sys.argv[1], "csv", sys.argv[2])
expected = oracle.survey(sys.argv[1])
header, lines = support.split_csv(open(path, "rb").read())
assert lines == Counter(oracle.csv_lines(expected.rows.values()))
assert None in [row.file_count for row in expected.rows.values()]
assert support.facts(errors) == sorted(expected.errors)
"""

WRITE_PARQUET = """
import sys
import pwalk
path, errors = pwalk.report(sys.argv[1], output=sys.argv[2])
assert errors and all(isinstance(e, pwalk.EntryError) and isinstance(e, str) for e in errors)
assert all(e.strerror == "Permission denied" for e in errors), errors
print(len(errors))
"""

EXPECT_PERMISSION_ERROR = """
import sys
import pwalk
for start in (pwalk.report, pwalk.scan):
    try:
        start(sys.argv[1])
    except PermissionError as error:
        assert sys.argv[1] in str(error), error
    else:
        raise SystemExit(f"{start.__name__} accepted a top that cannot be read")
"""

SCAN_AS_NOBODY = """
import json, sys
import pwalk, pyarrow as pa, restricted
pa.table(pwalk.scan(sys.argv[2]))  # what is imported when first used is imported now
restricted.become_nobody()
scan = pwalk.scan(sys.argv[1])
rows = pa.table(scan).num_rows
json.dump([rows, [[str(e), e.operation, e.errno] for e in scan.errors]], sys.stdout)
"""

EXPECT_UNWRITABLE = """
import sys
import pwalk
calls = []
try:
    pwalk.report(sys.argv[1], "csv", sys.argv[2] + "/out.csv", progress=calls.append)
except PermissionError as error:
    assert sys.argv[2] in str(error), error
else:
    raise SystemExit("a directory that may not be written to was accepted")
assert calls == [], "there was work before the error"
"""


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """Directories that cannot be read, not listed, or not searched, and a file beside them."""
    top = tmp_path / "locked"
    trees.locked(top)
    yield top
    trees.remove_tree(top)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    return place


def test_unreadable_directories_keep_a_row_and_every_failure_is_an_error(
    locked: Path, work: Path
) -> None:
    answer = support.run_script(COMPARE_SCAN, locked, cwd=work, ordinary=True)
    # none.d and no-list.d cannot be opened; the two names in no-search.d cannot be looked at
    assert json.loads(answer.stdout) == 4


def test_the_csv_has_no_line_for_an_unreadable_directory(locked: Path, work: Path) -> None:
    support.run_script(COMPARE_CSV, locked, work / "out.csv", cwd=work, ordinary=True)
    content = (work / "out.csv").read_bytes()
    assert b"none.d" not in content
    assert b"no-search.d" in content


def test_an_unreadable_directory_has_null_counts_in_parquet(locked: Path, work: Path) -> None:
    answer = support.run_script(WRITE_PARQUET, locked, work / "out", cwd=work, ordinary=True)
    rows = {row["filename"]: row for row in pq.read_table(work / "out").to_pylist()}
    unread = {path for path, row in rows.items() if row["file_count"] is None}
    assert unread == {str(locked / "none.d"), str(locked / "no-list.d")}
    assert {rows[path]["dir_sum"] for path in unread} == {None}
    assert rows[str(locked / "no-search.d")]["file_count"] == 2
    assert rows[str(locked / "no-search.d")]["dir_sum"] == 0
    with pq.ParquetFile(work / "out") as file:
        assert file.metadata.metadata[b"errors"] == answer.stdout.strip()


def test_the_whole_tree_of_traps_is_reported_by_an_ordinary_user(
    tmp_path: Path, work: Path
) -> None:
    top = tmp_path / "traps"
    trees.build_traps(top)
    try:
        support.run_script(COMPARE_SCAN, top, cwd=work, ordinary=True)
        support.run_script(COMPARE_CSV, top, work / "out.csv", cwd=work, ordinary=True)
    finally:
        trees.remove_tree(top)


def test_an_unreadable_top_is_a_permission_error(locked: Path, work: Path) -> None:
    support.run_script(
        EXPECT_PERMISSION_ERROR,
        locked / "none.d",
        cwd=work,
        ordinary=True,
    )
    assert support.names_in(work) == []


def test_an_output_directory_that_may_not_be_written_is_refused_before_any_work(
    plain: Path, work: Path
) -> None:
    (work / "sealed").mkdir()
    (work / "sealed").chmod(0o555)
    support.run_script(
        EXPECT_UNWRITABLE,
        plain,
        work / "sealed",
        cwd=work,
        ordinary=True,
    )
    assert support.names_in(work / "sealed") == []


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_the_command_exits_1_and_says_what_it_could_not_read(
    locked: Path, work: Path, form: str
) -> None:
    answer = support.run_pwalk(
        "report",
        locked,
        "--format",
        form,
        "--output",
        "out",
        cwd=work,
        ordinary=True,
    )
    assert answer.returncode == 1
    assert b"Permission denied" in answer.stderr
    assert b"none.d" in answer.stderr
    assert support.names_in(work) == ["out"]


def test_the_command_exits_2_for_a_top_it_cannot_read(locked: Path, work: Path) -> None:
    answer = support.run_pwalk("report", locked / "none.d", cwd=work, ordinary=True)
    assert answer.returncode == 2
    assert b"none.d" in answer.stderr
    assert support.names_in(work) == []


def test_walk_exits_1_and_still_prints_what_it_could_read(locked: Path, work: Path) -> None:
    answer = support.run_pwalk("walk", locked, cwd=work, ordinary=True)
    assert answer.returncode == 1
    assert os.fsencode(locked / "open.txt") in answer.stdout.splitlines()
    assert b"none.d" in answer.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_nobody_may_scan_what_root_owns_and_learns_what_is_closed(work: Path) -> None:
    """Another user may not ask for O_NOATIME: it must be done without."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        top = Path(place) / "top"
        trees.plain(top)
        (top / "private").mkdir(mode=0o700)
        answer = support.run_script(SCAN_AS_NOBODY, top, work, cwd=work)
    rows, errors = json.loads(answer.stdout)
    assert rows == 1 + 5 + 100 + 1
    assert errors == [[str(top / "private"), "open", errno.EACCES]]


def test_names_that_are_not_text_survive_in_errors(tmp_path: Path, work: Path) -> None:
    top = tmp_path / "odd"
    folder = top / "\udcff\n"
    folder.mkdir(parents=True)
    folder.chmod(0)
    try:
        answer = support.run_script(COMPARE_SCAN, top, cwd=work, ordinary=True)
        assert json.loads(answer.stdout) == 1
    finally:
        trees.remove_tree(top)
