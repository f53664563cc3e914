"""``pwalk repair``: the command line of :func:`pwalk.repair` and :func:`pwalk.undo`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import NoReturn

import click
from click.core import ParameterSource

from pwalk._cli_output import EXIT_COMPLETE, EXIT_WITH_ERRORS, progress_line, say, say_errors
from pwalk._repair import HARDLINKS, Change, RepairResult, RunningRepair, undo
from pwalk._report import printable

_SKIPPED_SHOWN = 10


@click.command("repair")
@click.argument("path", required=False)
@click.option("--apply", is_flag=True, help="Make the changes. Only root can.")
@click.option("--dry-run", is_flag=True, help="Only show the changes (the default).")
@click.option("--change-gids", metavar="1,2", help="Groups to replace, by number.")
@click.option("--force-group-writable", is_flag=True, help="Give the group write permission too.")
@click.option("--exclude", multiple=True, metavar="PATH", help="Leave PATH alone. Repeatable.")
@click.option("--journal", metavar="FILE", help="Write each change there before it is made.")
@click.option("--undo", "undone", metavar="FILE", help="Put back what FILE, a journal, says.")
@click.option(
    "--hardlinks",
    default="skip",
    show_default=True,
    metavar="|".join(HARDLINKS),
    help="What to do with files that have other links, maybe outside of PATH.",
)
@click.option("--all-file-systems", is_flag=True, help="Enter other mounts too.")
@click.option("--snapshots", is_flag=True, help="Include .snapshot directories.")
@click.option("--max-threads", type=int, metavar="N", help="Cores to keep busy.")
@click.option("-q", "--quiet", is_flag=True, help="No changes, no progress and no summary.")
def command(
    path: str | None,
    apply: bool,
    dry_run: bool,
    change_gids: str | None,
    force_group_writable: bool,
    exclude: tuple[str, ...],
    journal: str | None,
    undone: str | None,
    hardlinks: str,
    all_file_systems: bool,
    snapshots: bool,
    max_threads: int | None,
    quiet: bool,
) -> None:
    """Make the tree at PATH usable by its group; without --apply, show what that would change.

    Each change is a line on standard output.
    """
    if apply and dry_run:
        raise click.UsageError("--apply and --dry-run contradict each other")
    if (path is None) == (undone is None):
        raise click.UsageError("one of PATH and --undo FILE is needed")
    gids = _numbers(change_gids)
    if undone is not None:
        _check_undo_stands_alone()
        _show(undo(undone, not apply), "restored", quiet)
        return
    assert path is not None
    running = RunningRepair(
        path,
        not apply,
        gids,
        force_group_writable,
        list(exclude),
        max_threads=max_threads,
        ignore_snapshots=not snapshots,
        one_file_system=not all_file_systems,
        hardlinks=hardlinks,
        journal=journal,
    )
    try:
        with running, progress_line(quiet) as progress:
            running.follow(progress)
    except (KeyboardInterrupt, OSError):
        if apply and not quiet:
            _summarize(running.result(), "changed")
            say("This was not the end. The same command finishes the rest.")
        raise
    _show(running.result(), "changed", quiet)


def _check_undo_stands_alone() -> None:
    context = click.get_current_context()
    taken = {"undone", "apply", "dry_run", "quiet"}
    for parameter in context.command.params:
        name = parameter.name
        assert name is not None
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in taken:
            raise click.UsageError(
                f"--undo takes --apply, --dry-run and -q, and nothing else: not {parameter.opts[0]}"
            )


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise click.UsageError(
            f"--change-gids: cannot read {text!r} as numbers, such as 1000,1001"
        ) from None


def _show(result: RepairResult, done: str, quiet: bool) -> NoReturn:
    if not quiet:
        _summarize(result, done)
    sys.exit(EXIT_WITH_ERRORS if result.errors else EXIT_COMPLETE)


def _line_of(change: Change) -> str:
    return (
        f"{change.old_mode:04o}->{change.new_mode:04o} "
        f"gid {change.old_gid}->{change.new_gid} {printable(change.path)}"
    )


def _summarize(result: RepairResult, done: str) -> None:
    for change in result.changes:
        click.echo(_line_of(change))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in result.counts.items() if count)
    verb = f"would be {done}" if result.dry_run else done
    say(f"{len(result.changes):,} entries {verb}" + (f" ({kinds})" if kinds else ""))
    if result.progress.entries:
        say(f"{result.progress.entries:,} entries in {result.progress.elapsed:.2f} s")
    for reason, count in Counter(skipped.reason for skipped in result.skipped).most_common():
        say(f"{count:,} left alone: each {reason}")
    for skipped, _ in zip(result.skipped, range(_SKIPPED_SHOWN), strict=False):
        say(f"    {printable(skipped.path)}")
    if len(result.skipped) > _SKIPPED_SHOWN:
        say(f"    ... and {len(result.skipped) - _SKIPPED_SHOWN:,} more")
    if result.unlogged:
        say(f"{result.unlogged:,} changes were not taken by the system log")
    say_errors(result.errors, f"could not be {done}")
    if result.dry_run:
        say("This was a dry run: nothing has been changed. --apply makes the changes.")
