"""Random trees, changed at random between two steps: each step is what os.walk's would be.

Of two equal trees one is walked by os.walk and the other by ours, a step at a time in turn, and
both suffer the same changes. Their file system has to list equal directories in equal order, for
the order to be compared: it does where the order is that of names or of creation.

``FILETREE_EXAMPLES`` is how many examples each property is tried on, ``FILETREE_GROUND`` a
directory of the file system to try them on.
"""

# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH112, PTH114, PTH116, PTH208, PTH211
# Both trees are told apart by the text in front of a path.

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
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

NAMES = ("a", "b", "c", "d", "e", "f.txt", "g g", "h\udcff", "ü", ".snapshot", "i\n", "-j")
MODES = (0o000, 0o300, 0o444, 0o555, 0o755)

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


# --- a tree, and what happens to it ----------------------------------------------------------


class Twins:
    """Two equal trees. What is done to one is done to the other, with the same outcome."""

    def __init__(self, ground: Path) -> None:
        serial = next(_serials)
        # A directory of its own for each: there is nothing else above either of them.
        self.holders = [ground / f"{letter}{serial:06d}" for letter in "ab"]
        for holder in self.holders:
            (holder / "top").mkdir(parents=True)
        self.tops = [str(holder / "top") for holder in self.holders]

    def __enter__(self) -> Twins:
        return self

    def __exit__(self, *_: object) -> None:
        for holder in self.holders:
            trees.remove_tree(holder)

    def do(self, what: Callable[..., object], *relative: str, **more: Any) -> bool:
        """Do something to both trees; say whether it could be done."""
        outcomes = []
        for top in self.tops:
            try:
                what(*(f"{top}/{path}" for path in relative), **more)
                outcomes.append(0)
            except OSError as error:
                outcomes.append(error.errno or -1)
        assert outcomes[0] == outcomes[1], f"the twins differ: {what} {relative} {outcomes}"
        return outcomes[0] == 0

    def link(self, at: str, to: str) -> bool:
        """A link that stays within its tree wherever it is moved, and seldom leads up."""
        if (to == "." or f"{at}/".startswith(f"{to}/")) and len(at) % 6:
            to = "nowhere"
        for top in self.tops:
            target = f"{top}/{to}" if to != "." else "."
            try:
                os.symlink(target, f"{top}/{at}")
            except OSError:
                return False
        return True

    def inventory(self) -> tuple[list[str], list[str]]:
        """Paths of directories, and of everything, below the top."""
        directories, everything = [], []
        todo = [""]
        while todo:
            above = todo.pop()
            with contextlib.suppress(PermissionError), os.scandir(f"{self.tops[0]}/{above}") as at:
                for entry in sorted(at, key=lambda entry: os.fsencode(entry.name)):
                    path = f"{above}/{entry.name}" if above else entry.name
                    everything.append(path)
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(path)
                        todo.append(path)
        return directories, everything

    def listings(self) -> list[list[Any]]:
        return [
            [(path.removeprefix(top), *names) for path, *names in os.walk(top)] for top in self.tops
        ]


_serials = itertools.count()


def touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def swap(one: str, other: str) -> None:
    aside = one + ".aside"
    os.rename(one, aside)
    try:
        os.rename(other, one)
    except OSError:
        os.rename(aside, one)
        raise
    os.rename(aside, other)


def make_and_remove(path: str) -> None:
    os.mkdir(path)
    os.rmdir(path)


def touch_and_restore_times(path: str, name: str) -> None:
    """Change a directory and give it its modification time back."""
    status = os.stat(path)
    touch(f"{path}/{name}")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def plant(twins: Twins, folder: list[tuple[int, int, int, int]]) -> None:
    """Fill both trees with equal things."""
    directories = [""]
    for kind, where, name, to in folder:
        above = directories[where % len(directories)]
        path = f"{above}/{NAMES[name % len(NAMES)]}".lstrip("/")
        if kind < 7:
            if twins.do(os.mkdir, path):
                directories.append(path)
        elif kind < 9:
            twins.do(touch, path)
        elif kind < 11:
            twins.link(path, directories[to % len(directories)] or ".")
        else:
            twins.link(path, "nowhere")


# --- what changes it between two steps -------------------------------------------------------


class Text(str):
    """A name that is no plain ``str``."""


