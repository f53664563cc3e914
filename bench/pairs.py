"""What comparers compare: the same bytes twice, as two files, two trees or a list of pairs.

One side of the pairs may be behind URLs.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import machine
import web
from trees import UnavailableError

TMPFS = Path("/dev/shm")
BLOCK = 1 << 20
# Many small files and a few large ones, as in trees of sources: half of them hold a fifth of the
# mean or less.
SPREAD = 1.8
# Of every file: no contender can tell two of them apart, or take them for the same, by their times.
WRITTEN = 1_000_000_000


@dataclass(frozen=True)
class Pairs:
    """``size`` bytes in ``files`` files, twice. Of a tree, in so many ``directories``."""

    form: Literal["file", "tree", "list", "urls"]
    files: int
    size: int
    directories: int = 1

    @property
    def entries(self) -> int:
        """What is counted: bytes of two files, else files."""
        return self.size if self.form == "file" else self.files

    @property
    def unit(self) -> str:
        """What :attr:`entries` are."""
        return {"file": "bytes", "tree": "files"}.get(self.form, "pairs")

    @property
    def name(self) -> str:
        """What it is called below the work directory."""
        return f"pairs-{self.form}-{self.files}x{self.size // self.files}"

    def sample(self) -> Pairs:
        """A small one of the same form; no block size divides the size of its file."""
        if self.form == "file":
            return replace(self, size=3_000_001)
        directories = min(6, self.directories)
        return replace(self, files=60, size=60 * (self.size // self.files), directories=directories)


def _directories(count: int, chance: random.Random) -> list[str]:
    """Each lies in one of those before it."""
    paths = ["."]
    for number in range(1, count):
        paths.append(f"{chance.choice(paths)}/d{number:04}")
    return paths


def _files(
    pairs: Pairs, directories: list[str], chance: random.Random
) -> Iterator[tuple[str, int]]:
    """Path below the side, and size, of each file."""
    if pairs.form == "file":
        yield "", pairs.size
    elif pairs.form in ("list", "urls"):
        for number in range(pairs.files):
            yield f"f{number:05}", pairs.size // pairs.files
    else:
        weights = [chance.lognormvariate(0, SPREAD) for _ in range(pairs.files)]
        bytes_each = pairs.size / sum(weights)
        for number, weight in enumerate(weights):
            yield f"{chance.choice(directories)}/f{number:05}", int(weight * bytes_each)


def _write(path: Path, size: int, chance: random.Random) -> None:
    with path.open("wb") as stream:
        for begin in range(0, size, BLOCK):
            stream.write(chance.randbytes(min(BLOCK, size - begin)))
    os.utime(path, (WRITTEN, WRITTEN))


def _flip(path: Path) -> None:
    """Change one byte, where nobody looks who only looks at both ends and the quarters."""
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size * 3 // 5)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    os.utime(path, (WRITTEN, WRITTEN))


def _fill(target: Path, pairs: Pairs) -> list[str]:
    """Make sides ``a`` and ``b`` in ``target``: written twice, so that no extent is shared."""
    chance = random.Random(1)
    directories = _directories(pairs.directories, chance)
    target.mkdir()
    for directory in directories if pairs.form != "file" else []:
        for side in "ab":
            (target / side / directory).mkdir(parents=True)
    names = []
    for number, (name, size) in enumerate(_files(pairs, directories, chance)):
        for side in "ab":
            _write(target / side / name, size, random.Random(number))
        names.append(name)
    return names


def _write_list(target: Path, form: str) -> None:
    """Say which files belong together, for those that take a list."""
    if form not in ("list", "urls"):
        return
    there = web.url_of if form == "urls" else str
    pairs = [(file, there(target / "b" / file.name)) for file in sorted((target / "a").iterdir())]
    (target / "pairs").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))


@contextlib.contextmanager
def made(pairs: Pairs, work: Path) -> Iterator[Path]:
    """The folder with ``a`` and ``b``, and for a list ``pairs``.

    Two large files lie on a tmpfs, and go afterwards; all else lies below ``work``, and is kept.
    """
    on_tmpfs = pairs.form == "file"
    place = TMPFS if on_tmpfs and machine.file_system(work) != "tmpfs" else work
    target = place / (f"filetree-bench-{os.getpid()}" if on_tmpfs else pairs.name)
    try:
        if not target.exists():
            _make(pairs, target)
        _write_list(target, pairs.form)
        yield target
    finally:
        if on_tmpfs:
            shutil.rmtree(target, ignore_errors=True)


def _make(pairs: Pairs, target: Path) -> None:
    place = target.parent
    if not place.is_dir() or shutil.disk_usage(place).free < 2.2 * pairs.size:
        raise UnavailableError(f"no room for twice {pairs.size:,} bytes in {place}")
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    print(f"making {pairs.name}: twice {pairs.size:,} bytes", flush=True)
    try:
        _fill(unfinished, pairs)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    os.sync()  # else the first runs share the disk with what is still being written


@dataclass(frozen=True)
class Samples:
    """Two small ones: the same on both sides, and all but one byte of the last file."""

    same: Path
    other: Path


def samples(pairs: Pairs, scratch: Path) -> Samples:
    """Make samples of the same form."""
    small = pairs.sample()
    both = Samples(scratch / f"{pairs.form}-same", scratch / f"{pairs.form}-other")
    for target in (both.same, both.other):
        last = _fill(target, small)[-1]
        if target == both.other:
            _flip(target / "b" / last)
        _write_list(target, pairs.form)
    return both
