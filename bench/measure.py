"""Running contenders: the check that they find the same, then rounds of timed runs."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contenders import TREE, Contender, Tools
from figures import Figures, Run

# A contender that takes longer is run once; further rounds would add hours, not knowledge.
SLOW_SECONDS = 15.0


@dataclass
class Result:
    """What is known of one contender in one scenario."""

    contender: Contender
    entries: int = -1
    checksum: str = ""  # of what its check found, in order; empty: it prints none
    runs: list[Run] = field(default_factory=list)
    problem: str = ""

    def figures(self, tools: Tools) -> Figures:
        """For the record."""
        contender = self.contender
        command = [argument.replace(TREE, "TREE") for argument in contender.command]
        return Figures(
            contender.role,
            contender.kind,
            tools.shown(shlex.join(command)),
            contender.version,
            contender.timed_inside,
            contender.missing,
            tools.shown(self.problem),
            self.entries,
            self.runs,
        )


@dataclass(frozen=True)
class Finished:
    """What launch says of a command."""

    status: int
    complaint: str  # the last line of standard error
    seconds: float
    peak_rss: int  # bytes
    cpu: float  # seconds

    def run(self, printed: list[str]) -> Run:
        """As a timed run: by its own clock where it printed what that says."""
        seconds = float(printed[3]) if printed else self.seconds
        return Run(seconds, self.peak_rss, self.cpu, printed)

    @property
    def failure(self) -> str:
        """For a message."""
        return f"exit status {self.status} {self.complaint}".strip()


def execute(command: list[str], tree: Path, output: Path, tools: Tools) -> Finished:
    """Run a command whose standard output goes to ``output``."""
    usage = tools.scratch / "usage"
    usage.unlink(missing_ok=True)
    arguments = [argument.replace(TREE, str(tree)) for argument in command]
    launched = [str(tools.programs / "launch"), str(usage), *arguments]
    with output.open("wb") as stream:
        done = subprocess.run(launched, stdout=stream, stderr=subprocess.PIPE, check=False)
    last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    if not usage.exists():
        raise RuntimeError(last)
    seconds, peak_kib, cpu = usage.read_text().split()
    peak = int(peak_kib) * 1024
    return Finished(done.returncode, last, float(seconds), peak, float(cpu))


def _run(command: list[str], tree: Path, output: Path, tools: Tools) -> Finished:
    """The same, for what has to succeed."""
    finished = execute(command, tree, output, tools)
    if finished.status != 0:
        raise RuntimeError(finished.failure)
    return finished


def run_once(contender: Contender, tree: Path, tools: Tools) -> Run:
    """A timed run: output discarded, but for the line of those that time themselves."""
    output = tools.scratch / "line" if contender.timed_inside else Path(os.devnull)
    finished = _run(contender.command, tree, output, tools)
    printed = output.read_text().split() if contender.timed_inside else []
    return finished.run(printed)


def check(result: Result, tree: Path, tools: Tools, expected: int) -> None:
    """Note what the contender finds; a run that could have been timed is kept as one."""
    contender, output = result.contender, tools.scratch / "output"
    finished = _run(contender.check or contender.command, tree, output, tools)
    printed: list[str] = []
    assert contender.count is not None
    result.entries = contender.count(output)
    if result.entries != expected:
        result.problem = f"found {result.entries:,} instead of {expected:,}"
    if contender.timed_inside:
        printed = output.read_text().split()
        result.checksum = printed[4] if contender.same_as else ""
    run = finished.run(printed)
    if run.seconds > SLOW_SECONDS and not contender.check:
        result.runs.append(run)
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
    tools: Tools,
    check_one: Callable[[Result], None],
    rounds: int,
    before_each: Callable[[], None],
) -> dict[str, Result]:
    """Check every contender, then run each in turn, in rounds, so that drift hits all alike."""
    results = {contender.key: Result(contender) for contender in contenders}
    present = [result for result in results.values() if not result.contender.missing]

    def count(result: Result) -> None:
        before_each()
        check_one(result)

    def sample(result: Result) -> None:
        slow = bool(result.runs) and result.runs[0].seconds > SLOW_SECONDS
        if not result.problem and not slow:
            before_each()
            result.runs.append(run_once(result.contender, tree, tools))

    for result in present:
        _guarded(result, count)
    compare_order(results)
    for _ in range(rounds):
        for result in present:
            _guarded(result, sample)
    return results
