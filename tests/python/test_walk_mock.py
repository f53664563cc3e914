"""walk_mock(): a tree that is computed, and what its description says of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pwalk
import pytest
import walks
from pwalk.testing import MockFilesystem

BOTH_ORDERS = pytest.mark.parametrize("topdown", [True, False], ids=["top-down", "bottom-up"])
TOTALS = [*range(12), 99, 100, 101, 102, 199, 200, 201, 999, 1000, 1001, 1100, 1101, 5050, 11_100]
TOTALS += [11_101, 65_537, 111_100, 111_101]


def described(fs: MockFilesystem, steps: list[walks.Step], topdown: bool) -> None:
    """Assert what the documentation promises of a tree."""
    assert sum(len(files) for _, _, files in steps) == fs.total_files
    assert len(steps) == fs.total_directories + 1
    content = {}
    for path, directories, files in steps:
        assert directories == [f"d{number}" for number in range(len(directories))]
        assert files == [f"f{number}.dat" for number in range(len(files))]
        assert len(directories) <= 10
        assert len(files) <= 100
        content[path] = directories, files
    assert len(content) == len(steps)
    assert list(in_order(content, fs.root, topdown)) == [path for path, _, _ in steps]
    balanced = {len(files) for _, _, files in steps}
    assert max(balanced) - min(balanced) <= 1
    assert len({directories and len(directories) for _, directories, _ in steps if directories}) < 2
    depths = {path.removeprefix(fs.root).count("/") for path, names, _ in steps if not names}
    assert len(depths) == 1


def in_order(content: dict[str, Any], path: str, topdown: bool) -> Iterator[str]:
    if topdown:
        yield path
    for name in content[path][0]:
        yield from in_order(content, os.path.join(path, name), topdown)  # noqa: PTH118
    if not topdown:
        yield path


@BOTH_ORDERS
@pytest.mark.parametrize("total", TOTALS)
def test_the_tree_is_as_described(total: int, topdown: bool) -> None:
    fs = MockFilesystem(total_files=total)
    steps = list(pwalk.walk_mock(fs, topdown))
    described(fs, steps, topdown)
    assert list(pwalk.walk_mock(fs, topdown, max_threads=1)) == steps


@BOTH_ORDERS
@pytest.mark.parametrize("root", ["/mock", "/", "relative/to here", "x", "/a//b", "/ü/\udcff"])
def test_the_root_is_kept(root: str, topdown: bool) -> None:
    fs = MockFilesystem(2500, root=root)
    steps = list(pwalk.walk_mock(fs, topdown))
    assert steps[0 if topdown else -1][0] is fs.root
    assert {path for path, _, _ in steps} == set(
        in_order({path: (names, files) for path, names, files in steps}, root, topdown)
    )
    assert sum(len(files) for _, _, files in steps) == 2500


def test_a_root_with_a_slash_at_its_end() -> None:
    steps = list(pwalk.walk_mock(MockFilesystem(300, root="/mock/")))
    assert [path for path, _, _ in steps] == ["/mock/", "/mock/d0", "/mock/d1"]


@BOTH_ORDERS
@pytest.mark.slow
@pytest.mark.parametrize("threads", [None, 1])
def test_a_million_files(threads: int | None, topdown: bool) -> None:
    fs = MockFilesystem(total_files=10**6)
    described(fs, list(pwalk.walk_mock(fs, topdown, max_threads=threads)), topdown)


@pytest.mark.parametrize("total", [10**9, 10**13])
def test_a_tree_of_any_size_costs_nothing_to_begin_with(total: int) -> None:
    fs = MockFilesystem(total)
    assert fs.total_directories > total // 101
    walk: Any = pwalk.walk_mock(fs)
    steps = [next(walk) for _ in range(500)]
    walk.close()
    assert steps[1][0] == "/mock/d0"
    assert {total // (fs.total_directories + 1), len(steps[0][2])} >= {
        len(files) for _, _, files in steps
    }
    first = next(pwalk.walk_mock(fs, topdown=False))
    assert set(first[0].split("/")) == {"", "mock", "d0"}
    assert first[1] == []


def test_dirnames_may_be_edited() -> None:
    seen = []
    for path, names, _ in pwalk.walk_mock(MockFilesystem(11_100)):
        seen.append(path)
        names[:] = ["d7", "nowhere", "f0.dat", "d2"] if path == "/mock" else names[:1]
    assert seen == ["/mock", "/mock/d7", "/mock/d7/d0", "/mock/d2", "/mock/d2/d0"]


def test_a_mock_is_a_plain_value() -> None:
    fs = MockFilesystem(total_files=10, root="/r")
    assert repr(fs) == "MockFilesystem(total_files=10, root='/r')"
    assert fs == MockFilesystem(10, "/r") != MockFilesystem(11, "/r")
    assert hash(fs) == hash(MockFilesystem(10, "/r"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fs.total_files = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ({"total_files": "10"}, TypeError, "total_files"),
        ({"total_files": 10.0}, TypeError, "total_files"),
        ({"total_files": True}, TypeError, "total_files"),
        ({"total_files": None}, TypeError, "total_files"),
        ({"total_files": -1}, ValueError, "total_files"),
        ({"total_files": 10**13 + 1}, ValueError, "total_files"),
        ({"root": b"/mock"}, TypeError, "root"),
        ({"root": Path("/mock")}, TypeError, "root"),
        ({"root": None}, TypeError, "root"),
        ({"root": ""}, ValueError, "root"),
        ({"root": "a\0b"}, ValueError, "root"),
        ({"files": 3}, TypeError, "files"),
    ],
    ids=repr,
)
def test_bad_descriptions_are_refused(
    arguments: dict[str, Any], kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind, match=named):
        MockFilesystem(**{"total_files": 10, **arguments})


def test_a_root_that_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(ValueError, match="root|surrogates"):  # noqa: RUF043
        list(pwalk.walk_mock(MockFilesystem(10, root="\ud800")))


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ({"fs": "/usr"}, TypeError, "fs"),
        ({"fs": None}, TypeError, "fs"),
        ({"fs": MockFilesystem}, TypeError, "fs"),
        ({"max_threads": -1}, ValueError, "max_threads"),
        ({"max_threads": "2"}, TypeError, "max_threads"),
        ({"max_threads": 2**32}, ValueError, "max_threads"),
        ({"followlinks": True}, TypeError, "followlinks"),
    ],
    ids=repr,
)
def test_bad_arguments_are_refused_at_once(
    arguments: dict[str, Any], kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind, match=named):
        pwalk.walk_mock(**{"fs": MockFilesystem(10), **arguments})
