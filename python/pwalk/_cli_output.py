"""What the subcommands say, all in one way: on stderr."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import click

from pwalk._report import ProgressCallback, printable
from pwalk._types import EntryError, Progress

EXIT_COMPLETE = 0
EXIT_WITH_ERRORS = 1

_PATHS_SHOWN = 3


def say(line: str) -> None:
    """Say something on stderr."""
    click.echo(line, err=True)


def say_errors(errors: Sequence[EntryError], what: str) -> None:
    """Say what failed, by cause, with a few paths of each."""
    causes = Counter((error.operation, error.strerror) for error in errors)
    for (operation, reason), count in causes.most_common():
        say(f"{count:,} {what}: {operation}: {reason}")
        same = (e for e in errors if (e.operation, e.strerror) == (operation, reason))
        for path, _ in zip(same, range(_PATHS_SHOWN), strict=False):
            say(f"    {printable(path)}")
        if count > _PATHS_SHOWN:
            say(f"    ... and {count - _PATHS_SHOWN:,} more")


def size_text(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024 or unit == "PiB":
            break
        size /= 1024
    return f"{size:,.0f} bytes" if unit == "bytes" else f"{size:,.1f} {unit}"


def line_of(now: Progress) -> str:
    """Return the line about a moment of a scan."""
    line = (
        f"{now.entries:,} entries  {now.rate:,.0f}/s  {now.errors:,} errors  "
        f"{now.threads} threads  {now.elapsed:.0f} s"
    )
    return f"{line}  {size_text(now.spilled)} through temporary files" if now.spilled else line


@contextmanager
def live_progress() -> Iterator[Callable[[Progress], None]]:
    """Show a line on stderr that each call of what is yielded brings up to date."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(now: Progress) -> None:
            live.update(Text(line_of(now), no_wrap=True, overflow="ellipsis"), refresh=True)

        yield show


def progress_line(quiet: bool) -> AbstractContextManager[ProgressCallback | None]:
    """Show a live line where somebody looks."""
    return nullcontext() if quiet or not sys.stderr.isatty() else live_progress()
