"""The recipe for conda-forge that a release has beside it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "packaging" / "conda" / "release_recipe.py"


def _run(sdist: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "https://forge.example.org/filetree", str(sdist)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_recipe_of_a_release_has_the_sdist_as_its_source(tmp_path: Path) -> None:
    sdist = tmp_path / "filetree-12.3.4.tar.gz"
    sdist.write_bytes(b"content")
    made = _run(sdist)
    assert made.returncode == 0, made.stderr
    lines = made.stdout.splitlines()
    assert "  version: 12.3.4" in lines
    address = "https://forge.example.org/filetree/releases/download/v${{ version }}"
    assert f"  url: {address}/filetree-${{{{ version }}}}.tar.gz" in lines
    assert f"  sha256: {hashlib.sha256(b'content').hexdigest()}" in lines
    assert "  homepage: https://forge.example.org/filetree" in lines
    assert "path:" not in made.stdout


def test_another_file_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "filetree-12.3.4-cp310-cp310-linux_x86_64.whl"
    wheel.write_bytes(b"content")
    made = _run(wheel)
    assert made.returncode != 0
    assert "not a source distribution" in made.stderr
