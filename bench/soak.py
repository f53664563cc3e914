"""A soak: random scans, walks, reports, repairs and comparisons, cancelled at random moments, by
one process for a long time, on trees that another one keeps changing.

    python bench/soak.py --seconds 3600 --json SUMMARY.json

Descriptors and threads must be as many in the end as after the warm-up, and memory must not grow;
where an answer is known it must come, and no error that is not documented. The exit status is 1
when any of that is not so. Samples are in ``samples.jsonl`` in the work directory. Linux alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import machine
from soaking import trees, verdict, watcher

_HERE = Path(__file__).resolve().parent
# Puts permission bits into force for root, too.
_RESTRICTED = _HERE.parent / "tests" / "python" / "restricted.py"
_SAMPLE_INTERVAL = 1.0
_WRITTEN = _SAMPLES, _ERRORS = "samples.jsonl", "errors.txt"
# Seconds without a word from the process after which it hangs.
_PATIENCE = 300.0


class Watch:
    """Reads what the process says and what the kernel says of it, and writes both down."""

    def __init__(self, process: subprocess.Popen[str], samples: IO[str]) -> None:
        """Begin to listen."""
        self.rests: list[verdict.Rest] = []
        self.problems: list[str] = []
        self.peak: Counter[str] = Counter()
        self.released: dict[str, int] = {}
        self._process = process
        self._samples = samples
        self._begun = self._heard = time.monotonic()
        self._last = {"operations": 0, "cancelled": 0, "swallowed": 0}
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def until_end(self) -> None:
        """Sample until the process has ended; one that hangs is ended."""
        while self._process.poll() is None:
            try:
                found = watcher.sample(self._process.pid)
            except (OSError, KeyError):  # it is ending
                break
            for name, value in found.items():
                self.peak[name] = max(self.peak[name], value)
            self._write({**found, **self._last})
            if time.monotonic() - self._heard > _PATIENCE:
                self._give_up()
                break
            time.sleep(_SAMPLE_INTERVAL)
        self._process.wait()
        self._listener.join()

    @property
    def swallowed(self) -> int:
        """Interrupts that came where Python ignores them."""
        return self._last["swallowed"]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard = time.monotonic()
            told = json.loads(line)
            self._last = {name: told[name] for name in self._last}
            if "problem" in told:
                self.problems.append(told["problem"])
                self._write(told)
            elif "released" in told:
                self.released = told["released"]
            elif "rest" in told:
                rest = {**told.pop("rest"), **told}
                self.rests.append(self._write({**rest, "at_rest": True}))

    def _write(self, what: dict[str, Any]) -> dict[str, Any]:
        timed = {"time": round(time.monotonic() - self._begun, 2), **what}
        self._samples.write(json.dumps(timed) + "\n")
        self._samples.flush()
        return timed

    def _give_up(self) -> None:
        self.problems.append("it hangs; where, is in errors.txt")
        self._process.send_signal(signal.SIGUSR1)  # it says where it is
        time.sleep(1)
        self._process.kill()


def _command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"soaking.{module}", *map(str, arguments)]


def _environment() -> dict[str, str]:
    proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    return {**kept, "PYTHONPATH": str(_HERE), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def _helper(errors: IO[str], module: str, *arguments: object) -> Iterator[str]:
    """Run a process that says a line when it is ready, while the context lasts."""
    command = _command(module, *arguments)
    with subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            if process.poll() is not None:
                raise RuntimeError(f"{module} has ended by itself")
        finally:
            process.kill()


def soak(work: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Do it all, and return the summary."""
    interval = min(60.0, seconds / 8)
    trees.build(trees.Places(work, ""), seed)
    with (
        (work / _ERRORS).open("w") as errors,
        (work / _SAMPLES).open("w") as samples,
        _helper(errors, "server", work) as port,
        _helper(errors, "changer", work, seed),
        subprocess.Popen(
            [
                *(sys.executable, str(_RESTRICTED), "--ordinary"),
                *_command("subject", work, f"http://127.0.0.1:{port}", seconds, seed, interval),
            ],
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            watch = Watch(process, samples)
            watch.until_end()
        finally:
            process.kill()
    return _summary(watch, work, seconds, seed, process.returncode)


def _summary(
    watch: Watch, work: Path, seconds: float, seed: int, status: int | None
) -> dict[str, Any]:
    nothing: verdict.Rest = {"counts": {}, "operations": 0, "cancelled": 0}
    last = watch.rests[-1] if watch.rests else nothing
    found = verdict.judge(watch.rests, seconds)
    complaints = [*found.pop("complaints"), *watch.problems]
    if status not in (0, 1) or (status == 1 and not watch.problems):
        complaints.append(f"the process has ended with status {status}; see errors.txt")
    return {
        "machine": machine.describe(work),
        "seconds": seconds,
        "seed": seed,
        "operations": last["operations"],
        "cancelled": last["cancelled"],
        "interrupts_that_python_ignored": watch.swallowed,
        "at_rest": found,
        "after_malloc_trim": watch.released,
        "peak": dict(watch.peak),
        "operations_by_kind": _by_kind(last["counts"]),
        "complaints": complaints,
    }


def _by_kind(counts: dict[str, int]) -> dict[str, dict[str, int]]:
    kinds: dict[str, dict[str, int]] = {}
    for name, count in sorted(counts.items()):
        kind, outcome = name.split()
        kinds.setdefault(kind, {})[outcome] = count
    return kinds


def _print(summary: dict[str, Any]) -> None:
    shown = {name: summary[name] for name in ("operations", "cancelled", "at_rest", "peak")}
    print(json.dumps(shown, indent=2))
    for complaint in summary["complaints"]:
        print(f"soak: {complaint}", file=sys.stderr)
    print("not flat, or not sound" if summary["complaints"] else "flat, and sound")


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="an empty or new directory, kept; about 200 MB")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary there")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="yield to others")
    given = parser.parse_args(arguments)
    os.nice(given.nice)
    with tempfile.TemporaryDirectory(prefix="filetree-soak-") as temporary:
        work = (given.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        summary = soak(work, given.seconds, given.seed)
        if given.work is None and summary["complaints"]:
            kept = Path(tempfile.mkdtemp(prefix="filetree-soak-"))
            for name in _WRITTEN:
                shutil.copy(work / name, kept)
            print(f"samples and errors: {kept}", file=sys.stderr)
    _print(summary)
    if given.json is not None:
        given.json.write_text(json.dumps(summary, indent=2) + "\n")
    return 1 if summary["complaints"] else 0


if __name__ == "__main__":
    sys.exit(main())
