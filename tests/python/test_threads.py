"""Many threads of Python's at once: nothing is lost, doubled, or torn, with a GIL or without."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import komparu
import oracle
import pwalk
import pytest
import support

THREADS = 8


def in_threads(work: Callable[[], object]) -> None:
    """Run it in many threads that begin together; raise what it raised."""
    together = threading.Barrier(THREADS)

    def run() -> None:
        together.wait(support.LIVENESS)
        work()

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(run) for _ in range(THREADS)]:
            future.result(support.LIVENESS)


@pytest.mark.parametrize("source", ["scan", "binary"])
def test_iterators_of_one_stream_share_its_rows(source: str, flat: Path, tmp_path: Path) -> None:
    stream: pwalk.Scan | pwalk.BinaryFile
    if source == "scan":
        stream = pwalk.scan(flat)
    else:
        path, _ = pwalk.report(flat, "binary", tmp_path / "report.pwal")
        stream = pwalk.read_binary(path)
    rows: Counter[str] = Counter()
    adding = threading.Lock()
    iterators = [iter(stream) for _ in range(THREADS)]

    def work() -> None:
        for batch in iterators.pop():
            with adding:
                rows.update(batch.column("filename").to_pylist())

    in_threads(work)
    assert set(rows.values()) == {1}
    assert len(rows) == len(oracle.expected_rows(flat))


def test_calls_of_many_threads_do_not_disturb_each_other(plain: Path, tmp_path: Path) -> None:
    first, same, other = (tmp_path / name for name in ("first", "same", "other"))
    first.write_bytes(b"content" * 1000)
    same.write_bytes(b"content" * 1000)
    other.write_bytes(b"content" * 999 + b"Content")
    walked = sorted(os.walk(plain))
    rows = len(oracle.expected_rows(plain))

    def work() -> None:
        for timeout in (60.0, None) * 5:
            komparu.configure(comparison_timeout=timeout)
            assert komparu.compare(first, same)
            assert not komparu.compare(first, other)
            assert komparu.compare_dir(plain, plain).equal
            assert sorted(pwalk.walk(str(plain))) == walked
            assert sum(batch.num_rows for batch in pwalk.scan(plain)) == rows

    try:
        in_threads(work)
    finally:
        komparu.reset_config()
