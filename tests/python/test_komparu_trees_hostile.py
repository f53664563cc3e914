"""komparu.compare_dir of trees that change, fail or hang, or are deeper or larger than most."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import komparu
import latency
import mounts
import pytest
import restricted
import support
import trees
from komparu import DiffReason, DirResult, _calls, _core

MEBI = 1 << 20
EQUAL = DirResult(True, {}, set(), set())
CONTENT = DiffReason.CONTENT_MISMATCH

Faulty = Callable[..., tuple[Path, Path]]

COMPARE = """
import sys, komparu
found = komparu.compare_dir(*sys.argv[1:])
print(found.equal, *(len(x) for x in (found.diff, found.only_left, found.only_right, found.errors)))
print(*sorted(found.diff, key=len)[-1:], *sorted(found.errors)[:1])
"""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where that is possible, as large trees take long on a disk."""
    if not mounts.can_mount():
        yield tmp_path
        return
    with mounts.tmpfs(tmp_path / "room", "400m") as place:
        yield place


def compared_by_another(a: Path, b: Path, descriptors: int) -> list[str]:
    """Compare in a process that may open few files: the numbers found, and a name that differs."""
    command = [*restricted.command(descriptors), sys.executable, "-c", COMPARE, str(a), str(b)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=support.LIVENESS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# ---- Changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["overwritten", "grown", "shrunk", "removed", "replaced"])
def test_a_file_that_changes_meanwhile_is_an_error(room: Path, change: str) -> None:
    """The change comes once the file has been opened; another file is compared nonetheless."""
    a, b = room / "a", room / "b"
    size = 64 * MEBI
    for top in (a, b):
        trees.plain(top, directories=1, files=5)
        with (top / "large").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    (b / "folder0" / "file4.txt").write_bytes(b"diff")
    options = _core.CompareOptions(chunk_size=40, size_precheck=True, quick_check=False)
    comparison = _core.TreeComparison(
        *(_calls.pool(), os.fsencode(a), os.fsencode(b), options), follow_symlinks=True, ignore=[]
    )
    large = b / "large"
    support.wait_until(lambda: str(large) in open_paths(), "the file to be opened")
    assert not comparison.wait(0), "it has ended before the change"
    if change == "overwritten":
        with large.open("r+b") as file:
            file.write(b"\0")
    elif change in ("grown", "shrunk"):
        os.truncate(large, size + 1 if change == "grown" else 4096)
    elif change == "removed":
        large.unlink()
    else:
        (room / "new").write_bytes(b"new")
        (room / "new").rename(large)
    assert comparison.wait(support.LIVENESS)
    assert comparison.failure() is None
    diff, only_left, only_right, errors, _ = comparison.differences()
    assert (diff, only_left, only_right) == ([(b"folder0/file4.txt", "content_mismatch")], [], [])
    assert [name for name, _ in errors] == [b"large"]
    assert b"changed while it was compared" in errors[0][1]


def open_paths() -> set[str]:
    return {path for _, path in support.open_descriptors()}


def test_a_directory_that_becomes_a_link_is_never_followed_out_of_the_tree(tmp_path: Path) -> None:
    a, b, outside = tmp_path / "a", tmp_path / "b", tmp_path / "outside"
    for top in (a, b):
        trees.plain(top, directories=3, files=3)
    outside.mkdir()
    (outside / "secret").touch()
    (outside / "file0.txt").write_bytes(b"other")
    swapped, kept = a / "folder1", a.parent / "kept"
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            swapped.rename(kept)
            swapped.symlink_to(outside)
            swapped.unlink()
            kept.rename(swapped)

    swapper = threading.Thread(target=swap)
    swapper.start()
    outcomes = set()
    inside = {f"folder1/file{number}.txt" for number in range(3)}
    try:
        for _ in range(300):
            found = komparu.compare_dir(a, b, follow_symlinks=False)
            assert set(found.diff) <= {"folder1"}, "files outside were compared"
            assert found.only_left <= {"folder1"}
            assert found.only_right in (set(), inside)
            assert found.errors <= {"folder1"} | inside
            outcomes.add((found.equal, len(found.errors)))
    finally:
        done.set()
        swapper.join()
    assert len(outcomes) > 1, "nothing was ever swapped in time"
    assert komparu.compare_dir(a, b) == EQUAL


# ---- Failures -----------------------------------------------------------------------------------

SMALL = ("--directories", "5", "--files", "4", "--depth", "2")


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulty]:
    """Two views of one tree that fails as it is told to."""
    with ExitStack() as stack:

        def mounted(*faults: str) -> tuple[Path, Path]:
            top = stack.enter_context(latency.mounted(tmp_path / "top", *SMALL, *faults))
            return top, stack.enter_context(mounts.bind(top, tmp_path / "view"))

        yield mounted


