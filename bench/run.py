"""The measuring behind ``make bench``: every contender on every tree, side by side in one run.

Each scenario first checks that the contenders find the same entries, then runs each in turn, round
by round, and prints medians and ratios. What is missing is named, and goals not met are said so.
With ``--json`` everything is recorded, after each scenario; report.py makes the report from that.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import answers
import comparers
import figures
import goals
import machine
import measure
import pairs
import tables
from contenders import Contender, Tools, all_contenders, printed_version
from figures import Record, Scene
from measure import Result
from pairs import Pairs
from scenarios import WITH_GOALS, Scenario, all_scenarios
from trees import UnavailableError

FAILED = 3  # a contender; others measured all the same


def _arguments() -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--build", type=Path, default=root / "build", help="CMake's build folder")
    parser.add_argument("--python", type=Path, help="interpreter that has our package")
    parser.add_argument("--pwalk3", type=Path, help="pwalk 3.0 (C), to compare with")
    parser.add_argument("--bfs", type=Path, help="another bfs than the installed one")
    parser.add_argument("--work", type=Path, help="where trees are made and kept")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="trees a tenth of the size")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="can be repeated")
    parser.add_argument("--goals", action="store_true", help="only scenarios with a goal")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the record, for report.py")
    parser.add_argument(
        "--append",
        action="store_true",
        help="keep what FILE has: run what it lacks, and anew what --scenario names",
    )
    arguments = parser.parse_args()
    if arguments.append and not arguments.json:
        parser.error("--append needs --json FILE")
    return arguments


def _chosen(names: list[str] | None, only_goals: bool, quick: bool) -> list[Scenario]:
    scenarios = all_scenarios(quick)
    known = [scenario.name for scenario in scenarios]
    for name in names or []:
        if name not in known and name != "threads":
            raise SystemExit(f"no scenario {name!r}; there are: threads {' '.join(known)}")
    wanted = set(names or (WITH_GOALS if only_goals else known))
    # Threads are counted wherever our scan runs; by itself it needs these two.
    if "threads" in wanted:
        wanted |= {"warm", "latency"}
    return [scenario for scenario in scenarios if scenario.name in wanted]


def _in_order(scenes: dict[str, Scene], quick: bool) -> dict[str, Scene]:
    """As they are listed, whenever each was measured."""
    names = [scenario.name for scenario in all_scenarios(quick)]
    return {name: scenes[name] for name in names if name in scenes}


def _begin(
    arguments: argparse.Namespace, described: dict[str, str], versions: dict[str, str]
) -> Record:
    """An empty record, or with ``--append`` the one that is there."""
    fresh = Record(described, versions, arguments.quick)
    if not arguments.append or not arguments.json.exists():
        return fresh
    kept = figures.load(arguments.json)
    if (kept.machine, kept.quick) != (fresh.machine, fresh.quick):
        raise SystemExit(f"{arguments.json}: of another machine, or of trees of another size")
    kept.versions |= versions
    return kept


def _check(scenario: Scenario, tree: Path, tools: Tools) -> Callable[[Result], None]:
    """What the contenders of a scenario have to pass before they are timed."""
    if isinstance(scenario.shape, Pairs):
        samples = pairs.samples(scenario.shape, tools.scratch)
        return functools.partial(
            answers.check, tree=tree, tools=tools, pairs=scenario.shape, samples=samples
        )
    return functools.partial(measure.check, tree=tree, tools=tools, expected=scenario.shape.entries)


def _measure(
    scenario: Scenario,
    scene: Scene,
    contenders: dict[str, Contender],
    tools: Tools,
    work: Path,
) -> None:
    """Fill in what was found."""
    with scenario.tree(work, tools.programs) as tree:
        if not scenario.computed:
            scene.file_system = machine.file_system(tree)
        watch = machine.Watch()
        results = measure.compare(
            [contenders[key] for key in scenario.contenders],
            tree,
            tools,
            _check(scenario, tree, tools),
            scene.rounds,
            scenario.before_each,
        )
    scene.circumstances = watch.circumstances()
    scene.checked = tables.equality(scenario, results)
    scene.contenders = {key: result.figures(tools) for key, result in results.items()}


def _run(
    scenario: Scenario, contenders: dict[str, Contender], tools: Tools, work: Path, rounds: int
) -> Scene:
    scene = scenario.unmeasured(rounds)
    print(f"\n== {scenario.name}: {scene.title} ({scene.size:,} {scene.unit})", flush=True)
    scene.skipped = scenario.unavailable()
    if not scene.skipped:
        try:
            _measure(scenario, scene, contenders, tools, work)
        except UnavailableError as reason:
            scene.skipped = str(reason)
    if scene.skipped:
        print(f"skipped: {scene.skipped}")
        return scene
    if scene.file_system:
        print(f"on {scene.file_system}")
    print("\n".join(scene.checked))
    print(tables.table(scene), flush=True)
    return scene


def _versions(contenders: dict[str, Contender], python: Path | None) -> dict[str, str]:
    program = "import pwalk; print(pwalk.__version__)"
    ours = printed_version([str(python), "-c", program]) if python else ""
    theirs = {
        contender.version_of or Path(contender.command[0]).name: contender.version
        for contender in contenders.values()
        if contender.version
    }
    return ({"filetree": ours} if ours else {}) | theirs


def _print_heading(described: dict[str, str], versions: dict[str, str]) -> None:
    for label, value in described.items():
        print(f"{label}: {value}")
    print("versions:", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _print_end(scenes: dict[str, Scene]) -> None:
    print("\n== threads chosen")
    lines = [tables.threads_line(name, scene) for name, scene in scenes.items()]
    print("\n".join(filter(None, lines)) or "not measured (ours: scan)")
    print("\n== goals")
    verdicts = goals.verdicts(scenes)
    print("\n".join(verdict.line for verdict in verdicts if verdict.scenario in scenes))


def main() -> int:
    """Run the chosen scenarios; :data:`FAILED` when a contender failed or found something else."""
    arguments = _arguments()
    work = arguments.work or Path(tempfile.gettempdir()) / "filetree-bench"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        tools = Tools(
            programs=arguments.build / "bench",
            scratch=Path(scratch),
            cores=machine.cores(),
            # Not resolved: the link is what makes a venv's interpreter one.
            python=arguments.python and arguments.python.absolute(),
            pwalk3=arguments.pwalk3,
            bfs=arguments.bfs,
        )
        contenders = all_contenders(tools) | comparers.all_comparers(tools)
        described, versions = machine.describe(work), _versions(contenders, tools.python)
        record = _begin(arguments, described, versions)
        _print_heading(described, versions)
        for scenario in _chosen(arguments.scenario, arguments.goals, arguments.quick):
            if scenario.name in record.scenes and not arguments.scenario:
                print(f"\n== {scenario.name}: kept as it was measured")
                continue
            found = _run(scenario, contenders, tools, work, arguments.rounds)
            record.scenes = _in_order(record.scenes | {scenario.name: found}, arguments.quick)
            if arguments.json:
                record.save(arguments.json)
    _print_end(record.scenes)
    measured = [one for scene in record.scenes.values() for one in scene.contenders.values()]
    return FAILED if any(one.problem for one in measured) else 0


if __name__ == "__main__":
    sys.exit(main())
