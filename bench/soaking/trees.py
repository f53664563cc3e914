"""What the operations work on: trees and files that never change, and some that always do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

LARGE = 32 << 20
GROUP = 100  # of the tree to repair; any but root's

#: Of pairs of files by the first letters of their names: whether the two are the same.
PAIRS = {"same": True, "first": False, "last": False, "longer": False}
#: LARGE is there as `same` only.
SIZES = (0, 1, 5000, 300_000, 3 << 20)
ARCHIVES = ("a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip")
BROKEN = ("cut.tar.gz", "cut.zip", "flipped.tar.xz", "garbage.zip")
#: In what the directory `other` differs from `left`.
DIFFERING, ONLY_LEFT, ONLY_RIGHT = "d1/f3", "d2/f5", "d3/new"


@dataclass(frozen=True)
class Places:
    """Where everything is.

    :ivar work: the directory that holds it
    :ivar url: where the files below it are served
    """

    work: Path
    url: str

    @property
    def still(self) -> Path:
        """A tree that nobody changes."""
        return self.work / "still"

    @property
    def moving(self) -> tuple[Path, Path]:
        """Two trees that are changed all the time."""
        return self.work / "moving" / "a", self.work / "moving" / "b"

    @property
    def restless(self) -> tuple[Path, Path]:
        """A file and an archive that are changed all the time."""
        return self.work / "moving" / "file", self.work / "moving" / "archive.tar.gz"

    @property
    def repaired(self) -> Path:
        """A tree that only repairs touch."""
        return self.work / "repaired"

    @property
    def locked(self) -> Path:
        """A directory that must not be read, even by its owner."""
        return self.work / "locked"

    @property
    def archives(self) -> Path:
        """Archives of one content, of another, and broken ones."""
        return self.work / "archives"

    @property
    def left(self) -> Path:
        """One of three trees to compare: `same` holds the same, `other` does not."""
        return self.work / "trees" / "left"

    def pair(self, kind: str, size: int) -> tuple[Path, Path]:
        """Two files, see PAIRS."""
        return self.work / "pairs" / f"{kind}-{size}-a", self.work / "pairs" / f"{kind}-{size}-b"

    def served(self, path: Path, how: str = "file") -> str:
        """Where a file is served: as a `file`, or cut `short`, slowly by `drops`, ..."""
        return f"{self.url}/{how}/{path.relative_to(self.work)}"


def build(places: Places, seed: int) -> None:
    """Make everything; nothing is there yet."""
    rng = random.Random(seed)
    _still(places.still, rng)
    for top in places.moving:
        top.mkdir(parents=True)
    _pairs(places, rng)
    _directories(places.left, rng)
    _archives(places.archives, rng)
    _to_repair(places.repaired)
    places.locked.mkdir()
    places.locked.chmod(0)
    (places.work / "out").mkdir()


def _still(top: Path, rng: random.Random) -> None:
    directories = [top]
    top.mkdir()
    for number in range(150):
        directory = rng.choice(directories[-40:]) / f"d{number}"
        directory.mkdir()
        directories.append(directory)
        for name in range(rng.randrange(40)):
            (directory / f"f{name}.dat").write_bytes(bytes(rng.randrange(3000)))
    (top / ".snapshot").mkdir()
    (top / ".snapshot" / "old").touch()
    (top / "ünïcode").touch()
    Path(os.fsdecode(os.fsencode(top) + b"/not \xff utf-8")).touch()
    (top / "link").symlink_to(directories[5])
    (top / "dangling").symlink_to("nowhere")
    os.mkfifo(top / "fifo")
    (top / "hard").hardlink_to(top / "ünïcode")


def _pairs(places: Places, rng: random.Random) -> None:
    (places.work / "pairs").mkdir()
    for size in SIZES:
        content = rng.randbytes(size)
        for kind in PAIRS:
            a, b = places.pair(kind, size)
            a.write_bytes(content)
            b.write_bytes(_variant(kind, content))
    for path in places.pair("same", LARGE):
        path.write_bytes(bytes(LARGE))


def _variant(kind: str, content: bytes) -> bytes:
    if kind == "longer" or (kind != "same" and not content):
        return content + b"x"
    if kind == "first":
        return bytes([content[0] ^ 1]) + content[1:]
    if kind == "last":
        return content[:-1] + bytes([content[-1] ^ 1])
    return content


def _directories(left: Path, rng: random.Random) -> None:
    for directory in range(10):
        (left / f"d{directory}").mkdir(parents=True)
        for number in range(30):
            content = rng.randbytes(rng.choice((0, 10, 2000, 60_000)))
            (left / f"d{directory}" / f"f{number}").write_bytes(content)
    (left / DIFFERING).write_bytes(b"one")
    for name in ("same", "other"):
        shutil.copytree(left, left.with_name(name))
    other = left.with_name("other")
    (other / DIFFERING).write_bytes(b"two")
    (other / ONLY_LEFT).unlink()
    (other / ONLY_RIGHT).touch()


def _archives(top: Path, rng: random.Random) -> None:
    top.mkdir()
    files = {f"d{n % 7}/f{n}": rng.randbytes(rng.choice((0, 100, 20_000))) for n in range(120)}
    for name in ARCHIVES:
        (top / name).write_bytes(packed(name, files))
        (top / name.replace("a.", "b.")).write_bytes(packed(name, {**files, "d1/f1": b"other"}))
    for name, whole in (("cut.tar.gz", "a.tar.gz"), ("cut.zip", "a.zip")):
        content = (top / whole).read_bytes()
        (top / name).write_bytes(content[: len(content) // 2])
    flipped = bytearray((top / "a.tar.xz").read_bytes())
    flipped[len(flipped) // 2] ^= 255
    (top / "flipped.tar.xz").write_bytes(flipped)
    (top / "garbage.zip").write_bytes(rng.randbytes(5000))
    (top / "bomb.zip").write_bytes(packed("a.zip", {"zeros": bytes(8 << 20)}))


def packed(name: str, files: dict[str, bytes]) -> bytes:
    """Return an archive of the format that the name says."""
    buffer = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    whole = buffer.getvalue()
    return _compressed(whole, name.rpartition(".")[2])


def _compressed(content: bytes, suffix: str) -> bytes:
    if suffix == "gz":
        return gzip.compress(content, 1)
    if suffix == "bz2":
        return bz2.compress(content, 1)
    return lzma.compress(content, preset=0) if suffix == "xz" else content


def _to_repair(top: Path) -> None:
    for directory in range(5):
        (top / f"d{directory}").mkdir(parents=True, mode=0o700)
        for name in range(10):
            path = top / f"d{directory}" / f"f{name}"
            path.touch()
            path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(top, 0, GROUP)