@pytest.mark.parametrize(
    ("faults", "errors"),
    [
        ((), set()),
        (("--fail", "d000001=EIO"), {"d000001"}),
        (("--fail", "c000001=ESTALE"), {f"d00000{number}/c000001" for number in range(5)}),
        (("--fail-list", "d000002=EIO"), {"d000002"}),
        (("--fail-stat", "d000003/f000001.dat=EIO"), {"d000003/f000001.dat"}),
        (("--vanish", "d000003/f000001.dat"), {"d000003/f000001.dat"}),
        (("--vanish", "d000004"), {"d000004"}),
        (("--unknown-types", "--fail-stat", "d000000=EACCES"), {"d000000"}),
    ],
)
def test_what_fails_is_an_error_and_the_rest_is_compared(
    faulty: Faulty, faults: tuple[str, ...], errors: set[str]
) -> None:
    a, b = faulty(*faults)
    assert komparu.compare_dir(a, b) == DirResult(not errors, {}, set(), set(), errors)


def test_a_top_that_fails_is_no_result(faulty: Faulty) -> None:
    a, b = faulty("--fail-list", ".=EIO")
    for tops in ((a, b), (a.parent, a), (a, a.parent)):
        with pytest.raises(komparu.SourceReadError) as failure:
            komparu.compare_dir(*tops)
        assert failure.value.errno == errno.EIO
        assert failure.value.filename in (str(a), str(b))


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    """A tree whose files can be opened, but not read, on two file systems."""
    with (
        latency.mounted(tmp_path / "a", *SMALL) as a,
        latency.mounted(tmp_path / "b", *SMALL) as b,
    ):
        found = komparu.compare_dir(a, b)
    assert (found.diff, found.only_left, found.only_right) == ({}, set(), set())
    assert len(found.errors) == 5 * 2 * 4


