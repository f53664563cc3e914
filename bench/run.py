"""The command behind ``make bench``: every contender on every tree, side by side in one run.

Each scenario first checks that the contenders find the same entries, then runs each in turn, round
by round, and prints medians and ratios. What is missing is named, and goals not met are said so.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import answers
import comparers
import goals
import machine
import measure
import pairs
import tables
from contenders import Contender, Tools, all_contenders
from measure import Result
from pairs import Pairs
from scenarios import Scenario, all_scenarios
from trees import UnavailableError


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
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, for machines")
    return parser.parse_args()


def _chosen(names: list[str] | None, quick: bool) -> list[Scenario]:
    scenarios = all_scenarios(quick)
    known = [scenario.name for scenario in scenarios]
    for name in names or []:
        if name not in known and name != "threads":
            raise SystemExit(f"no scenario {name!r}; there are: threads {' '.join(known)}")
    wanted = set(names or known)
    # Threads are counted wherever our scan runs; by itself it needs these two.
    if "threads" in wanted:
        wanted |= {"warm", "latency"}
    return [scenario for scenario in scenarios if scenario.name in wanted]


def _check(scenario: Scenario, tree: Path, tools: Tools) -> Callable[[Result], None]:
    """What the contenders of a scenario have to pass before they are timed."""
    if isinstance(scenario.shape, Pairs):
        samples = pairs.samples(scenario.shape, tools.scratch)
        return functools.partial(
            answers.check, tree=tree, tools=tools, pairs=scenario.shape, samples=samples
        )
    return functools.partial(measure.check, tree=tree, tools=tools, expected=scenario.shape.entries)


def _run(
    scenario: Scenario, contenders: dict[str, Contender], tools: Tools, work: Path, rounds: int
) -> dict[str, Result]:
    size = f"{scenario.shape.entries:,} {scenario.unit}"
    print(f"\n== {scenario.name}: {scenario.title} ({size})", flush=True)
    if scenario.unavailable():
        print(f"skipped: {scenario.unavailable()}")
        return {}
    try:
        with scenario.tree(work, tools.programs) as tree:
            if isinstance(scenario.shape, Pairs):
                print(f"on {machine.file_system(tree)}, page cache warm", flush=True)
            results = measure.compare(
                [contenders[key] for key in scenario.contenders],
                tree,
                tools,
                _check(scenario, tree, tools),
                scenario.rounds or rounds,
                scenario.before_each,
            )
    except UnavailableError as reason:
        print(f"skipped: {reason}")
        return {}
    print(tables.equality(scenario, results))
    print(tables.table(scenario, results), flush=True)
    return results


def _print_heading(described: dict[str, str], contenders: dict[str, Contender]) -> None:
    for label, value in described.items():
        print(f"{label}: {value}")
    versions = {
        contender.version_of or Path(contender.command[0]).name: contender.version
        for contender in contenders.values()
        if contender.version
    }
    print("versions:", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _print_end(scenarios: list[Scenario], results: goals.Results) -> None:
    print("\n== threads chosen")
    lines = [tables.threads_line(scenario, results[scenario.name]) for scenario in scenarios]
    print("\n".join(filter(None, lines)) or "not measured (ours: scan)")
    print("\n== goals")
    print("\n".join(goals.verdicts(results)))


def main() -> int:
    """Run the chosen scenarios; 1 when a contender failed or found something else."""
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
        described = machine.describe(work)
        _print_heading(described, contenders)
        scenarios = _chosen(arguments.scenario, arguments.quick)
        results = {
            scenario.name: _run(scenario, contenders, tools, work, arguments.rounds)
            for scenario in scenarios
        }
    _print_end(scenarios, results)
    if arguments.json:
        data = {name: tables.as_data(found) for name, found in results.items()}
        everything = {"machine": described, "scenarios": data, "goals": goals.verdicts(results)}
        arguments.json.write_text(json.dumps(everything, indent=1) + "\n")
    problems = [result for found in results.values() for result in found.values() if result.problem]
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
