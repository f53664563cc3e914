"""komparu.compare of two files, against filecmp and the bytes that tests know."""

from __future__ import annotations

import errno
import filecmp
import mmap
import os
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import komparu
import mounts
import pytest
import restricted
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from komparu import _calls, _core

MEBI = 1 << 20
CHUNK = 256 << 10  # of the core, where none is given
RANGE = 4 << 20  # what one thread takes
PAGE = mmap.PAGESIZE


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "a", tmp_path / "b"


def bytes_read(a: Path, b: Path, **options: Any) -> tuple[bool, int]:
    """Compare by the core itself, which tells how much it has read."""
    given: dict[str, Any] = {"chunk_size": 0, "size_precheck": True, "quick_check": True, **options}
    comparison = _core.FileComparison(
        _calls.pool(), os.fsencode(a), os.fsencode(b), _core.CompareOptions(**given)
    )
    assert comparison.wait(support.LIVENESS)
    assert comparison.failure() is None
    return comparison.equal, comparison.bytes_read


# ---- One planted difference ---------------------------------------------------------------------

SIZES = [1, 2, 511, PAGE, PAGE + 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, RANGE, RANGE + 1]
LARGE = [RANGE + CHUNK, 3 * RANGE - 1, 5 * RANGE + 12345]


def places(size: int) -> list[int]:
    """Return offsets beside every boundary that a comparison of this size has."""
    near = {0, size - 1}
    for boundary in (512, PAGE, CHUNK, RANGE, 65536, size // 4, size // 2, 3 * (size // 4)):
        multiples = {boundary, 2 * boundary, size // max(boundary, 1) * boundary}
        near |= {place + step for place in multiples for step in (-1, 0, 1)}
    return sorted(place for place in near if 0 <= place < size)


@pytest.mark.parametrize("size", SIZES + LARGE)
def test_one_byte_that_differs_is_found_wherever_it_is(pair: tuple[Path, Path], size: int) -> None:
    a, b = pair
    content = bytearray(os.urandom(size))
    a.write_bytes(content)
    shutil.copyfile(a, b)
    assert komparu.compare(a, b)
    with b.open("r+b") as file:
        for place in places(size):
            file.seek(place)
            file.write(bytes([content[place] ^ 1]))
            file.flush()
            for quick in (True, False):
                assert not komparu.compare(a, b, quick_check=quick), place
            file.seek(place)
            file.write(bytes([content[place]]))
            file.flush()
    assert komparu.compare(a, b)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=3000),
    repeat=st.integers(1, 2000),
    place=st.integers(0, 10**9),
    change=st.sampled_from(["none", "byte", "shorter", "longer"]),
    chunk=st.sampled_from([None, 1000, 4096, 65536, MEBI]),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_random_pairs_agree_with_filecmp_and_cmp(
    pair: tuple[Path, Path],
    content: bytes,
    repeat: int,
    place: int,
    change: str,
    chunk: int | None,
    flags: tuple[bool, bool],
) -> None:
    a, b = pair
    one = bytearray(content * repeat)
    other = bytearray(one)
    if change == "byte" and other:
        other[place % len(other)] ^= 1 << place % 8
    elif change == "shorter" and other:
        del other[place % len(other) :]
    elif change == "longer":
        other += b"\0"
    a.write_bytes(one)
    b.write_bytes(other)
    options: dict[str, Any] = {"size_precheck": flags[0], "quick_check": flags[1]}
    if chunk is not None:
        options["chunk_size"] = chunk
    filecmp.clear_cache()
    expected = filecmp.cmp(a, b, shallow=False)
    assert expected == (one == other)
    said = subprocess.run(["cmp", "-s", a, b], check=False).returncode
    assert said == (0 if expected else 1)
    assert komparu.compare(a, b, **options) == expected
    assert komparu.compare(b, a, **options) == expected


# ---- What is known without reading --------------------------------------------------------------


def test_the_same_inode_is_equal_without_reading(pair: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = pair
    a.write_bytes(os.urandom(MEBI))
    os.link(a, b)
    (tmp_path / "link").symlink_to(a)
    for other in (a, b, tmp_path / "link", tmp_path / "." / "a"):
        assert bytes_read(a, other) == (True, 0)


def test_different_sizes_are_different_without_reading(pair: tuple[Path, Path]) -> None:
    a, b = pair
    a.write_bytes(bytes(MEBI))
    b.write_bytes(bytes(MEBI + 1))
    assert bytes_read(a, b) == (False, 0)
    equal, read = bytes_read(a, b, size_precheck=False)
    assert not equal
    assert read > 0


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_files_that_share_all_extents_are_equal_without_reading(tmp_path: Path, kind: str) -> None:
    with mounts.image(tmp_path, kind) as place:
        a, b = place / "a", place / "b"
        a.write_bytes(os.urandom(8 * MEBI))
        subprocess.run(["cp", "--reflink=always", a, b], check=True)
        os.sync()
        assert bytes_read(a, b) == (True, 0)
        # A change that is in memory only counts, and so does one that has been written.
        with b.open("r+b") as file:
            file.seek(5 * MEBI)
            file.write(b"changed")
            file.flush()
            assert not komparu.compare(a, b)
            os.fsync(file.fileno())
            assert not komparu.compare(a, b)
            file.seek(5 * MEBI)
            with a.open("rb") as original:
                original.seek(5 * MEBI)
                file.write(original.read(7))
        equal, read = bytes_read(a, b)
        assert equal
        assert read >= 16 * MEBI, "they are the same again, but no longer share everything"
        (place / "c").write_bytes(a.read_bytes())
        os.sync()
        assert bytes_read(a, place / "c")[1] >= 16 * MEBI


def test_files_that_share_extents_but_not_their_places_are_read(tmp_path: Path) -> None:
    """The same extents, in another order."""
    with mounts.image(tmp_path, "xfs") as place:
        a, b = place / "a", place / "b"
        a.write_bytes(b"1" * MEBI + b"2" * MEBI)
        subprocess.run(["cp", "--reflink=always", a, place / "keep"], check=True)
        swap = f"reflink {a} {MEBI} 0 {MEBI}", f"reflink {a} 0 {MEBI} {MEBI}"
        done = [
            subprocess.run(["xfs_io", "-fc", s, b], capture_output=True, check=False) for s in swap
        ]
        assert all(d.returncode == 0 for d in done), done
        os.sync()
        assert b.read_bytes() == b"2" * MEBI + b"1" * MEBI
        assert not komparu.compare(a, b)


def test_holes_on_both_sides_are_skipped(pair: tuple[Path, Path]) -> None:
    size = 1 << 40
    for path in pair:
        with path.open("wb") as file:
            try:
                file.truncate(size)
            except OSError:
                pytest.skip("this file system has no files of a tebibyte")
            file.seek(size // 2 + 7)
            file.write(b"data")
    equal, read = bytes_read(*pair)
    assert equal
    assert read < 16 * MEBI
    with pair[1].open("r+b") as file:
        file.seek(size // 3)
        file.write(b"x")
    assert not komparu.compare(*pair)
    with pair[1].open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\0")
    assert komparu.compare(*pair), "zeros that are stored are what a hole reads as"


def test_a_hole_beside_zeros_is_equal(pair: tuple[Path, Path]) -> None:
    a, b = pair
    a.write_bytes(bytes(3 * RANGE) + b"end")
    with b.open("wb") as file:
        file.seek(3 * RANGE)
        file.write(b"end")
    assert komparu.compare(a, b)


def test_some_places_of_large_files_are_looked_at_first(pair: tuple[Path, Path]) -> None:
    a, b = pair
    size = 64 * MEBI
    a.write_bytes(os.urandom(size))
    shutil.copyfile(a, b)
    for place in (0, size // 4, size // 2, size // 4 * 3, size - 1):
        with b.open("r+b") as file:
            file.seek(place)
            old = file.read(1)
            file.seek(place)
            file.write(bytes([old[0] ^ 255]))
        equal, read = bytes_read(a, b)
        assert not equal
        assert read <= 2 * 5 * 65536
        with b.open("r+b") as file:
            file.seek(place)
            file.write(old)
    assert bytes_read(a, b)[1] <= 2 * size + 2 * 5 * 65536


def test_a_size_of_zero_is_read() -> None:
    assert komparu.compare("/proc/version", "/proc/version")
    assert not komparu.compare("/proc/version", "/proc/filesystems")


@pytest.mark.parametrize(
    "name", ["/proc/version", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled"]
)
def test_views_into_the_kernel_compare_by_what_they_say(tmp_path: Path, name: str) -> None:
    if not Path(name).exists():
        pytest.skip(f"there is no {name}")
    content = Path(name).read_bytes()
    (tmp_path / "same").write_bytes(content)
    (tmp_path / "longer").write_bytes(content + b"\n")
    (tmp_path / "other").write_bytes(b"X" + content[1:])
    (tmp_path / "empty").touch()
    assert komparu.compare(name, tmp_path / "same")
    assert komparu.compare(tmp_path / "same", name)
    for other in ("longer", "other", "empty"):
        assert not komparu.compare(name, tmp_path / other)


def test_the_null_device_is_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_bytes(b"x")
    assert komparu.compare("/dev/null", tmp_path / "empty")
    assert komparu.compare("/dev/null", "/dev/null")
    assert not komparu.compare("/dev/null", tmp_path / "full")


# ---- What is refused, and how -------------------------------------------------------------------


def test_what_is_no_regular_file_is_refused_without_blocking(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for name in (tmp_path / "fifo", tmp_path / "socket", Path("/dev/zero"), Path("/dev/tty")):
            for pair in ((file, name), (name, file), (name, name)):
                with pytest.raises(komparu.SourceReadError, match="not a regular file") as failure:
                    komparu.compare(*pair)
                assert failure.value.filename == str(name)
    with pytest.raises(komparu.SourceReadError) as of_directory:
        komparu.compare(file, tmp_path)
    assert isinstance(of_directory.value, IsADirectoryError)
    assert of_directory.value.errno == errno.EISDIR
    assert of_directory.value.filename == str(tmp_path)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    for name in ("missing", "missing/file"):
        with pytest.raises(komparu.SourceNotFoundError) as failure:
            komparu.compare(__file__, tmp_path / name)
        assert isinstance(failure.value, FileNotFoundError)
        assert failure.value.errno == errno.ENOENT
        assert failure.value.filename == str(tmp_path / name)
        assert failure.value.strerror == "No such file or directory"


def test_a_loop_of_links_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(komparu.SourceReadError) as failure:
        komparu.compare(tmp_path / "loop", __file__)
    assert failure.value.errno == errno.ELOOP


def test_a_file_without_permission(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"x")
    file.chmod(0)
    code = """
import sys, komparu
try:
    komparu.compare(sys.argv[1], sys.executable)
except komparu.SourceReadError as error:
    print(isinstance(error, PermissionError), error.errno, error.filename)
"""
    command = [*restricted.command(ordinary=True), sys.executable, "-c", code, str(file)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)
    assert answer.stdout == f"True {errno.EACCES} {file}\n"


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe", b"x" * 255])
def test_names_of_any_bytes(tmp_path: Path, name: bytes) -> None:
    a = os.fsencode(tmp_path) + b"/" + name
    b = os.fsencode(tmp_path) + b"/other"
    for path in (a, b):
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(b"same")
    assert komparu.compare(a, b)
    assert komparu.compare(os.fsdecode(a), komparu.Source(b))
    os.unlink(a)  # noqa: PTH108
    with pytest.raises(komparu.SourceNotFoundError) as failure:
        komparu.compare(a, b)
    assert os.fsencode(failure.value.filename) == a
    assert pickle.loads(pickle.dumps(failure.value)).args == failure.value.args


def test_file_urls_are_paths(tmp_path: Path) -> None:
    odd = tmp_path / "a b%#?.txt"
    odd.write_bytes(b"x")
    assert komparu.compare(odd.as_uri(), odd)
    assert komparu.compare(odd.as_uri().replace("file://", "FILE://localhost"), komparu.Source(odd))


# ---- A file that changes ------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["overwritten", "grown", "shrunk", "touched"])
def test_a_file_that_changes_meanwhile_is_no_answer(pair: tuple[Path, Path], change: str) -> None:
    """Whichever way it would have come out. The change comes once reading has begun."""
    a, b = pair
    size = 2048 * MEBI
    for path in pair:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    options = _core.CompareOptions(chunk_size=4096, size_precheck=True, quick_check=False)
    comparison = _core.FileComparison(_calls.pool(), os.fsencode(a), os.fsencode(b), options)
    support.wait_until(lambda: comparison.bytes_read > 0, "the first byte", support.LIVENESS)
    assert not comparison.wait(0), "it has ended before the change"
    if change == "overwritten":
        with b.open("r+b") as file:
            file.write(b"\0")
    elif change == "grown":
        os.truncate(b, size + 1)
    elif change == "shrunk":
        os.truncate(b, PAGE)
    else:
        b.touch()
    assert comparison.wait(support.LIVENESS)
    failure = comparison.failure()
    assert failure is not None
    assert failure[0] == "unreadable"
    assert failure[2] == os.fsencode(b)
    assert b"changed while it was compared" in failure[3]
