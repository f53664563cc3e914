"""Mounting small file systems under a test's own directory."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest


@functools.lru_cache(maxsize=1)
def can_mount() -> bool:
    """May this process mount a tmpfs?"""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as place:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place],
            capture_output=True,
            check=False,
        )
        if tried.returncode == 0:
            _unmount(Path(place))
        return tried.returncode == 0


def require_mounting() -> None:
    """Skip the calling test where nothing can be mounted."""
    if not can_mount():
        pytest.skip("mounting needs root with CAP_SYS_ADMIN and the mount command")


@contextmanager
def tmpfs(at: Path, size: str = "16m") -> Iterator[Path]:
    """A tmpfs of ``size`` mounted on ``at`` while the context lasts."""
    require_mounting()
    at.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(at))
    try:
        yield at
    finally:
        _unmount(at)


@contextmanager
def image(directory: Path, kind: str, size: str = "400m") -> Iterator[Path]:
    """A new file system of ``kind``, ``"xfs"`` or ``"btrfs"``, in a file below ``directory``."""
    require_mounting()
    make = shutil.which(f"mkfs.{kind}", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if make is None:
        pytest.skip(f"there is no mkfs.{kind}")
    if kind not in Path("/proc/filesystems").read_text().split():
        pytest.skip(f"this kernel has no {kind}")
    file, at = directory / f"{kind}.image", directory / kind
    subprocess.run(["truncate", "-s", size, str(file)], check=True)
    subprocess.run([make, "-q", str(file)], check=True, capture_output=True)
    at.mkdir()
    try:
        _mount("-o", "loop", str(file), str(at))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"a file cannot be mounted here: {error.stderr.decode().strip()}")
    try:
        yield at
    finally:
        _unmount(at)


@contextmanager
def bind(source: Path, at: Path) -> Iterator[Path]:
    """``source``, a file or a directory, mounted on ``at`` while the context lasts."""
    require_mounting()
    if source.is_dir():
        at.mkdir(parents=True, exist_ok=True)
    else:
        at.touch()
    _mount("--bind", str(source), str(at))
    try:
        yield at
    finally:
        _unmount(at)


@contextmanager
def bound_copies(source: Path, top: Path, count: int) -> Iterator[Path]:
    """``top`` with ``count`` directories, each of them ``source``."""
    with ExitStack() as stack:
        top.mkdir(parents=True)
        for number in range(count):
            stack.enter_context(bind(source, top / f"copy{number:03d}"))
        yield top


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _unmount(at: Path) -> None:
    """Unmount, lazily if something still holds it, so that no test leaves a mount behind."""
    if subprocess.run(["umount", str(at)], capture_output=True, check=False).returncode:
        subprocess.run(["umount", "-l", str(at)], check=True, capture_output=True)
