"""Reports of computed trees: rate, peak memory and size on disk against the number of files.

    python bench/billions.py measure scaling.json [--largest 1e8] [--discard 1e9]
    python bench/billions.py checkpoints [--files 3e7] [--rounds 5]

Each measurement is a process of its own. Needs an interpreter that has pwalk. report.py takes the
figures from a ``scaling.json`` beside the record of the other scenarios.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

INTERVAL = 5.0
THRESHOLD = "256MB"  # of rows that may wait in memory
DISCARD = "discard"
DISCARD_FLAT = "discard, flat"  # all in one directory


def _options() -> dict[str, Any]:
    return {
        "max_threads": None,
        "max_inflight": None,
        "stall_timeout": 300.0,
        "ignore_snapshots": True,
        "one_file_system": False,
        "max_depth": None,
        "exclude": [],
        "buffer_threshold": THRESHOLD,
    }


def _tree(files: int, flat: bool = False) -> Any:
    from pwalk import _core

    return _core.synthetic_file_system(_core.SyntheticTree(files, flat), b"t")


def _discard(files: int, flat: bool) -> dict[str, float]:
    from pwalk import _arguments, _core

    begun = time.monotonic()
    core = _core.Scan(b"t", _arguments.report_options(**_options()), _tree(files, flat))
    rows = 0
    while (batch := core.next(1.0)) is not False:
        if isinstance(batch, _core.Batch):
            rows += batch.rows
    return {"rows": rows, "seconds": time.monotonic() - begun}


def _write(files: int, form: str, work: Path, interval: float | None) -> dict[str, float]:
    from pwalk import _report
    from pwalk._checkpoint import plan_of

    output = work / f"scan.{form}"
    plan = None if interval is None else plan_of(work / "checkpoint", interval, False)
    at_end: list[float] = []

    def progress(_: object) -> None:
        at_end[:] = [time.monotonic()]

    begun = time.monotonic()
    outcome = _report.run_report(
        b"t",
        {"parquet": "parquet", "csv": "csv", "pwal": "binary"}[form],
        output,
        None,
        True,
        progress,
        _tree(files),
        plan,
        **_options(),
    )
    ended = time.monotonic()
    figures = {
        "rows": outcome.progress.entries,
        "seconds": ended - begun,
        "scan_seconds": at_end[0] - begun,
        "assemble_seconds": ended - at_end[0],
        "bytes": output.stat().st_size,
        "spilled": outcome.progress.spilled,
    }
    output.unlink()
    return figures


def _measure_here(files: int, what: str, work: Path) -> None:
    """What a child does: measure once, and say what came of it."""
    if what in (DISCARD, DISCARD_FLAT):
        figures = _discard(files, what == DISCARD_FLAT)
    else:
        form, _, interval = what.partition("+")
        figures = _write(files, form, work, float(interval) if interval else None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"files": files, "what": what, "peak_mib": peak, **figures}))


def _measure(files: float, what: str, work: Path) -> dict[str, Any]:
    child = [sys.executable, __file__, "child", str(int(files)), what, str(work)]
    done = subprocess.run(child, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    rate = figures["rows"] / figures["seconds"] / 1e6
    print(
        f"{what:>16}  {figures['files']:>13,} files  {figures['seconds']:8.2f} s  {rate:6.2f} M/s  "
        f"{figures['peak_mib']:6.0f} MiB"
        + (f"  {figures['bytes'] / 2**30:7.2f} GiB on disk" if "bytes" in figures else "")
        + (f"  assembled in {figures['assemble_seconds']:.1f} s" if "+" in what else ""),
        flush=True,
    )
    return figures


def _curve(target: Path, largest: float, discard: float, work: Path) -> None:
    watch = machine.Watch()
    sizes = [10**power for power in range(6, 10) if 10**power <= largest]
    runs = [_measure(size, DISCARD, work) for size in sizes]
    if discard > largest:
        runs.append(_measure(discard, DISCARD, work))
    runs += [_measure(size, DISCARD_FLAT, work) for size in sizes]
    runs += [_measure(size, "parquet", work) for size in sizes]
    runs += [_measure(size, "parquet+60", work) for size in sizes]
    data = {
        "machine": machine.describe(work),
        "circumstances": dataclasses.asdict(watch.circumstances()),
        "runs": runs,
    }
    target.write_text(json.dumps(data, indent=1) + "\n")


def _checkpoints(files: float, rounds: int, work: Path) -> None:
    """The cost of checkpoints, in turn with reports without; parts are put together besides."""
    for form in ("csv", "pwal", "parquet"):
        plain, kept = [], []
        for _ in range(rounds):
            plain.append(_measure(files, form, work)["scan_seconds"])
            kept.append(_measure(files, f"{form}+{INTERVAL}", work)["scan_seconds"])
        plain.sort()
        kept.sort()
        ratio = kept[len(kept) // 2] / plain[len(plain) // 2]
        print(f"{form}: the scan takes {ratio:.3f} of the time, a commit every {INTERVAL:g} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("measure")
    measure.add_argument("target", type=Path)
    measure.add_argument("--largest", type=float, default=1e8)
    measure.add_argument("--discard", type=float, default=1e9)
    checkpoints = commands.add_parser("checkpoints")
    checkpoints.add_argument("--files", type=float, default=3e7)
    checkpoints.add_argument("--rounds", type=int, default=5)
    child = commands.add_parser("child")
    child.add_argument("files", type=int)
    child.add_argument("what")
    child.add_argument("work", type=Path)
    given = parser.parse_args()
    if given.command == "child":
        return _measure_here(given.files, given.what, given.work)
    work = Path(tempfile.mkdtemp(prefix="filetree-billions-"))
    try:
        if given.command == "measure":
            _curve(given.target, given.largest, given.discard, work)
        else:
            _checkpoints(given.files, given.rounds, work)
    finally:
        shutil.rmtree(work)
    return None


if __name__ == "__main__":
    main()
