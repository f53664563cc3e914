"""The check of comparers: that each tells the same from what differs in a single byte."""

from __future__ import annotations

from pathlib import Path

from contenders import Contender, Tools
from figures import Run
from measure import SLOW_SECONDS, Result, execute
from pairs import Pairs, Samples


def _asked(contender: Contender, tree: Path, tools: Tools) -> tuple[bool, Run]:
    """Whether the contender says that both sides are the same, and what that took."""
    output = tools.scratch / "output"
    finished = execute(contender.command, tree, output, tools)
    printed = output.read_text(errors="replace").split()
    mute = contender.timed_inside and not printed  # a traceback's status is 1 too
    if mute or finished.status not in ((0,) if contender.same_is_silence else (0, 1)):
        raise RuntimeError(finished.failure)
    same = not printed if contender.same_is_silence else finished.status == 0
    return same, finished.run(printed if contender.timed_inside else [])


def check(result: Result, tree: Path, tools: Tools, pairs: Pairs, samples: Samples) -> None:
    """Ask of both samples, then of the whole; a run of that which was slow is kept as timed."""
    contender = result.contender
    if not _asked(contender, samples.same, tools)[0]:
        result.problem = "says of the same that it differs"
    elif _asked(contender, samples.other, tools)[0]:
        result.problem = "does not see that one byte differs"
    else:
        same, run = _asked(contender, tree, tools)
        result.entries = pairs.entries
        if not same:
            result.problem = "says of the whole that it differs"
        elif run.seconds > SLOW_SECONDS:
            result.runs.append(run)
