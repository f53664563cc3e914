"""repair() and the rules, against the model of repairs.py."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pwalk
import pytest
import repairs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pwalk import _report
from repairs import differences, listing, repaired, said, set_values

GIDS = (0, 1, 2, 3, 4, 5)
UIDS = (0, 1, 2, 1000)


@pytest.fixture(autouse=True)
def _as_root() -> None:
    repairs.require_root()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A shared directory of group 5, with nothing in it."""
    return repairs.shared_directory(tmp_path)


def put(path: Path, uid: int, gid: int, mode: int) -> Path:
    path.touch()
    set_values(path, uid, gid, mode)
    return path


def put_directory(path: Path, uid: int, gid: int, mode: int) -> Path:
    path.mkdir()
    set_values(path, uid, gid, mode)
    return path


def values(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_gid, stat.S_IMODE(status.st_mode)


# ---- Random trees -------------------------------------------------------------------------------

Kinds = st.sampled_from(["directory"] * 4 + ["file"] * 4 + ["symlink", "fifo", "socket", "device"])


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[int, str, int, int, int, bool]]:
    """Entries: which earlier directory holds it, its kind, owner, group, mode, a second link."""
    count = draw(st.integers(0, 12))
    return [
        (
            draw(st.integers(0, 5)),
            draw(Kinds),
            draw(st.sampled_from(UIDS)),
            draw(st.sampled_from(GIDS)),
            draw(st.integers(0, 0o7777)),
            draw(st.integers(0, 5)) == 0,
        )
        for _ in range(count)
    ]


def build(top: Path, entries: list[tuple[int, str, int, int, int, bool]]) -> None:
    top.mkdir()
    directories = [top]
    for number, (where, kind, uid, gid, mode, linked) in enumerate(entries):
        path = directories[where % len(directories)] / f"{kind}{number}"
        if kind == "directory":
            path.mkdir()
            directories.append(path)
        elif kind == "file":
            path.write_bytes(b"content")
        elif kind == "symlink":
            path.symlink_to("/etc/passwd")
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        else:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        if linked and kind not in ("directory", "symlink"):
            os.link(path, path.with_name(path.name + ".link"))
        set_values(path, uid, gid, mode)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    entries=trees(),
    top_values=st.tuples(st.sampled_from(UIDS), st.sampled_from(GIDS), st.integers(0, 0o7777)),
    change_gids=st.sets(st.sampled_from(GIDS), max_size=3),
    group_writable=st.booleans(),
    hardlinks=st.sampled_from(["skip", "repair"]),
)
def test_random_trees_become_what_the_model_says(
    tmp_path: Path,
    entries: list[tuple[int, str, int, int, int, bool]],
    top_values: tuple[int, int, int],
    change_gids: set[int],
    group_writable: bool,
    hardlinks: str,
) -> None:
    top = tmp_path / "random"
    shutil.rmtree(top, ignore_errors=True)
    build(top, entries)
    set_values(top, *top_values)
    before = listing(top)
    expected = repaired(
        before,
        top,
        change_gids,
        group_writable=group_writable,
        hard_links=hardlinks == "repair",
    )
    options: dict[str, Any] = {
        "change_gids": change_gids,
        "force_group_writable": group_writable,
        "hardlinks": hardlinks,
    }

    dry = pwalk.repair(top, **options)
    assert listing(top) == before, "a dry run changes nothing"
    real = pwalk.repair(top, dry_run=False, **options)
    assert listing(top) == expected
    again = pwalk.repair(top, dry_run=False, **options)
    assert listing(top) == expected
    assert list(again.changes) == []

    assert said_of_links(dry, hardlinks) == differences(before, expected)
    assert said_of_links(real, hardlinks) == differences(before, expected)
    assert sorted(map(str, dry.skipped)) == sorted(map(str, real.skipped))
    links = [skipped for skipped in real.skipped if "other links" in skipped.reason]
    assert hardlinks == "skip" or links == []
    lacking = top_values[1] in (0, top_values[0]) or top_values[1] in change_gids
    for result in (dry, real, again):
        assert [(str(e), e.operation) for e in result.errors] == (
            [(str(top), "inherit")] if lacking else []
        )


