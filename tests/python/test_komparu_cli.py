"""The command ``komparu``: what it compares, what it says, and its exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import large_files
import pytest
import restricted
import support

SAME, DIFFERENT, TROUBLE, INTERRUPTED = 0, 1, 2, 130
COMMAND = [sys.executable, "-m", "komparu.cli"]


def run(*words: str | bytes | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        cwd=cwd,
        timeout=support.LIVENESS,
        check=False,
    )


def result(*words: str | bytes | Path, cwd: Path | None = None) -> dict[str, Any]:
    done = run("--json", *words, cwd=cwd)
    (line,) = done.stdout.splitlines()
    loaded: dict[str, Any] = json.loads(line)
    return loaded


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Trees ``a`` and ``b`` that differ in every way, and ``c``, which is as ``a``."""
    for side in "abc":
        (tmp_path / side / "deep").mkdir(parents=True)
        (tmp_path / side / "same").write_text("same")
        (tmp_path / side / "deep" / "content").write_text("one" if side != "b" else "two")
        (tmp_path / side / "size").write_text("x" if side != "b" else "xx")
    for side in "ac":
        (tmp_path / side / "left").touch()
        (tmp_path / side / "type").touch()
    (tmp_path / "b" / "right").touch()
    (tmp_path / "b" / "type").mkdir()
    (tmp_path / "b" / "type" / "below").touch()
    return tmp_path


def archived(tree: Path) -> tuple[Path, Path]:
    """The files of a tree as a compressed tar and as a zip."""
    tar, zipped = tree.with_suffix(".tar.gz"), tree.with_suffix(".zip")
    with tarfile.open(tar, "w:gz") as archive:
        archive.add(tree, ".")
    with zipfile.ZipFile(zipped, "w") as archive_:
        for path in sorted(tree.rglob("*"), reverse=True):
            if path.is_file():
                archive_.write(path, path.relative_to(tree))
    return tar, zipped


# ---- Files ---------------------------------------------------------------------------------------


