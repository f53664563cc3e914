"""bench/report.py, from a small record made by hand: what it says is what the record holds."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
REPORT = BENCH / "report.py"
PUBLISHED = BENCH.parent / "docs" / "benchmarks"
SVG = "{http://www.w3.org/2000/svg}"

Record = dict[str, Any]
Reporter = Callable[..., "subprocess.CompletedProcess[str]"]


def contender(key: str, kind: str, *seconds: float, mib: int = 10, **others: Any) -> Record:
    runs = [
        {"seconds": one, "peak_rss": mib << 20, "cpu": 2 * one, "printed": []} for one in seconds
    ]
    about = {"version": "1.2", "timed_inside": False, "missing": "", "problem": "", "entries": 1000}
    role = next((role for role in ("floor", "ours") if key.startswith(role)), "peer")
    command = f"{key} 'a|b' TREE"
    return {"role": role, "kind": kind, "command": command, "runs": runs, **about, **others}


def scene(group: str, floors: dict[str, str], contenders: dict[str, Record]) -> Record:
    return {
        "title": "a tree",
        "measures": "Something",
        "group": group,
        "size": 1000,
        "unit": "entries",
        "floors": floors,
        "rounds": 3,
        "file_system": "ext4",
        "skipped": "",
        "checked": ["3 of 3 contenders found the same 1,000 entries"],
        "circumstances": {
            "started": "2030-01-02T03:04:05+00:00",
            "seconds": 61.0,
            "commit": "abcdef012345",
            "load_before": 0.25,
            "load_after": 1.75,
            "others": 0.125,
            "stolen": 0.375,
        },
        "contenders": contenders,
    }


def made_up() -> Record:
    metadata = ("floor, cores", "find, stat", "bfs, stat", "ours: scan", "ours: CSV")
    seconds = ((0.5, 0.625, 0.75), (2.5,), (0.875,), (0.5625, 0.65625, 0.75), (1.0,))
    warm = {
        key: contender(key, "metadata", *runs) for key, runs in zip(metadata, seconds, strict=True)
    }
    warm["floor, names, cores"] = contender("floor, names, cores", "names", 0.125)
    warm["os.walk"] = contender("os.walk", "names", 1.0, mib=8)
    warm["ours: walk()"] = contender("ours: walk()", "names", 0.25, mib=40)
    warm["gdu"] = contender("gdu", "metadata", missing="gdu is not installed")
    pair = {
        "floor, 2": contender("floor, 2", "content", 0.25),
        "cmp": contender("cmp", "content", 1.0),
        "ours: compare()": contender("ours: compare()", "content", 0.75),
        "ours: komparu": contender("ours: komparu", "content", 0.01),
    }
    floors = {"names": "floor, names, cores", "metadata": "floor, cores", "content": "floor, 2"}
    return {
        "machine": {"cpu": "a processor", "cores": "2", "kernel": "9.9", "file system": "ext4"},
        "versions": {"find": "4.9", "bfs": "2.6"},
        "quick": False,
        "scenes": {
            "warm": scene("disk", floors, warm),
            "compare-file": scene("compare", floors, pair),
        },
    }


SCALING: Record = {
    "machine": {"cores": "2"},
    "circumstances": made_up()["scenes"]["warm"]["circumstances"],
    "runs": [
        {"what": "discard", "files": 10**9, "rows": 10**9, "seconds": 50.0, "peak_mib": 71.0},
        {"what": "discard, flat", "files": 10**7, "rows": 10**7, "seconds": 2.0, "peak_mib": 257.0},
        {
            "what": "parquet",
            "files": 10**6,
            "rows": 10**6,
            "seconds": 0.5,
            "peak_mib": 300.0,
            "bytes": 2**30,
        },
    ],
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Reporter:
    """Makes the report of a record in a folder of its own, and returns what was said."""

    def call(
        record: Record, *options: str, scaling: Record | None = None, target: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp("report")
        (folder / "run.json").write_text(json.dumps(record))
        if scaling:
            (folder / "scaling.json").write_text(json.dumps(scaling))
        places = [str(folder / "run.json")]
        if not options:
            places.append(str(target or folder / "target"))
        command = [sys.executable, "-B", str(REPORT), *places, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    return call


def written(done: subprocess.CompletedProcess[str]) -> Path:
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def folder(report: Reporter) -> Path:
    """A report with everything in it."""
    return written(report(made_up(), scaling=SCALING)).parent


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "README.md").read_text()


def rows_of(page: str, *first: str) -> list[list[str]]:
    """The table rows that begin with these cells."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[: len(first)] == list(first)]


