"""CPython's own tests of os.walk, with ``walk`` replaced."""

from __future__ import annotations

import importlib
import os
import time
import types
import unittest
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pwalk
import pytest
import restricted
from pwalk import _core
from walks import AGE, settled

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _cpython: Any = importlib.import_module("test.test_os")
except ImportError as error:
    pytest.skip(
        f"test.test_os is not installed ({error}); Debian has it in libpython3-testsuite",
        allow_module_level=True,
    )

# Kept in a module object: a class in this namespace would be collected by itself.
cpython: Any = types.SimpleNamespace(
    WalkTests=_cpython.WalkTests, BytesWalkTests=_cpython.BytesWalkTests
)


class OfPwalk(unittest.TestCase):
    """What makes CPython's tests use :func:`pwalk.walk`, in a directory of their own."""

    as_bytes = False

    @pytest.fixture(autouse=True)
    def _in_a_directory_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        monkeypatch.chdir(tmp_path)
        with restricted.ordinary_thread():
            yield

    def begin(self, top: Any, **options: Any) -> Iterator[tuple[Any, Any, Any]]:
        return pwalk.walk(top, **options)

    def walk(self, top: Any, **options: Any) -> Iterator[tuple[Any, Any, Any]]:
        if "follow_symlinks" in options:
            options["followlinks"] = options.pop("follow_symlinks")
        if self.as_bytes:
            return self.through_bytes(top, **options)
        return self.begin(top, **options)

    def through_bytes(self, top: Any, **options: Any) -> Iterator[tuple[Any, Any, Any]]:
        """As BytesWalkTests does it."""
        for top_, names, others in self.begin(os.fsencode(top), **options):
            directories = [os.fsdecode(name) for name in names]
            files = [os.fsdecode(name) for name in others]
            yield os.fsdecode(top_), directories, files
            names[:] = map(os.fsencode, directories)
            others[:] = map(os.fsencode, files)


class OfSettledTrees(OfPwalk):
    """The same where all that was listed ahead is there in time, and old enough to be used."""

    counts: ClassVar[Counter[str]] = Counter()

    def setUp(self) -> None:
        super().setUp()
        self.aged: set[str] = set()

    def begin(self, top: Any, **options: Any) -> Iterator[tuple[Any, Any, Any]]:
        top = os.fspath(top)
        if os.fsdecode(top) not in self.aged:
            self.aged.add(os.fsdecode(top))
            time.sleep(AGE)
        return self.waiting_for(*settled(top, **options))

    def waiting_for(
        self, core: _core.OrderedWalk[Any], found: Iterator[tuple[Any, Any, Any]]
    ) -> Iterator[tuple[Any, Any, Any]]:
        before: Counter[str] = Counter()
        for step in found:
            assert core.wait_idle(10)
            now = Counter(core.counts)
            OfSettledTrees.counts.update(now - before)
            before = now
            yield step


class TestWalk(OfPwalk, cpython.WalkTests):  # type: ignore[misc]
    pass


class TestBytesWalk(OfPwalk, cpython.BytesWalkTests):  # type: ignore[misc]
    as_bytes = True


class TestSettledWalk(OfSettledTrees, cpython.WalkTests):  # type: ignore[misc]
    pass


class TestSettledBytesWalk(OfSettledTrees, cpython.BytesWalkTests):  # type: ignore[misc]
    as_bytes = True


def test_the_tests_above_used_listings_made_ahead() -> None:
    if not OfSettledTrees.counts:
        pytest.skip("none of the tests above was selected")
    assert OfSettledTrees.counts["reused"] > 0
