"""Trees shared by the tests, and what some of them need of the machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests import the modules beside them, whatever pytest's import mode.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import mounts
import sanitized
import trees
import walks


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds, not milliseconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sanitized.skip_what_cannot_be(items)


@pytest.fixture(scope="session")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tree of :func:`trees.build_traps`; not to be changed."""
    top = tmp_path_factory.mktemp("traps") / "top"
    trees.build_traps(top)
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One directory of :data:`trees.FLAT_COUNT` files; not to be changed."""
    top = tmp_path_factory.mktemp("flat") / "top"
    trees.flat(top)
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="session")
def bulk(flat: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree that takes a while to report on: where mounting is allowed, ``flat`` many times."""
    if not mounts.can_mount():
        yield flat
        return
    top = tmp_path_factory.mktemp("bulk") / "top"
    with mounts.bound_copies(flat, top, 10):
        yield top


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tree with nothing odd in it; not to be changed."""
    top = tmp_path_factory.mktemp("plain") / "top"
    trees.plain(top)
    return top


@pytest.fixture(scope="session")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree large enough that readers are running half-way; not to be changed."""
    top = tmp_path_factory.mktemp("forest") / "top"
    walks.forest(top, 30, 40)
    return top


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """An empty directory for a test to fill as oddly as it likes."""
    top = tmp_path / "tree"
    top.mkdir()
    yield top
    trees.remove_tree(top)


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


@pytest.fixture
def locked(little: Path) -> Path:
    (little / "a" / "b").chmod(0)
    return little
