"""Killed at any moment, again and again, and resumed: every row once, as if nothing had happened.

FILETREE_KILLS is the number of rounds in all; `make kill` runs many. Each round is a report that is
killed at least once, and resumed until it is complete.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import checkpoints
import latency
import pytest
import support
import trees
from checkpoints import Job

ROUNDS = int(os.environ.get("FILETREE_KILLS", "12"))
SEED = int(os.environ.get("FILETREE_KILLS_SEED", "0")) or random.SystemRandom().getrandbits(32)
MOST_KILLS = 5
FORMS = list(checkpoints.OUTPUTS)

# Rounds are shared out: real trees of several shapes, and a computed one.
SHAPES = ("trapped", "library", "flat", "deep", "computed")
SHARES = [(shape, form) for shape in SHAPES for form in FORMS]

killed = Counter[str]()
rounds = Counter[str]()


def rounds_of(share: int, shares: int = len(SHARES)) -> int:
    """How many of the rounds are this share's; where there are few, another's turn each day."""
    turn = (share + SEED) % shares
    return ROUNDS // shares + (turn < ROUNDS % shares)


@pytest.fixture(scope="module", autouse=True)
def _told() -> Iterator[None]:
    yield
    print(f"\nseed {SEED}; rounds: {dict(rounds)}; kills: {killed.total()}, of them {dict(killed)}")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One directory of tens of thousands of files."""
    top = tmp_path_factory.mktemp("few") / "top"
    trees.flat(top, 40_000)
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every trap there is, and enough beside them to be killed in."""
    top = tmp_path_factory.mktemp("trapped") / "top"
    trees.build_traps(top / "traps")
    trees.plain(top / "plain", 400, 20)
    trees.locked(top / "plain" / "folder7" / "locked")
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A chain deeper than PATH_MAX, with enough beside it to be killed in."""
    top = tmp_path_factory.mktemp("deep") / "top"
    top.mkdir()
    trees.deep(top / "deep")
    trees.plain(top / "plain", 400, 20)
    yield top
    trees.remove_tree(top)


class Killer:
    """Runs one job again and again, and kills it when it likes.

    :ivar span: seconds that it takes when it is left alone
    :ivar opened: of these, those until it opens the checkpoint
    :ivar written: and those until the output is there
    """

    def __init__(self, job: Job, status: int = 0) -> None:
        self.job = job
        self.status = status
        self.rows, self.told = job.uninterrupted(status)
        begun = time.monotonic()
        with job.start() as child:
            wait_for(job.checkpoint / "lock", child)
            self.opened = time.monotonic() - begun
            wait_for(job.output, child)
            self.written = time.monotonic() - begun
            child.communicate(timeout=support.LIVENESS)
        self.span = time.monotonic() - begun
        job.output.unlink()

    def round(self, name: str, seed: str) -> None:
        """Kill and resume until it is complete; then it is what it would have been."""
        dice = random.Random(seed)
        flags = dice.choice(((), ("--max-inflight", "1"), ("--buffer-threshold", "64KB")))
        job = replace(self.job, interval=dice.choice((0.001, 0.01, 0.05)), flags=flags)
        history = [f"seed {seed!r}", f"interval {job.interval}", *flags]
        kills = 0
        wanted = dice.randint(1, MOST_KILLS)
        for _ in range(3 * MOST_KILLS):
            if self.kill(job, dice, history):
                kills += 1
            elif kills == 0:  # it was faster: that is no round
                job.output.unlink()
            if kills == wanted or job.output.exists():
                break
        about = ", ".join(history)
        told = None
        if not job.output.exists() or support.names_in(job.checkpoint):
            told = job.finish(self.status, about)
        checkpoints.assert_same(checkpoints.rows_of(job.output), self.rows, about)
        if told is not None:
            assert sorted(told[0]) == sorted(self.told[0]), about
            assert told[1] == self.told[1], about
        job.assert_tidy(about)
        job.output.unlink()
        if kills:
            rounds[name] += 1

    def kill(self, job: Job, dice: random.Random, history: list[str]) -> bool:
        """Kill it once. False: it was faster."""
        moment = dice.random()
        if moment < 0.75:
            pause = dice.uniform(self.opened, self.written)
        else:
            pause = dice.uniform(0, self.span)
        begun = time.monotonic()
        with job.start() as child:
            if moment > 0.93:  # in the midst of tidying up
                wait_for(job.output, child)
                pause = dice.uniform(0, 0.003)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(pause)
            child.kill()
            _, complaints = child.communicate()
        text = complaints.decode(errors="replace")
        assert child.returncode in (-9, self.status), f"{', '.join(history)}: {text}"
        if child.returncode != -9:
            history.append(f"not killed within {pause:.4f} s")
            self.span = min(self.span, time.monotonic() - begun)  # once the machine was busier
            self.written = min(self.written, self.span)
            return False
        phase = job.phase()
        killed[phase] += 1
        history.append(f"killed after {pause:.4f} s: {phase}")
        return True


