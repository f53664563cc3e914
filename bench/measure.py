"""Running contenders: the check that they find the same, then rounds of timed runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contenders import TREE, Contender

# A contender that takes longer is run once; further rounds would add hours, not knowledge.
SLOW_SECONDS = 15.0


@dataclass(frozen=True)
class Run:
    """One finished run."""

    seconds: float
    peak_rss: int  # bytes
    printed: list[str]


@dataclass
class Result:
    """What is known of one contender in one scenario."""

    contender: Contender
    entries: int = -1
    checksum: str = ""  # of what its check found, in order; empty: it prints none
    runs: list[Run] = field(default_factory=list)
    problem: str = ""

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def fastest(self) -> float:
        """Least seconds."""
        return min(run.seconds for run in self.runs)

    @property
    def peak_rss(self) -> int:
        """Most memory of all runs, in bytes."""
        return max(run.peak_rss for run in self.runs)

    @property
    def usable(self) -> bool:
        """Ran, and found what it had to."""
        return bool(self.runs) and not self.problem


def _run(command: list[str], tree: Path, output: Path) -> tuple[float, int]:
    """Seconds and peak memory of a command whose standard output goes to ``output``."""
    arguments = [argument.replace(TREE, str(tree)) for argument in command]
    with output.open("wb") as stream:
        begin = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=stream, stderr=subprocess.PIPE)
        assert process.stderr is not None
        complaint = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = complaint.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"exit status {process.returncode} {' '.join(last)}".strip())
    return seconds, usage.ru_maxrss * 1024


def run_once(contender: Contender, tree: Path, scratch: Path) -> Run:
    """A timed run: output discarded, but for the line of those that time themselves."""
    output = scratch / "line" if contender.timed_inside else Path(os.devnull)
    seconds, peak = _run(contender.command, tree, output)
    printed = output.read_text().split() if contender.timed_inside else []
    return Run(float(printed[3]) if printed else seconds, peak, printed)


def check(result: Result, tree: Path, scratch: Path, expected: int) -> None:
    """Note what the contender finds; a run that could have been timed is kept as one."""
    contender, output = result.contender, scratch / "output"
    seconds, peak = _run(contender.check or contender.command, tree, output)
    result.entries = contender.count(output)
    if result.entries != expected:
        result.problem = f"found {result.entries:,} instead of {expected:,}"
    if contender.timed_inside:
        printed = output.read_text().split()
        seconds = float(printed[3])
        result.checksum = printed[4] if contender.same_as else ""
    if seconds > SLOW_SECONDS and not contender.check:
        result.runs.append(Run(seconds, peak, []))
    output.unlink()


def compare_order(results: dict[str, Result]) -> None:
    """Mark those that did not yield the very same as the contender they have to follow."""
    for result in results.values():
        model = results.get(result.contender.same_as)
        if result.checksum and model and model.checksum and result.checksum != model.checksum:
            result.problem = f"does not yield the same in the same order as {model.contender.key}"


def _guarded(result: Result, action: Callable[[Result], None]) -> None:
    try:
        action(result)
    except (RuntimeError, ValueError, IndexError, OSError, subprocess.SubprocessError) as error:
        result.problem = f"failed: {error}"


def compare(
    contenders: list[Contender],
    tree: Path,
    scratch: Path,
    expected: int,
    rounds: int,
    before_each: Callable[[], None],
) -> dict[str, Result]:
    """Check every contender, then run each in turn, in rounds, so that drift hits all alike."""
    results = {contender.key: Result(contender) for contender in contenders}
    present = [result for result in results.values() if not result.contender.missing]

    def count(result: Result) -> None:
        before_each()
        check(result, tree, scratch, expected)

    def sample(result: Result) -> None:
        slow = bool(result.runs) and result.runs[0].seconds > SLOW_SECONDS
        if not result.problem and not slow:
            before_each()
            result.runs.append(run_once(result.contender, tree, scratch))

    for result in present:
        _guarded(result, count)
    compare_order(results)
    for _ in range(rounds):
        for result in present:
            _guarded(result, sample)
    return results
