"""The report of what run.py recorded: Markdown, charts and the record itself in one folder.

    python bench/report.py build/bench/full/run.json docs/benchmarks
    python bench/report.py build/bench/full/run.json --readme-tables

A ``scaling.json`` of billions.py beside the record is taken in. The charts need matplotlib.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import billions
import figures
import goals
import readme_tables
import tables
from figures import Circumstances, Figures, Record, Scene
from goals import Verdict
from losses import CPU, MEASURES, MEMORY, TIME, losses
from markdown import cell, code, folded, table

PUBLISHED = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
SCALING = "scaling.json"
GROUPS = {
    "disk": "Trees on a local disk",
    "latency": "Slow file systems",
    "repair": "Repair",
    "memory": "Memory",
    "compare": "Comparing",
}
METHOD = """\
What is measured, how, and how to repeat it: [bench/README.md](../../bench/README.md). Every
contender is first asked what it finds; only who finds the same as the others is timed, and what was
compared is said at each table. Then each runs in turn, round by round, so that drift of the machine
hits all alike. The *floor* is plain threads with the same system calls and no output; ratios are to
the floor and to the best peer of the same kind of work: names only, with metadata, or contents.
Contenders marked \\* are timed from within, without their start; the others as whole processes.
CPU and peak memory are always those of the whole process. Goals are judged by medians."""
UNFIT = """\
**Not results.** Made by `--quick`, with trees a tenth of the size: it shows that everything runs.
The goals are for trees of full size."""


def _versions(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.versions.items())


def _machine(record: Record) -> str:
    rows = [(label, cell(value)) for label, value in record.machine.items()]
    around = [scene.circumstances for scene in record.scenes.values() if scene.circumstances]
    commits = sorted({one.commit for one in around})
    days = sorted({one.started[:10] for one in around})
    rows += [
        ("measured", ", ".join(days)),
        ("commit", ", ".join(commits)),
        ("versions", cell(_versions(record))),
    ]
    return table(("Machine", ""), rows)


def _goal_rows(verdicts: list[Verdict]) -> Iterator[tuple[str, ...]]:
    for verdict in verdicts:
        status = "**MISSED**" if verdict.status == "MISSED" else verdict.status
        demand = f"{verdict.ours} {verdict.demand}"
        yield verdict.number, verdict.scenario, cell(demand), cell(verdict.measured), status


def _goals(verdicts: list[Verdict]) -> str:
    judged = sorted(
        (verdict for verdict in verdicts if verdict.judged),
        key=lambda verdict: verdict.number,
    )
    counts = Counter(verdict.status for verdict in judged)
    numbers = sorted({verdict.number for verdict in judged} & goals.STATEMENTS.keys())
    statements = "\n".join(f"- {number}: {goals.STATEMENTS[number]}." for number in numbers)
    text = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    rows = _goal_rows(judged)
    verdict_table = table(("Goal", "Scenario", "What is asked for", "Measured", ""), rows)
    return f"## Goals: {text}\n\n{statements}\n\n{verdict_table}"


def _all_losses(record: Record) -> str:
    rows = [
        (name, cell(loss.ours), TIME.shown(loss.value), cell(peer), TIME.shown(value), share)
        for name, scene in record.scenes.items()
        for loss in losses(scene, TIME)
        for peer, value in loss.better.items()
        for share in [f"{value / loss.value:.2f}"]
    ]
    head = "## Lost\n\nEvery peer that takes less time than one of ours for the same kind of work"
    if not rows:
        return f"{head}: none. For CPU and memory see each scenario."
    columns = ("Scenario", "Ours", "takes", "Peer", "takes", "x ours")
    return f"{head}. For CPU and memory see each scenario.\n\n{table(columns, rows)}"


def _figures_row(key: str, found: Figures, scene: Scene) -> list[str]:
    name = cell(key) + (" \\*" if found.timed_inside else "")
    name = f"**{name}**" if found.role == "ours" else name
    _key, *others = tables.row(key, found, scene)
    if len(others) < len(tables.HEAD) - 1:
        return [name, cell(others[0]), *[""] * (len(tables.HEAD) - 3)]
    median, least, most, *rest = others
    return [name, median, f"{least} to {most}", *rest]


def _figures_table(scene: Scene) -> str:
    head = ["", "median s", "least to most", *tables.HEAD[4:]]
    rows = [_figures_row(key, found, scene) for key, found in scene.contenders.items()]
    return table(head, rows, right=1)


def _commands(scene: Scene) -> str:
    rows = [
        (cell(key), cell(found.version), code(found.command))
        for key, found in scene.contenders.items()
    ]
    return folded("Commands", table(("", "version", "command"), rows))


def _when(around: Circumstances) -> str:
    return (
        f"Measured from {around.started}, commit {around.commit}, in {around.seconds:.0f} s; "
        f"load average {around.load_before:.2f} before and {around.load_after:.2f} after; "
        f"of the cores {around.others:.2f} were busy with what is not a contender (kernel threads "
        f"included) and {around.stolen:.2f} withheld by the hypervisor."
    )


def _lost(scene: Scene) -> str:
    found = [loss for measure in MEASURES for loss in losses(scene, measure)]
    if not found:
        return "What it loses: nothing to a peer that does the same work."
    lines = []
    for loss in found:
        if loss.measure in (CPU, MEMORY):
            best = next(iter(loss.better))
            count = f"{len(loss.better)} need less, least {best}"
            value = f"{loss.measure.name} {loss.measure.shown(loss.value)}"
            lines.append(
                f"- {cell(loss.ours)}, {value}: {count} {loss.measure.shown(loss.better[best])}"
            )
        else:
            lines.append(f"- {cell(loss.text)}")
    return "What it loses:\n\n" + "\n".join(lines)


def _scene(name: str, scene: Scene, verdicts: list[Verdict]) -> str:
    of = f"{scene.size:,} {scene.unit}"
    head = f"### {name}: {scene.title}\n\n{scene.measures}. {of}"
    if scene.skipped or scene.circumstances is None:
        return f"{head}. **Not measured**: {cell(scene.skipped)}."
    head += f" on {scene.file_system}." if scene.file_system else ", computed."
    checked = "Checked first: " + "; ".join(cell(line) for line in scene.checked) + "."
    parts = [head, _when(scene.circumstances), checked, _figures_table(scene)]
    threads = tables.threads_line(name, scene)
    if threads:
        parts.append(f"Threads, round by round: {threads.partition(': ')[2]}.")
    mine = [verdict for verdict in verdicts if verdict.scenario == name]
    if mine:
        columns = ("Goal", "Scenario", "What is asked for", "Measured", "")
        parts.append(table(columns, _goal_rows(mine)))
    else:
        parts.append("No goal is set here.")
    return "\n\n".join([*parts, _lost(scene), _commands(scene)])


def _scaling(scaling: dict[str, Any], verdicts: list[Verdict]) -> str:
    rows = [
        (
            run["what"],
            f"{run['files']:,}",
            f"{run['seconds']:.2f}",
            f"{run['rows'] / run['seconds'] / 1e6:.2f}",
            f"{run['peak_mib']:.0f}",
            f"{run['bytes'] / 2**30:.2f}" if "bytes" in run else "",
        )
        for run in scaling["runs"]
    ]
    head = ("", "files", "s", "million/s", "peak MiB", "GiB on disk")
    around = Circumstances(**scaling["circumstances"])
    machine = ", ".join(f"{label} {value}" for label, value in scaling["machine"].items())
    parts = (
        "## Reports of computed trees\n\n![Rate and memory](scaling.svg)",
        "No directory is read from a disk. *discard*: rows are made and dropped; *flat*: all files "
        "are in one directory; *parquet+60*: with a checkpoint each minute. Of Parquet at most "
        f"{billions.THRESHOLD} of rows wait in memory, the rest in temporary files. Each once, in "
        "a process of its own: `python bench/billions.py measure scaling.json`.",
        f"{machine}. {_when(around)}",
        table(head, rows, right=1),
        table(("Goal", "Scenario", "What is asked for", "Measured", ""), _goal_rows(verdicts)),
    )
    return "\n\n".join(parts)


def _groups(record: Record, verdicts: list[Verdict], charts: set[str]) -> Iterator[str]:
    for group, title in GROUPS.items():
        scenes = {name: scene for name, scene in record.scenes.items() if scene.group == group}
        if scenes:
            chart = f"\n\n![{title}]({group}.svg)" if group in charts else ""
            yield f"## {title}{chart}"
            yield from (_scene(name, scene, verdicts) for name, scene in scenes.items())


def document(record: Record, scaling: dict[str, Any] | None, charts: set[str]) -> str:
    """The whole page; ``charts`` are the groups that have one."""
    of_scenes, of_scaling = goals.verdicts(record.scenes), goals.of_scaling(scaling)
    raw = "[run.json](run.json)" + (", [scaling.json](scaling.json)" if scaling else "")
    parts = [
        "# Benchmarks",
        *([UNFIT] if record.quick else []),
        METHOD,
        f"Made by `make bench`; every run of every contender is in {raw}.",
        _goals([*of_scenes, *of_scaling]),
        _all_losses(record),
        f"## Machine\n\n{_machine(record)}",
        *_groups(record, of_scenes, charts),
        *([_scaling(scaling, of_scaling)] if scaling else []),
    ]
    return "\n\n".join(parts) + "\n"


def _title(title: str, machine: dict[str, str], quick: bool) -> str:
    return f"{title}, {machine['cores']} cores" + (" (--quick: not results)" if quick else "")


def _charts(record: Record, scaling: dict[str, Any] | None, target: Path) -> set[str]:
    import charts

    verdicts = goals.verdicts(record.scenes)
    for group in GROUPS:
        (target / f"{group}.svg").unlink(missing_ok=True)
    drawn = {
        group
        for group, name in GROUPS.items()
        if charts.of_group(
            group,
            _title(name, record.machine, record.quick),
            record.scenes,
            verdicts,
            target / f"{group}.svg",
        )
    }
    if scaling:
        title = _title("Reports of computed trees", scaling["machine"], False)
        charts.of_scaling(scaling, title, target / "scaling.svg")
    return drawn


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def write(source: Path, target: Path) -> None:
    """Make the report of a record, with a copy of it, in the folder ``target``."""
    record = figures.load(source)
    if record.quick and target.resolve() == PUBLISHED:
        raise SystemExit(f"{source}: made by --quick, and not to be published")
    # Where it was not measured this time, it is kept as it was; it says itself when that was.
    beside = next(filter(Path.exists, (source.with_name(SCALING), target / SCALING)), None)
    scaling = json.loads(beside.read_text()) if beside else None
    target.mkdir(parents=True, exist_ok=True)
    _copy(source, target / "run.json")
    if beside:
        _copy(beside, target / SCALING)
    drawn = _charts(record, scaling, target)
    (target / "README.md").write_text(document(record, scaling, drawn))


def _failed(record: Record) -> list[str]:
    return [
        f"{name}: {key}: {found.problem}"
        for name, scene in record.scenes.items()
        for key, found in scene.contenders.items()
        if found.problem
    ]


def main() -> int:
    """Write what the command line asks for; 1 when the record has a contender that failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="what run.py wrote by --json")
    parser.add_argument("target", type=Path, nargs="?", help="folder for the report")
    parser.add_argument("--readme-tables", action="store_true", help="print those of README.md")
    given = parser.parse_args()
    if given.target is None and not given.readme_tables:
        parser.error("a folder, or --readme-tables")
    if given.readme_tables:
        print(readme_tables.all_tables(figures.load(given.source)))
    if given.target:
        write(given.source, given.target)
        print(given.target / "README.md")
    failed = _failed(figures.load(given.source))
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
