"""Reports that end early, by a signal or for want of space, and go on."""

from __future__ import annotations

import errno
import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import checkpoints
import latency
import mounts
import pwalk
import pytest
import support
import trees
from checkpoints import Job, Rows

Expected = Callable[[str], Rows]

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])

# Longer than any of these takes to stop, shorter than the patience with what hangs.
SOON = 10.0

INTERRUPTED_API = """
import os, signal, sys, threading, time
from pathlib import Path
import checkpoints, pwalk
from checkpoints import Job
directory, top, form, number = sys.argv[1:]
number = int(number)
job = Job(Path(directory), top, form)
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

def interrupt():
    while not (job.checkpoint / "frontier").exists():
        time.sleep(0.001)
    os.kill(os.getpid(), number)

threading.Thread(target=interrupt).start()
try:
    job.report(checkpoint_interval=0.001)
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("not interrupted")
assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
assert job.phase() == "scanning", job.phase()
assert not job.output.exists()
job.report()
assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
job.assert_tidy()
"""

INTERRUPTED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from unittest import mock
import pwalk
from checkpoints import Job
from pwalk._checkpoint import write_whole
directory, top, form, number = sys.argv[1:]
job = Job(Path(directory), top, form)

def interrupted(*arguments):
    os.kill(os.getpid(), int(number))
    write_whole(*arguments)

try:
    with mock.patch("pwalk._report.write_whole", interrupted):
        job.report()
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("not interrupted")
assert job.phase() == "assembling", job.phase()
job.report()
job.assert_tidy()
"""

OWN_HANDLER = """
import os, signal, sys
from pathlib import Path
from checkpoints import Job
job = Job(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
seen = []
handler = lambda number, frame: seen.append(number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, handler)

def send(_):
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)

job.report(progress=send)
assert set(seen) == {signal.SIGINT, signal.SIGTERM}
assert signal.getsignal(signal.SIGINT) is signal.getsignal(signal.SIGTERM) is handler
job.assert_tidy()
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Directories enough for several commits; not to be changed."""
    top = tmp_path_factory.mktemp("wide") / "top"
    trees.plain(top, 2500, 2)
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="module")
def large(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree that takes so long that there is time for a signal."""
    with mounts.bound_copies(wide, tmp_path_factory.mktemp("large") / "top", 15) as top:
        yield top


def job_for(top: Path, tmp_path: Path, form: str = "csv") -> Job:
    return Job(tmp_path / "job", top, form).prepare()


# --- signals ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected(large: Path, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """The rows of ``large`` in each format."""

    @functools.cache
    def rows(form: str) -> Rows:
        directory = tmp_path_factory.mktemp("expected") / "job"
        return Job(directory, large, form).prepare().uninterrupted()[0]

    return rows


def interrupted_at_first_commit(job: Job, number: signal.Signals) -> tuple[int, bytes]:
    """Its exit status, and what it said."""
    words = [word for word in job.words() if word != "--resume"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=job.environment()) as child:
        try:
            support.wait_until((job.checkpoint / "frontier").exists, "the first commit")
            child.send_signal(number)
            _, told = child.communicate(timeout=support.LIVENESS)
        finally:
            child.kill()
    return child.returncode, told


@SIGNALS
@pytest.mark.parametrize("form", ["csv.zst", "parquet", "binary"])
def test_the_command_says_how_to_go_on_and_does(
    large: Path, expected: Expected, tmp_path: Path, form: str, number: signal.Signals
) -> None:
    for attempt in range(5):
        job = Job(tmp_path / f"it's job {attempt}\nof \udcff", large, form, 0.001).prepare()
        status, told = interrupted_at_first_commit(job, number)
        assert b"Traceback" not in told
        if status == 130 and job.phase() == "scanning":
            break
        assert status in (0, 130), told  # the signal came when the scan was over
    else:
        pytest.fail("no scan took longer than it takes to send it a signal")
    assert not job.output.exists()
    found = re.search(rb"go on with: (pwalk .*--resume.*)\n", told)
    assert found is not None, told
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(
        ["/bin/bash", "-c", found[1]],
        check=True,
        timeout=support.LIVENESS,
        env={**job.environment(), "PATH": path},
    )
    checkpoints.assert_same(checkpoints.rows_of(job.output), expected(form))
    job.assert_tidy()


def test_what_the_command_says_is_right_behind_two_dashes(large: Path, tmp_path: Path) -> None:
    job = job_for(large, tmp_path)
    flags = ["-o", str(job.output), "--checkpoint", str(job.checkpoint)]
    words = [*support.PWALK, *flags, "--checkpoint-interval", "0.001", "--", str(large)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=job.environment()) as child:
        try:
            support.wait_until((job.checkpoint / "frontier").exists, "the first commit")
            child.send_signal(signal.SIGINT)
            _, told = child.communicate(timeout=support.LIVENESS)
        finally:
            child.kill()
    command = told.decode().partition("go on with: ")[2].splitlines()[0].split()
    answer = support.run_pwalk(*command[1:], cwd=tmp_path)
    assert answer.returncode == 0
    job.assert_tidy()


@SIGNALS
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_api_raises_keyboard_interrupt_and_restores_the_handlers(
    large: Path, expected: Expected, tmp_path: Path, form: str, number: signal.Signals
) -> None:
    job = job_for(large, tmp_path, form)
    job_arguments = (job.directory, large, form, str(int(number)))
    support.run_script(INTERRUPTED_API, *job_arguments, cwd=tmp_path)
    checkpoints.assert_same(checkpoints.rows_of(job.output), expected(form))


