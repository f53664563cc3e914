"""The command line: ``komparu``, or ``python -m komparu.cli``.

Exit status: 0 the same; 1 different; 2 trouble, so that there is no answer: usage, something that
cannot be read, an archive that is broken; 130 interrupted.
"""

from __future__ import annotations

import io
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

import click

from komparu import __version__
from komparu._command import Answer, answer
from komparu._errors import KomparuError
from komparu._options import NOT_GIVEN, Options
from komparu._output import as_json, failure_as_json, lines_of, printable, size_text
from komparu._sources import shown

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_TROUBLE = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Outcome:
    """What is to be said, and the exit status."""

    lines: list[str]
    complaints: list[str]
    status: int


def _limit_of(_: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Convert a number, or ``none`` for no limit."""
    if value is None:
        return NOT_GIVEN
    if value == "none":
        return None
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor none", param=param) from None


def _limit(name: str, what: str) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    return click.option(
        "--" + name.replace("_", "-"),
        name,
        callback=_limit_of,
        metavar="N|none",
        help=f"Of archives: {what}",
    )


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of differences; the status tells.")
@click.option("--json", "json_", is_flag=True, help="Write the result as JSON, sorted.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="Of directories: leave out names that match, such as '*.pyc'. Repeatable.",
)
@click.option(
    "--no-follow", is_flag=True, help="Of directories: compare symlinks, not what they lead to."
)
@click.option("--hash", "hash_", is_flag=True, help="Of archives: compare hashes of entries.")
@click.option("--bytes", "bytes_", is_flag=True, help="Compare archives as any other file.")
@click.option(
    "--max-workers", type=int, default=0, metavar="N", help="Threads; 0: what is fastest."
)
@click.option("--time-limit", type=float, metavar="SECONDS", help="Give up after this long.")
@_limit("max_decompressed_size", "bytes of all entries; 1 GiB where not given.")
@_limit("max_compression_ratio", "bytes of all entries to those of the archive; 200.")
@_limit("max_archive_entries", "entries; 100,000.")
@_limit("max_entry_name_length", "bytes of a name; 4,096.")
@click.version_option(__version__, prog_name="komparu")
def cli(
    a: str,
    b: str,
    quiet: bool,
    json_: bool,
    ignore: tuple[str, ...],
    no_follow: bool,
    hash_: bool,
    bytes_: bool,
    max_workers: int,
    time_limit: float | None,
    **limits: int | None,
) -> Outcome:
    """Do A and B hold the same bytes? Two files, two directories with all that is below them, or
    two archives, whose entries are compared; in place of a file or an archive, an http or https
    URL.

    \b
    Status 0: the same. 1: different. 2: trouble, there is no answer.
    """
    options = Options(
        ignore=ignore,
        follow_symlinks=not no_follow,
        hash_compare=hash_,
        max_workers=max_workers,
        comparison_timeout=time_limit,
        **limits,
    )
    with _progress(quiet or json_) as show:
        found = answer(a, b, options, archives=not bytes_, show=show)
    names = shown(a), shown(b)
    said = [as_json(*names, found)] if json_ else [] if quiet else lines_of(*names, found)
    return Outcome(said, [f"{name}: {why}" for name, why in found.errors.items()], _status(found))


def _status(found: Answer) -> int:
    if found.errors:
        return EXIT_TROUBLE
    return EXIT_SAME if found.equal else EXIT_DIFFERENT


@contextmanager
def _live_progress() -> Iterator[Callable[[int, int], None]]:
    """Show a line on stderr that each call of what is yielded brings up to date."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def show(files: int, size: int) -> None:
            live.update(Text(f"{files:,} files  {size_text(size)} read"), refresh=True)

        yield show


def _progress(silent: bool) -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Show progress where somebody looks."""
    watched = not silent and sys.stderr is not None and sys.stderr.isatty()
    return _live_progress() if watched else nullcontext()


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror is not None:
        if error.filename is None:
            return error.strerror
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def _outcome() -> Outcome:
    """Carry out the command line."""
    try:
        outcome = cli.main(prog_name="komparu", standalone_mode=False)
    except click.ClickException as error:
        return Outcome([], [error.format_message(), "see komparu --help"], EXIT_TROUBLE)
    except (KeyboardInterrupt, click.Abort):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        return Outcome([], ["interrupted"], EXIT_INTERRUPTED)
    except (KomparuError, OSError, MemoryError, RuntimeError) as error:
        words = itertools.takewhile(lambda word: word != "--", sys.argv[1:])
        said = [failure_as_json(error)] if "--json" in words else []
        return Outcome(said, [_describe(error)], EXIT_TROUBLE)
    return outcome if isinstance(outcome, Outcome) else Outcome([], [], EXIT_SAME)  # --help


def _write(stream: TextIO | None, lines: list[str]) -> bool:
    """Write to a stream that may be closed, full or without a reader: False then."""
    if not lines:
        return True
    if stream is None:
        return False
    try:
        for line in lines:
            stream.write(line + "\n")
        stream.flush()
    except OSError:
        # Python must not try to flush it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def main() -> NoReturn:
    """Run the command line, and exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    outcome = _outcome()
    written = _write(sys.stdout, outcome.lines)
    _write(sys.stderr, [f"komparu: {printable(line)}" for line in outcome.complaints])
    sys.exit(outcome.status if written else EXIT_TROUBLE)


if __name__ == "__main__":
    main()
