"""What the system log gets: a listener in a mount namespace has /dev/log to itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import mounts
import pwalk
import pytest
import repairs
import support
from test_repair import put, values

LINE = re.compile(
    rb"<14>(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\d \d\d:\d\d:\d\d "
    rb"pwalk\[(\d+)\]: "
    rb"changed uid=(\d+) gid=(\d+)->(\d+) mode=([0-7]{4})->([0-7]{4}) inode=(\d+) "
    rb'path="((?:[^"\\\x00-\x1f\x7f-\xff]|\\x[0-9a-f]{2})*)"(\.\.\.)?'
)


@pytest.fixture(autouse=True)
def _as_root() -> None:
    repairs.require_root()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return repairs.shared_directory(tmp_path)


def lines_of(
    top: Path, kind: str, tmp_path: Path, dry_run: bool = False, journal: str = ""
) -> tuple[list[bytes], dict[str, Any]]:
    """Repair with a listener of ``kind`` at /dev/log; return its messages and the result."""
    mounts.require_mounting()
    script = Path(__file__).with_name("log_listener.py")
    answer = subprocess.run(
        ["unshare", "--mount", sys.executable, script, kind, top, str(dry_run), journal],
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr.decode()
    found = json.loads(answer.stdout)
    return [bytes.fromhex(message) for message in found.pop("messages")], found


@pytest.mark.parametrize("kind", ["datagram", "stream"])
def test_each_change_is_one_well_formed_line(top: Path, tmp_path: Path, kind: str) -> None:
    files = {put(top / f"file{number}", 1000, 1000, 0o4600) for number in range(200)}
    messages, found = lines_of(top, kind, tmp_path)
    assert found == {"changes": 200, "unlogged": 0, "errors": 0}
    matches = [LINE.fullmatch(message) for message in messages]
    assert {match[9].decode() for match in matches if match} == {str(file) for file in files}
    assert len(messages) == 200
    for match in matches:
        assert match is not None
        assert match.group(3, 4, 5, 6, 7, 10) == (b"1000", b"1000", b"5", b"4600", b"0640", None)
        assert int(match[8]) == Path(match[9].decode()).stat().st_ino


def test_no_name_can_forge_a_line(top: Path, tmp_path: Path) -> None:
    names = [
        b'x" \nJan  1 00:00:00 pwalk[1]: changed uid=0 path="y',
        b"new\nline",
        b"null-like \\x00",
        b"\x1b[2J\x07\x7f",
        b"\xc2\x85\xe2\x80\xa8",
        b"\xff\xfe",
        b"<14>%s%n%d",
    ]
    for name in names:
        path = os.fsencode(top) + b"/" + name
        os.close(os.open(path, os.O_CREAT, 0o600))
        os.chown(path, 1000, 1000)
    messages, _ = lines_of(top, "datagram", tmp_path)
    matches = [LINE.fullmatch(message) for message in messages]
    assert len(messages) == len(names)
    quoted = {match[9] for match in matches if match}
    unescaped = {
        re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text) for text in quoted
    }
    assert unescaped == {os.fsencode(top) + b"/" + name for name in names}


def test_a_path_too_long_for_a_log_is_cut_off(top: Path, tmp_path: Path) -> None:
    here = os.open(top, os.O_RDONLY)
    for _ in range(60):
        os.mkdir(b"\xff" * 200, dir_fd=here)
        below = os.open(b"\xff" * 200, os.O_RDONLY, dir_fd=here)
        os.fchown(below, 1000, 1000)
        os.close(here)
        here = below
    os.close(here)
    messages, found = lines_of(top, "datagram", tmp_path)
    assert found == {"changes": 60, "unlogged": 0, "errors": 0}
    matches = [LINE.fullmatch(message) for message in messages]
    assert all(matches)
    assert {bool(match[10]) for match in matches if match} == {True, False}
    assert max(map(len, messages)) < 6200


def test_a_dry_run_logs_nothing(top: Path, tmp_path: Path) -> None:
    put(top / "file", 1000, 1000, 0o600)
    assert lines_of(top, "datagram", tmp_path, dry_run=True)[0] == []


def test_what_undo_restores_is_logged_too(top: Path, tmp_path: Path) -> None:
    put(top / "file", 1000, 1000, 0o600)
    pwalk.repair(top, dry_run=False, journal=tmp_path / "journal")
    messages, _ = lines_of(top, "datagram", tmp_path, journal=str(tmp_path / "journal"))
    assert [match[5] for match in map(LINE.fullmatch, messages) if match] == [b"1000"]


@pytest.mark.parametrize("kind", ["nobody", "gone", "deaf"])
def test_what_the_log_does_not_take_is_counted(top: Path, tmp_path: Path, kind: str) -> None:
    """And a log that hangs holds up nothing for long."""
    files = [put(top / f"file{number}", 1000, 1000, 0o600) for number in range(1000)]
    _, found = lines_of(top, kind, tmp_path)
    assert found["changes"] == 1000
    assert 0 < found["unlogged"] <= 1000
    if kind != "deaf":  # some wait in the socket
        assert found["unlogged"] == 1000
    assert {values(file) for file in files} == {(5, 0o640)}


def test_a_log_that_is_restarted_gets_the_rest(top: Path, tmp_path: Path) -> None:
    for number in range(5_000):
        put(top / f"file{number}", 1000, 1000, 0o640)
    messages, found = lines_of(top, "restarted", tmp_path)
    assert found["changes"] == 5_000
    assert len(messages) == 5_000 - found["unlogged"]
    assert all(map(LINE.fullmatch, messages))
