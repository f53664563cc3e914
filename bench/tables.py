"""The figures as text, and what the check of all contenders showed."""

from __future__ import annotations

from figures import Figures, Scene
from measure import Result
from pairs import Pairs
from scenarios import Scenario

HEAD = (
    *("", "median s", "min s", "max s", "x floor", "x best peer", "per second"),
    *("CPU s", "peak MiB", "runs"),
)


def ratio(seconds: float, base: float | None) -> str:
    """For a table."""
    return f"{seconds / base:.2f}" if base else "-"


def row(key: str, found: Figures, scene: Scene) -> tuple[str, ...]:
    """One contender's figures under :data:`HEAD`, or in a single cell why there are none."""
    if found.missing:
        return (key, f"missing: {found.missing}")
    if not found.usable:
        return (key, found.problem or "not run")
    return (
        key,
        f"{found.median:.3f}",
        f"{found.least:.3f}",
        f"{found.most:.3f}",
        ratio(found.median, scene.floor(found.kind)),
        ratio(found.median, scene.best_peer(found.kind)),
        f"{found.entries / found.median:,.0f}",
        f"{found.cpu:.2f}",
        f"{found.peak_rss / 2**20:.0f}",
        str(len(found.runs)),
    )


def table(scene: Scene) -> str:
    """The scenario's contenders; ratios are against those of the same kind, names or metadata."""
    rows = [HEAD, *(row(key, found, scene) for key, found in scene.contenders.items())]
    full = [cells for cells in rows if len(cells) == len(HEAD)]
    widths = [max(len(cells[column]) for cells in full) for column in range(len(HEAD))]
    widths[0] = max(len(cells[0]) for cells in rows)
    text = []
    for first, *others in rows:
        if len(others) == len(HEAD) - 1:
            others = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        text.append("  ".join([first.ljust(widths[0]), *others]).rstrip())
    return "\n".join(text)


def equality(scenario: Scenario, results: dict[str, Result]) -> list[str]:
    """Whether all that ran found the same, and in the same order where that is promised."""
    expected = scenario.shape.entries
    checked = [result for result in results.values() if result.entries >= 0]
    if isinstance(scenario.shape, Pairs):
        fine = sum(not result.problem for result in checked)
        ran = sum(not result.contender.missing for result in results.values())
        return [f"{fine} of {ran} contenders see one flipped byte, and find the whole the same"]
    same = sum(result.entries == expected for result in checked)
    text = [f"{same} of {len(checked)} contenders found the same {expected:,} {scenario.unit}"]
    models = {result.contender.same_as for result in checked if result.checksum}
    for model in sorted(models & results.keys()):
        expected_sum = results[model].checksum
        others = [
            result
            for key, result in results.items()
            if key != model and result.contender.same_as == model and result.checksum
        ]
        if expected_sum and others:
            same = sum(result.checksum == expected_sum for result in others)
            text.append(f"{same} of {len(others)} yield the very same in the order of {model}")
    return text


def threads_line(name: str, scene: Scene) -> str:
    """How many threads our engine chose by itself; empty where it did not run."""
    found = scene.usable.get("ours: scan")
    chosen = found.threads if found else []
    return f"{name}: ours: scan chose {', '.join(chosen)} threads" if chosen else ""
