"""What comparing takes, beside the peer that its goals refer to.

    python bench/run.py ... --scenario compare-file ... --json RUN.json
    python bench/comparison_chart.py RUN.json docs/compare.svg

One panel for each comparison that was measured together with that peer. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from goals import CONTESTS, Contest

TITLES = {
    "compare-file": "two large files",
    "compare-tree": "two trees",
    "compare-many-pairs": "many pairs of files",
}
COLOURS = {"ours": "tab:blue", "floor": "tab:gray", "peer": "tab:orange"}


def _ratios(contest: Contest, scenarios: dict[str, Any]) -> dict[str, float]:
    """Median over the peer's median, the least last; empty without the peer."""
    medians = {
        key: statistics.median(found["seconds"])
        for key, found in scenarios.get(contest.scenario, {}).items()
        if found["seconds"] and not found["problem"]
    }
    if contest.peer not in medians:
        return {}
    ordered = sorted(medians, key=medians.__getitem__, reverse=True)
    return {key: medians[key] / medians[contest.peer] for key in ordered}


def _role(key: str) -> str:
    return "ours" if key.startswith("ours") else "floor" if key.startswith("floor") else "peer"


def _draw(axes: Any, contest: Contest, ratios: dict[str, float]) -> None:
    labels = [key.removesuffix(", list") for key in ratios]
    colours = [COLOURS[_role(key)] for key in ratios]
    bars = axes.barh(labels, list(ratios.values()), color=colours)
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # the goal's line is behind
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8, bbox=white)
    axes.axvline(contest.limit, color="tab:red", linestyle="--", linewidth=1)
    axes.set_title(TITLES[contest.scenario])
    peer = contest.peer.removesuffix(", list")
    axes.set_xlabel(f"time, in that of {peer} (goal: {contest.limit:g})")
    axes.margins(x=0.15)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def plot(source: Path, target: Path) -> None:
    """Draw what was measured."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    data = json.loads(source.read_text())
    found = [(contest, _ratios(contest, data["scenarios"])) for contest in CONTESTS]
    measured = [(contest, ratios) for contest, ratios in found if ratios]
    if not measured:
        raise SystemExit(f"{source}: no comparison was measured together with its peer")
    width = 4.2 * len(measured)
    figure, panels = pyplot.subplots(1, len(measured), figsize=(width, 3.6), squeeze=False)
    for axes, (contest, ratios) in zip(panels[0], measured, strict=True):
        _draw(axes, contest, ratios)
    figure.suptitle(f"Comparing contents, {data['machine']['cores']} cores, page cache warm")
    figure.tight_layout()
    figure.savefig(target)


def main() -> None:
    """Draw as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="what run.py wrote by --json")
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    plot(given.source, given.target)


if __name__ == "__main__":
    main()
