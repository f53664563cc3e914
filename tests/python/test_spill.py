"""Output slower than the scan: what finds no room in memory goes through temporary files."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mounts
import pwalk
import pyarrow as pa
import pyarrow.parquet
import pytest
import restricted
import support
from pwalk import _cli_output

MEBI = 1 << 20

# A report to standard output whose progress goes to stderr, a line for each call. A third argument
# is what Python takes for the directory of temporary files.
REPORTING = """
import json, sys, tempfile
import pwalk

top, threshold, *place = sys.argv[1:]
if place:
    tempfile.tempdir = place[0]

def show(now):
    print(json.dumps([now.entries, now.spilled]), file=sys.stderr, flush=True)

pwalk.report(top, "csv", "-", buffer_threshold=int(threshold), progress=show)
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
print(json.dumps([peak]), file=sys.stderr, flush=True)
"""


class Reporting:
    """A process that writes CSV to a pipe which nobody reads before :meth:`read`."""

    def __init__(self, command: list[str], spill: Path) -> None:
        self.spill = spill
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**support.wide_environment(), "TMPDIR": str(spill)},
        )
        self.said: list[Any] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(json.loads(line) if line.startswith(b"[") else line)

    @property
    def entries(self) -> int:
        return max((said[0] for said in self.said if len(said) == 2), default=0)

    @property
    def spilled(self) -> int:
        return max((said[1] for said in self.said if len(said) == 2), default=0)

    @property
    def peak(self) -> int:
        return int(next(said[0] for said in self.said if len(said) == 1))

    def nameless_bytes(self) -> int:
        """What it has in open files of the spill directory."""
        total = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(link.readlink()).startswith(f"{self.spill}/"):
                    total += link.stat().st_size
        return total

    def await_standstill(self) -> None:
        """Wait until several reports in a row have said the same."""

        def stands_still() -> bool:
            last = self.said[-8:]
            return len(last) == 8 and last[0][0] > 0 and all(said == last[0] for said in last)

        support.wait_until(stands_still, "the same progress again", support.LIVENESS)

    def read(self) -> bytes:
        assert self.process.stdout is not None
        content = self.process.stdout.read()
        self.end()
        return content

    def end(self) -> None:
        self.process.wait(support.LIVENESS)
        self._listener.join(support.LIVENESS)


@contextmanager
def reporting(top: Path, threshold: int, spill: Path) -> Iterator[Reporting]:
    with running([sys.executable, "-c", REPORTING, str(top), str(threshold)], spill) as process:
        yield process


@contextmanager
def running(command: list[str], spill: Path) -> Iterator[Reporting]:
    process = Reporting(command, spill)
    try:
        yield process
    finally:
        process.process.kill()
        process.end()
        for pipe in (process.process.stdout, process.process.stderr):
            assert pipe is not None
            pipe.close()


def rows(content: bytes) -> list[bytes]:
    return sorted(content.split(b"\n"))


@pytest.fixture(scope="module")
def prompt(bulk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], int]:
    """The rows about ``bulk``, read as they come, and the memory that took at most."""
    spill = tmp_path_factory.mktemp("prompt")
    for _ in range(2):  # the first reading may change times of access
        with reporting(bulk, MEBI, spill) as report:
            content = report.read()
            assert report.process.returncode == 0, report.said
    return rows(content), report.peak


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[Path]:
    """A place for temporary files, in which nothing may be left."""
    place = tmp_path / "spill"
    place.mkdir()
    yield place
    assert support.names_in(place) == []


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [1, 8, 64])
def test_the_scan_ends_while_nobody_reads_and_then_every_row_comes(
    bulk: Path, spill: Path, prompt: tuple[list[bytes], int], threshold: int
) -> None:
    expected, peak = prompt
    size = sum(map(len, expected))
    if size < 2 * threshold * MEBI:
        pytest.skip("without the right to mount, the tree is too small for this threshold")
    with reporting(bulk, threshold * MEBI, spill) as report:
        total = len(expected) - 2  # without the header, and what is behind the last line
        support.wait_until(lambda: report.entries == total, "the end of the scan", support.LIVENESS)
        report.await_standstill()
        assert report.spilled > size - 2 * threshold * MEBI
        assert report.nameless_bytes() > 0
        assert support.names_in(spill) == []
        assert rows(report.read()) == expected
        assert report.process.returncode == 0, report.said
        assert report.peak < peak + (threshold + 32) * MEBI


@pytest.mark.slow
def test_without_temporary_files_the_rows_would_be_in_memory(
    bulk: Path, spill: Path, prompt: tuple[list[bytes], int]
) -> None:
    """That is, the test above would notice."""
    expected, peak = prompt
    size = sum(map(len, expected))
    if size < 128 * MEBI:
        pytest.skip("without the right to mount, the tree is too small")
    with reporting(bulk, 2048 * MEBI, spill) as report:
        report.await_standstill()
        assert report.spilled == 0
        assert rows(report.read()) == expected
        assert report.peak > peak + size // 2


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [1, 16])
def test_parquet_from_a_consumer_that_sleeps_has_every_row(
    bulk: Path, spill: Path, tmp_path: Path, threshold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    seen: list[pwalk.Progress] = []

    def sleep(now: pwalk.Progress) -> None:
        if not seen or seen[-1].entries < now.entries:
            time.sleep(0.3)
        seen.append(now)

    late, errors = pwalk.report(
        bulk, output=tmp_path / "late", buffer_threshold=threshold * MEBI, progress=sleep
    )
    assert errors == []
    assert seen[-1].spilled > 0
    prompt, _ = pwalk.report(bulk, output=tmp_path / "prompt")
    assert by_name(late) == by_name(prompt)


def test_a_report_with_a_checkpoint_says_at_its_end_what_went_through_temporary_files(
    bulk: Path, spill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    seen: list[pwalk.Progress] = []
    pwalk.report(
        bulk,
        output=tmp_path / "out.csv",
        buffer_threshold=1,
        checkpoint=tmp_path / "checkpoint",
        progress=seen.append,
    )
    assert seen[-1].spilled > 0
    assert seen[-1].spilled == max(now.spilled for now in seen)


def by_name(path: str) -> pa.Table:
    return pyarrow.parquet.read_table(path).sort_by("filename")


@pytest.mark.slow
def test_a_full_disk_makes_the_scan_wait(
    bulk: Path, tmp_path: Path, prompt: tuple[list[bytes], int]
) -> None:
    expected, _ = prompt
    with mounts.tmpfs(tmp_path / "small", "4m") as small:
        with reporting(bulk, MEBI, small) as report:
            support.wait_until(lambda: report.spilled > 0, "a full disk", support.LIVENESS)
            report.await_standstill()
            assert report.entries < len(expected) - 2
            assert report.spilled <= 4 * MEBI
            assert rows(report.read()) == expected
            assert report.process.returncode == 0, report.said
            assert report.spilled > 4 * MEBI, "the space that became free was used again"
        assert support.names_in(small) == []


def test_few_descriptors_suffice(bulk: Path, spill: Path, prompt: tuple[list[bytes], int]) -> None:
    expected, _ = prompt
    arguments = [sys.executable, "-c", REPORTING, str(bulk), str(MEBI)]
    with running([*restricted.command(descriptors=20), *arguments], spill) as report:
        report.await_standstill()
        assert rows(report.read()) == expected
        assert report.process.returncode == 0, report.said


@pytest.mark.parametrize("place", ["missing", "file", "locked", "/proc/self"])
def test_where_nothing_can_be_written_the_scan_waits(
    bulk: Path, spill: Path, tmp_path: Path, prompt: tuple[list[bytes], int], place: str
) -> None:
    expected, _ = prompt
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir(0o500)
    arguments = [sys.executable, "-c", REPORTING, str(bulk), str(MEBI), str(tmp_path / place)]
    with running([*restricted.command(ordinary=True), *arguments], spill) as report:
        report.await_standstill()
        assert report.entries < len(expected) - 2
        assert rows(report.read()) == expected
        assert report.spilled == 0
        assert report.process.returncode == 0, report.said


def test_without_a_directory_for_temporary_files_nothing_is_spilled(
    bulk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(os, "access", lambda *_: False)
    seen: list[pwalk.Progress] = []
    pwalk.report(bulk, output=tmp_path / "out", buffer_threshold=1, progress=seen.append)
    assert seen[-1].entries > 0
    assert seen[-1].spilled == 0


def test_nothing_is_left_when_the_report_fails(
    bulk: Path, spill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    before = support.open_descriptors()

    def give_up(now: pwalk.Progress) -> None:
        if now.spilled:
            raise ZeroDivisionError
        time.sleep(0.1)

    with pytest.raises(ZeroDivisionError):
        pwalk.report(bulk, output=tmp_path / "out", buffer_threshold=1, progress=give_up)
    support.wait_until(lambda: support.open_descriptors() == before, "all files to be closed")


def test_nothing_is_left_by_a_kill(bulk: Path, spill: Path) -> None:
    with reporting(bulk, MEBI, spill) as report:
        support.wait_until(lambda: report.nameless_bytes() > 0, "a temporary file")
        report.process.kill()
        report.end()
        assert support.names_in(spill) == []


def test_what_cannot_be_read_back_is_an_error(bulk: Path, spill: Path, tmp_path: Path) -> None:
    code = """