def test_two_files_that_are_the_same_say_nothing(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"content")
    done = run("a", "b", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (SAME, "", "")


def test_two_files_that_differ(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").write_bytes(b"contend")
    done = run("a", "b", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (DIFFERENT, "a and b differ\n", "")
    done = run("-q", "a", "b", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (DIFFERENT, "", "")
    assert result("a", "b", cwd=tmp_path) == {"a": "a", "b": "b", "kind": "files", "equal": False}


@pytest.mark.parametrize(
    ("b", "said"),
    [
        ("gone", "komparu: gone: No such file or directory\n"),
        ("a/below", "komparu: a/below: Not a directory\n"),
        ("dangling", "komparu: dangling: No such file or directory\n"),
        ("fifo", "komparu: fifo: not a regular file\n"),
        ("tree", "komparu: tree is a directory, and a is not\n"),
        ("", "komparu: B cannot be empty\n"),
        ("ftp://host/x", "komparu: B: cannot read ftp:// URLs\n"),
    ],
)
def test_what_cannot_be_compared_is_trouble(tmp_path: Path, b: str, said: str) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    done = run("a", b, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (TROUBLE, "", said)
    done = run("--json", "a", b, cwd=tmp_path)
    assert done.returncode == TROUBLE
    assert json.loads(done.stdout)["equal"] is None
    assert json.loads(done.stdout)["error"] in (
        "SourceNotFoundError",
        "SourceReadError",
        "ConfigError",
    )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a"],
        ["a", "b", "c"],
        ["--nonsense", "a", "b"],
        ["--max-workers", "-1", "a", "b"],
        ["--max-workers", "257", "a", "b"],
        ["--max-workers", "many", "a", "b"],
        ["--time-limit", "0", "a", "b"],
        ["--max-archive-entries", "0", "a", "b"],
        ["--max-archive-entries", "some", "a", "b"],
    ],
)
def test_bad_usage_is_trouble_without_a_traceback(tmp_path: Path, words: list[str]) -> None:
    for name in "ab":
        (tmp_path / name).touch()
    done = run(*words, cwd=tmp_path)
    assert done.returncode == TROUBLE
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


# ---- Directories ---------------------------------------------------------------------------------


def test_two_trees_that_are_the_same_say_nothing(trees: Path) -> None:
    done = run("a", "c", cwd=trees)
    assert (done.returncode, done.stdout, done.stderr) == (SAME, "", "")


def test_differences_of_trees_are_told_in_the_order_of_the_names(trees: Path) -> None:
    done = run("a", "b", cwd=trees)
    assert done.returncode == DIFFERENT
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "deep/content: contents differ",
        "left: only in a",
        "right: only in b",
        "size: sizes differ",
        "type: types differ",
        "type/below: only in b",
    ]
    assert run("-q", "a", "b", cwd=trees).stdout == ""


def test_json_of_trees_is_sorted_and_stable(trees: Path) -> None:
    first = run("--json", "a", "b", cwd=trees)
    assert first.returncode == DIFFERENT
    assert first.stdout == run("--json", "a", "b", cwd=trees).stdout
    loaded = json.loads(first.stdout)
    assert first.stdout == json.dumps(loaded, sort_keys=True) + "\n"
    assert loaded == {
        "a": "a",
        "b": "b",
        "kind": "directories",
        "equal": False,
        "diff": {
            "deep/content": "content_mismatch",
            "size": "size_mismatch",
            "type": "type_mismatch",
        },
        "only_left": ["left"],
        "only_right": ["right", "type/below"],
        "errors": {},
        "skipped": [],
    }


def test_ignored_names_are_left_out(trees: Path) -> None:
    words = [word for name in ("deep", "?eft", "r*", "size", "type") for word in ("--ignore", name)]
    assert run(*words, "a", "b", cwd=trees).returncode == SAME
    assert run(*words[2:], "a", "b", cwd=trees).returncode == DIFFERENT


def test_links_are_followed_unless_told_otherwise(trees: Path) -> None:
    (trees / "a" / "link").symlink_to("same")
    (trees / "c" / "link").symlink_to("../c/same")
    assert run("a", "c", cwd=trees).returncode == SAME
    done = run("--no-follow", "a", "c", cwd=trees)
    assert (done.returncode, done.stdout) == (DIFFERENT, "link: contents differ\n")


def test_a_tree_beside_nothing_is_told_so(trees: Path) -> None:
    for words in (("a", "gone"), ("gone", "a")):
        done = run(*words, cwd=trees)
        assert done.returncode == TROUBLE
        assert done.stderr == "komparu: gone: No such file or directory\n"


def test_a_time_limit_is_trouble(tmp_path: Path) -> None:
    with large_files.allocated(tmp_path, 4 << 30) as pair:
        done = run("--time-limit", "0.01", *pair)
    assert done.returncode == TROUBLE
    assert done.stderr == "komparu: the comparison took longer than 0.01 s\n"


def test_an_unreadable_entry_is_trouble_and_the_rest_is_told(trees: Path) -> None:
    (trees / "a" / "left").unlink()
    (trees / "c" / "same").chmod(0)
    done = subprocess.run(
        [*restricted.command(ordinary=True), *COMMAND, "--json", "a", "c"],
        capture_output=True,
        text=True,
        cwd=trees,
        timeout=support.LIVENESS,
        check=False,
    )
    assert done.returncode == TROUBLE
    assert done.stderr == "komparu: same: Permission denied\n"
    loaded = json.loads(done.stdout)
    assert loaded["errors"] == {"same": "Permission denied"}
    assert loaded["only_right"] == ["left"]
    assert loaded["equal"] is False


def test_names_that_a_terminal_must_not_see_are_escaped(tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
    odd = os.fsencode(tmp_path) + b"/a/\xff\x1b[31m\n"
    Path(os.fsdecode(odd)).touch()
    done = run("a", "b", cwd=tmp_path)
    assert done.stdout == "\\xff\\x1b[31m\\n: only in a\n"
    assert result("a", "b", cwd=tmp_path)["only_left"] == ["\udcff\x1b[31m\n"]


# ---- Archives ------------------------------------------------------------------------------------


def test_archives_of_two_formats_are_compared_by_their_entries(trees: Path) -> None:
    tar, zipped = archived(trees / "a")
    for words in ([], ["--hash"]):
        done = run(*words, tar, zipped)
        assert (done.returncode, done.stdout, done.stderr) == (SAME, "", "")
    other, _ = archived(trees / "b")
    done = run(other.name, zipped.name, cwd=trees)
    assert done.returncode == DIFFERENT
    assert done.stdout.splitlines() == [
        "deep/content: contents differ",
        "left: only in a.zip",
        "right: only in b.tar.gz",
        "size: sizes differ",
        "type: only in a.zip",
        "type/below: only in b.tar.gz",
    ]
    assert result(tar, other)["kind"] == "archives"


def test_archives_are_files_when_asked_for(trees: Path) -> None:
    tar, zipped = archived(trees / "a")
    assert run("--bytes", tar, zipped).returncode == DIFFERENT
    assert run("--bytes", tar, tar).returncode == SAME


def test_an_archive_beside_another_file_is_a_file(trees: Path) -> None:
    tar, _ = archived(trees / "a")
    (trees / "text").write_text("text")
    assert result(tar, trees / "text")["kind"] == "files"


def test_a_broken_archive_is_trouble(trees: Path) -> None:
    (trees / "a" / "large").write_bytes(os.urandom(1 << 20))
    tar, zipped = archived(trees / "a")
    os.truncate(tar, tar.stat().st_size - 20)
    done = run(tar, zipped)
    assert done.returncode == TROUBLE
    assert str(tar) in done.stderr


def test_limits_of_archives_are_set_and_lifted(trees: Path) -> None:
    tar, zipped = archived(trees / "a")
    done = run("--max-archive-entries", "2", tar, zipped)
    assert done.returncode == TROUBLE
    assert "bomb" in done.stderr
    assert run("--max-archive-entries", "none", tar, zipped).returncode == SAME
    (trees / "zeros").mkdir()
    (trees / "zeros" / "file").write_bytes(bytes(8 << 20))
    tar, zipped = archived(trees / "zeros")
    assert run(tar, tar).returncode == TROUBLE
    done = run("--max-compression-ratio", "none", tar, tar)
    assert done.returncode == SAME


# ---- Signals, pipes, terminals -------------------------------------------------------------------


def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    with large_files.allocated(tmp_path, 20 << 30) as pair:
        running = subprocess.Popen([*COMMAND, *pair], stderr=subprocess.PIPE, text=True)
        io = Path(f"/proc/{running.pid}/io")
        support.wait_until(
            lambda: int(io.read_text().split()[1]) > 64 << 20, "it to read", support.LIVENESS
        )
        begin = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=support.LIVENESS)
        taken = time.monotonic() - begin
    assert (running.returncode, said.lstrip()) == (INTERRUPTED, "komparu: interrupted\n")
    assert taken < support.LIVENESS / 4, "on a machine of its own 0.1 s"


def test_a_reader_that_goes_away_leaves_no_traceback(trees: Path) -> None:
    for i in range(10_000):
        (trees / "a" / f"many-{i}").touch()
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m komparu.cli a b | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        cwd=trees,
        timeout=support.LIVENESS,
        check=False,
    )
    assert done.returncode == TROUBLE, "what was found has not been said"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("a c >&-", SAME),  # nothing to say
        ("a c 2>&-", SAME),
        ("-q a b >&- 2>&-", DIFFERENT),
        ("a b >&-", TROUBLE),
        ("a b >/dev/full", TROUBLE),
        ("--json a c >/dev/full", TROUBLE),
        ("--json a c >&-", TROUBLE),
        ("a gone 2>/dev/full", TROUBLE),
        ("a gone 2>&-", TROUBLE),
        ("--json a gone >/dev/full 2>/dev/full", TROUBLE),
    ],
)
def test_what_cannot_be_said_is_trouble(trees: Path, words: str, status: int) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m komparu.cli {words}"],
        capture_output=True,
        text=True,
        cwd=trees,
        timeout=support.LIVENESS,
        check=False,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_names_beyond_the_terminals_charset_are_escaped(tmp_path: Path) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
    (tmp_path / "a" / "\u65e5").touch()
    done = subprocess.run(
        [*COMMAND, "a", "b"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        timeout=support.LIVENESS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (DIFFERENT, b"\\u65e5: only in a\n")


def test_progress_is_shown_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    with large_files.allocated(tmp_path, 4 << 30) as pair:
        ours, theirs = pty.openpty()
        subprocess.run(
            [*COMMAND, *pair],
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
            timeout=support.LIVENESS,
            check=True,
        )
        os.close(theirs)
        said = os.read(ours, 1 << 16)
        os.close(ours)
        assert b" read" in said
        assert run(*pair).stderr == ""
