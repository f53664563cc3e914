"""The journal, undo, and repairs that are killed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import mounts
import pwalk
import pytest
import repairs
import restricted
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repairs import differences, listing, repaired, said, set_values
from test_repair import GIDS, build, put, put_directory, trees, values


@pytest.fixture(autouse=True)
def _as_root() -> None:
    repairs.require_root()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A shared directory of group 5 with some entries that need a repair."""
    top = repairs.shared_directory(tmp_path)
    put(top / "private", 1000, 1000, 0o600)
    put(top / "program", 1000, 1000, 0o4711)
    put_directory(top / "inner", 1000, 0, 0o700)
    put(top / "inner" / "file", 1000, 3, 0o600)
    os.mkfifo(top / "fifo")
    set_values(top / "fifo", 1000, 1000, 0o600)
    return top


def lines(journal: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.read_bytes().splitlines()]


# ---- What is written ----------------------------------------------------------------------------


def test_each_change_is_a_line_of_json(top: Path, tmp_path: Path) -> None:
    before = listing(top)
    status = (top / "program").stat()
    result = pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    found = {str(line["path"]): line for line in lines(tmp_path / "journal")}
    assert (
        found.keys() == {c.path for c in result.changes} == differences(before, listing(top)).keys()
    )
    line = found[str(top / "program")]
    assert abs(int(str(line.pop("time"))) - time.time()) < 100
    assert line == {
        "path": str(top / "program"),
        "device": status.st_dev,
        "inode": status.st_ino,
        "size": 0,
        "mtime": status.st_mtime_ns,
        "uid": 1000,
        "old": {"gid": 1000, "mode": "4711"},
        "new": {"gid": 5, "mode": "0751"},
    }


def test_names_survive_in_json(top: Path, tmp_path: Path) -> None:
    names = [bytes([b]) for b in range(1, 256) if b != ord("/")] + [
        "ü€😀".encode(),
        b"\xed\xa0\x80",
    ]
    names.remove(b".")
    for name in names:
        path = os.fsencode(top) + b"/" + name
        os.close(os.open(path, os.O_CREAT, 0o600))
        os.chown(path, 1000, 1000)
    before = listing(top)
    pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    found = {os.fsencode(str(line["path"])) for line in lines(tmp_path / "journal")}
    assert {os.fsencode(top) + b"/" + name for name in names} <= found
    assert len((tmp_path / "journal").read_bytes().splitlines()) == len(found)
    undone = pwalk.undo(tmp_path / "journal", dry_run=False)
    assert undone.errors == []
    assert list(undone.skipped) == []
    assert listing(top) == before


