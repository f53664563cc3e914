"""Interrupted at any moment, the command stops soon and leaves nothing half done."""

from __future__ import annotations

import fcntl
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mounts
import pwalk
import pyarrow.parquet as pq
import pytest
import support
import trees


@contextmanager
def reporting(top: Path, directory: Path, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """A report under way in ``directory``; killed if the test forgets it."""
    with subprocess.Popen(
        [*support.PWALK, "report", str(top), *flags],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=support.wide_environment(),
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def is_writing_in(child: subprocess.Popen[bytes], directory: Path, already_there: int) -> bool:
    """Has the child something in ``directory``, named or not yet?"""
    assert child.poll() is None, "the report was over before it could be interrupted"
    if len(support.names_in(directory)) > already_there:
        return True
    opened = Path(f"/proc/{child.pid}/fd")
    try:
        targets = [str(link.readlink()) for link in opened.iterdir()]
    except OSError:
        return False
    return any(target.startswith(f"{directory}/") for target in targets)


def wait_until_writing(child: subprocess.Popen[bytes], directory: Path) -> None:
    before = len(support.names_in(directory))
    support.wait_until(
        lambda: is_writing_in(child, directory, before), "the report to begin writing"
    )


@pytest.fixture(scope="module")
def vast(flat: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree that takes far longer to report on than it takes to see that a report has begun."""
    if not mounts.can_mount():
        yield flat
        return
    with mounts.bound_copies(flat, tmp_path_factory.mktemp("vast") / "top", 100) as top:
        yield top


@pytest.fixture
def output(tmp_path: Path) -> Path:
    place = tmp_path / "output"
    place.mkdir()
    return place


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_ctrl_c_and_sigterm_exit_130_and_leave_no_file(
    vast: Path, output: Path, form: str, number: signal.Signals
) -> None:
    with reporting(vast, output, "--format", form, "--output", "out") as child:
        wait_until_writing(child, output)
        child.send_signal(number)
        _, told = child.communicate(timeout=support.LIVENESS)
    assert child.returncode == 130
    assert b"Traceback" not in told
    assert support.names_in(output) == []


def test_ctrl_c_keeps_the_previous_report(vast: Path, output: Path) -> None:
    (output / "out").write_bytes(b"previous")
    with reporting(vast, output, "--format", "csv", "--output", "out") as child:
        wait_until_writing(child, output)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=support.LIVENESS)
    assert child.returncode == 130
    assert support.names_in(output) == ["out"]
    assert (output / "out").read_bytes() == b"previous"


def test_ctrl_c_ends_a_stream_that_nobody_reads(flat: Path, output: Path) -> None:
    with reporting(flat, output, "--format", "csv", "--output", "-") as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith(b"inode,")
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=support.LIVENESS)
    assert child.returncode == 130
    assert b"Traceback" not in told
    assert support.names_in(output) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["report", "walk", "convert"])
def test_a_pipe_that_is_full_and_that_nobody_reads_keeps_no_process(
    what: str, number: signal.Signals, flat: Path, output: Path
) -> None:
    if what == "convert":
        pwalk.report(flat, "binary", output / "report.pwal")
    command = {
        "report": ["report", str(flat), "--format", "csv", "--output", "-"],
        "walk": ["walk", str(flat)],
        "convert": ["convert", str(output / "report.pwal"), "-"],
    }[what]
    with subprocess.Popen(
        [*support.PWALK, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=support.wide_environment(),
    ) as child:
        assert child.stdout is not None
        pipe = child.stdout.fileno()
        size = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
        support.wait_until(lambda: _waiting(pipe) > size - 2 * select.PIPE_BUF, "a full pipe")
        child.send_signal(number)
        try:
            assert child.wait(support.LIVENESS) == 130
        finally:
            child.kill()


def _waiting(pipe: int) -> int:
    """How many bytes wait to be read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_killed_report_has_no_file_under_its_final_name(vast: Path, output: Path) -> None:
    with reporting(vast, output, "--output", "out.parquet") as child:
        wait_until_writing(child, output)
        child.kill()
        child.communicate(timeout=support.LIVENESS)
    assert "out.parquet" not in support.names_in(output)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_is_complete_from_the_moment_it_is_there(
    flat: Path, output: Path, form: str
) -> None:
    target = output / "out"
    with reporting(flat, output, "--format", form, "--output", "out") as child:
        support.wait_until(
            lambda: target.exists() or child.poll() not in (None, 0),
            "the report to appear",
            support.LIVENESS,
        )
        early = target.read_bytes()
        child.communicate(timeout=support.LIVENESS)
    assert child.returncode == 0
    assert early == target.read_bytes()
    if form == "parquet":
        assert pq.read_metadata(target).num_rows == 100_001
    else:
        assert early.count(b"\n") == 100_002


# Not Parquet: pyarrow's own threads may end such a process with an error.
@pytest.mark.parametrize("form", ["csv", "binary"])
def test_the_interpreter_exits_with_reports_under_way_in_threads(
    plain: Path, tmp_path: Path, form: str
) -> None:
    code = """
import sys, threading, time, pwalk
top, where, form = sys.argv[1:]
def work(number):
    while True:
        pwalk.report(top, form, f"{where}/{number}.{form}", checkpoint=f"{where}/{number}")
        for batch in pwalk.scan(top):
            pass
for number in range(4):
    threading.Thread(target=work, args=(number,), daemon=True).start()
time.sleep(1)
"""
    for _ in range(3):
        support.run_quietly(code, plain, tmp_path, form)
        for left in tmp_path.iterdir():
            if left.is_dir():
                trees.remove_tree(left)
