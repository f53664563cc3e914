"""The computed, slow and failing tree of bench/latencyfs, mounted for a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [ROOT / "build" / preset / "bench" / "latencyfs" for preset in ("dev", "release")]


def why_not() -> str | None:
    """Say what keeps latencyfs from being mounted here; None when nothing does."""
    if not any(program.exists() for program in PROGRAMS):
        return "latencyfs is not built"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no access to /dev/fuse"
    return None


@contextmanager
def server_of(place: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Mount the tree that ``options`` ask for at ``place``; give the process that serves it."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    program = next(program for program in PROGRAMS if program.exists())
    place.mkdir()
    with subprocess.Popen([program, *options, place], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == b"ready\n"
            yield server
        finally:
            server.terminate()
            server.wait(support.LIVENESS)


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """Mount the tree that ``options`` ask for at ``place``."""
    with server_of(place, *options):
        yield place
