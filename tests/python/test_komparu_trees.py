"""komparu.compare_dir against a model, diff and rsync: random trees, and real ones."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import komparu
import mounts
import pytest
import support
import tree_cases
import tree_model
import trees
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from komparu import DiffReason, DirResult

IGNORED = ("*", "a", "*.txt", ".*", "[!a]", "?", "\udcff*", "[[]a]", "-", "grö*", "no such name")

_options = st.fixed_dictionaries(
    {"follow_symlinks": st.booleans()},
    optional={
        "ignore": st.lists(st.sampled_from(IGNORED), max_size=2),
        "max_workers": st.sampled_from([0, 1, 2, 256]),
        "chunk_size": st.sampled_from([1000, 4096, 65536, 1 << 20]),
        "size_precheck": st.booleans(),
        "quick_check": st.booleans(),
    },
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pair=tree_cases.pairs(), options=_options)
def test_random_pairs_are_what_the_model_says(
    tmp_path: Path, pair: tree_cases.Pair, options: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as place:
        a, b = tree_cases.build(os.fsencode(place), pair)
        names = ("follow_symlinks", "ignore")
        try:
            expected = tree_model.compare(
                a, b, **{name: options[name] for name in names if name in options}
            )
        except tree_model.TooManyError:
            assume(False)
        assert komparu.compare_dir(a, b, **options) == expected
        turned = DirResult(
            expected.equal, expected.diff, expected.only_right, expected.only_left, expected.errors
        )
        assert komparu.compare_dir(b, a, **options) == turned


def test_random_pairs_without_permissions_are_what_the_model_says(tmp_path: Path) -> None:
    """Files and directories that are unreadable, unsearchable or both, for one without rights."""
    code = """
import os, random, sys, tempfile, komparu, tree_cases, tree_model, trees
from pathlib import Path
for seed in range(120):
    rng = random.Random(seed)
    place = Path(tempfile.mkdtemp(dir=sys.argv[1]))
    a, b = tree_cases.locked(os.fsencode(place), rng)
    for follow in (True, False):
        expected = tree_model.compare(a, b, follow_symlinks=follow)
        found = komparu.compare_dir(a, b, follow_symlinks=follow)
        assert found == expected, (seed, follow, found, expected)
        if expected.errors:
            print(seed)
    trees.remove_tree(place)
"""
    seeds = support.run_script(code, tmp_path, cwd=tmp_path, ordinary=True).stdout.split()
    assert len(set(seeds)) > 60, "hardly anything was unreadable"


# ---- Other programs -----------------------------------------------------------------------------


def by_diff(a: Path, b: Path) -> tuple[set[str], set[str], set[str], set[str]]:
    """Return what differs, is in one only, in the other only, and is of two types: as diff says.

    For names that diff does not quote, and without links.
    """
    done = subprocess.run(
        ["diff", "-rq", "--no-dereference", a, b],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        timeout=support.LIVENESS,
    )
    assert done.returncode in (0, 1), done.stderr
    differ: set[str] = set()
    types: set[str] = set()
    only: tuple[set[str], set[str]] = (set(), set())
    for line in done.stdout.splitlines():
        if line.startswith("Files "):
            differ.add(os.path.relpath(line[len("Files ") :].split(" and ")[0], a))
        elif line.startswith("Only in "):
            directory, name = line[len("Only in ") :].split(": ")
            side = 0 if Path(directory).is_relative_to(a) else 1
            only[side].update(files_in((a, b)[side], Path(directory) / name))
        else:
            name = os.path.relpath(line[len("File ") :].split(" is a ")[0], a)
            types.add(name)
            for side, top in enumerate((a, b)):
                if (top / name).is_dir():
                    only[side].update(files_in(top, top / name))
    return differ, *only, types


def files_in(top: Path, at: Path) -> set[str]:
    """Return the files at or below a place, relative to ``top``."""
    if not at.is_dir():
        return {os.path.relpath(at, top)}
    return {
        os.path.relpath(Path(directory) / name, top)
        for directory, _, names in os.walk(at)
        for name in names
    }


def assert_as_diff_says(a: Path, b: Path) -> DirResult:
    found = komparu.compare_dir(a, b, follow_symlinks=False)
    types = {path for path, reason in found.diff.items() if reason is DiffReason.TYPE_MISMATCH}
    differ = set(found.diff) - types
    assert (differ, found.only_left, found.only_right, types) == by_diff(a, b)
    assert not found.errors
    return found


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Files of this machine's, some thousands, twice; not to be changed for good."""
    place = tmp_path_factory.mktemp("real")
    with ExitStack() as stack:
        if mounts.can_mount():  # in memory, as it takes long on a disk
            stack.enter_context(mounts.tmpfs(place, "2g"))
        yield from copies(place / "a", place / "b")


