"""The soak in small, so that it stays alive: see bench/soak.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import support

SOAK = Path(__file__).resolve().parents[2] / "bench" / "soak.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it counts by /proc")
def test_ten_seconds_of_random_work_leave_no_descriptor_and_no_thread(tmp_path: Path) -> None:
    """Every operation has the answer that is known, or an error that is documented."""
    summary = tmp_path / "summary.json"
    answer = subprocess.run(
        [
            *(sys.executable, str(SOAK), "--seconds", "10", "--seed", "5"),
            *("--work", str(tmp_path / "work"), "--json", str(summary)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * support.LIVENESS,
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(summary.read_text())
    assert found["complaints"] == []
    assert found["cancelled"] > 0
    assert len(found["operations_by_kind"]) == 29, "every kind has its turn"
