"""Random trees, changed at random between two steps: each step is what os.walk's would be.

Of two equal trees one is walked by os.walk and the other by ours, a step at a time in turn, and
both suffer the same changes. Their file system has to list equal directories in equal order, for
the order to be compared: it does where the order is that of names or of creation.

``FILETREE_EXAMPLES`` is how many examples each property is tried on, ``FILETREE_GROUND`` a
directory of the file system to try them on.
"""

# ruff: noqa: PTH208
# Both trees are told apart by the text in front of a path.

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import restricted
import trees
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from twins import Meddler, Twins, plant
from walks import AGE, Walk, settled

EXAMPLES = int(os.environ.get("FILETREE_EXAMPLES", "300"))
MOST_STEPS = 150
# Of more than 20 links in a path, the kernel may say ELOOP when anything is mounted meanwhile.
DEEPEST = 12
RANDOM_TREES = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

Step = tuple[Any, ...]
number = st.integers(0, 63)

folders = st.lists(st.tuples(st.integers(0, 11), number, number, number), min_size=16, max_size=40)
changes = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 123), number, number, number),
    min_size=4,
    max_size=20,
)


@dataclass
class Tally:
    """What has been tried in this run."""

    examples: int = 0
    steps: int = 0
    errors: int = 0
    raised: int = 0
    cut_short: int = 0
    applied: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


TALLY = Tally()


# --- the two walks ---------------------------------------------------------------------------


class WithoutSnapshots:
    """What os.scandir finds, without directories named ``.snapshot``."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.entries.close()

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        entry = next(self.entries)
        while entry.name == ".snapshot" and self.is_directory(entry):
            entry = next(self.entries)
        return entry

    @staticmethod
    def is_directory(entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:
            return False


@contextlib.contextmanager
def snapshots_ignored() -> Iterator[None]:
    """Let os.walk find no snapshots: to filter its steps would take for ever where links loop."""
    scandir = os.scandir
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", lambda path: WithoutSnapshots(scandir(path)))
        yield


class Stepper:
    """A walk, a step at a time; its steps do not tell which of the twins it walks."""

    def __init__(
        self,
        top: str,
        begin: Callable[[Callable[[OSError], None]], Walk],
        around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self.top = top
        self.around = around
        self.told: list[Step] = []
        self.walk = begin(self.tell)

    def tell(self, error: OSError) -> None:
        assert type(error) in (OSError, *OSError.__subclasses__())
        self.told.append(("told", error.errno, type(error), self.neutral(error.filename)))

    def neutral(self, name: Any) -> Any:
        """Type and value, whichever twin it is about."""
        return type(name), name.replace(self.top, "TOP") if isinstance(name, str) else name

    def next(self) -> tuple[Step | None, list[Step]]:
        """The next step, as given; what is to be compared of it."""
        self.told = []
        try:
            with self.around():
                step = next(self.walk, None)
        except Exception as error:
            assert next(self.walk, None) is None
            return None, [*self.told, ("raised", type(error))]
        if step is None:
            return None, [*self.told, ("ended",)]
        path, directories, files = step
        neutral = [self.neutral(path), *(list(map(self.neutral, x)) for x in (directories, files))]
        return step, [*self.told, ("step", *neutral)]


def compare(
    ground: Path,
    folder: list[tuple[int, int, int, int]],
    script: list[tuple[int, int, int, int, int]],
    *,
    topdown: bool,
    followlinks: bool,
    ignore_snapshots: bool,
    max_threads: int,
    window_directories: int,
    patience: int,
    aged: bool,
) -> None:
    with Twins(ground) as twins, restricted.ordinary_thread():
        plant(twins, folder)
        if aged:
            time.sleep(AGE)
        cores = []

        def begin(onerror: Callable[[OSError], None]) -> Walk:
            core, walk = settled(
                twins.tops[1],
                topdown,
                onerror,
                followlinks,
                max_threads,
                ignore_snapshots,
                window_directories,
            )
            cores.append(core)
            return walk

        theirs = Stepper(
            twins.tops[0],
            lambda onerror: os.walk(twins.tops[0], topdown, onerror, followlinks),
            snapshots_ignored if ignore_snapshots else contextlib.nullcontext,
        )
        ours = Stepper(twins.tops[1], begin)
        (core,) = cores
        meddler = Meddler(twins)
        pending = iter(script)
        change = next(pending, None)
        pause = change[0] if change else 0
        counts: Counter[str] = Counter()
        log: list[str] = []
        steps = 0
        depth = twins.tops[0].count("/")
        while True:
            expected, expected_facts = theirs.next()
            found, facts = ours.next()
            if facts != expected_facts:
                reference_, ours_ = twins.listings()
                same = "equal" if reference_ == ours_ else "NOT EQUAL: no fault of the walk"
                raise AssertionError(
                    f"step {steps} is {facts}\n instead of {expected_facts}\n"
                    f" after {log}; the twins are {same}"
                )
            TALLY.errors += sum(fact[0] == "told" for fact in facts)
            TALLY.raised += facts[-1][0] == "raised"
            if expected is None or found is None:
                break
            steps += 1
            circling = followlinks and str(expected[0]).count("/") - depth > DEEPEST
            if steps == MOST_STEPS or circling:
                TALLY.cut_short += 1
                event("cut short: links lead in circles")
                break
            counts = Counter(core.counts)
            meddler.see(expected, found)
            if patience & 1 << steps % 6:
                assert core.wait_idle(30)
            while change is not None and pause == 0:
                done = meddler.change(*change[1:])
                log.append(f"{steps}: {done} {change[1:]}")
                TALLY.applied[done] += 1
                if change[4] % 16 == 0:  # what has changed may be listed ahead, and be valid
                    time.sleep(AGE)
                change = next(pending, None)
                pause = change[0] if change else 0
            pause -= 1
        core.close()
        TALLY.examples += 1
        TALLY.steps += steps
        TALLY.counts.update({key: counts[key] for key in ("reused", "reread", "direct")})


# --- the properties --------------------------------------------------------------------------


def orders_agree(at: Path) -> bool:
    """Whether two directories that came about in the same way are listed in the same order."""
    for letter in "ab":
        for number_ in range(200):
            (at / letter / f"{number_ * 7919 % 200}").mkdir(parents=True)
        for number_ in range(0, 200, 3):
            (at / letter / f"{number_}").rename(at / letter / f"renamed{number_}")
    return os.listdir(at / "a") == os.listdir(at / "b")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory the examples share, each in one of its own; in memory, which is quicker."""
    memory = Path("/dev/shm")
    wanted = os.environ.get("FILETREE_GROUND") or (os.access(memory, os.W_OK) and memory)
    place = Path(tempfile.mkdtemp(dir=wanted)) if wanted else tmp_path_factory.mktemp("twins")
    try:
        (place / "probe").mkdir()
        if not orders_agree(place / "probe"):
            pytest.skip(f"{place} lists equal directories in different orders: no twins there")
        yield place
    finally:
        trees.remove_tree(place)


