"""Trees shared by the tests, and what some of them need of the machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests import the modules beside them, whatever pytest's import mode.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import mounts
import trees


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds, not milliseconds")


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


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """An empty directory for a test to fill as oddly as it likes."""
    top = tmp_path / "tree"
    top.mkdir()
    yield top
    trees.remove_tree(top)
