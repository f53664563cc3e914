"""The installed core, as another C++ project finds it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import oracle
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "dev"


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
@pytest.mark.skipif(not (BUILD / "build.ninja").exists(), reason="the core is not built here")
def test_another_project_finds_links_and_uses_the_installed_core(
    plain: Path, tmp_path: Path
) -> None:
    def cmake(*arguments: str | Path) -> None:
        subprocess.run(["cmake", *arguments], check=True, capture_output=True)

    prefix = tmp_path / "prefix"
    cmake("--install", BUILD, "--prefix", prefix)
    source = ROOT / "examples" / "find_package"
    cmake("-S", source, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    cmake("--build", tmp_path / "build")
    counted = subprocess.check_output([tmp_path / "build" / "count_entries", plain])
    assert int(counted) == len(oracle.expected_rows(plain))