def test_a_relative_top_and_one_through_a_symlink_are_written_in_full(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(top)
    monkeypatch.chdir(tmp_path)
    before = listing(top)
    pwalk.repair("./link//", dry_run=False, journal="journal")
    assert {str(line["path"]) for line in lines(tmp_path / "journal")} == set(
        differences(before, listing(top))
    )
    monkeypatch.chdir("/")
    pwalk.undo(tmp_path / "journal", dry_run=False)
    assert listing(top) == before


def test_a_dry_run_does_not_touch_the_journal(top: Path, tmp_path: Path) -> None:
    pwalk.repair(top, journal=tmp_path / "journal")
    assert not (tmp_path / "journal").exists()


def test_a_change_that_cannot_be_journaled_is_not_made(top: Path, tmp_path: Path) -> None:
    before = listing(top)
    with mounts.tmpfs(tmp_path / "small", "4k") as small:
        (small / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(OSError, match="No space left") as failure:
            pwalk.repair(top, dry_run=False, journal=small / "journal")
        assert failure.value.errno == errno.ENOSPC
        assert failure.value.filename == str(small / "journal")
    assert listing(top) == before


@pytest.mark.parametrize(
    "flaw", ["symlink", "another's", "writable", "linked", "directory", "fifo"]
)
def test_a_journal_that_others_may_control_is_refused(top: Path, tmp_path: Path, flaw: str) -> None:
    before = listing(top)
    journal = tmp_path / "journal"
    if flaw == "symlink":
        journal.symlink_to(tmp_path / "elsewhere")
    elif flaw == "directory":
        journal.mkdir()
    elif flaw == "fifo":
        os.mkfifo(journal)
    else:
        journal.touch(0o600)
    if flaw == "another's":
        os.chown(journal, 1000, 1000)
    elif flaw == "writable":
        journal.chmod(0o620)
    elif flaw == "linked":
        os.link(journal, tmp_path / "other")
    with pytest.raises(OSError, match="journal"):
        pwalk.repair(top, dry_run=False, journal=journal)
    assert listing(top) == before
    assert not (tmp_path / "elsewhere").exists()


# ---- Undo ---------------------------------------------------------------------------------------


def test_undo_restores_everything(top: Path, tmp_path: Path) -> None:
    before = listing(top)
    made = pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    after = listing(top)
    dry = pwalk.undo(tmp_path / "journal")
    assert listing(top) == after
    real = pwalk.undo(tmp_path / "journal", dry_run=False)
    assert listing(top) == before
    expected = {p: (ng, og, nm, om) for p, (og, ng, om, nm) in said(made.changes).items()}
    assert said(dry.changes) == said(real.changes) == expected
    for result in (dry, real, pwalk.undo(tmp_path / "journal", dry_run=False)):
        assert result.errors == []
        assert list(result.skipped) == []
    assert list(pwalk.undo(tmp_path / "journal", dry_run=False).changes) == []


def without_foreign_setgid(
    where: int, kind: str, uid: int, gid: int, mode: int, linked: bool
) -> tuple[int, str, int, int, int, bool]:
    """Return the entry without what undo does not give back to anyone but root."""
    if kind != "directory" and uid not in (0, gid):
        mode &= ~0o2000
    return where, kind, uid, gid, mode, linked


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    entries=trees(),
    first=st.sets(st.sampled_from(GIDS), max_size=2),
    second=st.sets(st.sampled_from(GIDS), max_size=4),
)
def test_undo_takes_back_two_repairs(
    tmp_path: Path,
    entries: list[tuple[int, str, int, int, int, bool]],
    first: set[int],
    second: set[int],
) -> None:
    top = tmp_path / "random"
    subprocess.run(["rm", "-rf", str(top), str(tmp_path / "journal")], check=True)
    build(top, [without_foreign_setgid(*entry) for entry in entries])
    set_values(top, 1000, 5, 0o700)
    before = listing(top)
    options = {"dry_run": False, "journal": tmp_path / "journal", "hardlinks": "repair"}
    pwalk.repair(top, change_gids=first, **options)  # type: ignore[arg-type]
    pwalk.repair(top, change_gids=second, force_group_writable=True, **options)  # type: ignore[arg-type]
    dry = pwalk.undo(tmp_path / "journal")
    real = pwalk.undo(tmp_path / "journal", dry_run=False)
    assert list(dry.skipped) == list(real.skipped)
    for skipped in real.skipped:
        assert "may have been written to" in skipped.reason
        assert before[skipped.path].mode & 0o2000
        before[skipped.path] = repairs.look(skipped.path)
    assert listing(top) == before
    assert list(dry.changes) == list(real.changes)
    assert real.errors == []


def test_undo_names_what_it_does_not_touch(top: Path, tmp_path: Path) -> None:
    names = ["replaced", "changed", "missing", "linked", "owned"]
    for name in names:
        put(top / name, 1000, 1000, 0o600)
    pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    (top / "replaced").rename(tmp_path / "kept")
    put(top / "replaced", 1000, 5, 0o640)
    (top / "changed").chmod(0o660)
    (top / "missing").unlink()
    (top / "linked").rename(tmp_path / "kept2")
    (top / "linked").symlink_to(tmp_path / "kept2")
    os.chown(top / "owned", 1001, 5)
    left = {name: repairs.look(top / name) for name in names if name != "missing"}
    dry = pwalk.undo(tmp_path / "journal")
    real = pwalk.undo(tmp_path / "journal", dry_run=False)
    expected = {
        str(top / "replaced"): "was replaced by another entry",
        str(top / "changed"): "has been changed since",
        str(top / "missing"): "is missing",
        str(top / "linked"): "was replaced by another entry",
        str(top / "owned"): "has been changed since",
    }
    for result in (dry, real):
        assert {s.path: s.reason for s in result.skipped} == expected
    assert {name: repairs.look(top / name) for name in left} == left
    assert values(tmp_path / "kept") == (5, 0o640)
    assert values(top / "private") == (1000, 0o600)


def test_setuid_is_not_given_back_to_a_file_that_has_been_written_to(
    top: Path, tmp_path: Path
) -> None:
    pwalk.repair(top, dry_run=False, force_group_writable=True, journal=tmp_path / "journal")
    (top / "program").write_text("something else")
    result = pwalk.undo(tmp_path / "journal", dry_run=False)
    assert [(s.path, "written" in s.reason) for s in result.skipped] == [
        (str(top / "program"), True)
    ]
    assert values(top / "program") == (5, 0o771)


def test_a_journal_inside_the_tree_is_left_alone(top: Path) -> None:
    journal = top / "journal"
    for _ in range(2):
        result = pwalk.repair(top, dry_run=False, force_group_writable=True, journal=journal)
        assert not any(c.path == str(journal) for c in result.changes)
        set_values(top / "private", 1000, 1000, 0o600)
    assert journal.stat().st_mode & 0o777 == 0o600
    assert len(pwalk.undo(journal, dry_run=False).changes) > 0


def test_a_journal_is_for_one_process(top: Path, tmp_path: Path) -> None:
    before = listing(top)
    journal = tmp_path / "journal"
    with journal.open("ab") as file:
        journal.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="another process"):
            pwalk.repair(top, dry_run=False, journal=journal)
        with pytest.raises(OSError, match="another process"):
            pwalk.undo(journal, dry_run=False)
    assert listing(top) == before
    assert pwalk.repair(top, dry_run=False, journal=journal).errors == []


