"""The two oracles, which share no code, agree; only then is either worth comparing with."""

from __future__ import annotations

import os
from pathlib import Path

import oracle
import pytest
import trees

needs_find = pytest.mark.skipif(not oracle.have_gnu_find(), reason="GNU find is not installed")


@needs_find
def test_both_oracles_agree_on_the_tree_of_traps(traps: Path) -> None:
    ours = oracle.expected_rows(traps, ignore_snapshots=False)
    theirs = oracle.find_rows(traps)
    assert {path: oracle.as_find_row(row) for path, row in ours.items()} == theirs


def test_the_tree_of_traps_holds_what_it_promises(traps: Path) -> None:
    rows = oracle.expected_rows(traps, ignore_snapshots=False)
    top = os.fsencode(traps)
    assert max(map(len, rows)) > os.pathconf(traps, "PC_PATH_MAX")
    assert any(path.rsplit(b"/", 1)[-1] == b"n" * 255 for path in rows)
    assert rows[top + b"/kinds/file.dat"].nlink == 3
    assert rows[top + b"/sizes/huge.img"].size > 2**30
    assert rows[top + b"/times/one-nanosecond-before.time"].mtime_ns == -1
    names = {path.rsplit(b"/", 1)[-1] for path in rows}
    assert {name for name in trees.ODD_NAMES if name != b".."} <= names


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        (b".bashrc", None),
        (b"a.tar.gz", b"gz"),
        (b"x.", b""),
        (b"...", b""),
        (b"..x", b"x"),
        (b"a.b c", b"b c"),
        (b"none", None),
        (b".a.b", b"b"),
    ],
)
def test_the_oracle_finds_the_extension_the_rule_gives(
    name: bytes, extension: bytes | None
) -> None:
    assert oracle.extension_of(name) == extension


def test_removal_leaves_nothing_of_a_tree_of_traps(tmp_path: Path) -> None:
    trees.build_traps(tmp_path / "traps")
    trees.remove_tree(tmp_path / "traps")
    assert list(tmp_path.iterdir()) == []