def said_of_links(result: pwalk.RepairResult, hardlinks: str) -> dict[str, Any]:
    """As :func:`said`; of an entry with two names only one may be there, as it is changed once."""
    found = said(result.changes)
    if hardlinks == "repair":
        for path, change in list(found.items()):
            twin = path.removesuffix(".link") if path.endswith(".link") else path + ".link"
            if os.path.lexists(twin):
                found.setdefault(twin, change)
    return found


def test_a_skipped_link_is_one_that_would_be_changed(top: Path) -> None:
    needy = put(top / "needy", 1000, 1000, 0o600)
    fine = put(top / "fine", 1000, 5, 0o640)
    os.link(needy, top.parent / "outside")
    os.link(fine, top.parent / "outside2")
    result = pwalk.repair(top)
    assert [(s.path, "other links" in s.reason) for s in result.skipped] == [(str(needy), True)]


# ---- Rule by rule -------------------------------------------------------------------------------


def test_a_directory_gets_setgid(top: Path) -> None:
    plain = put_directory(top / "plain", 1000, 5, 0o770)
    result = pwalk.repair(top, dry_run=False)
    assert values(plain) == (5, 0o2770)
    assert [(c.path, c.what) for c in result.changes] == [(str(plain), ("setgid",))]
    assert result.counts == {"group": 0, "setgid": 1, "permissions": 0, "cleared": 0}


@pytest.mark.parametrize("gid", [1000, 0, 4], ids=["private", "root's", "to be replaced"])
def test_an_unsuitable_group_becomes_that_of_the_directory(top: Path, gid: int) -> None:
    file = put(top / "file", 1000, gid, 0o640)
    pwalk.repair(top, dry_run=False, change_gids=[4])
    assert values(file) == (5, 0o640)


def test_any_other_group_stays(top: Path) -> None:
    file = put(top / "file", 1000, 4, 0o640)
    assert list(pwalk.repair(top, dry_run=False).changes) == []
    assert values(file) == (4, 0o640)


def test_a_chain_of_private_directories_takes_the_group_of_the_first_good_one(top: Path) -> None:
    good = put_directory(top / "good", 1000, 3, 0o2770)
    below = good
    for name in "abc":
        below = put_directory(below / name, 1000, 1000, 0o700)
    file = put(below / "file", 1000, 1000, 0o600)
    pwalk.repair(top, dry_run=False)
    assert values(below) == (3, 0o2750)
    assert values(file) == (3, 0o640)


def test_nothing_above_the_top_counts(tmp_path: Path) -> None:
    set_values(tmp_path, 0, 5, 0o2775)
    top = put_directory(tmp_path / "top", 1000, 1000, 0o700)
    inner = put_directory(top / "inner", 1000, 1000, 0o700)
    file = put(inner / "file", 1000, 1000, 0o600)
    result = pwalk.repair(top, dry_run=False)
    assert [(str(e), e.operation) for e in result.errors] == [(str(top), "inherit")]
    assert "group" in result.errors[0].strerror
    assert [values(p) for p in (top, inner, file)] == [
        (1000, 0o2750),
        (1000, 0o2750),
        (1000, 0o640),
    ]


def test_permissions_are_only_added(top: Path) -> None:
    open_to_all = put(top / "open", 1000, 5, 0o1777)
    closed = put(top / "closed", 1000, 5, 0)
    inner = put_directory(top / "inner", 1000, 5, 0)
    pwalk.repair(top, dry_run=False, force_group_writable=True)
    assert values(open_to_all) == (5, 0o1777)
    assert values(closed) == (5, 0o060)
    assert values(inner) == (5, 0o2070)