def section(page: str, title: str) -> str:
    return page.partition(f"\n## {title}")[2].partition("\n## ")[0]


def test_a_row_has_median_spread_ratios_rate_cpu_and_memory(page: str) -> None:
    [row] = rows_of(page, "**ours: scan**", "0.656")
    assert row[2:] == ["0.562 to 0.750", "1.05", "0.75", "1,524", "1.31", "10", "3"]


def test_names_are_measured_by_the_floor_for_names(page: str) -> None:
    [row] = rows_of(page, "**ours: walk()**", "0.250")
    assert row[3:5] == ["2.00", "0.25"]


def test_what_is_missing_is_named(page: str) -> None:
    assert rows_of(page, "gdu", "missing: gdu is not installed")


def test_goals_are_shown_as_met_and_as_missed(page: str) -> None:
    [scan] = rows_of(section(page, "Goals"), "1")
    assert scan[2:] == ["ours: scan at most 1.11 x floor, cores", "1.05", "met"]
    csv = rows_of(section(page, "Goals"), "2", "warm", "ours: CSV at most 1.00 x bfs, stat")
    assert [row[3:] for row in csv] == [["1.14", "**MISSED**"]]


def test_a_way_of_ours_that_no_goal_refers_to_does_not_meet_it(page: str) -> None:
    [row] = rows_of(section(page, "Goals"), "6", "compare-file")
    assert row[2:] == ["ours: compare() at most 0.50 x cmp", "0.75", "**MISSED**"]


def test_what_did_not_run_is_not_measured_and_counted_so(page: str) -> None:
    goals = section(page, "Goals")
    for row in rows_of(goals, "3"):
        assert row[3:] == ["the scenario was not run", "not measured"]
    statuses = [row[-1] for row in rows_of(goals) if len(row) == 5]
    heading = goals.partition("\n")[0]
    assert f"{statuses.count('not measured')} not measured" in heading
    assert f"{statuses.count('**MISSED**')} MISSED" in heading
    assert (
        statuses.count("**MISSED**") == 4
    )  # CSV beside pwalk 3.0, and bfs; compare(); one directory


def test_a_ratio_that_rounds_to_its_limit_says_on_which_side_it_is(report: Reporter) -> None:
    record = made_up()
    scan = record["scenes"]["warm"]["contenders"]["ours: scan"]
    scan["runs"] = [{**scan["runs"][0], "seconds": 0.625 * 1.1136}]
    page = written(report(record)).read_text()
    [row] = rows_of(section(page, "Goals"), "1")
    assert row[3:] == ["1.114", "**MISSED**"]


def test_losses_are_exactly_the_peers_that_take_less_time(page: str) -> None:
    lost = [row for row in rows_of(section(page, "Lost")) if row[0] in ("warm", "compare-file")]
    assert lost == [["warm", "ours: CSV", "1.000 s", "bfs, stat", "0.875 s", "0.88"]]


def test_a_scenario_says_what_it_loses_in_memory(page: str) -> None:
    assert "- ours: walk(), memory 40 MiB: 1 need less, least os.walk 8 MiB" in page


def test_a_peer_that_errs_beats_nobody_and_fails_the_report(report: Reporter) -> None:
    record = made_up()
    record["scenes"]["warm"]["contenders"]["bfs, stat"]["problem"] = "found 999 instead of 1,000"
    done = report(record)
    assert done.returncode == 1
    assert done.stderr == "warm: bfs, stat: found 999 instead of 1,000\n"
    page = Path(done.stdout.strip()).read_text()
    assert "## Lost\n\nEvery peer that takes less time than one of ours" in page
    assert not [row for row in rows_of(section(page, "Lost")) if row[0] == "warm"]
    assert rows_of(page, "bfs, stat", "found 999 instead of 1,000")


def test_each_scenario_has_its_time_its_load_its_checks_and_its_commands(page: str) -> None:
    assert page.count("Measured from 2030-01-02T03:04:05+00:00, commit abcdef012345, in 61 s") == 3
    assert page.count("load average 0.25 before and 1.75 after") == 3
    assert page.count("Checked first: 3 of 3 contenders found the same 1,000 entries.") == 2
    assert rows_of(page, "find, stat", "1.2", "`find, stat 'a\\|b' TREE`")


