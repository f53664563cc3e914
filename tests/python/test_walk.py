"""pwalk.walk() beside os.walk: content, order, errors, and what happens to bad arguments."""

# ruff: noqa: PTH118
# os.walk is the measure here, and os.path what its callers use.

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pwalk
import pytest
import restricted
import support
import trees
import walks

BOTH_ORDERS = pytest.mark.parametrize("topdown", [True, False], ids=["top-down", "bottom-up"])
Steps = list[walks.Step]
Told = list[tuple[type[OSError], int | None, str, Any, str]]


class Errors(list[Any]):
    """An ``onerror`` that keeps what there is to know of an error."""

    def __call__(self, error: OSError) -> None:
        assert error.filename2 is None
        self.append((type(error), error.errno, error.strerror, error.filename, str(error)))


def of_os(top: Any, **options: Any) -> tuple[Steps, Errors]:
    told = Errors()
    return list(os.walk(top, onerror=told, **options)), told


def of_pwalk(top: Any, **options: Any) -> tuple[Steps, Errors]:
    told = Errors()
    return list(pwalk.walk(top, onerror=told, ignore_snapshots=False, **options)), told


def difference(ours: Steps, theirs: Steps) -> object:
    """The first step that differs; pytest would compare, and print, all of them."""
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other or any(type(a) is not type(b) for a, b in zip(one, other, strict=True)):
            return number, one, other
    return None if len(ours) == len(theirs) else (len(ours), len(theirs))


def assert_same(top: Any, **options: Any) -> Steps:
    """Walk ``top``, which nobody changes, both ways."""
    threads = {"max_threads": options.pop("max_threads")} if "max_threads" in options else {}
    theirs, their_errors = of_os(top, **options)
    ours, errors = of_pwalk(top, **options, **threads)
    assert difference(ours, theirs) is None
    assert errors == their_errors
    return ours


def assert_same_in_circles(top: Any, **options: Any) -> Steps:
    """As :func:`assert_same`, for paths with more than 20 links in them.

    When anything is mounted meanwhile, by another test for instance, the kernel begins anew with
    some path, does not forget the links that it has counted, and says ELOOP: to os.walk, too.
    """
    for _ in range(5):
        with contextlib.suppress(AssertionError):
            return assert_same(top, **options)
    return assert_same(top, **options)


def assert_same_when_quiet(top: Any, **options: Any) -> Steps:
    """Walk ``top``, which the system may change; try again if it did."""
    for _ in range(5):
        before = of_os(top, **options)
        ours = of_pwalk(top, **options)
        if difference(before[0], of_os(top, **options)[0]) is None:
            assert difference(ours[0], before[0]) is None
            assert ours[1] == before[1]
            return ours[0]
    pytest.skip(f"{top} is changing all the time")


# --- whole trees -----------------------------------------------------------------------------


@BOTH_ORDERS
@pytest.mark.slow
def test_usr(topdown: bool) -> None:
    steps = assert_same_when_quiet("/usr", topdown=topdown)
    assert len(steps) > 100


@BOTH_ORDERS
@pytest.mark.parametrize("threads", [None, 1, 2, 64, 2**32 - 1])
def test_the_standard_library_whatever_the_threads(threads: int | None, topdown: bool) -> None:
    top = sysconfig.get_path("stdlib")
    theirs = list(os.walk(top, topdown))
    assert difference(list(pwalk.walk(top, topdown, max_threads=threads)), theirs) is None


@BOTH_ORDERS
@pytest.mark.parametrize("as_bytes", [False, True], ids=["str", "bytes"])
@pytest.mark.parametrize("ordinary", [False, True], ids=["as is", "unprivileged"])
def test_traps(traps: Path, ordinary: bool, as_bytes: bool, topdown: bool) -> None:
    with restricted.ordinary_thread() if ordinary else contextlib.nullcontext():
        top = os.fsencode(traps) if as_bytes else str(traps)
        steps = assert_same(top, topdown=topdown)
    assert len(steps) > 30


@BOTH_ORDERS
def test_traps_with_links_followed_in_circles(tree: Path, topdown: bool) -> None:
    trees.build_traps(tree)
    (tree / "kinds" / "root.lnk").unlink()
    steps = assert_same_in_circles(tree, topdown=topdown, followlinks=True)
    assert len(steps) > 1000


