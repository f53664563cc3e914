"""The live progress line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pwalk._types import Progress


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
