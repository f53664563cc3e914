"""What is measured: trees, and who runs on them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pairs
import trees
import web
from figures import Kind, Scene
from pairs import Pairs
from trees import Shape


@dataclass(frozen=True)
class Scenario:
    """Contenders on one tree. ``floors`` are what ratios refer to: metadata, names."""

    name: str
    title: str
    measures: str
    group: str
    shape: Shape | Pairs
    contenders: tuple[str, ...]
    floors: tuple[str, str] = ("floor, cores", "floor, names, cores")
    delay_us: int = 0  # above 0: served by latencyfs
    attr_timeout: float = 0.0
    cold: bool = False
    shared: bool = False  # owned and permitted so that a repair finds nothing to do
    computed: bool = False  # by the contender itself, which is told the number of files
    rounds: int | None = None  # None: as the command line says

    def unmeasured(self, rounds: int) -> Scene:
        """What can be recorded beforehand."""
        metadata, names = self.floors
        floors: dict[Kind, str] = {"names": names, "metadata": metadata, "content": metadata}
        size = self.shape.entries
        rounds = self.rounds or rounds
        return Scene(self.title, self.measures, self.group, size, self.unit, floors, rounds)

    @property
    def unit(self) -> str:
        """What is counted."""
        if isinstance(self.shape, Pairs):
            return self.shape.unit
        return "files" if self.computed else "entries"

    def unavailable(self) -> str:
        """Why it cannot run here, or nothing."""
        if os.geteuid() == 0:
            return ""
        if self.cold:
            return "only root can drop the caches"
        return "only root can repair" if self.shared else ""

    def before_each(self) -> None:
        """Prepare one run."""
        if self.cold:
            trees.drop_caches()
        if self.attr_timeout:
            time.sleep(self.attr_timeout + 0.1)  # else one contender lives on another's cache

    def tree(self, work: Path, programs: Path) -> AbstractContextManager[Path]:
        """The tree, for as long as it is needed; of a computed one, the number of files."""
        if isinstance(self.shape, Pairs):
            return self._pairs(self.shape, work)
        if self.computed:
            return nullcontext(Path(str(self.shape.files)))
        if self.delay_us:
            return trees.with_latency(self.shape, work, programs, self.delay_us, self.attr_timeout)
        return trees.on_disk(self.shape, work, programs, self.shared)

    @staticmethod
    @contextmanager
    def _pairs(shape: Pairs, work: Path) -> Iterator[Path]:
        serving = web.serving([work]) if shape.form == "urls" else nullcontext()
        with serving, pairs.made(shape, work) as target:
            yield target


# What a goal is set for; the others show what the goals leave out.
WITH_GOALS = frozenset(
    (
        *("warm", "latency", "latency-huge", "latency-cached", "walk-mock", "memory"),
        *("compare-file", "compare-tree", "compare-many-pairs", "compare-urls"),
    )
)

_NAMES = ("find, names", "bfs, names", "fd, names")
_WALKS = ("os.walk", "scandir-rs", "ours: walk()", "ours: walk(max_threads=1)")
_BOTH_ORDERS = (*_WALKS, "os.walk, bottom-up", "ours: walk(), bottom-up")
_STATS = ("find, stat", "bfs, stat", "du", "gdu", "os.walk + lstat", "pwalk 3.0, CSV")
_OURS = ("ours: scan", "ours: scan, CSV encoded", "ours: CSV", "ours: Parquet")
_WIDE = ("floor, cores", "floor, 16", "floor, 64")
_SLOW_FS = (
    "floor, names, 64",
    *_WIDE,
    "floor, 64, cached",
    "fd -j64, names",
    "find, stat",
    "bfs, stat",
    "bfs -j64, stat",
    "os.walk + lstat",
    "pwalk 3.0, CSV",
    "ours: scan",
    "ours: scan, cached",
    "ours: Parquet",
)
_AT_64 = ("floor, 64", "floor, names, 64")
_MEMORY = ("ours: scan", "ours: CSV", "ours: Parquet")
_MOCKS = ("ours: walk_mock()", "ours: walk_mock(max_threads=1)", "ours: walk_mock(), bottom-up")

_LOOPS = ("C loop", "Go loop", "Rust loop")
_COMPARERS = {
    "file": ("floor, 2", "cmp", "diff -q", "filecmp", *_LOOPS, "ours: compare()", "ours: komparu"),
    "tree": (
        *("floor, 2", "diff -rq", "rsync -rnc", "git diff --no-index", "filecmp.dircmp"),
        *(*_LOOPS, "ours: compare_dir()", "ours: komparu"),
    ),
    "list": (
        *("floor, 2, list", "filecmp, list", *(f"{loop}, list" for loop in _LOOPS)),
        *("ours: compare_dir()", "ours: compare() each", "ours: aio.compare() gathered"),
    ),
    "urls": (
        *("floor, 32 connections", "http.client, one at a time"),
        *("ours: compare_dir_urls()", "ours: aio.compare() gathered"),
    ),
}


def _comparisons(size: int) -> Iterator[Scenario]:
    for name, title, measures, compared in (
        (
            "compare-file",
            "two large files",
            "komparu on large files",
            Pairs("file", 1, 2**30 // size),
        ),
        (
            "compare-tree",
            "two trees",
            "komparu on trees",
            Pairs("tree", 57_300 // size, 800_000_000 // size, 5_000 // size),
        ),
        (
            "compare-many-pairs",
            "pairs of 100 KB",
            "The cost of a call",
            Pairs("list", 1_000 // size, 100_000_000 // size),
        ),
        (
            "compare-urls",
            "URLs of 4 KB, 20 ms away",
            "Many transfers at once",
            Pairs("urls", 1_000 // size, 4_096_000 // size),
        ),
    ):
        keys = _COMPARERS[compared.form]
        floors = (keys[0], keys[0])
        yield Scenario(name, title, measures, "compare", compared, keys, floors)


def all_scenarios(quick: bool) -> list[Scenario]:
    """Every scenario, in the order they run; ``quick`` takes trees a tenth of the size."""
    size = 10 if quick else 1
    many = Shape(20_000 // size, 50)
    slow = Shape(400 // size, 50)
    huge = Shape(0, 20_000 // size)
    million = Shape(0, 1_000_000 // size)
    five = Shape(100_000 // size, 49)
    chain = Shape(1_000 // size, 5, chain=True)
    mock = Shape(0, 10_000_000 // size)
    floors = ("floor, names, cores", "floor, 1", *_WIDE)
    return [
        Scenario(
            "warm",
            "many directories, warm cache",
            "The cost of system calls and of our own code",
            "disk",
            many,
            (*floors, *_NAMES, *_BOTH_ORDERS, *_STATS, *_OURS),
        ),
        Scenario(
            "cold",
            "many directories, caches dropped before each run",
            "Waiting for a local disk",
            "disk",
            many,
            (
                *("floor, names, cores", "floor, names, 64", *_WIDE),
                *(*_NAMES, *_BOTH_ORDERS, *_STATS, "ours: scan", "ours: Parquet"),
            ),
            cold=True,
        ),
        Scenario(
            "million",
            "one huge directory, warm cache",
            "Parallelism inside a directory",
            "disk",
            million,
            ("floor, names, cores", *_WIDE, *_NAMES, *_WALKS, *_STATS, *_OURS),
        ),
        Scenario(
            "chain",
            "one deep chain of directories, warm cache",
            "Depth: one directory at a time is known",
            "disk",
            chain,
            ("floor, names, cores", "floor, cores", *_NAMES, *_BOTH_ORDERS, "ours: scan"),
        ),
        Scenario(
            "latency",
            "1 ms per operation, no attribute caching",
            "A network file system",
            "latency",
            slow,
            (*_SLOW_FS, *_BOTH_ORDERS),
            _AT_64,
            delay_us=1000,
        ),
        Scenario(
            "latency-huge",
            "one huge directory, 1 ms per operation, no attribute caching",
            "A network file system, and parallelism inside a directory",
            "latency",
            huge,
            _SLOW_FS,
            _AT_64,
            delay_us=1000,
        ),
        Scenario(
            "latency-cached",
            "1 ms per operation, attributes cached for 3 s",
            "What NFS allows a repeated question",
            "latency",
            slow,
            ("floor, names, 64", "floor, 64", *_BOTH_ORDERS, "ours: scan"),
            _AT_64,
            delay_us=1000,
            attr_timeout=3.0,
        ),
        Scenario(
            "repair",
            "nothing to repair, warm cache",
            "`pwalk repair` beside chmod -R and chgrp -R",
            "repair",
            many,
            ("floor, cores", "chmod -R g+rX", "chgrp -R", "ours: repair", "ours: repair, dry run"),
            shared=True,
        ),
        Scenario(
            "walk-mock",
            "a computed tree through walk_mock()",
            "`walk()` without a file system: time and peak memory",
            "memory",
            mock,
            _MOCKS,
            computed=True,
        ),
        Scenario(
            "memory",
            "peak memory, the warm tree",
            "Peak memory",
            "memory",
            many,
            _MEMORY,
            rounds=1,
        ),
        Scenario(
            "memory-5",
            "peak memory, five times as many",
            "Whether memory grows with the tree",
            "memory",
            five,
            _MEMORY,
            rounds=1,
        ),
        *_comparisons(size),
    ]
