"""pwalk.walk() beside os.walk: what callers do to dirnames, and what is left out of them."""

# ruff: noqa: PTH118
# os.walk is the measure here, and os.path what its callers use.

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pwalk
import pytest
import trees
import walks
from pwalk import _core, _walk
from walks import BOTH_ORDERS, Errors, Steps, Text

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


@pytest.mark.parametrize("early", [False, True], ids=["until 3.11", "since 3.12"])
@pytest.mark.parametrize("bad", ["x\0y", "\ud800"], ids=["null", "surrogate"])
def test_a_name_that_is_no_path_raises_when_it_is_due(tree: Path, bad: str, early: bool) -> None:
    """Whenever links are looked at, which depends on the version of Python."""
    for name in ("a", "b"):
        (tree / name).mkdir()
    core = _core.OrderedWalk(
        str(tree),
        _core.posix_file_system(),
        topdown=True,
        followlinks=False,
        ignore_snapshots=True,
        max_threads=1,
        early_link_checks=early,
    )
    walk = _walk.iterate(core, None)
    _, names, _ = next(walk)
    names[:] = ["a", bad, "b"]
    assert next(walk)[0] == str(tree / "a")
    with pytest.raises(ValueError, match=r"null|surrogates"):
        next(walk)
    assert list(walk) == []


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
