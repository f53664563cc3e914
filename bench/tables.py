"""The figures as text and as plain data for JSON."""

from __future__ import annotations

from measure import Result
from pairs import Pairs
from scenarios import Scenario

HEAD = ("", "median s", "min s", "x floor", "x best peer", "per second", "peak MiB", "runs")


def _median_of(results: dict[str, Result], key: str) -> float | None:
    result = results.get(key)
    return result.median if result is not None and result.usable else None


def _best_peer(results: dict[str, Result], kind: str) -> float | None:
    peers = [
        result.median
        for result in results.values()
        if result.usable and result.contender.role == "peer" and result.contender.kind == kind
    ]
    return min(peers, default=None)


def _ratio(seconds: float, base: float | None) -> str:
    return f"{seconds / base:.2f}" if base else "-"


def _row(result: Result, scenario: Scenario, results: dict[str, Result]) -> tuple[str, ...]:
    contender = result.contender
    if contender.missing:
        return (contender.key, f"missing: {contender.missing}")
    if not result.usable:
        return (contender.key, result.problem or "not run")
    floor = _median_of(results, scenario.floors[contender.kind == "names"])
    return (
        contender.key,
        f"{result.median:.3f}",
        f"{result.fastest:.3f}",
        _ratio(result.median, floor),
        _ratio(result.median, _best_peer(results, contender.kind)),
        f"{result.entries / result.median:,.0f}",
        f"{result.peak_rss / 2**20:.0f}",
        str(len(result.runs)),
    )


def table(scenario: Scenario, results: dict[str, Result]) -> str:
    """The scenario's contenders; ratios are against those of the same kind, names or metadata."""
    rows = [HEAD, *(_row(result, scenario, results) for result in results.values())]
    full = [row for row in rows if len(row) == len(HEAD)]
    widths = [max(len(row[column]) for row in full) for column in range(len(HEAD))]
    widths[0] = max(len(row[0]) for row in rows)
    text = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        short = len(row) < len(HEAD)
        cells += (
            row[1:] if short else [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        )
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def equality(scenario: Scenario, results: dict[str, Result]) -> str:
    """Whether all that ran found the same, and in the same order where that is promised."""
    expected = scenario.shape.entries
    checked = [result for result in results.values() if result.entries >= 0]
    if isinstance(scenario.shape, Pairs):
        fine = sum(not result.problem for result in results.values() if result.entries >= 0)
        ran = sum(not result.contender.missing for result in results.values())
        return f"{fine} of {ran} contenders see one flipped byte, and find the whole the same"
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
    return "\n".join(text)


def threads_line(scenario: Scenario, results: dict[str, Result]) -> str:
    """How many threads our engine chose by itself; empty where it did not run."""
    result = results.get("ours: scan")
    chosen = [run.printed[4] for run in result.runs if len(run.printed) > 4] if result else []
    return f"{scenario.name}: ours: scan chose {', '.join(chosen)} threads" if chosen else ""


def as_data(results: dict[str, Result]) -> dict[str, object]:
    """For JSON."""
    return {
        key: {
            "command": result.contender.command,
            "version": result.contender.version,
            "missing": result.contender.missing,
            "problem": result.problem,
            "entries": result.entries,
            "checksum": result.checksum,
            "seconds": [run.seconds for run in result.runs],
            "peak_rss": [run.peak_rss for run in result.runs],
            "printed": [run.printed for run in result.runs],
        }
        for key, result in results.items()
    }
