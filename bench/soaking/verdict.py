"""Is what was sampled at rest flat?

Descriptors and threads have to be the same at the first rest after the warm-up and at the last one.
Memory may not be much more in the last quarter than in the second one: neither what is resident nor
what malloc has handed out, which shows a leak earlier. Trends are the median of the slopes between
all pairs of rests (Theil and Sen's), which a few odd ones do not change.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations
from typing import Any

WARM_UP = 0.1  # of the time
# KiB by which memory may grow, or 5 %, whatever is more.
GROWTH = {"rss": 8 << 10, "malloc_used": 2 << 10}
GROWTH_SHARE = 0.05
# Fewer rests say nothing about memory, which grows as everything is used for the first time.
_ENOUGH = 12

Rest = dict[str, Any]


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the median slope of all pairs of points."""
    pairs = combinations(zip(xs, ys, strict=True), 2)
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs if x1 != x2)


def judge(rests: Sequence[Rest], seconds: float) -> dict[str, Any]:
    """Return what was found, and under ``complaints`` what is not flat."""
    warm = [rest for rest in rests if rest["time"] >= WARM_UP * seconds]
    if len(warm) < 2:
        return {"complaints": ["the time was too short for two rests after the warm-up"]}
    found: dict[str, Any] = {"rests": len(rests), "complaints": []}
    for name in ("descriptors", "threads"):
        values = [rest[name] for rest in warm]
        at = {"begin": values[0], "end": values[-1], "least": min(values), "most": max(values)}
        found[name] = at
        if at["begin"] != at["end"]:
            found["complaints"].append(f"{name} at rest: {at['begin']}, in the end {at['end']}")
    if len(warm) >= _ENOUGH:
        _judge_memory(warm, seconds, found)
    return found


def _judge_memory(warm: Sequence[Rest], seconds: float, found: dict[str, Any]) -> None:
    hours = [rest["time"] / 3600 for rest in warm]
    thousands = [rest["operations"] / 1000 for rest in warm]
    found["trends"] = {
        name: {
            "kib_per_hour": round(slope(hours, [rest[name] for rest in warm])),
            "kib_per_1000_operations": round(slope(thousands, [rest[name] for rest in warm]), 1),
        }
        for name in ("rss", "anonymous", "malloc_used", "malloc_held", "arrow")
        if name in warm[0]
    }
    found["python_objects"] = {"begin": warm[0]["objects"], "end": warm[-1]["objects"]}
    for name in [name for name in GROWTH if name in warm[0]]:
        before = _median(warm, name, 0.25 * seconds, 0.5 * seconds)
        after = _median(warm, name, 0.75 * seconds, float("inf"))
        found[name] = {"second_quarter_kib": before, "last_quarter_kib": after}
        if after - before > max(GROWTH[name], GROWTH_SHARE * before):
            found["complaints"].append(
                f"{name} at rest: {before:,.0f} KiB in the second quarter, {after:,.0f} in the last"
            )


def _median(rests: Sequence[Rest], name: str, begin: float, end: float) -> float:
    return float(statistics.median(rest[name] for rest in rests if begin <= rest["time"] < end))