@BOTH_ORDERS
def test_a_quiet_process_in_proc(topdown: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        steps = assert_same_when_quiet(f"/proc/{child.pid}", topdown=topdown)
        child.communicate(b"\n", timeout=support.LIVENESS)
    assert len(steps) > 5


@BOTH_ORDERS
@pytest.mark.parametrize("top", ["/sys/devices/system", "/sys/class", "/proc/sys/net"])
def test_views_into_the_kernel(top: str, topdown: bool) -> None:
    if not os.access(top, os.R_OK | os.X_OK):
        pytest.skip(f"{top} cannot be read here")
    assert_same_when_quiet(top, topdown=topdown)


@BOTH_ORDERS
def test_a_directory_of_many_files(flat: Path, topdown: bool) -> None:
    assert len(assert_same(str(flat), topdown=topdown)[0][2]) == trees.FLAT_COUNT


@BOTH_ORDERS
def test_every_step_when_all_is_listed_ahead(tree: Path, topdown: bool) -> None:
    walks.forest(tree, 10, 20)
    found = list(walks.read_ahead(str(tree), topdown=topdown))
    assert difference(found, list(os.walk(tree, topdown))) is None


# --- tops ------------------------------------------------------------------------------------


class Text(str):
    pass


class Raw(bytes):
    pass


class PathLike:
    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


@pytest.fixture
def little(tree: Path) -> Path:
    """a/b/c, a/d and e, files in most of them, links to a directory, to a file and to nowhere."""
    for name in ("a/b/c", "a/d", "e"):
        (tree / name).mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three", "a/b/c/four", "e/five"):
        (tree / name).touch()
    (tree / "to-a").symlink_to("a")
    (tree / "to-file").symlink_to("one")
    (tree / "dangling").symlink_to("nowhere")
    return tree


@BOTH_ORDERS
@pytest.mark.parametrize(
    "make",
    [
        str,
        os.fsencode,
        Path,
        lambda top: PathLike(str(top)),
        lambda top: PathLike(os.fsencode(top)),
        lambda top: Text(top),
        lambda top: Raw(os.fsencode(top)),
        lambda top: PathLike(Text(top)),
        lambda top: f"{top}/",
        lambda top: f"{top}//",
        lambda top: os.fsencode(top) + b"//",
        lambda top: f"/{top}",
        lambda top: f"{top}/.",
        lambda top: f"{top}/a/../",
        lambda top: f"{top}/./a//b/..",
        lambda top: f"{top}/to-a",
        lambda top: f"{top}/to-a/",
    ],
    ids=itertools.count(),
)
@pytest.mark.parametrize("followlinks", [False, True], ids=["", "followlinks"])
def test_absolute_tops(
    little: Path, make: Callable[[Path], Any], followlinks: bool, topdown: bool
) -> None:
    assert len(assert_same(make(little), topdown=topdown, followlinks=followlinks)) >= 3


@BOTH_ORDERS
@pytest.mark.parametrize(
    "top",
    [".", "..", "a", "./a", "a/", "to-a", "e/../a", "a/.", b".", b"a/b", Path(), Path("a")],
    ids=repr,
)
def test_relative_tops(
    little: Path, monkeypatch: pytest.MonkeyPatch, top: Any, topdown: bool
) -> None:
    monkeypatch.chdir(little / "a" if top == ".." else little)
    assert len(assert_same(top, topdown=topdown)) >= 2


def test_the_top_is_given_back_as_it_is(little: Path) -> None:
    tops: list[Any] = [str(little), os.fsencode(little), Text(little)]
    for top in tops:
        for topdown in (True, False):
            steps = list(pwalk.walk(top, topdown))
            assert any(step[0] is top for step in steps)
    assert type(next(pwalk.walk(little))[0]) is str


@BOTH_ORDERS
@pytest.mark.parametrize("name", ["missing", "one", "dangling", "to-file", "pipe", "", "x" * 256])
@pytest.mark.parametrize("as_bytes", [False, True], ids=["str", "bytes"])
def test_a_top_that_is_no_directory_is_one_error(
    little: Path, monkeypatch: pytest.MonkeyPatch, name: str, as_bytes: bool, topdown: bool
) -> None:
    os.mkfifo(little / "pipe")
    monkeypatch.chdir(little)
    top: Any = os.fsencode(name) if as_bytes else name
    assert assert_same(top, topdown=topdown) == []
    assert list(pwalk.walk(top, topdown)) == []
    _, errors = of_pwalk(top, topdown=topdown)
    assert len(errors) == 1


def test_a_relative_walk_follows_its_caller_to_another_directory(tmp_path: Path) -> None:
    for place, names in (("here", "abcdef"), ("there", "cdefgh")):
        for name in names:
            (tmp_path / place / "top" / name / f"from-{place}").mkdir(parents=True)

    def wandering(walk: walks.Walk) -> Iterator[walks.Step]:
        os.chdir(tmp_path / "here")
        for number, step in enumerate(walk):
            os.chdir(tmp_path / ("here", "there")[number // 2 % 2])
            yield step

    before = Path.cwd()
    try:
        theirs = list(wandering(os.walk("top")))
        assert list(wandering(walks.read_ahead("top"))) == theirs
        assert list(wandering(pwalk.walk("top"))) == theirs
    finally:
        os.chdir(before)
    assert {name for _, names, _ in theirs for name in names} >= {"from-here", "from-there"}


# --- links -----------------------------------------------------------------------------------


@BOTH_ORDERS
@pytest.mark.parametrize("followlinks", [False, True], ids=["", "followlinks"])
def test_links(little: Path, followlinks: bool, topdown: bool) -> None:
    (little / "e" / "up").symlink_to("..")
    (little / "a" / "self").symlink_to("self")
    steps = assert_same_in_circles(str(little), topdown=topdown, followlinks=followlinks)
    top = next(step for step in steps if step[0] == str(little))
    assert "to-a" in top[1]
    assert {"to-file", "dangling"} <= set(top[2])
    assert (len(steps) > 100) == followlinks  # round and round, until the system says ELOOP


def test_a_link_to_its_own_directory_is_as_endless_as_the_system_allows(tree: Path) -> None:
    (tree / "again").symlink_to(".")
    for topdown in (True, False):
        steps = assert_same_in_circles(str(tree), topdown=topdown, followlinks=True)
        assert len(steps) == 41


@BOTH_ORDERS
def test_links_are_followed_when_they_are_due(tree: Path, topdown: bool) -> None:
    """Where a link leads says nothing about when its own directory changed."""
    for top in (tree / "reference", tree / "ours"):
        for name in "abcd":
            (top / name).mkdir(parents=True)
            (top / name / "link").symlink_to("../target")
        (top / "target").mkdir()

    def changing(walk: walks.Walk, top: Path) -> Iterator[walks.Step]:
        for number, step in enumerate(walk):
            yield step[0].removeprefix(str(top)), *step[1:]
            if number % 2:
                (top / "target").mkdir()
            else:
                (top / "target").rmdir()

    theirs = list(changing(os.walk(tree / "reference", topdown), tree / "reference"))
    ours = walks.read_ahead(str(tree / "ours"), topdown=topdown)
    assert list(changing(ours, tree / "ours")) == theirs
    where = [("link" in names, "link" in files) for _, names, files in theirs]
    assert {(True, False), (False, True)} <= set(where)


# --- errors ----------------------------------------------------------------------------------


@pytest.fixture
def locked(little: Path) -> Path:
    (little / "a" / "b").chmod(0)
    return little


@BOTH_ORDERS
def test_a_directory_that_cannot_be_read_is_left_out(locked: Path, topdown: bool) -> None:
    with restricted.ordinary_thread():
        steps = assert_same(str(locked), topdown=topdown)
        assert list(pwalk.walk(str(locked), topdown)) == steps
        _, errors = of_pwalk(os.fsencode(locked), topdown=topdown)
    assert len(steps) == 4
    assert [error[:4] for error in errors] == [
        (PermissionError, errno.EACCES, "Permission denied", os.fsencode(locked / "a" / "b"))
    ]


@BOTH_ORDERS
def test_what_onerror_raises_ends_the_walk(locked: Path, topdown: bool) -> None:
    def refuse(error: OSError) -> None:
        raise LookupError(error.filename)

    for begin in (os.walk, pwalk.walk):
        with restricted.ordinary_thread():
            walk = begin(str(locked), topdown, refuse)
            with pytest.raises(LookupError, match="b"):
                list(walk)
            assert list(walk) == []


@BOTH_ORDERS
def test_what_onerror_returns_is_ignored(locked: Path, topdown: bool) -> None:
    with restricted.ordinary_thread():
        walk = pwalk.walk(str(locked), topdown, lambda error: [error])
        assert len(list(walk)) == 4


def test_an_error_may_be_raised_as_it_is(little: Path) -> None:
    def raise_it(error: OSError) -> None:
        raise error

    with pytest.raises(NotADirectoryError) as caught:
        list(pwalk.walk(little / "one", onerror=raise_it))
    assert caught.value.filename == str(little / "one")


def test_nothing_is_told_before_it_is_due(tmp_path: Path) -> None:
    told = Errors()
    walk = pwalk.walk(tmp_path / "missing", onerror=told)
    assert told == []
    assert list(walk) == []
    assert len(told) == 1


def test_a_directory_that_fails_half_way_is_dropped_with_its_children(tmp_path: Path) -> None:
    import latency

    options = ("--directories", "5", "--files", "400", "--depth", "3")
    with latency.mounted(tmp_path / "top", *options, "--fail-list", "d000002=EIO") as top:
        for topdown in (True, False):
            steps = assert_same(str(top), topdown=topdown)
            assert not [step for step in steps if "d000002" in step[0]]
            _, errors = of_pwalk(str(top), topdown=topdown)
            assert [error[1] for error in errors] == [errno.EIO]


def test_types_that_a_listing_does_not_tell(tmp_path: Path) -> None:
    import latency

    options = ("--directories", "5", "--files", "20", "--depth", "3")
    with latency.mounted(tmp_path / "top", *options, "--unknown-types") as top:
        for topdown in (True, False):
            assert len(assert_same(str(top), topdown=topdown)) == 16


# --- depth -----------------------------------------------------------------------------------


@BOTH_ORDERS
def test_deeper_than_the_recursion_limit(tree: Path, topdown: bool) -> None:
    levels = sys.getrecursionlimit() + 100
    expected: Steps = [(str(tree) + "/d" * level, ["d"], []) for level in range(levels)]
    expected.append((str(tree) + "/d" * levels, [], []))
    with walks.chain(tree, "d", levels):
        for walk in (pwalk.walk(str(tree), topdown), walks.read_ahead(str(tree), topdown=topdown)):
            assert difference(list(walk), expected[:: 1 if topdown else -1]) is None


@BOTH_ORDERS
def test_deeper_than_path_max(tree: Path, topdown: bool) -> None:
    with walks.chain(tree, "d" * 60, 80):
        steps = assert_same(str(tree), topdown=topdown)
        _, errors = of_pwalk(str(tree), topdown=topdown)
    assert len(steps) < 80
    assert [error[1] for error in errors] == [errno.ENAMETOOLONG]


@BOTH_ORDERS
def test_deeper_than_both(tree: Path, topdown: bool) -> None:
    told = Errors()
    with walks.chain(tree, "ddd", 1050):
        found = list(pwalk.walk(str(tree), topdown, told))
    longest = 4095 - (4095 - len(str(tree))) % 4
    assert max(len(step[0]) for step in found) == longest
    assert len(found) == (longest - len(str(tree))) // 4 + 1
    assert [(error[1], len(error[3])) for error in told] == [(errno.ENAMETOOLONG, longest + 4)]


# --- editing dirnames ------------------------------------------------------------------------

Edit = Callable[[str, list[Any]], object]


def at_top(edit: Callable[[list[Any]], object]) -> Edit:
    """An edit of the first step only: it would go on and on in what it adds."""
    return lambda path, names: edit(names) if path.endswith("/tree/top") else None


def put(names: list[Any], at: int, *more: Any) -> None:
    names[at:at] = more


EDITS: dict[str, Edit] = {
    "clear": lambda _, names: names.clear(),
    "delete slice": lambda _, names: names.__delitem__(slice(1, None)),
    "leave out": lambda _, names: names.__setitem__(slice(None), set(names) - {"a"}),
    "reverse": lambda _, names: names.reverse(),
    "sort": lambda _, names: names.sort(),
    "assign": lambda _, names: names.__setitem__(slice(None), sorted(names, reverse=True)),
    "duplicate": lambda _, names: names.extend(names[:2]),
    "multiply": lambda _, names: names.__imul__(3),
    "missing": lambda _, names: put(names, 0, "missing"),
    "missing among others": lambda _, names: put(names, 1, "missing", "e", "missing"),
    "file": lambda _, names: names.append("one"),
    "dangling": lambda _, names: names.append("dangling"),
    "nested": at_top(lambda names: put(names, 1, "a/b")),
    "dots": at_top(lambda names: put(names, 1, ".", "..", "../top")),
    "empty": at_top(lambda names: names.append("")),
    "trailing": at_top(lambda names: put(names, 0, "e/", "a//")),
    "absolute": lambda path, names: names.append(f"{path}/a/b") if path.endswith("/top") else None,
    "subclass": lambda _, names: names.__setitem__(slice(None), [Text(name) for name in names]),
    "very long": lambda _, names: names.append("x" * 300),
    "undecodable": lambda _, names: names.append("\udcff"),
    "number": lambda _, names: names.append(5),
    "bytes": lambda _, names: put(names, 0, b"a"),
    "none": lambda _, names: put(names, 1, None),
    # BUG: as of Python 3.12, names that are no paths raise when the caller goes on, not when due.
    "null": lambda _, names: names.append("a\0b"),
    "null first": lambda _, names: put(names, 0, "a\0b"),
    "surrogate": lambda _, names: names.append("\ud800"),
    "path": lambda _, names: names.__setitem__(slice(None), [Path(name) for name in names]),
}


def edited(walk: walks.Walk, edit: Edit) -> list[Any]:
    """The steps of a walk, each as it was before its names were edited, and what it raised."""
    steps: list[Any] = []
    try:
        for path, names, files in walk:
            steps.append((path, list(names), list(files)))
            edit(str(path), names)
    except (TypeError, ValueError) as error:
        steps.append(type(error))  # the words are other ones in every version
    assert list(walk) == []
    return steps


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("followlinks", [False, True], ids=["", "followlinks"])
@BOTH_ORDERS
def test_edits_of_dirnames(tree: Path, edit: Edit, topdown: bool, followlinks: bool) -> None:
    top = tree / "top"
    for name in ("a/b/c", "a/d", "e/f", "e/g"):
        (top / name).mkdir(parents=True)
    (top / "one").touch()
    (top / "to-a").symlink_to("a")
    (top / "dangling").symlink_to("nowhere")

    options: dict[str, Any] = {"topdown": topdown, "followlinks": followlinks}
    told, ours_told, settled_told = Errors(), Errors(), Errors()
    theirs = edited(os.walk(str(top), onerror=told, **options), edit)
    assert edited(pwalk.walk(str(top), onerror=ours_told, **options), edit) == theirs
    assert ours_told == told
    settled: walks.Walk = walks.read_ahead(str(top), onerror=settled_told, **options)
    assert edited(settled, edit) == theirs
    assert settled_told == told
    if not topdown:
        assert theirs == list(os.walk(str(top), **options))


def test_names_of_an_earlier_step_may_still_be_edited(tree: Path) -> None:
    walks.forest(tree, 6, 6)

    def late(walk: walks.Walk) -> Iterator[tuple[str, list[str]]]:
        given: list[list[str]] = []
        for path, names, _ in walk:
            given.append(names)
            yield path, list(names)
            if len(given) == 3:
                given[0].insert(4, given[0][0])
            if len(given) == 5:
                given[1].pop()
                given[0].reverse()
            if len(given) == 9:
                given[0].append("outer1")

    theirs = list(late(os.walk(str(tree))))
    assert list(late(pwalk.walk(str(tree)))) == theirs
    assert list(late(walks.read_ahead(str(tree)))) == theirs


def test_filenames_and_the_tuple_are_the_callers(little: Path) -> None:
    seen = []
    for step in pwalk.walk(str(little)):
        assert type(step) is tuple
        assert [type(part) for part in step] == [str, list, list]
        seen.append(step[0])
        step[2].clear()
        step[2].append("a")
    assert seen == [path for path, _, _ in os.walk(str(little))]


def test_a_name_that_has_become_a_link_is_not_entered(tree: Path) -> None:
    def replacing(walk: walks.Walk, top: Path) -> list[str]:
        seen = []
        for path, names, _ in walk:
            seen.append(path.removeprefix(str(top)))
            if path == str(top):
                for name in names[1::2]:
                    (top / name).rename(top.parent / f"{top.name}-{name}")
                    (top / name).symlink_to(top.parent / f"{top.name}-{name}")
        return seen

    for followlinks in (False, True):
        for letter in "abc":
            walks.forest(tree / f"{letter}{followlinks}", 6, 3)
        one, other, third = (tree / f"{letter}{followlinks}" for letter in "abc")
        theirs = replacing(os.walk(str(one), followlinks=followlinks), one)
        ours = walks.read_ahead(str(other), followlinks=followlinks)
        assert replacing(ours, other) == theirs
        public = pwalk.walk(str(third), followlinks=followlinks)
        assert replacing(public, third) == theirs
        assert len(theirs) == 1 + 4 * (6 if followlinks else 3)


# --- snapshots -------------------------------------------------------------------------------


def paths(walk: walks.Walk) -> set[str]:
    return {path for path, _, _ in walk}


@pytest.fixture
def snapshots(tree: Path) -> Path:
    trees.snapshots(tree / "top")
    (tree / "top" / "as-dangling").mkdir()
    (tree / "top" / "as-dangling" / ".snapshot").symlink_to("nowhere")
    return tree / "top"


@BOTH_ORDERS
@pytest.mark.parametrize("followlinks", [False, True], ids=["", "followlinks"])
@pytest.mark.parametrize("as_bytes", [False, True], ids=["str", "bytes"])
def test_snapshot_directories_are_left_out(
    snapshots: Path, as_bytes: bool, followlinks: bool, topdown: bool
) -> None:
    top: Any = os.fsencode(snapshots) if as_bytes else str(snapshots)
    hidden: Any = b".snapshot" if as_bytes else ".snapshot"
    expected = [
        (path, [name for name in names if name != hidden], files)
        for path, names, files in os.walk(top, topdown, followlinks=followlinks)
        if hidden not in path.split(b"/" if as_bytes else "/")
    ]
    for found in (
        list(pwalk.walk(top, topdown, followlinks=followlinks)),
        list(walks.read_ahead(top, topdown=topdown, followlinks=followlinks)),
    ):
        assert found == expected
        files = {os.fsdecode(path): names for path, _, names in found}
        assert hidden in files[f"{snapshots}/as-file"]
        assert hidden in files[f"{snapshots}/as-dangling"]
        assert hidden not in files[f"{snapshots}/as-link"]


@BOTH_ORDERS
def test_snapshots_are_walked_when_they_are_wanted(snapshots: Path, topdown: bool) -> None:
    found = list(pwalk.walk(str(snapshots), topdown, ignore_snapshots=False))
    assert found == list(os.walk(snapshots, topdown))
    assert f"{snapshots}/.snapshot/hourly.0" in paths(iter(found))


@BOTH_ORDERS
@pytest.mark.parametrize("tail", ["", "/", "/."])
def test_a_top_that_is_a_snapshot_is_walked(snapshots: Path, tail: str, topdown: bool) -> None:
    (snapshots / "a" / ".snapshot" / "hourly.0" / ".snapshot").mkdir()
    top = f"{snapshots}/a/.snapshot{tail}"
    found = list(pwalk.walk(top, topdown))
    inside = os.path.join(top, "hourly.0")
    expected: Steps = [(top, ["hourly.0"], []), (inside, [], ["kept.txt"])]
    assert found == expected[:: 1 if topdown else -1]
    assert f"{snapshots}/as-link/.snapshot/b" in paths(
        pwalk.walk(snapshots / "as-link" / ".snapshot", topdown)
    )


def test_a_snapshot_that_the_caller_adds_is_entered(snapshots: Path) -> None:
    seen = []
    for path, names, _ in pwalk.walk(str(snapshots)):
        seen.append(path)
        if path == str(snapshots):
            names[:] = [".snapshot"]
    assert seen == [f"{snapshots}{tail}" for tail in ("", "/.snapshot", "/.snapshot/hourly.0")]


# --- arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ({"top": None}, TypeError, "top"),
        ({"top": 3}, TypeError, "top"),
        ({"top": 1.5}, TypeError, "top"),
        ({"top": ["."]}, TypeError, "top"),
        ({"top": bytearray(b".")}, TypeError, "top"),
        ({"top": PathLike(7)}, TypeError, "top|__fspath__"),
        ({"top": "a\0b"}, ValueError, "top"),
        ({"top": b"\0"}, ValueError, "top"),
        ({"top": PathLike("a\0b")}, ValueError, "top"),
        ({"top": "\ud800"}, ValueError, "top"),
        ({"onerror": 3}, TypeError, "onerror"),
        ({"onerror": "print"}, TypeError, "onerror"),
        ({"max_threads": "2"}, TypeError, "max_threads"),
        ({"max_threads": 2.0}, TypeError, "max_threads"),
        ({"max_threads": True}, TypeError, "max_threads"),
        ({"max_threads": -1}, ValueError, "max_threads"),
        ({"max_threads": 2**32}, ValueError, "max_threads"),
        ({"max_threads": 10**30}, ValueError, "max_threads"),
        ({"follow_links": True}, TypeError, "follow_links"),
    ],
    ids=repr,
)
def test_bad_arguments_are_refused_at_once(
    arguments: dict[str, Any], kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind, match=named):
        pwalk.walk(**{"top": ".", **arguments})


def test_arguments_are_those_of_os_walk_in_its_order(little: Path) -> None:
    told = Errors()
    found = list(pwalk.walk(str(little), False, told, True))
    assert found == list(os.walk(str(little), False, told, True))
    assert list(pwalk.walk(str(little), 0, None, "yes")) == found  # type: ignore[arg-type]


def test_the_same_audit_event_is_raised() -> None:
    code = """
import os, pwalk, sys
seen = []
sys.addaudithook(lambda name, given: seen.append(given) if name.endswith(".walk") else None)
def complain(error): pass
class Top:
    def __fspath__(self): return "/nowhere"
top = Top()
list(os.walk(top, 0, complain, 1))
list(pwalk.walk(top, 0, complain, 1))
list(os.walk(b"/nowhere"))
list(pwalk.walk(b"/nowhere"))
assert seen == [(top, 0, complain, 1)] * 2 + [(b"/nowhere", True, None, False)] * 2, seen
def forbid(name, given):
    if name == "os.walk":
        raise LookupError("forbidden")
sys.addaudithook(forbid)
try:
    list(pwalk.walk("/"))
except LookupError:
    print("refused")
"""
    assert support.run_script(code, cwd=Path("/")).stdout == b"refused\n"


# --- one thread ------------------------------------------------------------------------------


@BOTH_ORDERS
def test_one_thread_lists_a_directory_when_it_is_reached(tree: Path, topdown: bool) -> None:
    walks.forest(tree, 8, 8)
    before = support.threads()
    walk = pwalk.walk(str(tree), topdown, max_threads=1)
    seen = 0
    for path, _, files in walk:
        assert support.threads() <= before
        assert files == (["file.txt"] if "inner" in Path(path).name else [])
        seen += 1
    assert seen == 73
    core, walk = walks.settled(str(tree), topdown=topdown, max_threads=1)
    while next(walk, None):
        counts = core.counts
        if counts["direct"] == seen:
            break
    assert counts == {"direct": seen, "reused": 0, "reread": 0, "threads_peak": 0}


def test_more_threads_list_ahead(tree: Path) -> None:
    walks.forest(tree, 8, 8)
    found = walks.read_ahead(str(tree), max_threads=4)
    before = support.threads()
    next(found)
    assert len(support.threads() - before) > 0
    found.close()  # type: ignore[attr-defined]


# --- the iterator ----------------------------------------------------------------------------


def test_it_is_an_iterator_that_ends_for_good(little: Path) -> None:
    walk = pwalk.walk(str(little))
    assert iter(walk) is walk
    assert len(list(walk)) == 6
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(walk)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_close_ends_it(little: Path, steps: int) -> None:
    walk: Any = pwalk.walk(str(little))
    assert len(list(itertools.islice(walk, steps))) == steps
    for _ in range(2):
        walk.close()
        assert list(walk) == []


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_an_exception_thrown_in_ends_it(little: Path, steps: int) -> None:
    walk: Any = pwalk.walk(str(little))
    assert len(list(itertools.islice(walk, steps))) == steps
    with pytest.raises(KeyError, match="thrown"):
        walk.throw(KeyError("thrown"))
    assert list(walk) == []


@BOTH_ORDERS
def test_onerror_cannot_go_on_with_the_walk_it_is_called_from(locked: Path, topdown: bool) -> None:
    refused = []

    def go_on(_: OSError) -> None:
        with pytest.raises(ValueError, match="already executing"):
            next(walk)
        with pytest.raises(ValueError, match="already executing"):
            walk.close()
        refused.append(True)

    with restricted.ordinary_thread():
        walk: Any = pwalk.walk(str(locked), topdown, go_on)
        assert len(list(walk)) == 4
    assert refused == [True]


def test_onerror_may_walk_something_else(locked: Path) -> None:
    inner: Steps = []
    with restricted.ordinary_thread():
        outer = list(pwalk.walk(str(locked), onerror=lambda _: inner.extend(pwalk.walk(locked))))
        assert inner == outer == list(os.walk(locked))