def test_undo_of_a_deep_tree_needs_few_descriptors(top: Path, tmp_path: Path) -> None:
    depth = 200
    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", 0o700, dir_fd=here)
        os.chown("d", 1000, 1000, dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    code = "import sys, pwalk; r = pwalk.undo(sys.argv[1], False); print(len(r.changes), r.errors)"
    answer = subprocess.run(
        [*restricted.command(descriptors=60), sys.executable, "-c", code, tmp_path / "journal"],
        capture_output=True,
        check=False,
        text=True,
        timeout=support.LIVENESS,
    )
    assert answer.stdout == f"{depth + 5} []\n", answer.stderr
    assert list(pwalk.repair(top / "d").changes) != []


def test_a_line_cut_off_is_no_line(top: Path, tmp_path: Path) -> None:
    before = listing(top)
    journal = tmp_path / "journal"
    pwalk.repair(top, dry_run=False, journal=journal)
    with journal.open("ab") as file:
        file.write(journal.read_bytes()[:70])
    result = pwalk.undo(journal)
    assert result.errors == []
    put(top / "new", 1000, 1000, 0o600)
    before[str(top / "new")] = repairs.look(top / "new")
    pwalk.repair(top, dry_run=False, journal=journal)
    assert len(lines(journal)) == len({str(line["path"]) for line in lines(journal)})
    result = pwalk.undo(journal, dry_run=False)
    assert result.errors == []
    assert listing(top) == before


@pytest.mark.parametrize(
    "content", [b"text", b"text\n", b'{"a": 1}\n', b'{"time": 1}\nmore', b"\0"]
)
def test_a_file_that_is_no_journal_is_not_written_to(
    top: Path, tmp_path: Path, content: bytes
) -> None:
    before = listing(top)
    (tmp_path / "journal").write_bytes(content)
    (tmp_path / "journal").chmod(0o600)
    with pytest.raises(OSError, match="no journal"):
        pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    assert (tmp_path / "journal").read_bytes() == content
    assert listing(top) == before


def test_what_was_undone_before_is_not_undone_again(top: Path, tmp_path: Path) -> None:
    """The journal goes on through several repairs, each of them undone but the last."""
    before = listing(top)
    for gids in ([], [3], [3, 4]):
        pwalk.repair(top, dry_run=False, journal=tmp_path / "journal", change_gids=gids)
        result = pwalk.undo(tmp_path / "journal", dry_run=False)
        assert list(result.skipped) == []
        assert listing(top) == before


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"no journal", b"\0" * 3000, b"x" * 3_000_000],
    ids=["empty", "blank lines", "no line end", "zeros", "a long one"],
)
def test_a_file_without_a_line_undoes_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal").write_bytes(content)
    result = pwalk.undo(tmp_path / "journal")
    assert (list(result.changes), result.errors) == ([], [])


@pytest.mark.parametrize("line", [b"{}", b'{"time": 1, "path": "/x"}', b"\xff\xfe", b"[" * 1000])
def test_a_foreign_line_is_an_error(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "journal").write_bytes(line + b"\n")
    result = pwalk.undo(tmp_path / "journal")
    assert [e.strerror for e in result.errors] == ["no line of a journal"]


@pytest.mark.parametrize("flaw", ["another's", "writable"])
def test_undo_does_not_trust_a_journal_that_others_could_have_written(
    top: Path, tmp_path: Path, flaw: str
) -> None:
    journal = tmp_path / "journal"
    pwalk.repair(top, dry_run=False, journal=journal)
    after = listing(top)
    if flaw == "another's":
        os.chown(journal, 1000, 0)
    else:
        journal.chmod(0o602)
    with pytest.raises(PermissionError):
        pwalk.undo(journal, dry_run=False)
    assert listing(top) == after
    assert len(pwalk.undo(journal).changes) == len(lines(journal))