def test_what_an_ordinary_user_may_not_read(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for top in (a, b):
        trees.plain(top, directories=4, files=3)
        (top / "folder3" / "below").mkdir()
    (b / "folder0").chmod(0)
    (a / "folder1" / "file1.txt").chmod(0)
    (a / "folder2").chmod(0o444)  # listed, but nothing in it can be looked at
    (a / "folder3" / "below").chmod(0)
    (a / "folder3" / "unread").touch(mode=0)
    code = """
import sys, komparu
a, b = sys.argv[1:]
print(komparu.compare_dir(a, b) == komparu.DirResult(False, {}, {"folder3/unread"}, set(), {
    "folder0", "folder1/file1.txt", "folder3/below", *(f"folder2/file{n}.txt" for n in range(3))}))
try:
    komparu.compare_dir(a, b + "/folder0")
except komparu.SourceReadError as error:
    print(isinstance(error, PermissionError), error.errno, error.filename)
"""
    answer = support.run_script(code, a, b, cwd=tmp_path, ordinary=True)
    for path in (b / "folder0", a / "folder2", a / "folder3" / "below"):
        path.chmod(0o700)
    expected = f"True\nTrue {errno.EACCES} {b}/folder0\n"
    assert answer.stdout.decode() == expected


# ---- Hangs --------------------------------------------------------------------------------------

HANGS = [("--hang", "d000002"), ("--hang-stat", "d000002"), ("--hang", "c000001")]


@pytest.mark.parametrize("fault", HANGS)
def test_the_time_limit_is_kept_although_a_call_hangs(
    faulty: Faulty, fault: tuple[str, str]
) -> None:
    a, b = faulty(*fault)
    begun = time.monotonic()
    with pytest.raises(komparu.ComparisonTimeoutError):
        komparu.compare_dir(a, b, comparison_timeout=0.3)
    assert time.monotonic() - begun < support.LIVENESS / 4
    trees.plain(a.parent / "other")
    assert komparu.compare_dir(a.parent / "other", a.parent / "other" / "folder1").only_left


def test_ctrl_c_and_the_end_of_the_process_come_at_once_although_a_call_hangs(
    faulty: Faulty,
) -> None:
    code = """
import sys, time, komparu
try:
    print("ready", flush=True)
    komparu.compare_dir(*sys.argv[1:])
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""
    tops = map(str, faulty("--hang", "d000002"))
    process = subprocess.Popen(
        [sys.executable, "-c", code, *tops], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)  # whenever it comes
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    answered = float(process.stdout.readline())
    assert process.wait(support.LIVENESS) == 0
    ended = time.monotonic()
    process.stdout.close()
    assert answered - sent < support.LIVENESS / 4, "on a machine of its own 0.1 s"
    assert ended - sent < support.LIVENESS / 4


# ---- Deep, wide, many ---------------------------------------------------------------------------


def chain(top: Path, levels: int, bottom: bytes) -> None:
    """Make directories in one another, a file in each, deeper than any path may be long."""
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for level in range(levels):
        trees._write(b"file", b"x" * (level % 3), fd)
        os.mkdir("deep", dir_fd=fd)
        below = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    trees._write(b"bottom", bottom, fd)
    os.close(fd)


def test_trees_deeper_than_paths_may_be_long_need_few_descriptors(room: Path) -> None:
    a, b, c = (room / name for name in "abc")
    try:
        for top, bottom in ((a, b"1"), (b, b"2"), (c, b"1")):
            chain(top, 3000, bottom)
        assert compared_by_another(a, c, descriptors=64)[0] == "True 0 0 0 0"
        numbers, name = compared_by_another(a, b, descriptors=64)
        assert numbers == "False 1 0 0 0"
        assert name == "deep/" * 3000 + "bottom"
        (room / "empty").mkdir()
        assert compared_by_another(room / "empty", a, 64)[0] == "False 0 0 3001 0"
    finally:
        subprocess.run(["rm", "-rf", a, b, c], check=True)


def test_a_directory_of_a_hundred_thousand_names(room: Path) -> None:
    flat, other = room / "flat", room / "other"
    trees.flat(flat)
    trees.flat(other)
    try:
        assert komparu.compare_dir(flat, other) == EQUAL
        (other / "file-0000000.dat").write_bytes(b"x")
        (other / "file-0050000.dat").unlink()
        (other / "file-0099999.dat").rename(other / "renamed")
        assert komparu.compare_dir(flat, other) == DirResult(
            False,
            {"file-0000000.dat": DiffReason.SIZE_MISMATCH},
            {"file-0050000.dat", "file-0099999.dat"},
            {"renamed"},
        )
    finally:
        trees.remove_tree(flat)
        trees.remove_tree(other)


def test_many_large_files_need_few_descriptors(room: Path) -> None:
    a, b = room / "a", room / "b"
    for top in (a, b):
        for number in range(150):
            path = top / f"folder{number % 3}" / f"file{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(20 * MEBI)
    (b / "folder2" / "file149").write_bytes(b"x")
    assert compared_by_another(a, b, descriptors=64) == ["False 1 0 0 0", "folder2/file149"]


def test_slow_storage_needs_few_descriptors(tmp_path: Path) -> None:
    slow = ("--directories", "20", "--files", "10", "--delay-us", "30000")
    with (
        latency.mounted(tmp_path / "a", *slow) as a,
        mounts.bind(a, tmp_path / "b") as b,
    ):
        assert compared_by_another(a, b, descriptors=64)[0] == "True 0 0 0 0"


def test_memory_does_not_follow_the_number_of_files(room: Path) -> None:
    mounts.require_mounting()
    code = """
import memory, sys, komparu
assert komparu.compare_dir(*sys.argv[1:], comparison_timeout=None, max_workers=4).equal
print(memory.peak())
"""
    sources = room / "one", room / "other"
    for source in sources:
        trees.plain(source, directories=200, files=100)

    def peak(copies: int) -> int:
        with ExitStack() as stack:
            tops = [
                stack.enter_context(
                    mounts.bound_copies(source, room / f"{copies} of {source.name}", copies)
                )
                for source in sources
            ]
            return int(support.run_script(code, *tops, cwd=room).stdout)

    few, many = peak(1), peak(10)
    assert many - few < 6_000, "KiB, for 180,000 files more"
