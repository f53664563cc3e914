"""The process that is looked at: ``python -m soaking.subject WORK URL SECONDS SEED INTERVAL``.

It does one random operation after the other, and writes JSON lines: counts of them now and then,
what it holds at each rest, and each problem, that is whatever was not to be expected.
"""

from __future__ import annotations

import faulthandler
import json
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow

from soaking import comparisons, repairs, scans, tasks
from soaking.outcomes import Context, Interrupter, Operation
from soaking.trees import Places
from soaking.watcher import released_sample, settled_sample

# An idle HTTP client, which stays longest of all that is kept, is gone after 2 s; three times that
# on a crowded machine.
_IDLE = 6.0
_COUNTS_INTERVAL = 1.0
_MOST_PROBLEMS = 50

_SHARED = (*scans.OPERATIONS, *comparisons.OPERATIONS)  # these may run beside each other
_ON_MAIN_THREAD = (repairs.repair, *tasks.OPERATIONS)


class Subject:
    """Does operations and tells what came of them."""

    def __init__(self, places: Places, seed: int) -> None:
        """Prepare; nothing is done yet."""
        self._places = places
        self._rng = random.Random(seed)
        self._interrupter = Interrupter()
        self._seen: dict[Any, Any] = {}
        self._counts: Counter[str] = Counter()
        self._swallowed = 0
        self._problems = 0
        self._number = 0
        self._lock = threading.Lock()
        sys.unraisablehook = self._note_unraisable

    def run(self, seconds: float, interval: float) -> None:
        """Operate so long, once each operation has had a turn, with a rest after each interval."""
        for operation in (*_SHARED, *_ON_MAIN_THREAD) * 2:  # so that all is loaded
            self._operate(operation)
        self._tell(rest=settled_sample(_IDLE))
        begun = time.monotonic()
        while time.monotonic() - begun < seconds - interval / 2:
            self._work(interval)
            self._tell(rest=settled_sample(_IDLE))
        self._tell(released=released_sample())

    @property
    def sound(self) -> bool:
        """Whether there was no problem."""
        return self._problems == 0

    def _work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        told = 0.0
        while (now := time.monotonic()) < end:
            if now - told >= _COUNTS_INTERVAL:
                told = now
                self._tell()
            if self._rng.random() < 0.05:
                self._together()
            else:
                self._operate(self._rng.choice((*_SHARED, *_ON_MAIN_THREAD)))

    def _together(self) -> None:
        """Do some operations at once, each on a thread of its own."""
        chosen = [self._rng.choice(_SHARED) for _ in range(self._rng.randrange(2, 6))]
        threads = [
            threading.Thread(target=self._operate, args=(operation,)) for operation in chosen
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _operate(self, operation: Operation) -> None:
        with self._lock:
            self._number += 1
            number, seed = self._number, self._rng.randrange(2**32)
        name = f"{operation.__module__.rpartition('.')[2]}.{operation.__name__}"
        scratch = self._places.work / "out" / str(number)
        scratch.mkdir()
        rng = random.Random(seed)
        context = Context(self._places, rng, self._interrupter, scratch, self._seen)
        try:
            outcome = operation(context)
        except (Exception, KeyboardInterrupt):
            outcome = "failed"
            self._note_problem(f"{name}, number {number}: {traceback.format_exc()}")
        shutil.rmtree(scratch)
        with self._lock:
            self._counts[f"{name} {outcome}"] += 1

    def _note_problem(self, what: str) -> None:
        with self._lock:
            self._problems += 1
        if self._problems <= _MOST_PROBLEMS:
            self._tell(problem=what)

    def _note_unraisable(self, what: Any) -> None:
        """Python ignores what is raised in a destructor: Ctrl-C may come there, too."""
        if isinstance(what.exc_value, KeyboardInterrupt):
            self._swallowed += 1
        else:
            shown = "".join(traceback.format_exception(what.exc_value))
            self._note_problem(f"ignored in {what.object!r}: {shown}")

    def _tell(self, **more: Any) -> None:
        counts = dict(self._counts)
        told = {"operations": sum(counts.values()), "swallowed": self._swallowed, **more}
        if "rest" in more:
            told["counts"] = counts
        told["cancelled"] = sum(n for name, n in counts.items() if name.endswith(" cancelled"))
        print(json.dumps(told), flush=True)


def main() -> None:
    """Do as the command line says; status 1 when there were problems."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    # Arrow starts its threads one by one as it likes, and keeps them. One of a kind is there soon.
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    work, url, seconds, seed, interval = sys.argv[1:]
    subject = Subject(Places(Path(work), url), int(seed))
    subject.run(float(seconds), float(interval))
    sys.exit(0 if subject.sound else 1)


if __name__ == "__main__":
    main()
