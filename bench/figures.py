"""What a run records: the tables, the goals and the report are made from it alone."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["names", "metadata", "content"]
Role = Literal["floor", "peer", "ours"]
KINDS: tuple[Kind, ...] = ("names", "metadata", "content")


@dataclass(frozen=True)
class Run:
    """One finished run of one contender."""

    seconds: float
    peak_rss: int  # bytes
    cpu: float  # seconds, of all its threads
    printed: list[str] = field(default_factory=list)


@dataclass
class Figures:
    """One contender in one scenario."""

    role: Role
    kind: Kind
    command: str
    version: str = ""
    timed_inside: bool = False
    missing: str = ""
    problem: str = ""
    entries: int = -1
    runs: list[Run] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Ran, and found what it had to."""
        return bool(self.runs) and not self.problem

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def least(self) -> float:
        """Least seconds."""
        return min(run.seconds for run in self.runs)

    @property
    def most(self) -> float:
        """Most seconds."""
        return max(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        """Median seconds of CPU."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak_rss(self) -> int:
        """Most memory of all runs, in bytes."""
        return max(run.peak_rss for run in self.runs)

    @property
    def threads(self) -> list[str]:
        """Of those that say so, the threads of each run at most."""
        return [run.printed[4] for run in self.runs if len(run.printed) > 4]


@dataclass
class Circumstances:
    """When a scenario was measured, and how quiet the machine was."""

    started: str  # UTC
    seconds: float
    commit: str
    load_before: float
    load_after: float
    others: float  # cores that were busy with something else, on average
    stolen: float  # cores that the hypervisor gave to somebody else, on average


@dataclass
class Scene:
    """One scenario as it was measured."""

    title: str
    measures: str
    group: str
    size: int
    unit: str
    floors: dict[Kind, str]
    rounds: int
    file_system: str = ""
    skipped: str = ""
    checked: list[str] = field(default_factory=list)
    circumstances: Circumstances | None = None
    contenders: dict[str, Figures] = field(default_factory=dict)

    @property
    def usable(self) -> dict[str, Figures]:
        """Contenders that ran, and found what they had to."""
        return {key: figures for key, figures in self.contenders.items() if figures.usable}

    def of(self, role: Role, kind: Kind) -> dict[str, Figures]:
        """Of the usable, those of one role that do the same work."""
        return {
            key: figures
            for key, figures in self.usable.items()
            if figures.role == role and figures.kind == kind
        }

    def floor(self, kind: Kind) -> float | None:
        """Median seconds of the floor for this kind of work."""
        figures = self.usable.get(self.floors.get(kind, ""))
        return figures.median if figures else None

    def best_peer(self, kind: Kind) -> float | None:
        """Median seconds of the fastest peer that does the same work."""
        return min((found.median for found in self.of("peer", kind).values()), default=None)


@dataclass
class Record:
    """Everything that was measured, by one run or several on one machine."""

    machine: dict[str, str]
    versions: dict[str, str]
    quick: bool
    scenes: dict[str, Scene] = field(default_factory=dict)

    def save(self, target: Path) -> None:
        """Write it as JSON, all or nothing."""
        unfinished = target.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        unfinished.replace(target)


def _figures(data: dict[str, Any]) -> Figures:
    return Figures(**{**data, "runs": [Run(**run) for run in data["runs"]]})


def _scene(data: dict[str, Any]) -> Scene:
    contenders = {key: _figures(found) for key, found in data["contenders"].items()}
    around = data["circumstances"]
    circumstances = Circumstances(**around) if around else None
    return Scene(**{**data, "contenders": contenders, "circumstances": circumstances})


def load(source: Path) -> Record:
    """What :meth:`Record.save` wrote."""
    data = json.loads(source.read_text())
    scenes = {name: _scene(scene) for name, scene in data["scenes"].items()}
    return Record(**{**data, "scenes": scenes})