def test_a_change_of_group_clears_setuid_and_setgid_and_the_record_says_so(top: Path) -> None:
    program = put(top / "program", 1000, 1000, 0o6755)
    kept = put(top / "kept", 1000, 5, 0o4715)
    dry = pwalk.repair(top)
    real = pwalk.repair(top, dry_run=False)
    assert values(program) == (5, 0o755)
    assert values(kept) == (5, 0o4755)
    assert set(dry.changes) == set(real.changes)
    changed = {c.path: c for c in real.changes}[str(program)]
    assert (changed.what, changed.old_mode, changed.new_mode) == (
        ("group", "cleared"),
        0o6755,
        0o755,
    )


def test_a_setuid_file_is_not_made_writable(top: Path) -> None:
    """Whoever maps it into memory may write to it without losing the bit."""
    program = put(top / "program", 1000, 5, 0o4711)
    private = put(top / "private", 1000, 1000, 0o4711)
    result = pwalk.repair(top, dry_run=False, force_group_writable=True)
    assert values(program) == (5, 0o4751)
    assert values(private) == (5, 0o771)
    assert [(s.path, s.reason) for s in result.skipped] == [
        (str(program), "has setuid or setgid, and so is not made writable")
    ]


def test_a_file_that_keeps_setgid_is_left_alone(top: Path) -> None:
    program = put(top / "program", 1000, 5, 0o2711)
    fine = put(top / "fine", 1000, 5, 0o2755)
    result = pwalk.repair(top, dry_run=False)
    assert (values(program), values(fine)) == ((5, 0o2711), (5, 0o2755))
    assert [s.path for s in result.skipped] == [str(program)]


def test_what_a_change_of_group_would_take_unseen_is_kept(top: Path) -> None:
    program = put(top / "program", 1000, 1000, 0o755)
    good = put(top / "good", 1000, 5, 0o711)
    for path in (program, good):
        repairs.give_capability(path)
    dry = pwalk.repair(top)
    real = pwalk.repair(top, dry_run=False)
    for result in (dry, real):
        assert [(s.path, s.reason) for s in result.skipped] == [
            (str(program), "has capabilities, which a change of group would take")
        ]
    assert values(program) == (1000, 0o755)
    assert values(good) == (5, 0o751)
    assert repairs.CAPABILITY in os.listxattr(program)
    assert repairs.CAPABILITY in os.listxattr(good)


@pytest.mark.parametrize("mask", [0, 4, 6])
def test_an_acl_is_not_opened(top: Path, mask: int) -> None:
    """Where there is one, the group's bits are its mask, and concern others than the group."""
    file = put(top / "file", 1000, 1000, 0o600)
    repairs.give_acl(file, 1001, mask)
    before = os.getxattr(file, repairs.ACL_ACCESS)
    dry = pwalk.repair(top)
    real = pwalk.repair(top, dry_run=False)
    opened = [] if mask & 4 else [(str(file), "has an ACL, which more permissions would open")]
    for result in (dry, real):
        assert [(s.path, s.reason) for s in result.skipped] == opened
    assert os.getxattr(file, repairs.ACL_ACCESS) == before
    assert file.stat().st_gid == (5 if mask & 4 else 1000)


