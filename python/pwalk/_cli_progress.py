"""The live progress line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pwalk._types import Progress


@contextmanager
def live_progress() -> Iterator[Callable[[Progress], None]]:
    """Show a line on stderr that each call of what is yielded brings up to date."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(now: Progress) -> None:
            line = Text(
                f"{now.entries:,} entries  {now.rate:,.0f}/s  {now.errors:,} errors  "
                f"{now.threads} threads  {now.elapsed:.0f} s",
                no_wrap=True,
                overflow="ellipsis",
            )
            live.update(line, refresh=True)

        yield show