def test_scaling_is_judged_and_shown(page: str, folder: Path) -> None:
    assert rows_of(section(page, "Goals"), "5", "scaling")[0][3:] == ["50.0 s", "met"]
    assert rows_of(page, "discard", "1,000,000,000", "50.00", "20.00", "71")
    flat = rows_of(section(page, "Goals"), "5", "scaling")[2]
    assert flat[2:] == [
        "ours: rows discarded, one directory at most 256 MiB",
        "257 MiB at 10,000,000 files",
        "**MISSED**",
    ]
    assert json.loads((folder / "scaling.json").read_text()) == SCALING


def test_scaling_that_was_published_is_kept(report: Reporter, tmp_path: Path) -> None:
    first = written(report(made_up(), scaling=SCALING, target=tmp_path)).read_text()
    assert written(report(made_up(), target=tmp_path)).read_text() == first


def test_a_chart_of_what_is_no_longer_in_the_record_goes(report: Reporter, tmp_path: Path) -> None:
    written(report(made_up(), target=tmp_path))
    record = made_up()
    del record["scenes"]["compare-file"]
    page = written(report(record, target=tmp_path)).read_text()
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == ["disk.svg"]
    assert "compare.svg" not in page


def test_without_scaling_its_goal_is_not_measured(report: Reporter) -> None:
    page = written(report(made_up())).read_text()
    assert [row[-1] for row in rows_of(page, "5", "scaling")] == ["not measured"] * 3
    assert "scaling.svg" not in page


def test_the_record_lies_beside_the_report(folder: Path) -> None:
    assert json.loads((folder / "run.json").read_text()) == made_up()


@pytest.mark.parametrize("name", ["disk", "compare", "scaling"])
def test_a_chart_is_small_and_valid_and_follows_the_mode(
    folder: Path, page: str, name: str
) -> None:
    chart = folder / f"{name}.svg"
    assert f"({chart.name})" in page
    assert chart.stat().st_size < 200_000
    root = xml.etree.ElementTree.parse(chart).getroot()
    assert root.tag == f"{SVG}svg"
    styles = [style.text or "" for style in root.iter(f"{SVG}style")]
    assert "prefers-color-scheme: dark" in "".join(styles)
    texts = ["".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")]
    assert texts
    # Powers of ten are text in a group that has the colour.
    inked = [group for group in root.iter() if "fill: var(--ink)" in group.get("style", "")]
    assert {text for group in inked for text in group.iter(f"{SVG}text")} == set(
        root.iter(f"{SVG}text")
    )
    if name == "disk":
        assert {"ours: scan", "bfs, stat", "0.656", "2.5"} <= set(texts)
        assert "gdu" not in texts


def test_a_group_that_was_not_measured_has_no_chart(folder: Path, page: str) -> None:
    assert not (folder / "repair.svg").exists()
    assert "repair.svg" not in page


def test_a_skipped_scenario_says_why(report: Reporter) -> None:
    record = made_up()
    skipped: Record = {"skipped": "no room", "circumstances": None, "contenders": {}}
    record["scenes"]["compare-file"] |= skipped
    page = written(report(record)).read_text()
    assert "**Not measured**: no room." in page
    [row] = rows_of(section(page, "Goals"), "6", "compare-file")
    assert row[3:] == ["no room", "not measured"]


def test_figures_of_small_trees_are_not_published(report: Reporter) -> None:
    record = made_up() | {"quick": True}
    before = sorted(path.name for path in PUBLISHED.iterdir())
    done = report(record, target=PUBLISHED)
    assert done.returncode == 1
    assert "not to be published" in done.stderr
    assert sorted(path.name for path in PUBLISHED.iterdir()) == before
    assert "**Not results.**" in written(report(record)).read_text()


def test_the_tables_for_the_readme_have_the_same_figures(report: Reporter) -> None:
    done = report(made_up(), "--readme-tables")
    assert done.returncode == 0, done.stderr
    assert rows_of(done.stdout, "**ours: scan**")[0] == ["**ours: scan**", "**0.656**", "**1.05**"]
    assert rows_of(done.stdout, "cmp") == [["cmp", "1", "1.00"]]
    assert rows_of(done.stdout, "du") == [["du", "-", "-"]]
