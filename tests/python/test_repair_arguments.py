"""What a repair refuses before any change, who may do what, and the command line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pwalk
import pytest
import repairs
import support
from repairs import listing, set_values
from test_repair import put, put_directory

UNUSED_GID = 3_999_999_999

WRONG_VALUES: list[tuple[str, Any]] = [
    ("top", ""),
    ("top", "a\0b"),
    ("change_gids", [-1]),
    ("change_gids", [2**32 - 1]),
    ("change_gids", [2**70]),
    ("change_gids", [5, UNUSED_GID]),
    ("exclude", [""]),
    ("max_threads", -1),
    ("hardlinks", "follow"),
    ("journal", ""),
    ("journal", "a\0b"),
]

WRONG_TYPES: list[tuple[str, Any]] = [
    ("top", None),
    ("top", 7),
    ("change_gids", 5),
    ("change_gids", "5"),
    ("change_gids", ["5"]),
    ("change_gids", [True]),
    ("change_gids", [5.0]),
    ("force_group_writable", 1),
    ("one_file_system", None),
    ("ignore_snapshots", "no"),
    ("exclude", [None]),
    ("max_threads", "two"),
    ("hardlinks", None),
    ("journal", 3),
    ("progress", "no"),
]


@pytest.fixture
def needy(tmp_path: Path) -> Path:
    """A tree that needs repairs, whoever runs the tests."""
    top = tmp_path / "needy"
    (top / "inner").mkdir(parents=True)
    (top / "inner" / "file").touch()
    for path, mode in ((top / "inner" / "file", 0o600), (top / "inner", 0o700), (top, 0o700)):
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, 1000, 1000 if path != top else 5)
    return top


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_a_wrong_value_is_refused_before_any_change(
    needy: Path, name: str, value: object, dry_run: bool
) -> None:
    repairs.require_root()
    before = listing(needy)
    options: dict[str, Any] = {"top": needy, name: value}
    with pytest.raises(ValueError, match=name):
        pwalk.repair(**options, dry_run=dry_run)
    assert listing(needy) == before


@pytest.mark.parametrize(("name", "value"), WRONG_TYPES)
def test_a_wrong_type_is_refused_before_any_change(needy: Path, name: str, value: object) -> None:
    before = listing(needy)
    options: dict[str, Any] = {"top": needy, name: value}
    with pytest.raises(TypeError, match=name):
        pwalk.repair(**options, dry_run=False)
    assert listing(needy) == before


@pytest.mark.parametrize("dry_run", [None, 0, "", "False", []])
def test_what_is_no_bool_does_not_pass_for_one(needy: Path, dry_run: Any) -> None:
    before = listing(needy)
    with pytest.raises(TypeError, match="dry_run"):
        pwalk.repair(needy, dry_run)
    with pytest.raises(TypeError, match="dry_run"):
        pwalk.undo(needy / "inner" / "file", dry_run)
    assert listing(needy) == before


def test_a_top_that_is_no_directory(needy: Path) -> None:
    with pytest.raises(NotADirectoryError):
        pwalk.repair(needy / "inner" / "file")
    with pytest.raises(FileNotFoundError):
        pwalk.repair(needy / "missing")
    with pytest.raises(FileNotFoundError):
        pwalk.undo(needy / "missing")
    with pytest.raises(IsADirectoryError):
        pwalk.undo(needy)


def test_validate_gid() -> None:
    assert pwalk.validate_gid(0) is True
    assert pwalk.validate_gid(os.stat("/").st_gid) is True  # noqa: PTH116
    for gid in (UNUSED_GID, -1, 2**32 - 1, 2**70):
        assert pwalk.validate_gid(gid) is False
    for wrong in ("0", 0.0, None, True):
        with pytest.raises(TypeError, match="gid"):
            pwalk.validate_gid(wrong)  # type: ignore[arg-type]


# ---- Who may ------------------------------------------------------------------------------------

AS_NOBODY = """
import sys
import pwalk, restricted
restricted.become_nobody()
top = sys.argv[1]
dry = pwalk.repair(top)
print(sorted(change.path for change in dry.changes))
print(sorted((str(e), e.operation, e.strerror) for e in dry.errors))
for call in (
    lambda: pwalk.repair(top, dry_run=False),
    lambda: pwalk.repair(top, dry_run=False, journal=top + "/journal"),
    lambda: pwalk.undo(sys.argv[2], dry_run=False),
):
    try:
        call()
    except PermissionError as error:
        print("refused", error.filename)
