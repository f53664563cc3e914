"""The soak in small, so that it stays alive: see bench/soak.py."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def judged(**growth: float) -> dict[str, Any]:
    """The verdict on an hour with a rest a minute, in which something grows by so much a rest."""
    names = ("descriptors", "threads", "rss", "anonymous", "malloc_used", "malloc_held", "arrow")
    start = {**dict.fromkeys(names, 100_000), "objects": 1}
    rests = [
        {"time": 60.0 * n, "operations": 500 * n}
        | {name: value + growth.get(name, 0) * n for name, value in start.items()}
        for n in range(1, 61)
    ]
    path = SOAK.parent / "soaking" / "verdict.py"
    spec = importlib.util.spec_from_file_location("verdict", path)
    assert spec is not None
    assert spec.loader is not None
    verdict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verdict)
    found: dict[str, Any] = verdict.judge(rests, 3600.0)
    return found


def test_what_is_flat_has_no_complaint() -> None:
    assert judged()["complaints"] == []
    assert judged(rss=100, malloc_used=50)["complaints"] == [], "less than it may"


@pytest.mark.parametrize(
    ("name", "by"), [("descriptors", 1), ("threads", 1), ("rss", 400), ("malloc_used", 200)]
)
def test_what_grows_is_named(name: str, by: int) -> None:
    (complaint,) = judged(**{name: by})["complaints"]
    assert complaint.startswith(f"{name} at rest:")


def test_trends_are_by_time_and_by_work() -> None:
    trend = judged(rss=100)["trends"]["rss"]
    assert trend == {"kib_per_hour": 6000, "kib_per_1000_operations": 200.0}