def test_undo_does_not_touch_protected_places(tmp_path: Path) -> None:
    """A journal of a tree that leads into one can only be a wrong one."""
    status = Path("/etc/passwd").stat()
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    line = {
        "time": 1,
        "path": "/etc/passwd",
        "device": status.st_dev,
        "inode": status.st_ino,
        "size": status.st_size,
        "mtime": status.st_mtime_ns,
        "uid": status.st_uid,
        "old": {"gid": status.st_gid + 1, "mode": "0777"},
        "new": {"gid": status.st_gid, "mode": mode},
    }
    (tmp_path / "journal").write_text(json.dumps(line) + "\n")
    result = pwalk.undo(tmp_path / "journal")  # a dry run shows it as well
    assert list(result.changes) == []
    assert [s.reason for s in result.skipped] == ["is or lies in a protected directory"]


# ---- Killed -------------------------------------------------------------------------------------

REPAIRING = """
import sys, pwalk
pwalk.repair(sys.argv[1], dry_run=False, journal=sys.argv[2], change_gids=[4])
"""


def test_killed_at_any_moment_it_can_be_finished_and_be_undone(tmp_path: Path) -> None:
    rounds = int(os.environ.get("FILETREE_REPAIR_KILLS", "6"))
    seed = int(os.environ.get("FILETREE_KILLS_SEED", "7"))
    chance = random.Random(seed)
    top = tmp_path / "top"
    cut_short = 0
    for number in range(rounds):
        subprocess.run(["rm", "-rf", str(top)], check=True)
        _plant(top, chance)
        before = listing(top)
        expected = repaired(before, top, [4])
        journal = tmp_path / f"journal{number}"
        for _ in range(chance.randrange(1, 4)):
            process = subprocess.Popen([sys.executable, "-c", REPAIRING, str(top), str(journal)])
            _await_begin(process, journal)
            time.sleep(chance.random() * 0.05)
            process.kill()
            process.wait(support.LIVENESS)
            cut_short += process.returncode == -signal.SIGKILL
        undone_early = number % 2 == 1
        if undone_early:
            early = pwalk.undo(journal, dry_run=False)
            assert early.errors == [], seed
            assert list(early.skipped) == [], seed
            assert listing(top) == before, seed
        pwalk.repair(top, dry_run=False, journal=journal, change_gids=[4])
        assert listing(top) == expected, seed
        undone = pwalk.undo(journal, dry_run=False)
        assert list(undone.skipped) == [], seed
        assert listing(top) == before, seed
    assert cut_short > 0


def _plant(top: Path, chance: random.Random) -> None:
    top.mkdir()
    set_values(top, 1000, 5, 0o2750)
    for number in range(40):
        inner = put_directory(top / f"d{number}", 1000, chance.choice([0, 3, 4, 1000]), 0o700)
        for name in range(40):
            put(
                inner / f"f{name}",
                1000,
                chance.choice([0, 3, 4, 1000]),
                chance.randrange(0o7777) & ~0o2000,
            )


def _await_begin(process: subprocess.Popen[bytes], journal: Path) -> None:
    size = journal.stat().st_size if journal.exists() else 0

    def begun() -> bool:
        now = journal.stat().st_size if journal.exists() else 0
        return now > size or process.poll() is not None

    support.wait_until(begun, "the first change", support.LIVENESS)


def test_interrupted_on_the_command_line(tmp_path: Path) -> None:
    top = tmp_path / "top"
    _plant(top, random.Random(1))
    journal = tmp_path / "journal"
    process = subprocess.Popen(
        [*support.PWALK, "repair", "--apply", "--journal", str(journal), str(top)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _await_begin(process, journal)
    process.send_signal(signal.SIGINT)
    _, said_last = process.communicate(timeout=support.LIVENESS)
    assert b"Traceback" not in said_last
    assert process.returncode in (130, 0)
    assert (b"finishes the rest" in said_last) == (process.returncode == 130)
    pwalk.repair(top, dry_run=False)
    assert list(pwalk.repair(top).changes) == []


def test_few_descriptors_suffice(top: Path) -> None:
    code = "import sys, pwalk; r = pwalk.repair(sys.argv[1], dry_run=False); print(r.errors)"
    answer = subprocess.run(
        [*restricted.command(descriptors=24), sys.executable, "-c", code, str(top)],
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
    )
    assert answer.stdout == b"[]\n", answer.stderr
    assert list(pwalk.repair(top).changes) == []
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 24
