"""Files that take long to read, but not to make."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def allocated(directory: Path, size: int) -> Iterator[tuple[Path, Path]]:
    """Two files whose bytes are all stored as far as anyone can tell, but cost nothing to make."""
    if shutil.disk_usage(directory).free < 2.5 * size:
        pytest.skip("there is no room for two large files")
    pair = directory / "large a", directory / "large b"
    try:
        for path in pair:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        yield pair
    finally:
        for path in pair:
            path.unlink()
