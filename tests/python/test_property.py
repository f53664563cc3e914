"""Random small trees, oddly named and of every kind: each row is the oracle's."""

# ruff: noqa: PTH101, PTH102, PTH123, PTH211
# Names are bytes here, as the kernel has them.

from __future__ import annotations

import itertools
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Union

import oracle
import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support
import trees
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Leaf = tuple[str, int]
Node = Union[Leaf, "dict[bytes, Node]"]

CHEAP = settings(
    max_examples=80,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

telling_bytes = st.sampled_from(b'.".. \n\t\x01\x1f\x7f\\,%\x80\xc3\xa9\xe2\x82\xff/aZ').map(
    lambda number: bytes([number])
)
names = (
    st.one_of(
        st.lists(telling_bytes, min_size=1, max_size=12).map(b"".join),
        st.binary(min_size=1, max_size=20),
        st.text(min_size=1, max_size=20).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from([b".snapshot", b"a.tar.gz", b".bashrc", b"..x", b"x.", b"n" * 255]),
    )
    .map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"0"))
    .filter(lambda name: name not in (b".", b"..") and len(name) <= 255)
)
kinds = st.sampled_from(["file", "sparse", "hard link", "symlink", "fifo", "socket", "locked"])
leaves: st.SearchStrategy[Leaf] = st.tuples(kinds, st.integers(0, 5000))
folders: st.SearchStrategy[Node] = st.recursive(
    st.dictionaries(names, leaves, max_size=4),
    lambda inner: st.dictionaries(names, st.one_of(leaves, inner), max_size=5),
    max_leaves=25,
)


def grow(at: bytes, folder: Node, made: list[bytes]) -> None:
    """Build ``folder`` at ``at``, noting in ``made`` what a hard link may be made to."""
    assert isinstance(folder, dict)
    os.mkdir(at)
    for name, node in folder.items():
        path = at + b"/" + name
        if isinstance(node, dict):
            grow(path, node, made)
        else:
            grow_leaf(path, *node, made)


def grow_leaf(path: bytes, kind: str, number: int, made: list[bytes]) -> None:
    if kind == "symlink":
        os.symlink([b"nowhere", b".", b"..", b"/", b"\xff\n"][number % 5], path)
        return
    if kind == "hard link" and made:
        os.link(made[number % len(made)], path)
        return
    if kind in ("fifo", "socket"):
        os.mknod(path, 0o600 | (stat.S_IFIFO if kind == "fifo" else stat.S_IFSOCK))
    else:
        with open(path, "wb") as file:
            file.write(b"x" * number)
            if kind == "sparse":
                file.truncate(number * 10**6)
    if kind == "locked":
        os.chmod(path, 0)
    moment = (number - 2500) * 1_234_567_891
    os.utime(path, ns=(moment, -moment), follow_symlinks=False)
    made.append(path)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory the examples share, each in one of its own."""
    place = tmp_path_factory.mktemp("random")
    yield place
    trees.remove_tree(place)


numbers = itertools.count()


class Grown:
    """A random tree that is removed on leaving the context."""

    def __init__(self, ground: Path, folder: Node) -> None:
        self.top = ground / f"tree{next(numbers)}"
        self.folder = folder

    def __enter__(self) -> Path:
        grow(os.fsencode(self.top), self.folder, [])
        return self.top

    def __exit__(self, *_: object) -> None:
        trees.remove_tree(self.top)


@CHEAP
@given(folder=folders, snapshots=st.booleans())
def test_a_scan_of_a_random_tree_is_the_oracles(
    ground: Path, folder: Node, snapshots: bool
) -> None:
    with Grown(ground, folder) as top:
        scan = pwalk.scan(top, ignore_snapshots=not snapshots)
        table = pa.table(scan)
        support.assert_same_rows(table, oracle.expected_rows(top, ignore_snapshots=not snapshots))
        assert scan.errors == []


@CHEAP
@given(folder=folders)
def test_a_csv_report_of_a_random_tree_is_the_oracles(ground: Path, folder: Node) -> None:
    with Grown(ground, folder) as top:
        path, errors = pwalk.report(top, "csv", ground / "out.csv")
        _, lines = support.split_csv(Path(path).read_bytes())
        expected = Counter(oracle.csv_lines(oracle.expected_rows(top).values()))
        assert lines == expected
        assert errors == []


@CHEAP
@given(folder=folders)
def test_a_parquet_report_of_a_random_tree_is_the_oracles(ground: Path, folder: Node) -> None:
    with Grown(ground, folder) as top:
        path, errors = pwalk.report(top, output=ground / "out.parquet")
        support.assert_same_rows(pq.read_table(path), oracle.expected_rows(top))
        assert errors == []


@CHEAP
@given(folder=folders, depth=st.integers(0, 4), data=st.data())
def test_any_selection_of_a_random_tree_is_the_oracles(
    ground: Path, folder: Node, depth: int, data: st.DataObject
) -> None:
    with Grown(ground, folder) as top:
        paths = sorted(oracle.expected_rows(top, ignore_snapshots=False))[1:]
        chosen = data.draw(st.lists(st.integers(0, max(len(paths) - 1, 0)), max_size=3))
        exclude = [os.fsdecode(paths[number]) for number in chosen if paths]
        table = pa.table(pwalk.scan(top, exclude=exclude, max_depth=depth))
        support.assert_same_rows(table, oracle.expected_rows(top, exclude=exclude, max_depth=depth))


@CHEAP
@given(name=names)
def test_any_name_comes_through_scan_and_csv(ground: Path, name: bytes) -> None:
    with Grown(ground, {name: ("file", 3)}) as top:
        path = os.fsencode(top) + b"/" + name
        table = pa.table(pwalk.scan(top))
        assert path in support.values_by_path(table)
        written, _ = pwalk.report(top, "csv", ground / "one.csv")
        assert b'"' + oracle.csv_string(path) + b'","' in Path(written).read_bytes()
