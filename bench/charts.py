"""Charts of a record, as SVG that follows the reader's light or dark mode. Needs matplotlib.

Ours, peers and floors differ in colour (Okabe and Ito's, for all kinds of sight), in shape, and
ours in bold labels. A scale is logarithmic where the figures span more than :data:`SPAN`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from figures import KINDS, Figures, Kind, Scene
from goals import MEMORY_LIMIT, Verdict

matplotlib.use("Agg")

from matplotlib import pyplot, ticker

STYLE = {"ours": ("#0072B2", "o"), "peer": ("#E69F00", "s"), "floor": ("#888888", "^")}
GOAL = "#D55E00"
INK = "#1f2328"  # stands for the reader's text colour
INK_DARK = "#e6edf3"
SPAN = 12
ROW = 0.21  # inches
KIND_NAMES = {"names": "names", "metadata": "metadata of each entry", "content": "contents"}

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "filetree",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "legend.frameon": False,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
}


@dataclass(frozen=True)
class Panel:
    """What is drawn in one frame: contenders that do the same work in one scenario."""

    scenario: str
    scene: Scene
    kind: Kind
    memory: bool
    goals: list[Verdict]

    @property
    def shown(self) -> dict[str, Figures]:
        """From the bottom up: the slowest first."""
        usable = {key: one for key, one in self.scene.usable.items() if one.kind == self.kind}
        return dict(sorted(usable.items(), key=lambda item: -self.value(item[1])))

    def value(self, found: Figures) -> float:
        """Seconds, or MiB."""
        return found.peak_rss / 2**20 if self.memory else found.median

    @property
    def limits(self) -> list[tuple[str, float]]:
        """Key and limit of each goal that applies."""
        return [
            (goal.ours, goal.limit / 2**20 if self.memory else goal.limit)
            for goal in self.goals
            if goal.scenario == self.scenario
            and goal.limit is not None
            and goal.ours in self.shown
            and (goal.limit == MEMORY_LIMIT) == self.memory
        ]


def _text(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _draw(axes: Any, panel: Panel) -> None:
    shown = panel.shown
    beside = axes.get_yaxis_transform()
    for y, found in enumerate(shown.values()):
        colour, marker = STYLE[found.role]
        value = panel.value(found)
        spread = (value, value) if panel.memory else (found.least, found.most)
        axes.plot(spread, (y, y), color=colour, linewidth=2, alpha=0.5, solid_capstyle="butt")
        axes.plot(value, y, marker, color=colour, markersize=5.5)
        axes.annotate(_text(value), (1.01, y), xycoords=beside, va="center", fontsize=7.5)
    rows = list(shown)
    for key, limit in panel.limits:
        axes.plot(limit, rows.index(key), "|", color=GOAL, markersize=13, markeredgewidth=2)
    floor = None if panel.memory else panel.scene.floor(panel.kind)
    if floor is not None:
        axes.axvline(floor, color=STYLE["floor"][0], linestyle="--", linewidth=1, zorder=0)
    axes.set_yticks(range(len(rows)), rows)
    for label, found in zip(axes.get_yticklabels(), shown.values(), strict=True):
        label.set_fontweight("bold" if found.role == "ours" else "normal")
    _scale(axes, panel)


def _scale(axes: Any, panel: Panel) -> None:
    shown = panel.shown.values()
    values = [panel.value(found) for found in shown]
    values += [] if panel.memory else [found.most for found in shown]
    values += [limit for _, limit in panel.limits]
    unit = "MiB" if panel.memory else "seconds"
    least, most = min(values), max(values)
    if most > SPAN * least:
        axes.set_xscale("log")
        axes.set_xlim(least * 0.8, most * 1.25)
        steps = (1,) if most > 200 * least else (1, 2, 5)
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=steps))
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
        unit += ", logarithmic"
    else:
        axes.set_xlim(0, most * 1.05)
    axes.set_xlabel(unit)
    axes.set_ylim(-0.7, len(panel.shown) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#888888", alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(f"{panel.scenario}: {KIND_NAMES[panel.kind]}", loc="left")


def _legend(figure: Any, memory: bool) -> None:
    from matplotlib.lines import Line2D

    names = {"ours": "ours", "peer": "others", "floor": "floor"}
    dots = [
        Line2D([], [], color=STYLE[role][0], marker=STYLE[role][1], linestyle="", label=name)
        for role, name in names.items()
    ]
    gray = STYLE["floor"][0]
    line = Line2D([], [], color=gray, linestyle="--", linewidth=1, label="the floor for this work")
    bar = Line2D([], [], color=gray, linewidth=2, alpha=0.5, label="least to most")
    goal = Line2D(*([], []), color=GOAL, marker="|", linestyle="", markersize=10, markeredgewidth=2)
    goal.set_label("goal: no further right")
    handles = [dots[0], goal] if memory else [*dots, line, bar, goal]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _save(figure: Any, target: Path) -> None:
    """As text, without a date, and with the reader's own ink."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    pyplot.close(figure)
    style = (
        f"<style>:root {{ --ink: {INK} }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ --ink: {INK_DARK} }} }}</style>"
    )
    head, mark, drawn = stream.getvalue().partition("<defs>")
    drawn = drawn.replace(INK, "var(--ink)")
    target.write_text("".join((head, style, "\n ", mark, _left_aligned(drawn))))