def wait_until_open(job: Job, child: subprocess.Popen[bytes]) -> None:
    """Wait until the child has opened the checkpoint, with a lock of earlier runs or its own."""
    lock = str(job.checkpoint / "lock")

    def opened() -> bool:
        for link in Path(f"/proc/{child.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(link.readlink()) == lock:
                    return True
        return child.poll() is not None

    support.wait_until(opened, "the checkpoint to be opened", support.LIVENESS)


def wait_for(file: Path, child: subprocess.Popen[bytes]) -> None:
    """Wait until there is such a file, with no pause in between, or the child has ended."""
    deadline = time.monotonic() + support.LIVENESS
    while not file.exists() and child.poll() is None:
        assert time.monotonic() < deadline, f"still no {file}"


@pytest.mark.parametrize(
    "share",
    [share for share in range(len(SHARES)) if rounds_of(share)],
    ids=lambda share: "-".join(SHARES[share]),
)
def test_killed_and_resumed(share: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    shape, form = SHARES[share]
    job = Job(tmp_path / "job", "", form).prepare()
    if shape == "computed":
        killer = Killer(replace(job, top="/computed", files=500_000))
    elif shape == "library":
        killer = Killer(replace(job, top=sysconfig.get_path("stdlib")))
    elif shape == "trapped":
        top = request.getfixturevalue("trapped")
        killer = Killer(replace(job, top=top, ordinary=True, by_api=True))
        assert len(killer.told[0]) >= 3, "everything was readable"
    else:
        killer = Killer(
            replace(job, top=request.getfixturevalue({"flat": "few"}.get(shape, shape)))
        )
    for number in range(rounds_of(share)):
        killer.round(f"{shape}, {form}", f"{SEED}-{share}-{number}")


@pytest.mark.parametrize("form", ["parquet", "csv.zst"])
def test_interrupted_at_any_moment(tmp_path: Path, form: str) -> None:
    job = Job(tmp_path / "job", sysconfig.get_path("stdlib"), form, 0.005).prepare()
    killer = Killer(job)
    for number in range(max(2, ROUNDS // 12)):
        seed = f"{SEED}-interrupted-{form}-{number}"
        dice = random.Random(seed)
        history = [f"seed {seed!r}"]
        for _ in range(MOST_KILLS):
            signals = [dice.choice((signal.SIGINT, signal.SIGTERM))] * dice.choice((1, 1, 2, 3))
            pause = dice.uniform(0, killer.span - killer.opened)
            with job.start() as child:
                wait_until_open(job, child)
                time.sleep(pause)
                for one in signals:
                    child.send_signal(one)
                    time.sleep(dice.choice((0, 0.001, 0.05)))
                _, complaints = child.communicate(timeout=support.LIVENESS)
            text = complaints.decode(errors="replace")
            history.append(f"{signals} after {pause:.4f} s: {child.returncode}, {job.phase()}")
            about = f"{', '.join(history)}: {text}"
            if child.returncode == 0:
                break
            if len(signals) == 1:  # others may come while the first is being dealt with
                assert child.returncode in (130, -signals[0] if job.output.exists() else 130), about
                assert "Traceback" not in text, about
                said = job.phase() in ("scanning", "assembling")
                assert said == ("go on with" in text), about
        if not job.output.exists() or support.names_in(job.checkpoint):
            job.finish(about=about)
        checkpoints.assert_same(checkpoints.rows_of(job.output), killer.rows, about)
        assert support.names_in(job.temporary) == [], about
        shutil.rmtree(job.checkpoint)
        job.output.unlink()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_killed_on_a_slow_tree(tmp_path: Path, form: str) -> None:
    tree = ("--directories", "30", "--files", "20", "--delay-us", "1000", "--depth", "2")
    faults = ("--fail", "d000007=EACCES", "--fail-stat", "d000003/f000001.dat=EIO")
    with latency.mounted(tmp_path / "top", *tree, *faults) as top:
        killer = Killer(Job(tmp_path / "job", top, form, by_api=True).prepare())
        assert len(killer.told[0]) == 2
        for number in range(max(1, ROUNDS // 25)):
            killer.round(f"slow, {form}", f"{SEED}-slow-{form}-{number}")