def copies(a: Path, b: Path) -> Iterator[tuple[Path, Path]]:
    for name in ("share/doc", "lib/python3", "include"):
        source = Path("/usr") / name
        if source.is_dir():
            subprocess.run(["cp", "-rP", "--parents", source, _made(a)], check=True)
    for directory, names, files in os.walk(a):
        for name in names + files:
            if (link := Path(directory, name)).is_symlink():
                link.unlink()
    if sum(len(files) for _, _, files in os.walk(a)) < 500:
        pytest.skip("/usr has hardly any documentation, modules and headers")
    subprocess.run(["cp", "-r", a, b], check=True)
    yield a, b
    for top in (a, b):
        shutil.rmtree(top)


def _made(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    return directory


def test_a_real_tree_and_its_copy_are_equal(real: tuple[Path, Path]) -> None:
    assert assert_as_diff_says(*real) == DirResult(True, {}, set(), set())


@pytest.mark.parametrize("seed", range(3))
def test_one_difference_in_a_real_tree_is_found_wherever_it_is(
    real: tuple[Path, Path], seed: int
) -> None:
    a, b = real
    rng = random.Random(seed)
    files = sorted(path for path in files_in(b, b) if (b / path).stat().st_size > 0)
    path = b / rng.choice(files)
    content = path.read_bytes()
    place = rng.choice([0, len(content) - 1, rng.randrange(len(content))])
    kept = path.with_name("kept")
    path.rename(kept)
    try:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        kept.rename(b.parent / "kept")
        assert assert_as_diff_says(a, b).diff == {
            os.path.relpath(path, b): DiffReason.CONTENT_MISMATCH
        }
        path.rename(path.with_name("another name"))
        found = assert_as_diff_says(a, b)
        assert (found.diff, len(found.only_left), len(found.only_right)) == ({}, 1, 1)
        path.with_name("another name").unlink()
        (path / "below").mkdir(parents=True)
        (path / "below" / "file").touch()
        found = assert_as_diff_says(a, b)
        assert found.diff == {os.path.relpath(path, b): DiffReason.TYPE_MISMATCH}
        assert found.only_right == {os.path.relpath(path / "below" / "file", b)}
    finally:
        path.with_name("another name").unlink(missing_ok=True)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        (b.parent / "kept").rename(path)


def test_the_last_of_ten_thousand_files_is_compared(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for top in (a, b):
        trees.plain(top, directories=100, files=100)
    assert assert_as_diff_says(a, b).equal
    for last in ("folder99/file99.txt", "folder9/file99.txt", "folder0/file1.txt"):
        content = (b / last).read_bytes()
        (b / last).write_bytes(content[:-1] + b"!")
        assert assert_as_diff_says(a, b).diff == {last: DiffReason.CONTENT_MISMATCH}
        (b / last).write_bytes(content)


def test_rsync_would_copy_what_differs(tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("there is no rsync")
    rng = random.Random(7)
    a, b = tmp_path / "a", tmp_path / "b"
    for top in (a, b):
        trees.plain(top, directories=20, files=30)
    for path in rng.sample(sorted(files_in(b, b)), 40):
        if rng.random() < 0.5:
            (b / path).unlink()
        else:
            (b / path).write_bytes(b"changed")
    answer = subprocess.run(
        ["rsync", "-rnc", "--out-format=%n", f"{a}/", f"{b}/"],
        capture_output=True,
        text=True,
        check=True,
        timeout=support.LIVENESS,
    )
    found = komparu.compare_dir(a, b)
    assert set(found.diff) | found.only_left == set(answer.stdout.split())