import os, sys, tempfile, pwalk
top, output, spill = sys.argv[1:]
tempfile.tempdir = spill

def destroy(now):
    for fd in os.listdir("/proc/self/fd") if now.spilled else ():
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith(spill + "/"):
            os.truncate(int(fd), 0)

try:
    pwalk.report(top, output=output, buffer_threshold=1, progress=destroy)
except OSError as error:
    print(error.strerror, error.filename, os.path.exists(output))
"""
    answer = support.run_script(code, bulk, tmp_path / "out", spill, cwd=tmp_path)
    assert answer.stdout.decode() == f"{os.strerror(5)} {spill} False\n"


def test_a_live_stream_makes_the_scan_wait(
    bulk: Path, spill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    with pwalk.scan(bulk) as scan:
        next(iter(scan))
        await_same(lambda: scan.progress.entries)
        assert scan.progress.spilled == 0


def await_same(value: Callable[[], int]) -> None:
    last: list[int] = []
    while len(last) < 8 or len(set(last[-8:])) > 1:
        last.append(value())
        time.sleep(0.05)


def test_the_command_lists_paths_without_temporary_files(bulk: Path, spill: Path) -> None:
    with running([*support.PWALK, "walk", str(bulk)], spill) as command:
        assert command.process.stdout is not None
        command.process.stdout.read(1)
        assert command.nameless_bytes() == 0
        command.read()
        assert command.said == []


def test_the_summary_says_what_went_through_temporary_files(bulk: Path, spill: Path) -> None:
    arguments = ("report", "-o", "-", "--buffer-threshold", "1MB", str(bulk))
    with running([*support.PWALK, *arguments], spill) as command:
        support.wait_until(lambda: command.nameless_bytes() > 0, "a temporary file")
        command.read()
        assert command.process.returncode == 0
        assert any(line.endswith(b"iB went through temporary files\n") for line in command.said)


def test_neither_line_nor_summary_mention_what_did_not_happen(plain: Path, tmp_path: Path) -> None:
    assert b"temporary" not in support.run_pwalk(plain, cwd=tmp_path).stderr
    quiet, spilling = pwalk.Progress(entries=5), pwalk.Progress(entries=5, spilled=12 << 30)
    assert "temporary" not in _cli_output.line_of(quiet)
    assert _cli_output.line_of(spilling).endswith("  12.0 GiB through temporary files")
