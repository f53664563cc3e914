"""pwalk.walk() beside os.walk: content, order, links, errors, depth."""

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
from walks import (
    BOTH_ORDERS,
    Errors,
    PathLike,
    Raw,
    Steps,
    Text,
    assert_same,
    assert_same_in_circles,
    assert_same_when_quiet,
    difference,
    of_pwalk,
)

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
