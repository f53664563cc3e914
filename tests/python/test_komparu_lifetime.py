"""Comparisons under way when a signal comes, a process forks, or the interpreter ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import komparu
import large_files
import support
from komparu import _calls


def test_ctrl_c_ends_a_comparison_at_once(tmp_path: Path) -> None:
    code = """
import sys, time, komparu
try:
    print("ready", flush=True)
    komparu.compare(*sys.argv[1:])
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""
    with large_files.allocated(tmp_path, 20 << 30) as pair:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, pair)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)  # whenever it comes
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        answered = float(process.stdout.readline())
        assert process.wait(support.LIVENESS) == 0
        process.stdout.close()
    assert answered - sent < support.LIVENESS / 4, "on a machine of its own 0.1 s"


def test_many_threads_compare_at_once(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(os.urandom(5 << 20))
    shutil.copyfile(a, b)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(komparu.compare(a, b) for _ in range(10)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 200
    assert _calls.pool().threads <= 128


def test_a_forked_child_compares_with_threads_of_its_own(tmp_path: Path) -> None:
    code = """
import multiprocessing, sys, komparu
a, b = sys.argv[1:]
assert komparu.compare(a, b)
def child(_):
    return komparu.compare(a, b)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(child, range(4)))
"""
    pair = tmp_path / "a", tmp_path / "b"
    for path in pair:
        path.write_bytes(bytes(6 << 20))
    answer = support.run_script(code, *pair, cwd=tmp_path)
    assert answer.stdout == b"[True, True, True, True]\n"


def test_a_child_forked_with_work_under_way_ends_at_once(tmp_path: Path) -> None:
    code = """
import os, sys, threading, time, komparu
a, b = sys.argv[1:]
threading.Thread(target=komparu.compare, args=(a, b), daemon=True).start()
time.sleep(0.2)
for _ in range(10):
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        assert komparu.compare(sys.executable, sys.executable)
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(time.monotonic() - begin, flush=True)
os._exit(0)
"""
    with large_files.allocated(tmp_path, 20 << 30) as pair:
        said = support.run_script(code, *pair, cwd=tmp_path).stdout.split()
    assert len(said) == 10
    assert min(map(float, said)) < 0.9, "not the second that threads are waited for"


def test_the_interpreter_exits_with_a_comparison_under_way(tmp_path: Path) -> None:
    code = """
import sys, threading, time, komparu
threading.Thread(target=komparu.compare, args=sys.argv[1:], daemon=True).start()
time.sleep(0.2)
"""
    with large_files.allocated(tmp_path, 4 << 30) as pair:
        begun = time.monotonic()
        support.run_script(code, *pair, cwd=tmp_path)
        assert time.monotonic() - begun < support.LIVENESS / 4
