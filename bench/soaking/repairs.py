"""The operation that repairs a tree, half-way and to the end, and takes it all back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pwalk

from soaking.outcomes import CANCELLED, DONE, Context, StopError, check


def repair(c: Context) -> str:
    """A dry run changes nothing; a repair that was stopped is finished by a second one; undo
    brings back what was."""
    top = c.places.repaired
    before = _modes(top)
    options: dict[str, Any] = {
        "force_group_writable": c.rng.random() < 0.5,
        "max_threads": c.rng.choice((None, 1)),
    }
    promised = pwalk.repair(top, **options)
    is_root = os.geteuid() == 0
    check(len(promised.changes) == len(before), promised)
    # Of others the tree has their own group: that is an error of its top.
    check(len(promised.errors) <= (0 if is_root else 1), promised.errors)
    check(_modes(top) == before, "a dry run has changed something")
    if not is_root or c.rng.random() < 0.7:
        return DONE
    journal = c.scratch / "journal"
    cancelled = _is_stopped(c, top, {**options, "dry_run": False, "journal": journal})
    made = pwalk.repair(top, False, journal=journal, **options)
    check(not made.errors, made.errors)
    check(len(pwalk.repair(top, **options).changes) == 0, "a second repair finds something")
    undone = pwalk.undo(journal, dry_run=False)
    check(not undone.errors and not undone.skipped, undone.errors, list(undone.skipped))
    check(_modes(top) == before, "undo has not brought everything back")
    return CANCELLED if cancelled else DONE


def _is_stopped(c: Context, top: Path, options: dict[str, Any]) -> bool:
    def refuse(_: pwalk.Progress) -> None:
        raise StopError

    if c.rng.random() < 0.3:
        try:
            pwalk.repair(top, progress=refuse, **options)
        except StopError:
            return True
        raise AssertionError("progress was never called")
    return c.interrupts(lambda: pwalk.repair(top, **options), 0.01)


def _modes(top: Path) -> dict[str, tuple[int, int, int]]:
    found = [str(top)]
    for directory, directories, files in os.walk(top):
        found += [f"{directory}/{name}" for name in directories + files]
    statuses = {path: os.lstat(path) for path in found}
    return {path: (s.st_mode, s.st_uid, s.st_gid) for path, s in statuses.items()}
