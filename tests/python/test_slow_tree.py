"""Real calls that are slow, fail or never return: a FUSE tree."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import latency
import pwalk
import pyarrow as pa
import pytest
import support

TREE = ("--directories", "40", "--files", "25", "--delay-us", "1000")
ENTRIES = 40 * 26 + 1


def rows(top: Path, **options: object) -> tuple[pa.Table, list[pwalk.EntryError]]:
    with pwalk.scan(top, **options) as scan:  # type: ignore[arg-type]
        return pa.table(scan), scan.errors


def test_a_slow_tree_is_scanned_by_more_threads_than_there_are_cores(tmp_path: Path) -> None:
    with latency.mounted(tmp_path / "top", *TREE) as top, pwalk.scan(top) as scan:
        assert pa.table(scan).num_rows == ENTRIES
        assert scan.progress.threads_peak > len(os.sched_getaffinity(0))


def test_max_inflight_bounds_the_threads(tmp_path: Path) -> None:
    with latency.mounted(tmp_path / "top", *TREE) as top, pwalk.scan(top, max_inflight=3) as scan:
        assert pa.table(scan).num_rows == ENTRIES
        assert scan.progress.threads_peak <= 3


def test_one_huge_directory_is_shared_out(tmp_path: Path) -> None:
    tree = ("--directories", "0", "--files", "3000", "--delay-us", "1000")
    with latency.mounted(tmp_path / "top", *tree) as top, pwalk.scan(top) as scan:
        assert pa.table(scan).num_rows == 3001
        assert scan.progress.threads_peak > len(os.sched_getaffinity(0))


@pytest.mark.parametrize("name", ["EACCES", "EIO", "ESTALE"])
def test_a_directory_that_fails_is_one_error_and_the_rest_is_reported(
    tmp_path: Path, name: str
) -> None:
    with latency.mounted(tmp_path / "top", *TREE, "--fail", f"d000007={name}") as top:
        table, errors = rows(top)
    assert [(e, e.errno, e.operation) for e in errors] == [
        (f"{top}/d000007", getattr(errno, name), "open")
    ]
    assert table.num_rows == ENTRIES - 25


def test_a_file_that_fails_is_one_error_for_each_directory(tmp_path: Path) -> None:
    with latency.mounted(tmp_path / "top", *TREE, "--fail-stat", "d000003/f000001.dat=EIO") as top:
        table, errors = rows(top)
    assert [(e, e.errno, e.operation) for e in errors] == [
        (f"{top}/d000003/f000001.dat", errno.EIO, "stat")
    ]
    assert table.num_rows == ENTRIES - 1


def test_a_name_that_vanishes_is_counted_and_no_error(tmp_path: Path) -> None:
    with (
        latency.mounted(tmp_path / "top", *TREE, "--vanish", "d000003/f000001.dat") as top,
        pwalk.scan(top) as scan,
    ):
        assert pa.table(scan).num_rows == ENTRIES - 1
        assert scan.errors == []
        assert scan.progress.vanished == 1


@pytest.mark.parametrize(
    ("option", "hanging", "missing"),
    [("--hang", "d000007", 25), ("--hang-stat", "d000007", 26)],
)
def test_what_hangs_for_ever_is_one_error_and_the_rest_is_reported(
    tmp_path: Path, option: str, hanging: str, missing: int
) -> None:
    with latency.mounted(tmp_path / "top", *TREE, option, hanging) as top:
        table, errors = rows(top, stall_timeout=8.0)
        assert [(e, e.errno) for e in errors] == [(f"{top}/{hanging}", errno.ETIMEDOUT)]
        assert table.num_rows == ENTRIES - missing


def test_the_process_ends_although_a_call_hangs(tmp_path: Path) -> None:
    with latency.mounted(tmp_path / "top", *TREE, "--hang", "d000007") as top:
        output = ("--output", tmp_path / "out.csv")
        done = subprocess.run(
            [sys.executable, "-m", "pwalk.cli", "report", "--stall-timeout", "8", *output, top],
            capture_output=True,
            timeout=support.LIVENESS,
            check=False,
        )
    assert done.returncode == 1
    assert b"d000007" in done.stderr
    assert b"Traceback" not in done.stderr
    assert len((tmp_path / "out.csv").read_bytes().splitlines()) == 1 + ENTRIES - 26


SCAN = """
import sys, time
import pwalk, pyarrow
with pwalk.scan(sys.argv[1], stall_timeout=8.0) as scan:
    while not scan.progress.entries:
        time.sleep(0.01)
    print("begun", flush=True)
    print(pyarrow.table(scan).num_rows, scan.errors)
"""


def test_a_process_frozen_with_its_machine_loses_nothing(tmp_path: Path) -> None:
    tree = ("--directories", "40", "--files", "25", "--delay-us", "10000")
    scan = [sys.executable, "-c", SCAN, str(tmp_path / "top")]
    with (
        latency.server_of(tmp_path / "top", *tree) as server,
        subprocess.Popen(scan, stdout=subprocess.PIPE, text=True) as scanning,
    ):
        assert scanning.stdout is not None
        assert scanning.stdout.readline() == "begun\n"
        server.send_signal(signal.SIGSTOP)
        time.sleep(1.2)  # the watchdog looks once a second, and sees calls under way
        scanning.send_signal(signal.SIGSTOP)
        time.sleep(10)
        scanning.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        server.send_signal(signal.SIGCONT)
        assert scanning.communicate(timeout=support.LIVENESS)[0] == f"{ENTRIES} []\n"


def test_closing_a_scan_of_a_hung_tree_does_not_wait_for_it(tmp_path: Path) -> None:
    with latency.mounted(tmp_path / "top", *TREE, "--hang", "d000007") as top:
        scan = pwalk.scan(top)
        closer = threading.Thread(target=scan.close)
        closer.start()
        closer.join(support.LIVENESS)
        assert not closer.is_alive()
