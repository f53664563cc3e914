"""What one process held during a soak: memory, descriptors and threads over time.

    python bench/soak.py --seconds 3600 --work WORK --json SUMMARY.json
    python bench/soak_chart.py WORK/samples.jsonl docs/benchmarks/soak.svg

Bands are the least and the most of some seconds of work, dots are rests. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path
from typing import Any

Sample = dict[str, Any]

_BINS = 240
_MARKS = 6
_PANELS = (
    ("rss", "resident memory, MiB", 1 / 1024),
    ("descriptors", "open descriptors", 1.0),
    ("threads", "threads", 1.0),
)


def _read(source: Path) -> tuple[list[Sample], list[Sample]]:
    """Return the samples under work, and those at rest."""
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    samples = [line for line in lines if "rss" in line]
    if not samples:
        raise SystemExit(f"{source}: there are no samples")
    rests = [sample for sample in samples if "at_rest" in sample]
    return [sample for sample in samples if "at_rest" not in sample], rests


def _minutes(sample: Sample) -> float:
    return float(sample["time"]) / 60


def _draw(
    axes: Any, work: list[Sample], rests: list[Sample], name: str, label: str, unit: float
) -> None:
    width = work[-1]["time"] / _BINS
    bins = [list(group) for _, group in groupby(work, lambda sample: sample["time"] // width)]
    at = [_minutes(group[0]) for group in bins]
    least = [min(sample[name] for sample in group) * unit for group in bins]
    most = [max(sample[name] for sample in group) * unit for group in bins]
    axes.fill_between(at, least, most, color="tab:blue", alpha=0.3, linewidth=1, label="at work")
    values = [sample[name] * unit for sample in rests]
    axes.plot([_minutes(sample) for sample in rests], values, ".", color="tab:red", label="at rest")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.spines[["right"]].set_visible(False)


def _mark_operations(axes: Any, work: list[Sample]) -> None:
    """Say along the top what had been done by then."""
    step = max(1, len(work) // _MARKS)
    marked = work[step::step]
    top = axes.secondary_xaxis("top")
    top.set_xticks([_minutes(sample) for sample in marked])
    top.set_xticklabels(
        [f"{sample['operations']:,}\n{sample['cancelled']:,}" for sample in marked], fontsize=8
    )
    top.set_xlabel("operations, and how many of them were cancelled or abandoned", fontsize=9)


def plot(source: Path, target: Path) -> None:
    """Draw what was sampled."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    work, rests = _read(source)
    figure, panels = pyplot.subplots(len(_PANELS), 1, figsize=(8, 7.5), sharex=True)
    for axes, (name, label, unit) in zip(panels, _PANELS, strict=True):
        _draw(axes, work, rests, name, label, unit)
    _mark_operations(panels[0], work)
    for axes in panels[1:]:
        axes.spines[["top"]].set_visible(False)
    panels[0].legend(loc="lower right", fontsize=8)
    panels[-1].set_xlabel("minutes")
    panels[-1].set_xlim(left=0)
    figure.suptitle("One process that scans, walks, reports, repairs and compares at random")
    figure.tight_layout()
    figure.savefig(target)


def main() -> None:
    """Draw as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="what soak.py wrote as samples.jsonl")
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    plot(given.source, given.target)


if __name__ == "__main__":
    main()
