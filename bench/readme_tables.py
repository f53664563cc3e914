"""The short tables that README.md shows, from a record; what was not measured is ``-``."""

from __future__ import annotations

from dataclasses import dataclass

from figures import Record
from goals import CONTESTS
from markdown import cell, table


@dataclass(frozen=True)
class Excerpt:
    """One contender a row; of each scenario its seconds, and its ratio to ``base`` where given."""

    title: str
    scenarios: tuple[tuple[str, str], ...]  # name, heading
    keys: tuple[str, ...]
    base: str = ""


_WARM = (
    *("floor, cores", "ours: scan", "ours: CSV", "ours: Parquet"),
    *("du", "gdu", "find, stat", "bfs, stat", "os.walk + lstat"),
)
_SLOW = (
    *("floor, 64", "ours: scan", "ours: Parquet", "floor, cores"),
    *("bfs, stat", "find, stat", "os.walk + lstat"),
)
_WALKS = (
    *("ours: walk()", "ours: walk(), bottom-up"),
    *("os.walk", "os.walk, bottom-up", "scandir-rs"),
)
_REPAIR = ("floor, cores", "ours: repair, dry run", "ours: repair", "chgrp -R", "chmod -R g+rX")

EXCERPTS = (
    Excerpt("{size} entries, warm cache", (("warm", "s"),), _WARM, "floor, cores"),
    Excerpt(
        "FUSE, 1 ms per operation, no attribute caching",
        (("latency", "400 directories x 50 files"), ("latency-huge", "one directory of 20,000")),
        _SLOW,
    ),
    Excerpt("`pwalk.walk`, {size} entries, warm cache", (("warm", "s"),), _WALKS, "os.walk"),
    Excerpt(
        "FUSE, attributes cached for 3 s, 400 x 50", (("latency-cached", "s"),), _WALKS, "os.walk"
    ),
    Excerpt(
        "{size} entries that need no repair, warm cache",
        (("repair", "s"),),
        _REPAIR,
        "floor, cores",
    ),
)


def _of_contests(record: Record) -> tuple[Excerpt, ...]:
    """All that was measured beside the peer that a goal refers to."""
    return tuple(
        Excerpt(
            record.scenes[contest.scenario].title,
            ((contest.scenario, "s"),),
            tuple(record.scenes[contest.scenario].contenders),
            contest.peer,
        )
        for contest in CONTESTS
        if contest.scenario in record.scenes
    )


def _seconds(record: Record, scenario: str, key: str) -> float | None:
    scene = record.scenes.get(scenario)
    found = scene.usable.get(key) if scene else None
    return found.median if found else None


def _row(record: Record, excerpt: Excerpt, key: str) -> list[str]:
    measured = [_seconds(record, scenario, key) for scenario, _ in excerpt.scenarios]
    cells = ["-" if seconds is None else f"{seconds:.3g}" for seconds in measured]
    if excerpt.base:
        base = _seconds(record, excerpt.scenarios[0][0], excerpt.base)
        cells.append(f"{measured[0] / base:.2f}" if measured[0] and base else "-")
    if key.startswith("ours"):
        return [f"**{cell(text)}**" for text in (key, *cells)]
    return [cell(key), *cells]


def _excerpt(record: Record, excerpt: Excerpt) -> str:
    scene = record.scenes.get(excerpt.scenarios[0][0])
    title = excerpt.title.format(size=f"{scene.size:,}" if scene else "-")
    head = [title, *(heading for _, heading in excerpt.scenarios)]
    if excerpt.base:
        head.append(f"x {excerpt.base}")
    return table(head, [_row(record, excerpt, key) for key in excerpt.keys], right=1)


def all_tables(record: Record) -> str:
    """Every table, in the order of README.md."""
    excerpts = (*EXCERPTS, *_of_contests(record))
    return "\n\n".join(_excerpt(record, excerpt) for excerpt in excerpts)
