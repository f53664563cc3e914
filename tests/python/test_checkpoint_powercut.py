"""Whatever a power cut leaves of a checkpoint, the report that resumes it is right.

FILETREE_CUTS is how many of the states that a cut can leave are tried for each recording.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import checkpoints
import powercut
import pwalk
import pytest
import support
import trees
from checkpoints import Job, Rows

CUTS = int(os.environ.get("FILETREE_CUTS", "60"))
SEED = int(os.environ.get("FILETREE_KILLS_SEED", "0")) or random.SystemRandom().getrandbits(32)
FORMS = ("parquet", "csv", "csv.zst", "binary")

# Commits come with the supervisor of the walk, 5 to 25 ms apart.
INTERVAL = 0.001

Item = TypeVar("Item")


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree that takes some commits, and has directories with errors."""
    top = tmp_path_factory.mktemp("powercut") / "top"
    trees.plain(top, 1200, 4)
    trees.locked(top / "locked")
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).with_name("recorder.c")
    return powercut.build_library(source, tmp_path_factory.mktemp("recorder"))


@dataclass(frozen=True)
class Recording:
    """A report that was not disturbed, what it wrote, and what was there before."""

    base: Path
    disk: powercut.Disk
    operations: list[powercut.Operation]
    rows: Rows


def recorded(job: Job, recorder: Path) -> Recording:
    """Run a report of a directory that has been prepared."""
    disk = powercut.Disk(job.directory)
    log = job.directory.with_suffix(".log")
    record = {**powercut.preloaded(recorder), "RECORD_BELOW": str(job.directory)}
    done = subprocess.run(
        job.words(),
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
        env={**job.environment(), **record, "RECORD_TO": str(log)},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    rows = checkpoints.rows_of(job.output)
    return Recording(job.directory, disk, list(powercut.operations(log)), rows)


def everything(pending: list[Item]) -> list[Item]:
    return pending


def nothing(_: list[Item]) -> list[Item]:
    return []


def states(recording: Recording, dice: random.Random) -> Iterator[tuple[str, powercut.State]]:
    """What cuts at every moment can leave: the usual, the extreme, and the odd."""

    def some(pending: list[Item]) -> list[Item]:
        return [item for item in pending if dice.random() < 0.5]

    def first(pending: list[Item]) -> list[Item]:
        return pending[: dice.randint(0, len(pending))]

    disk = recording.disk
    choices = {
        "nothing unsynced": (nothing, nothing),
        "everything": (everything, everything),
        "names without content": (everything, nothing),
        "content without names": (nothing, everything),
        "names and some content": (everything, some),
        "the first names and writes": (first, first),
        **{f"some names and writes ({number})": (some, some) for number in range(3)},
        **{f"some names ({number})": (some, everything) for number in range(3)},
    }
    for number in range(len(recording.operations) + 1):
        for name, (names, writes) in choices.items():
            yield f"cut before operation {number}, {name}", disk.after_cut(names, writes)
        if number < len(recording.operations):
            disk.apply(recording.operations[number])


def sampled(recording: Recording, dice: random.Random) -> list[tuple[str, powercut.State]]:
    """Different states, at most CUTS of them."""
    different: dict[int, tuple[str, powercut.State]] = {}
    for name, state in states(recording, dice):
        different.setdefault(hash(frozenset(state.items())), (name, state))
    found = list(different.values())
    return dice.sample(found, min(CUTS, len(found)))


def resume(job: Job, name: str, state: powercut.State, rows: Rows) -> None:
    """Go on with what a cut has left; a file that is there already is right."""
    powercut.build(state, job.directory)
    shutil.rmtree(job.temporary)  # whoever asks for a place for temporary files tries it
    job.temporary.mkdir()
    if job.output.exists():
        checkpoints.assert_same(checkpoints.rows_of(job.output), rows, f"{name}: there already")
    try:
        form = checkpoints.format_of(job.form)
        pwalk.report(job.top, form, job.output, checkpoint=job.checkpoint, resume=True)
    except (OSError, ValueError) as error:
        listing = {path: content and len(content) for path, content in state.items()}
        pytest.fail(f"{name}: {error!r} with {listing}")
    checkpoints.assert_same(checkpoints.rows_of(job.output), rows, name)
    job.assert_tidy(name)
    shutil.rmtree(job.directory)


@pytest.mark.parametrize("form", FORMS)
def test_any_state_that_a_cut_leaves_can_be_resumed(
    top: Path, recorder: Path, tmp_path: Path, form: str
) -> None:
    Job(tmp_path / "before", top, form).prepare().uninterrupted()
    recording = recorded(Job(tmp_path / "recorded", top, form, INTERVAL).prepare(), recorder)
    assert checkpoints.count(recording.rows) > 6000
    dice = random.Random(f"{SEED}-{form}")
    for number, (name, state) in enumerate(sampled(recording, dice)):
        job = Job(tmp_path / f"resumed{number}", top, form)
        resume(job, f"seed {SEED}, {form}, {name}", state, recording.rows)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_so_can_those_that_a_cut_of_a_resumed_report_leaves(
    top: Path, recorder: Path, tmp_path: Path, form: str
) -> None:
    begun = recorded(Job(tmp_path / "begun", top, form, INTERVAL).prepare(), recorder)
    dice = random.Random(f"{SEED}-{form}-resumed")
    unfinished = [
        (name, state)
        for name, state in states(begun, dice)
        if (frontier := state.get("checkpoint/frontier")) and not frontier[checkpoints.COMPLETE_AT]
    ]
    assert unfinished, "there was no commit before the last"
    name, state = dice.choice(unfinished)
    job = Job(tmp_path / "recorded", top, form, INTERVAL)
    powercut.build(state, job.directory)
    recording = recorded(job, recorder)
    checkpoints.assert_same(recording.rows, begun.rows, name)
    for number, (second, state) in enumerate(sampled(recording, dice)):
        job = Job(tmp_path / f"resumed{number}", top, form)
        resume(job, f"seed {SEED}, {form}, {name}; then {second}", state, recording.rows)


def test_what_has_been_committed_is_there_after_any_cut(
    top: Path, recorder: Path, tmp_path: Path
) -> None:
    recording = recorded(Job(tmp_path / "recorded", top, "csv", INTERVAL).prepare(), recorder)
    disk, base = recording.disk, os.fsencode(recording.base)
    committed = written = False
    for number, operation in enumerate(recording.operations):
        disk.apply(operation)
        renamed = operation.kind == "r" and operation.second == base + b"/checkpoint/frontier"
        after = recording.operations[number + 1] if renamed else None
        assert after is None or (after.kind, after.first) == ("d", base + b"/checkpoint")
        if committed and not written:
            left = disk.after_cut(nothing, nothing)
            assert "checkpoint/frontier" in left, f"gone after a cut behind operation {number}"
        committed |= number > 0 and recording.operations[number - 1].second.endswith(b"/frontier")
        written |= (operation.kind, operation.first) == ("d", base + b"/output")
    assert committed
    assert written
