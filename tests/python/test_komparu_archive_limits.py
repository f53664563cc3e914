"""What an archive may cost, and archives that are not whole: errors, and never a wrong answer."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archives
import komparu
import pytest
import support
from archives import BLOCK, MAKERS, QUICK_MAKERS, Files, run, tar_of, zip_files, zip_of

MEBI = 1 << 20
BIG = bool(os.environ.get("FILETREE_BIG_ARCHIVES"))

FILES: Files = {
    "a.txt": b"some text\n" * 300,
    "d/b": os.urandom(3000),
    "d/c": b"",
    "e": bytes(2000),
}

Pair = tuple[Path, Path]


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tmp_path / "a", tmp_path / "b"


def compare(pair: Pair, a: bytes, b: bytes, **options: Any) -> komparu.DirResult:
    pair[0].write_bytes(a)
    pair[1].write_bytes(b)
    return komparu.compare_archive(*pair, **options)


# ---- Limits -------------------------------------------------------------------------------------


def assert_bomb(
    pair: Pair, archive: bytes, limit: str, figures: tuple[int, ...], **of: Any
) -> None:
    """It is refused on either side, by name and with both figures, and passes without a limit."""
    for content in ((archive, tar_of([])), (tar_of([]), archive)):
        for hashed in (False, True):
            with pytest.raises(komparu.ArchiveBombError) as failure:
                compare(pair, *content, hash_compare=hashed, **of)
            message = str(failure.value)
            assert "bomb" in message
            assert limit in message
            assert all(str(figure) in message for figure in figures), message
            assert failure.value.errno == errno.EFBIG
            assert failure.value.filename == str(pair[content[0] is not archive])
            assert isinstance(failure.value, komparu.ArchiveError)
    off = {**of, limit: None}
    assert compare(pair, archive, archive, **off).equal


@pytest.mark.parametrize("kind", QUICK_MAKERS)
def test_each_limit_holds_in_every_format(pair: Pair, kind: str) -> None:
    files = {f"name{i}": bytes([i]) * 1000 for i in range(5)}
    made = QUICK_MAKERS[kind](files)
    exact = {"max_decompressed_size": 5000, "max_archive_entries": 5, "max_entry_name_length": 5}
    assert compare(pair, made, made, **exact).equal
    assert_bomb(pair, made, "max_decompressed_size", (5000, 4999), max_decompressed_size=4999)
    assert_bomb(pair, made, "max_archive_entries", (5, 4), max_archive_entries=4)
    assert_bomb(pair, made, "max_entry_name_length", (5, 4), max_entry_name_length=4)


def test_the_ratio_is_that_to_the_archives_size(pair: Pair) -> None:
    content = bytes(5 * MEBI)
    for made in (zip_of([("a", content)]), gzip.compress(tar_of([("a", content)]))):
        assert_bomb(pair, made, "max_compression_ratio", (5 * MEBI, len(made), 200))
        ratio = 5 * MEBI // len(made) + 1
        assert compare(pair, made, made, max_compression_ratio=ratio).equal
    short = gzip.compress(tar_of([("a", content[: MEBI - 1024])]))
    assert len(short) * 500 < MEBI
    assert compare(pair, short, short).equal, "any short text compresses well"


def test_skipped_entries_count_towards_every_limit(pair: Pair) -> None:
    for make in (tar_of, zip_of, archives.cpio_of):
        made = make([("/outside", b"x" * 1000), ("../too", b"x" * 1000)])
        assert_bomb(pair, made, "max_decompressed_size", (2000, 1999), max_decompressed_size=1999)
        assert_bomb(pair, made, "max_archive_entries", (2, 1), max_archive_entries=1)
        assert_bomb(pair, made, "max_entry_name_length", (8, 7), max_entry_name_length=7)
    made = gzip.compress(tar_of([("/outside", bytes(5 * MEBI))]))
    assert_bomb(pair, made, "max_compression_ratio", (5 * MEBI, 200))


def test_links_and_directories_are_entries(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "top/d").mkdir(parents=True)
    (tmp_path / "top/link").symlink_to("x")
    made = run("tar", "-c", ".", cwd=tmp_path / "top")
    assert_bomb(pair, made, "max_archive_entries", (3, 2), max_archive_entries=2)


def test_holes_count_as_decompressed(pair: Pair, tmp_path: Path) -> None:
    size = 1 << 40
    with (tmp_path / "sparse").open("wb") as file:
        file.write(b"x")
        file.truncate(size)
    for form in ("gnu", "pax"):
        made = run("tar", "-cS", f"--format={form}", "sparse", cwd=tmp_path)
        with pytest.raises(komparu.ArchiveBombError, match=f"{size} .* {1 << 30}"):
            compare(pair, made, tar_of([]))


def test_what_is_in_no_entry_counts_where_it_is_much(pair: Pair) -> None:
    made = gzip.compress(tar_of([("a", b"1")]) + bytes(50 * MEBI))
    with pytest.raises(komparu.ArchiveBombError, match="max_compression_ratio is 200"):
        compare(pair, made, tar_of([]))


def test_limits_can_be_configured(pair: Pair) -> None:
    made = tar_of([("a", b"xx")])
    komparu.configure(max_decompressed_size=1)
    with pytest.raises(komparu.ArchiveBombError):
        compare(pair, made, made)
    assert compare(pair, made, made, max_decompressed_size=1 << 70).equal
    with pytest.raises(komparu.ConfigError, match="max_archive_entries must be positive"):
        compare(pair, made, made, max_archive_entries=0)


# ---- Truncated ----------------------------------------------------------------------------------


def _end_of(kind: str, made: bytes) -> int:
    """Where what means anything ends: behind that these programs write zeros, up to a record."""
    if kind.startswith("cpio ") and "." not in kind:
        return len(made.rstrip(b"\0"))
    if kind.startswith("tar "):
        with tarfile.open(fileobj=io.BytesIO(made)) as tar:
            last = tar.getmembers()[-1]
        return last.offset_data + -(-last.size // BLOCK) * BLOCK + 2 * BLOCK
    return len(made)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_truncated_archive_is_an_error(pair: Pair, kind: str) -> None:
    """At every block, and at each of the last bytes."""
    made = MAKERS[kind](FILES)
    end = _end_of(kind, made)
    assert compare(pair, made, made[: end + 4]).equal
    pair[0].write_bytes(made)
    for length in sorted({*range(0, end, BLOCK), *range(max(0, end - 40), end)}):
        pair[1].write_bytes(made[:length])
        for hashed in (False, True):
            with pytest.raises(komparu.ArchiveError):
                komparu.compare_archive(*pair, hash_compare=hashed)
            with pytest.raises(komparu.ArchiveError):
                komparu.compare_archive(pair[1], pair[1], hash_compare=hashed)


def test_a_truncated_sparse_tar_is_an_error(pair: Pair, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for place in range(0, MEBI, MEBI // 8):
            file.seek(place)
            file.write(bytes([place % 251]) * 5000)
        file.truncate(2 * MEBI)
    for form in ("gnu", "pax"):
        made = run("tar", "-cSb", "1", f"--format={form}", "sparse", cwd=tmp_path)
        assert compare(pair, made, made).equal
        for length in range(0, len(made), BLOCK):
            with pytest.raises(komparu.ArchiveError):
                compare(pair, made, made[:length])


# ---- Corrupt ------------------------------------------------------------------------------------


def _tar_files(content: bytes) -> Files:
    files: Files = {}
    with tarfile.open(fileobj=io.BytesIO(content), errorlevel=2) as tar:
        for entry in tar:
            if entry.isreg():
                file = tar.extractfile(entry)
                assert file is not None
                files[os.path.normpath(entry.name)] = file.read()
    return files


READERS: dict[str, Callable[[bytes], Files | None]] = {
    "tar gnu": _tar_files,
    "tar pax": _tar_files,
    "tar.gz": lambda content: _tar_files(gzip.decompress(content)),
    "tar.bz2": lambda content: _tar_files(bz2.decompress(content)),
    "tar.xz": lambda content: _tar_files(lzma.decompress(content)),
    "zip": zip_files,
    "zip stored": zip_files,
}


@pytest.mark.parametrize("kind", READERS)
def test_a_corrupt_byte_never_makes_a_wrong_equal(pair: Pair, kind: str) -> None:
    made = QUICK_MAKERS[kind](FILES)
    pair[0].write_bytes(made)
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    outcomes: dict[str, int] = {"error": 0, "different": 0, "equal": 0}
    for _ in range(250):
        corrupt = bytearray(made)
        corrupt[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
        pair[1].write_bytes(corrupt)
        try:
            found = komparu.compare_archive(*pair, hash_compare=chance.random() < 0.5)
        except komparu.KomparuError:
            outcomes["error"] += 1
            continue
        outcomes["equal" if found.equal else "different"] += 1
        if found.equal:
            assert READERS[kind](bytes(corrupt)) in (FILES, None), f"seed {seed}"
    assert outcomes["error"] > 0


@pytest.mark.parametrize(
    "kind", ["zip stored", "7z", "rar4", "rar5", "tar.gz", "tar.bz2", "tar.xz"]
)
def test_checksums_are_looked_at(pair: Pair, kind: str) -> None:
    content = os.urandom(5000)
    made = bytearray(MAKERS[kind]({"a": content}))
    made[len(made) // 2] ^= 1
    with pytest.raises(komparu.ArchiveError):
        compare(pair, bytes(made), tar_of([("a", content)]))


def test_gzips_own_checksum_and_length_are_looked_at(pair: Pair) -> None:
    made = gzip.compress(tar_of(FILES.items()))
    for place in (-8, -5, -4, -1):
        corrupt = bytearray(made)
        corrupt[place] ^= 1
        with pytest.raises(komparu.ArchiveError, match="corrupt gzip data"):
            compare(pair, made, bytes(corrupt))


def test_data_after_the_end_is_an_error(pair: Pair) -> None:
    plain = tar_of(FILES.items())
    for made in (plain, gzip.compress(plain), bz2.compress(plain), lzma.compress(plain)):
        with pytest.raises(komparu.ArchiveError):
            compare(pair, made, made + b"more")
    assert compare(pair, plain, plain + bytes(100_000)).equal
    for both in (gzip.compress, bz2.compress, lzma.compress):
        assert compare(pair, plain, both(plain[:700]) + both(plain[700:])).equal
        with pytest.raises(komparu.ArchiveError):
            compare(pair, plain, both(plain) + both(plain))


# ---- Encrypted, in several volumes --------------------------------------------------------------


def test_an_encrypted_archive_says_so(pair: Pair, tmp_path: Path) -> None:
    archives.write_tree(tmp_path, {"secret.txt": b"secret " * 100})
    run("zip", "-q", "-P", "word", "a.zip", "secret.txt", cwd=tmp_path)
    run("7z", "a", "-pword", "b.7z", "secret.txt", cwd=tmp_path)
    run("7z", "a", "-pword", "-mhe=on", "c.7z", "secret.txt", cwd=tmp_path)
    run("7z", "a", "-pword", "-mem=AES256", "d.zip", "secret.txt", cwd=tmp_path)
    pair[1].write_bytes(tar_of([]))
    for name in ("a.zip", "b.7z", "c.7z", "d.zip"):
        with pytest.raises(komparu.ArchiveError, match="encrypted"):
            komparu.compare_archive(tmp_path / name, pair[1])


def test_a_volume_of_several_says_so(pair: Pair, tmp_path: Path) -> None:
    archives.write_tree(tmp_path, {"large": os.urandom(200_000)})
    run("7z", "a", "-v64k", "a.7z", "large", cwd=tmp_path)
    run("zip", "-q", "-s", "64k", "b.zip", "large", cwd=tmp_path)
    (tmp_path / "c.rar").write_bytes(archives.rar4_of(FILES.items(), archive_flags=1))
    (tmp_path / "d.rar").write_bytes(archives.rar5_of(FILES.items(), archive_flags=1))
    run(
        "tar",
        "-cM",
        "-L",
        "100",
        "-f",
        "e1.tar",
        "-f",
        "e2.tar",
        "-f",
        "e3.tar",
        "large",
        cwd=tmp_path,
    )
    pair[1].write_bytes(tar_of([]))
    for name in ("a.7z.001", "a.7z.002", "b.zip", "b.z01", "c.rar", "d.rar", "e2.tar"):
        with pytest.raises(komparu.ArchiveError, match="multi-volume"):
            komparu.compare_archive(tmp_path / name, pair[1])
    with pytest.raises(komparu.ArchiveError):
        komparu.compare_archive(tmp_path / "e1.tar", pair[1])


# ---- Many entries, large ones -------------------------------------------------------------------


def test_a_hundred_thousand_entries(pair: Pair) -> None:
    entries = [(f"d{i % 100}/{i}", b"%d" % i) for i in range(100_000)]
    made, backwards = archives.cpio_of(entries), archives.cpio_of(reversed(entries))
    entries[77_777] = (entries[77_777][0], b"other")
    assert compare(pair, made, backwards).equal
    assert compare(pair, made, made, hash_compare=True).equal
    assert list(compare(pair, made, archives.cpio_of(entries)).diff) == [entries[77_777][0]]
    assert list(compare(pair, backwards, archives.cpio_of(entries)).diff) == [entries[77_777][0]]


SIZE = (2 << 30) if BIG else (128 << 20)


def _large(path: Path, order: list[int], command: str) -> None:
    """A tar of files of 16 MiB each, through a program, never whole in memory."""
    with (
        path.open("wb") as out,
        subprocess.Popen([command], stdin=subprocess.PIPE, stdout=out, shell=True) as packer,
    ):
        assert packer.stdin is not None
        with tarfile.open(fileobj=packer.stdin, mode="w|") as tar:
            for number in order:
                info = tarfile.TarInfo(f"file {number}")
                info.size = 16 * MEBI
                block = random.Random(number).randbytes(MEBI)
                tar.addfile(info, io.BytesIO(block * 16))
    assert packer.returncode == 0


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("hashed", [False, True])
def test_memory_does_not_depend_on_the_size(tmp_path: Path, shuffled: bool, hashed: bool) -> None:
    """Two GiB where FILETREE_BIG_ARCHIVES is set."""
    code = r"""
import memory, sys, time, komparu
a, b, small, hashed = sys.argv[1:]
options = dict(hash_compare=bool(hashed), max_decompressed_size=None, max_compression_ratio=None)
assert komparu.compare_archive(small, small, **options).equal
before = memory.peak()
begun = time.monotonic()
assert komparu.compare_archive(a, b, **options).equal
grown = memory.peak() - before
print(grown, f"{time.monotonic() - begun:.1f}")
"""
    order = list(range(SIZE // (16 * MEBI)))
    a, b, small = tmp_path / "a", tmp_path / "b", tmp_path / "small"
    small.write_bytes(tar_of([("a", b"1")]))
    _large(a, order, "cat")
    _large(b, order[::-1] if shuffled else order, "gzip -1")
    answer = support.run_script(code, a, b, small, "1" if hashed else "", cwd=tmp_path)
    a.unlink()
    b.unlink()
    grown, seconds = answer.stdout.split()
    print(f"{SIZE >> 20} MiB: {int(grown)} KiB more memory, {float(seconds)} s", file=sys.stderr)
    assert int(grown) < 32 << 10  # KiB