def _left_aligned(drawn: str) -> str:
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def of_group(
    group: str, title: str, scenes: dict[str, Scene], goals: list[Verdict], target: Path
) -> bool:
    """Draw the scenarios of a group, two panels side by side; False when there is nothing."""
    memory = group == "memory"
    panels = [
        Panel(name, scene, kind, memory, goals)
        for name, scene in scenes.items()
        if scene.group == group
        for kind in KINDS
    ]
    panels = [panel for panel in panels if panel.shown]
    if not panels:
        return False
    columns = min(2, len(panels))
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    heights = [max(len(panel.shown) for panel in row) * ROW + 0.75 for row in rows]
    with matplotlib.rc_context(SETTINGS):
        figure = pyplot.figure(figsize=(5.2 * columns, sum(heights) + 0.7), layout="constrained")
        grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
        for i, row in enumerate(rows):
            for j, panel in enumerate(row):
                _draw(figure.add_subplot(grid[i, j]), panel)
        figure.suptitle(title, fontsize=11)
        _legend(figure, memory)
        _save(figure, target)
    return True


CURVES = {
    "discard": ("rows discarded", "#0072B2", "o"),
    "discard, flat": ("rows discarded, one directory", "#56B4E9", "v"),
    "parquet": ("Parquet", "#E69F00", "s"),
    "parquet+60": ("Parquet, with checkpoints", "#009E73", "^"),
}


def _curve(axes: Any, runs: Iterable[dict[str, Any]], title: str, what: str) -> None:
    runs = list(runs)
    for kind, (label, colour, marker) in CURVES.items():
        mine = [run for run in runs if run["what"] == kind]
        files = [run["files"] for run in mine]
        values = [
            run["peak_mib"] if what == "memory" else run["rows"] / run["seconds"] / 1e6
            for run in mine
        ]
        axes.plot(files, values, marker + "-", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("files in the tree")
    axes.set_title(title, loc="left")
    axes.grid(color="#888888", alpha=0.25, linewidth=0.6)


def of_scaling(scaling: dict[str, Any], title: str, target: Path) -> None:
    """Rate and memory against the number of files."""
    with matplotlib.rc_context(SETTINGS):
        figure, (rate, memory) = pyplot.subplots(1, 2, figsize=(10.4, 3.6), layout="constrained")
        _curve(rate, scaling["runs"], "million entries a second", "rate")
        _curve(memory, scaling["runs"], "peak memory, MiB", "memory")
        memory.axhline(MEMORY_LIMIT / 2**20, color=GOAL, linewidth=1, label="goal, rows discarded")
        handles, labels = memory.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
        figure.suptitle(title, fontsize=11)
        _save(figure, target)
