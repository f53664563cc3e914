"""Times that no timestamp of microseconds holds, on a file system that keeps them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import mounts
import oracle
import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support

SECOND = 10**9
LARGEST = 2**63 - 1


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Path]:
    """A directory on tmpfs, which keeps times as far off as the kernel can say."""
    with mounts.tmpfs(tmp_path / "lasting") as top:
        os.utime(top, ns=(0, 0))
        yield top


def set_time(path: Path, seconds: int) -> None:
    path.touch()
    os.utime(path, ns=(seconds * SECOND, seconds * SECOND))
    if os.lstat(path).st_mtime_ns != seconds * SECOND:
        pytest.skip("this file system does not keep a time that far off")


def modified(top: Path, directory: Path) -> dict[str, int]:
    path, errors = pwalk.report(top, output=directory / "out.parquet")
    assert errors == []
    table = pq.read_table(path)
    moments = table.column("mtime").cast(pa.int64()).to_pylist()
    return dict(zip(table.column("filename").to_pylist(), moments, strict=True))


@pytest.mark.parametrize("year_start", [-9_000_000_000, 16_725_225_600, 253_402_300_800])
def test_far_times_that_fit_are_exact(lasting: Path, tmp_path: Path, year_start: int) -> None:
    set_time(lasting / "file", year_start)
    assert modified(lasting, tmp_path)[str(lasting / "file")] == year_start * 10**6


def test_times_that_do_not_fit_are_clamped_and_never_wrapped(lasting: Path, tmp_path: Path) -> None:
    set_time(lasting / "late", 2**62)
    set_time(lasting / "early", -(2**62))
    found = modified(lasting, tmp_path)
    assert LARGEST - 10**6 < found[str(lasting / "late")] <= LARGEST
    assert -LARGEST - 1 <= found[str(lasting / "early")] < -LARGEST + 10**6


def test_the_csv_holds_seconds_that_microseconds_cannot(lasting: Path, tmp_path: Path) -> None:
    set_time(lasting / "late", 2**62)
    path, _ = pwalk.report(lasting, "csv", tmp_path / "out.csv")
    line = support.line_about(Path(path).read_bytes(), os.fsencode(lasting / "late"))
    assert line == oracle.csv_line(oracle.expected_rows(lasting)[os.fsencode(lasting / "late")])
