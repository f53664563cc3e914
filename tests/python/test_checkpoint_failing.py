"""A disk that dies while a report is written: a clear error, and a checkpoint to go on from."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import checkpoints
import powercut
import pytest
import support
import trees
from checkpoints import Job

MOMENTS = int(os.environ.get("FILETREE_CUTS", "60")) // 10
SEED = int(os.environ.get("FILETREE_KILLS_SEED", "0")) or random.SystemRandom().getrandbits(32)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree that takes some commits."""
    top = tmp_path_factory.mktemp("failing") / "top"
    trees.plain(top, 1000, 4)
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library to preload, of failing.c."""
    source = Path(__file__).with_name("failing.c")
    return powercut.build_library(source, tmp_path_factory.mktemp("failing"))


def run(job: Job, failing: Path, first: int) -> tuple[int, str, int]:
    """Report; return the exit status, what was said, and how many calls there were."""
    counted = job.directory.with_suffix(".count")
    preload = {**powercut.preloaded(failing), "FAIL_COUNTED": str(counted)}
    where = {"FAIL_BELOW": str(job.directory), "FAIL_FROM": str(first)}
    done = subprocess.run(
        job.words(),
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
        env={**job.environment(), **preload, **where},
    )
    return done.returncode, done.stderr.decode(errors="replace"), int(counted.read_text())


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.zst", "binary"])
def test_a_disk_that_dies_at_any_moment(
    top: Path, failing: Path, tmp_path: Path, form: str
) -> None:
    whole = Job(tmp_path / "whole", top, form, 0.005).prepare()
    status, told, calls = run(whole, failing, 10**9)
    assert (status, told) == (0, "")
    assert calls > 10
    rows = checkpoints.rows_of(whole.output)
    dice = random.Random(f"{SEED}-{form}")
    died = 0
    for first in sorted({1, 2, calls - 1, *(dice.randint(3, calls) for _ in range(MOMENTS))}):
        about = f"seed {SEED}, {form}, from call {first} of about {calls}"
        job = Job(tmp_path / f"job{first}", top, form, 0.005).prepare()
        status, told, _ = run(job, failing, first)
        assert "Traceback" not in told, about
        if status == 0:  # there were fewer calls this time, or only a directory was not synced
            assert told == "", about
        else:
            died += 1
            assert status == 2, f"{about}: {told}"
            assert "Input/output error" in told, about
            assert str(job.directory) in told, f"{about}: {told}"
            job.finish(about=about)
        checkpoints.assert_same(checkpoints.rows_of(job.output), rows, about)
        job.assert_tidy(about)
    assert died > 2