walks = {
    "folder": folders,
    "script": changes,
    "followlinks": st.booleans(),
    "ignore_snapshots": st.booleans(),
    "max_threads": st.sampled_from([1, 0, 4, 4, 4]),
    "window_directories": st.sampled_from([0, 0, 1, 2, 5]),
    "patience": st.sampled_from([63, 63, 63, 0, 21, 11]),
    # Else whatever happens may bear the same time as what has happened before.
    "aged": st.sampled_from([True, True, True, False]),
}


@RANDOM_TREES
@given(**walks)
def test_top_down_any_changes_are_seen_as_os_walk_sees_them(ground: Path, **options: Any) -> None:
    compare(ground, topdown=True, **options)


@RANDOM_TREES
@given(**walks)
def test_bottom_up_any_changes_are_seen_as_os_walk_sees_them(ground: Path, **options: Any) -> None:
    compare(ground, topdown=False, **options)


def test_the_properties_were_tried_on_what_they_are_about() -> None:
    if TALLY.examples == 0:
        pytest.skip("none of the tests above was selected")
    print(TALLY)  # shown if anything is missing, and by pytest -s
    assert TALLY.counts["reused"] > TALLY.examples
    assert TALLY.counts["reread"] > TALLY.examples // 4
    assert TALLY.errors > 0
    assert TALLY.applied["nothing"] < TALLY.applied.total() // 2
    assert len(TALLY.applied) > 20
    assert TALLY.cut_short < TALLY.examples // 2