def test_symlinks_are_neither_followed_nor_changed(top: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", 1000, 1000, 0o600)
    inner = put_directory(tmp_path / "directory", 1000, 1000, 0o700)
    for number, target in enumerate((outside, inner)):
        link = top / f"link{number}"
        link.symlink_to(target)
        os.chown(link, 1000, 1000, follow_symlinks=False)
    result = pwalk.repair(top, dry_run=False)
    assert list(result.changes) == []
    assert list(result.skipped) == []
    assert values(outside) == (1000, 0o600)
    assert values(inner) == (1000, 0o700)


def test_devices_fifos_and_sockets_get_the_group_only(top: Path) -> None:
    os.mkfifo(top / "fifo")
    os.mknod(top / "device", stat.S_IFBLK, os.makedev(7, 200))
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(top)  # the path may be too long for an address
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for name in ("fifo", "device", "socket"):
            set_values(top / name, 1000, 1000, 0o600)
        pwalk.repair(top, dry_run=False, force_group_writable=True)
    for name in ("fifo", "device", "socket"):
        assert values(top / name) == (5, 0o600), name


def test_what_is_excluded_is_left_alone(top: Path) -> None:
    left = put_directory(top / "left", 1000, 1000, 0o700)
    inner = put(left / "inner", 1000, 1000, 0o600)
    snapshot = put_directory(top / ".snapshot", 1000, 1000, 0o700)
    other = put(top / "other", 1000, 1000, 0o600)
    result = pwalk.repair(top, dry_run=False, exclude=[left])
    assert [c.path for c in result.changes] == [str(other)]
    assert values(inner) == (1000, 0o600)
    assert values(snapshot) == (1000, 0o700)


def test_names_of_any_bytes(top: Path) -> None:
    names = [
        b"new\nline",
        b'qu"ote',
        b"back\\slash",
        b"\xff\xfe",
        b"\xc3\xbc",
        b"\x1b[31m",
        b"x" * 255,
    ]
    for name in names:
        path = os.fsencode(top) + b"/" + name
        with open(path, "wb"):  # noqa: PTH123
            pass
        os.chown(path, 1000, 1000)
    result = pwalk.repair(top, dry_run=False)
    assert {os.fsencode(c.path) for c in result.changes} == {
        os.fsencode(top) + b"/" + n for n in names
    }


def test_a_tree_deeper_than_any_path(top: Path) -> None:
    name = "d" * 200
    here = os.open(top, os.O_RDONLY)
    for _ in range(40):
        os.mkdir(name, 0o700, dir_fd=here)
        os.chown(name, 1000, 1000, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    result = pwalk.repair(top, dry_run=False)
    status = os.fstat(here)
    os.close(here)
    assert len(result.changes) == 40
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (5, 0o2750)
    assert list(pwalk.repair(top, dry_run=False).changes) == []
    shutil.rmtree(top)


# ---- What the result is like --------------------------------------------------------------------


def test_the_changes_are_a_sequence(top: Path) -> None:
    for number in range(2500):
        put(top / f"f{number:04d}", 1000, 1000, 0o600)
    result = pwalk.repair(top)
    every = list(result.changes)
    assert len(result.changes) == len(every) == len(set(every)) == 2500
    assert [result.changes[i] for i in (0, 999, 1000, -1)] == [every[i] for i in (0, 999, 1000, -1)]
    assert result.changes[5:9] == every[5:9]
    with pytest.raises(IndexError):
        result.changes[2500]
    assert result.progress.entries == 2501


def test_progress_is_reported_and_may_end_the_repair(top: Path) -> None:
    seen: list[pwalk.Progress] = []
    pwalk.repair(top, progress=seen.append)
    assert seen[-1].entries == 1

    def fail(_: pwalk.Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pwalk.repair(top, progress=fail)


def test_progress_comes_at_most_ten_times_a_second_and_once_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def dues(ticks: list[float]) -> list[float]:
        clock[0] = 0.0
        pace = _report.Pace()
        found = []
        for clock[0] in ticks:
            due = pace.due_at_end() if clock[0] == ticks[-1] else pace.due()
            found += [clock[0]] if due else []
        return found

    assert dues([0.01]) == [0.01]
    assert dues([0.05, 0.09]) == [0.09]
    assert dues([0.11, 0.12, 0.2, 0.22, 0.25]) == [0.11, 0.22]
    assert dues([0.11, 0.25]) == [0.11, 0.25]


def test_a_top_given_as_bytes_and_with_a_slash(top: Path) -> None:
    file = put(top / "file", 1000, 1000, 0o600)
    result = pwalk.repair(os.fsencode(top) + b"/", dry_run=False)
    assert [Path(c.path) for c in result.changes] == [file]
    assert values(file) == (5, 0o640)