@SIGNALS
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_writing_of_the_whole_is_interrupted_too(
    wide: Path, tmp_path: Path, form: str, number: signal.Signals
) -> None:
    job = job_for(wide, tmp_path, form)
    job_arguments = (job.directory, wide, form, str(int(number)))
    support.run_script(INTERRUPTED_WHILE_WRITING, *job_arguments, cwd=tmp_path)
    assert checkpoints.count(checkpoints.rows_of(job.output)) == 1 + 2500 * 3


def test_handlers_of_the_callers_stay(wide: Path, tmp_path: Path) -> None:
    job = job_for(wide, tmp_path)
    support.run_script(OWN_HANDLER, job.directory, wide, "csv", cwd=tmp_path)


# --- what hangs ------------------------------------------------------------------------------

HEALTHY = ("--directories", "400", "--files", "3")


def start_and_interrupt(job: Job, top: Path, *times: float) -> tuple[float, bytes]:
    """Start the command, send SIGINT after each of these pauses; return how long it took to end."""
    with job.start() as child:
        try:
            support.wait_until((job.checkpoint / "lock").exists, "the checkpoint")
            for pause in times:
                time.sleep(pause)
                begun = time.monotonic()
                child.send_signal(signal.SIGINT)
            _, told = child.communicate(timeout=support.LIVENESS)
        finally:
            child.kill()
    assert child.returncode == 130, (top, told)
    assert b"Traceback" not in told
    return time.monotonic() - begun, told


@pytest.mark.parametrize("option", ["--hang", "--hang-stat"])
def test_ctrl_c_while_something_hangs_keeps_the_rest(tmp_path: Path, option: str) -> None:
    place = tmp_path / "top"
    job = job_for(place, tmp_path, "parquet")
    hanging = "d000007" if option == "--hang" else "d000007/f000001.dat"
    with latency.mounted(place, *HEALTHY, option, hanging) as top:
        took, told = start_and_interrupt(job, top, 2.0)
        assert took < SOON
        assert b"--resume" in told
        assert job.phase() == "scanning"
    place.rmdir()
    with latency.mounted(place, *HEALTHY) as top:
        job.finish()
        resumed = checkpoints.rows_of(job.output)
        job.output.unlink()
        expected, _ = job.uninterrupted()
    # Another mount has another number.
    resumed, expected = (rows.drop_columns(["st_dev"]) for rows in (resumed, expected))  # type: ignore[union-attr]
    checkpoints.assert_same(resumed, expected)
    assert support.names_in(job.checkpoint) == []


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    # In the midst of a directory so long that it cannot be begun anew.
    tree = ("--directories", "1", "--files", "4000", "--hang-stat", "d000000/f003000.dat")
    with latency.mounted(tmp_path / "top", *tree) as top:
        job = job_for(top, tmp_path)
        took, _ = start_and_interrupt(job, top, 2.0, 1.0)
        assert took < SOON


# --- no space --------------------------------------------------------------------------------


def enlarge(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)


@pytest.mark.parametrize(
    ("form", "size"),
    [
        *[("csv", "8k"), ("csv", "96k"), ("csv", "2m"), ("csv.gz", "8k"), ("csv.gz", "200k")],
        *[("parquet", "8k"), ("parquet", "400k"), ("binary", "8k"), ("binary", "2m")],
    ],
)
def test_no_space_for_the_checkpoint(
    large: Path, expected: Expected, tmp_path: Path, form: str, size: str
) -> None:
    job = Job(tmp_path / "job", large, form, 0.001).prepare()
    with mounts.tmpfs(job.checkpoint, size):
        with job.start() as child:
            _, told = child.communicate(timeout=support.LIVENESS)
        assert child.returncode == 2, told
        assert b"Traceback" not in told
        assert b"No space left on device" in told
        assert os.fsencode(job.checkpoint) in told
        assert (b"--resume" in told) == (job.checkpoint / "frontier").exists()
        assert support.names_in(job.output.parent) == []
        enlarge(job.checkpoint)
        job.finish()
        checkpoints.assert_same(checkpoints.rows_of(job.output), expected(form))
        job.assert_tidy()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_no_space_for_the_output(wide: Path, tmp_path: Path, form: str) -> None:
    job = job_for(wide, tmp_path, form)
    rows, _ = job.uninterrupted()
    with mounts.tmpfs(job.output.parent, "64k"):
        with job.start() as child:
            _, told = child.communicate(timeout=support.LIVENESS)
        assert child.returncode == 2, told
        assert b"Traceback" not in told
        assert f"{job.output}: No space left on device".encode() in told
        assert b"--resume" in told
        assert job.phase() == "assembling"
        assert support.names_in(job.output.parent) == []
        enlarge(job.output.parent)
        job.finish()
        checkpoints.assert_same(checkpoints.rows_of(job.output), rows)
        job.assert_tidy()


def test_no_space_is_an_os_error(large: Path, tmp_path: Path) -> None:
    job = job_for(large, tmp_path)
    with mounts.tmpfs(job.checkpoint, "96k"):
        with pytest.raises(OSError, match="No space left") as raised:
            pwalk.report(large, "csv", job.output, checkpoint=job.checkpoint)
        assert raised.value.errno == errno.ENOSPC
        assert str(raised.value.filename).startswith(str(job.checkpoint))