class Meddler:
    """Changes both trees, and the lists that both walks gave out."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.visited: set[str] = set()
        self.given: list[tuple[list[Any], list[Any]]] = []  # dirnames
        self.path = twins.tops[0]

    def see(self, reference: Step, ours: Step) -> None:
        self.path = reference[0]
        self.visited.add(os.path.relpath(self.path, self.twins.tops[0]))
        self.given.append((reference[1], ours[1]))

    def change(self, kind: int, a: int, b: int, c: int) -> str:
        """Do something; say what."""
        done = self.change_tree(kind, a, b, c) if kind < 72 else self.change_names(kind, a, b, c)
        return done or "nothing"

    def change_tree(self, kind: int, a: int, b: int, c: int) -> str | None:
        twins = self.twins
        directories, everything = twins.inventory()
        name = NAMES[c % len(NAMES)]
        one = self.pick(directories, a)
        other = self.pick(directories, b)
        anything = self.pick(everything, a)
        inside = f"{one}/{NAMES[b % len(NAMES)]}" if one else NAMES[b % len(NAMES)]
        aside = f"{other}/{name}" if other else name
        what = kind // 4
        if what == 0:
            return "mkdir" if twins.do(os.mkdir, inside) else None
        if what == 1:
            return "create" if twins.do(touch, inside) else None
        if what == 2:
            return "link" if twins.link(inside, other or "nowhere") else None
        if what == 3:
            return "remove" if anything and twins.do(remove, anything) else None
        if what in (4, 5):
            return "rename" if anything and twins.do(os.rename, anything, aside) else None
        if what == 6:
            return "swap" if one and other and twins.do(swap, one, other) else None
        if what in (7, 8, 9):
            to = ("nowhere", other or "nowhere", aside)[what - 7]
            if one and twins.do(os.rename, one, aside):
                return "directory to link" if twins.link(one, to) else "rename"
        elif what in (10, 11):
            if one and twins.do(remove, one):
                if what == 11:
                    return "directory to file" if twins.do(touch, one) else "remove"
                return "directory to link" if twins.link(one, other or ".") else "remove"
        elif what == 12:
            links = [path for path in everything if os.path.islink(f"{twins.tops[0]}/{path}")]
            link = self.pick(links, a)
            if link and twins.do(os.unlink, link):
                return "retarget" if twins.link(link, other or "nowhere") else "remove"
        elif what == 13:
            return "chmod" if one and twins.do(os.chmod, one, mode=MODES[b % 5]) else None
        elif what == 14:
            return "mkdir and rmdir" if twins.do(make_and_remove, inside) else None
        elif what == 15:
            hidden = one and twins.do(touch_and_restore_times, one, name=name)
            return "restored mtime" if hidden else None
        elif what == 16:
            return (
                "new inode" if one and twins.do(remove, one) and twins.do(os.mkdir, one) else None
            )
        else:
            emptied = other and twins.do(os.rename, other, f"{one}/{name}" if one else name)
            return "moved in" if emptied else None
        return None

    def pick(self, paths: list[str], which: int) -> str:
        """Mostly something that is still to come."""
        ahead = [path for path in paths if path not in self.visited]
        chosen = ahead if ahead and which % 4 else paths
        return chosen[which // 4 % len(chosen)] if chosen else ""

    def change_names(self, kind: int, a: int, b: int, c: int) -> str | None:
        # Mostly of the last step; of an earlier one they still count, if it has children to come.
        names = self.given[-1 if a % 4 else a // 4 % len(self.given)]
        size = len(names[0])
        at = b % (size + 1)
        what = (kind - 72) // 4
        if what in (0, 1):
            extra = [self.name(c, top) for top in self.twins.tops]
            for list_, name in zip(names, extra, strict=True):
                list_.insert(at, name)
            return "insert"
        if what == 2:
            return self.each(names, lambda list_: list_.clear(), "clear")
        if what == 3:
            return self.each(names, lambda list_: list_.reverse(), "reverse")
        if what == 4:
            return self.each(names, lambda list_: list_.sort(key=str), "sort")
        if what == 5:
            return self.each(names, lambda list_: list_.extend(list_[at:]), "duplicate")
        if what == 6:
            others = (None, 7, b"bytes", "null\0", "\ud800", "")
            if kind % 4 == 0:
                odd = others[c % 6]
                return self.each(names, lambda list_: list_.insert(at, odd), "odd name")
            return self.each(names, lambda list_: list_.extend(map(Text, NAMES)), "subclass")
        if size == 0:
            return None
        at = b % size
        if what in (7, 8, 9):
            return self.each(names, lambda list_: list_.pop(at), "leave out")
        if what == 10:
            extra = [self.name(c, top) for top in self.twins.tops]
            for list_, name in zip(names, extra, strict=True):
                list_[at] = name
            return "replace"
        if what == 11:
            return self.each(names, lambda list_: list_.append(list_.pop(at)), "put off")
        return self.each(names, lambda list_: list_.insert(0, list_.pop(at)), "bring forward")

    @staticmethod
    def each(
        names: tuple[list[Any], list[Any]], edit: Callable[[list[Any]], object], what: str
    ) -> str:
        for list_ in names:
            edit(list_)
        return f"dirnames: {what}"

    def name(self, which: int, top: str) -> str:
        """A name to enter: of something in the directory, somewhere else, or nowhere."""
        directories, everything = self.twins.inventory()
        kind, which = which % 6, which // 6
        if kind == 0:
            return NAMES[which % len(NAMES)]
        if kind == 1:
            return f"{top}/{directories[which % len(directories)]}" if directories else top
        if kind == 2:
            inside = os.path.realpath(self.path).startswith(self.twins.tops[0])
            return (".." if inside else ".") + "/" * (which % 2)
        if kind == 3:
            return everything[which % len(everything)] if everything else "."
        if kind == 4:
            return f"{NAMES[which % len(NAMES)]}/{NAMES[which // 2 % len(NAMES)]}"
        return ("nowhere", "/nowhere/at/all", "f.txt/", "x" * 256, "a//b", "./c")[which % 6]


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
