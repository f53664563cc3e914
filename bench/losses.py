"""Where a peer that does the same work needs less than we do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from figures import KINDS, Figures, Scene


@dataclass(frozen=True)
class Measure:
    """What less is better of."""

    name: str
    of: Callable[[Figures], float]
    shown: Callable[[float], str]


TIME = Measure("time", lambda found: found.median, lambda value: f"{value:.3f} s")
CPU = Measure("CPU", lambda found: found.cpu, lambda value: f"{value:.2f} s")
MEMORY = Measure("memory", lambda found: found.peak_rss / 2**20, lambda value: f"{value:.0f} MiB")
MEASURES = (TIME, CPU, MEMORY)


@dataclass(frozen=True)
class Loss:
    """One contender of ours, and all peers that do better, the best first."""

    measure: Measure
    ours: str
    value: float
    better: dict[str, float]

    @property
    def text(self) -> str:
        """In words."""
        peers = ", ".join(
            f"{key} {self.measure.shown(value)} ({value / self.value:.2f} x)"
            for key, value in self.better.items()
        )
        return f"{self.ours}, {self.measure.name} {self.measure.shown(self.value)}: {peers}"


def losses(scene: Scene, measure: Measure) -> Iterator[Loss]:
    """Each of ours that any peer beats."""
    for kind in KINDS:
        peers = {key: measure.of(found) for key, found in scene.of("peer", kind).items()}
        for key, found in scene.of("ours", kind).items():
            value = measure.of(found)
            better = [peer for peer in sorted(peers, key=peers.__getitem__) if peers[peer] < value]
            if better:
                yield Loss(measure, key, value, {peer: peers[peer] for peer in better})
