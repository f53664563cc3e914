"""The ``ignore`` of komparu.compare_dir, against fnmatch: names and patterns of any characters."""

from __future__ import annotations

import fnmatch
import itertools
import os
import random
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import komparu
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# Undecodable bytes are characters, too: surrogates, which sort between two planes of Unicode.
CHARACTERS = "ab]z[!-^*?.\\~&| \n09é日\ue000\uffff\U0001f642\udc80\udcc3\udcff"


def normal(text: str) -> str:
    """Return how a name or pattern comes back: surrogates that together are UTF-8 are decoded."""
    return os.fsdecode(os.fsencode(text))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, set[str]]]:
    """A directory of files with odd names, and an empty one."""
    place = tmp_path_factory.mktemp("patterns")
    full, empty = place / "full", place / "empty"
    full.mkdir()
    empty.mkdir()
    rng = random.Random(1)
    chosen = {normal(character) for character in CHARACTERS}
    chosen |= {normal("".join(two)) for two in itertools.product("a]-!\udcffé", repeat=2)}
    chosen |= {normal("".join(rng.choices(CHARACTERS, k=rng.randint(2, 6)))) for _ in range(300)}
    chosen -= {".", ".."}
    for name in chosen:
        (full / name).touch()
    yield full, empty, chosen
    for name in chosen:
        (full / name).unlink()


_sets = st.text("ab]z!-^[é日\ue000\udc80\udcffA", min_size=1, max_size=7).map("[{}]".format)
_patterns = st.lists(st.text(CHARACTERS, max_size=3) | _sets | st.just("*"), max_size=5).map(
    "".join
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(patterns=st.lists(_patterns, min_size=1, max_size=2))
@example(["[]-a]"])
@example(["[!]-a]"])
@example(["[--0]"])
@example(["[a-]"])
@example(["[z-a]"])
@example(["[!z-a]"])
@example(["[a-b-z]"])
@example(["[z-b-z]"])
@example(["[z-a!a]"])
@example(["[é-\udcff]"])
@example(["[\udc80-é]"])
@example(["[日-\ue000]"])
@example(["[\udc80-\ue000]"])
@example(["[\udc80-\U0001f642]"])
@example(["[!\udc80]"])
@example(["[", "[!", "[]", "[!]", "[a"])
@example(["**?*a*"])
@example([""])
def test_patterns_are_those_of_fnmatch(
    names: tuple[Path, Path, set[str]], patterns: list[str]
) -> None:
    full, empty, all_names = names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of sets that may come to mean more
        try:
            expected = {
                name
                for name in all_names
                if not any(fnmatch.fnmatchcase(name, normal(pattern)) for pattern in patterns)
            }
        except re.error:
            return  # not understood by fnmatch either
    assert komparu.compare_dir(full, empty, ignore=patterns).only_left == expected


def test_a_pattern_concerns_names_at_every_depth_and_all_below_them(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for top, content in ((a, "one"), (b, "two")):
        (top / "x" / "skip").mkdir(parents=True)
        (top / "x" / "skip" / "below").write_text(content)
        (top / "x" / "keep").write_text(content)
        (top / "top.skip").write_text(content)
    (a / "skip").mkdir()
    (a / "skip" / "only left").touch()
    (b / "skip").write_text("another type")
    (b / "x" / "dangling.skip").symlink_to("nowhere")
    found = komparu.compare_dir(a, b, ignore=["skip", "*.skip"])
    assert found == komparu.DirResult(
        False, {"x/keep": komparu.DiffReason.CONTENT_MISMATCH}, set(), set()
    )
    whole = komparu.compare_dir(a, b)
    assert set(whole.diff) == {"x/keep", "x/skip/below", "top.skip", "skip"}
    assert (whole.only_left, whole.errors) == ({"skip/only left"}, {"x/dangling.skip"})
    # Not of paths, nor of the tops.
    assert set(komparu.compare_dir(a, b, ignore=["x/keep", "a", "b"]).diff) == set(whole.diff)
    assert komparu.compare_dir(a, b, ignore=["*"]).equal


def test_case_matters(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    (a / "NAME.TXT").touch()
    assert not komparu.compare_dir(a, b, ignore=["*.txt"]).equal
    assert komparu.compare_dir(a, b, ignore=["*.TXT"]).equal


def test_a_name_of_one_letter_repeated_takes_no_time(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    (a / ("a" * 255)).touch()
    assert not komparu.compare_dir(a, b, ignore=["a*" * 100 + "b"], comparison_timeout=20).equal