"""


def test_anyone_may_look_but_only_root_may_change(tmp_path: Path) -> None:
    repairs.require_root()
    top = put_directory(tmp_path / "top", 65534, 5, 0o755)
    open_one = put_directory(top / "open", 65534, 65534, 0o755)
    put(open_one / "file", 65534, 65534, 0o644)
    closed = put_directory(top / "closed", 0, 0, 0o700)
    put(closed / "hidden", 0, 0, 0o600)
    for above in (*tmp_path.parents, tmp_path):
        if above.stat().st_mode & 0o005 != 0o005:
            above.chmod(above.stat().st_mode | 0o005)
    journal = tmp_path / "journal"
    journal.touch()
    before = listing(top)
    answer = support.run_script(AS_NOBODY, top, journal, cwd=tmp_path)
    paths = [str(path) for path in (top, closed, open_one, open_one / "file")]
    assert answer.stdout.decode().splitlines() == [
        str(sorted(paths)),
        str([(str(closed), "open", "Permission denied")]),
        f"refused {top}",
        f"refused {top}",
        f"refused {journal}",
    ]
    assert listing(top) == before


def test_as_root_or_not_a_dry_run_needs_no_rights(needy: Path) -> None:
    assert {c.path for c in pwalk.repair(needy).changes} >= {str(needy / "inner")}


# ---- The command --------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    repairs.require_root()
    top = put_directory(tmp_path / "shared", 1000, 5, 0o2770)
    put(top / "file", 1000, 1000, 0o600)
    put(top / "adm", 1000, 4, 0o640)
    put(top / "new\nline", 1000, 0, 0o640)
    return top


def test_the_command_shows_what_it_would_do_and_says_that_it_has_not(shared: Path) -> None:
    before = listing(shared)
    answer = support.run_pwalk("repair", shared, "--journal", "journal", cwd=shared.parent)
    assert answer.returncode == 0
    assert sorted(answer.stdout.decode().splitlines()) == [
        f"0600->0640 gid 1000->5 {shared}/file",
        f"0640->0640 gid 0->5 {shared}/new\\nline",
    ]
    assert b"dry run: nothing has been changed" in answer.stderr
    assert b"2 entries would be changed (2 group, 1 permissions)" in answer.stderr
    assert listing(shared) == before
    assert support.names_in(shared.parent) == ["shared"]


def test_the_command_applies_and_undoes(shared: Path) -> None:
    before = listing(shared)
    options = ["--apply", "--change-gids", "4,3", "--force-group-writable", "--journal", "journal"]
    answer = support.run_pwalk("repair", *options, shared, cwd=shared.parent)
    assert answer.returncode == 0
    assert b"3 entries changed" in answer.stderr
    assert b"dry run" not in answer.stderr
    after = listing(shared)
    assert {(entry.gid, entry.mode) for entry in after.values()} == {(5, 0o2770), (5, 0o660)}
    answer = support.run_pwalk("repair", "--undo", "journal", cwd=shared.parent)
    assert b"dry run" in answer.stderr
    assert listing(shared) == after
    answer = support.run_pwalk("repair", "--apply", "--undo", "journal", cwd=shared.parent)
    assert answer.returncode == 0
    assert listing(shared) == before


def test_the_command_names_what_it_leaves_alone(shared: Path) -> None:
    os.link(shared / "file", shared.parent / "elsewhere")
    set_values(shared, 1000, 1000, 0o2770)
    answer = support.run_pwalk("repair", shared, "--exclude", shared / "adm", cwd=shared.parent)
    assert answer.returncode == 1
    assert f"    {shared}/file".encode() in answer.stderr
    assert b"has other links" in answer.stderr
    assert b"there is no directory above to take one from" in answer.stderr


def test_quiet_says_nothing(shared: Path) -> None:
    answer = support.run_pwalk("repair", "-q", "--apply", shared, cwd=shared.parent)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], b"PATH"),
        (["top", "--undo", "journal"], b"PATH"),
        (["top", "--apply", "--dry-run"], b"--dry-run"),
        (["--undo", "journal", "--exclude", "x"], b"not --exclude"),
        (["--undo", "journal", "--hardlinks", "maybe"], b"not --hardlinks"),
        (["--undo", "journal", "--max-threads", "3"], b"not --max-threads"),
        (["--undo", "journal", "--snapshots"], b"not --snapshots"),
        (["--undo", "journal", "--apply", "--all-file-systems"], b"not --all-file-systems"),
        (["top", "--change-gids", "one"], b"--change-gids"),
        (["top", "--change-gids", "4,,5"], b"--change-gids"),
        (["top", "--change-gids", str(UNUSED_GID)], b"change_gids"),
        (["top", "--hardlinks", "maybe"], b"hardlinks"),
        (["top", "--max-threads", "-1"], b"max_threads"),
        (["/etc"], b"/etc"),
        (["--undo", "missing"], b"missing"),
        (["missing"], b"missing"),
    ],
)
def test_wrong_words_are_refused(tmp_path: Path, words: list[str], named: bytes) -> None:
    (tmp_path / "top").mkdir()
    answer = support.run_pwalk("repair", *words, cwd=tmp_path)
    assert answer.returncode == 2
    assert named in answer.stderr
    assert answer.stdout == b""


def test_a_reader_that_goes_away_ends_the_command_quietly(shared: Path) -> None:
    for number in range(3000):
        put(shared / f"{number:0200d}", 1000, 1000, 0o600)
    process = subprocess.Popen(
        [*support.PWALK, "repair", str(shared)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaint = process.stderr.read()
    assert process.wait(support.LIVENESS) == 2
    assert b"Traceback" not in complaint
    process.stderr.close()
