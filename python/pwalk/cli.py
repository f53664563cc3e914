"""The command line: ``pwalk``, or ``python -m pwalk.cli``.

Exit status: 0 complete; 1 complete, but some entries could not be looked at; 2 usage or failure;
130 interrupted.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from pwalk import __version__, _core
from pwalk._binary import convert as convert_binary
from pwalk._checkpoint import Plan, plan_of
from pwalk._cli_output import (
    EXIT_COMPLETE,
    EXIT_WITH_ERRORS,
    progress_line,
    say,
    say_errors,
    size_text,
)
from pwalk._cli_repair import command as repair_command
from pwalk._report import (
    COMPRESSIONS,
    FORMATS,
    Outcome,
    format_of,
    printable,
    run_report,
    run_walk,
)

EXIT_FAILURE = 2
EXIT_INTERRUPTED = 130


class _ReaderGoneError(Exception):
    """Whoever read our output has closed it."""


class _ReportByDefault(click.Group):
    """A group whose arguments mean ``report`` where they name no subcommand."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would exit with a status that means success here
            raise _ReaderGoneError from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "--version"):
            args = ["report", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ReportByDefault)
@click.version_option(__version__, prog_name="pwalk")
def cli() -> None:
    """Look at a directory tree: report every entry's metadata, list its paths, or repair its group
    permissions.

    Without a subcommand, `pwalk PATH` means `pwalk report PATH`.
    """


cli.add_command(repair_command)


def _selection(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose entries and bound the work."""
    for option in reversed(
        [
            click.option("--max-threads", type=int, metavar="N", help="Cores to keep busy."),
            click.option(
                "--max-inflight", type=int, metavar="N", help="Operations under way at once."
            ),
            click.option(
                "--stall-timeout",
                type=float,
                default=300.0,
                show_default=True,
                metavar="SECONDS",
                help="Give up a call that has not returned after this long.",
            ),
            click.option(
                "--NoSnap",
                "no_snap",
                is_flag=True,
                help="Leave out .snapshot directories (the default).",
            ),
            click.option("--snapshots", is_flag=True, help="Include .snapshot directories."),
            click.option(
                "--exclude",
                "--exclude-from",
                "exclude_from",
                type=click.Path(exists=True, dir_okay=False, allow_dash=True),
                metavar="FILE",
                help="Leave out the paths in FILE, one a line, as the report prints them.",
            ),
            click.option(
                "--exclude-path", multiple=True, metavar="PATH", help="Leave out PATH. Repeatable."
            ),
            click.option(
                "--depth",
                type=int,
                default=0,
                metavar="N",
                help="Leave out directories more than N levels below the top; 0: no limit.",
            ),
            click.option(
                "-x", "--one-file-system", is_flag=True, help="Leave out entries of other mounts."
            ),
        ]
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("path")
@click.option("--format", "format_", metavar="|".join(FORMATS), help="Default: by --output.")
@click.option("-o", "--output", metavar="FILE", help="File to write; - for CSV on stdout.")
@click.option("--compression", metavar="|".join(COMPRESSIONS), help="Default: by format and name.")
@click.option("--header/--no-header", default=True, help="CSV: name the columns first.")
@click.option(
    "--buffer-threshold",
    default="2GB",
    show_default=True,
    metavar="SIZE",
    help="What may wait in memory for the file; more waits in temporary files.",
)
@click.option(
    "--cached-attributes", is_flag=True, help="Take what network file systems hold already."
)
@click.option(
    "--checkpoint",
    metavar="DIR",
    help="Keep there what is finished, so that --resume can go on after whatever happens.",
)
@click.option(
    "--checkpoint-interval",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="From one commit to the next.",
)
@click.option("--resume", is_flag=True, help="Go on with what is in the checkpoint.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@_selection
def report(
    path: str,
    format_: str | None,
    output: str | None,
    compression: str | None,
    header: bool,
    buffer_threshold: str,
    cached_attributes: bool,
    checkpoint: str | None,
    checkpoint_interval: float,
    resume: bool,
    quiet: bool,
    **selection: Any,
) -> None:
    """Write every entry's metadata below PATH to a file."""
    plan = plan_of(checkpoint, checkpoint_interval, resume)
    with _says_how_to_go_on(plan), progress_line(quiet) as progress:
        outcome = run_report(
            path,
            format_ or format_of(output),
            output,
            compression,
            header,
            progress,
            None,
            plan,
            cached_attributes,
            buffer_threshold=buffer_threshold,
            **_selected(**selection),
        )
    if not quiet:
        _summarize(outcome)
    sys.exit(EXIT_WITH_ERRORS if outcome.errors else EXIT_COMPLETE)


@contextmanager
def _says_how_to_go_on(plan: Plan | None) -> Iterator[None]:
    """Say how to go on with a report that ends before it is complete."""
    try:
        yield
    except (KeyboardInterrupt, OSError, RuntimeError, MemoryError) as error:
        others = isinstance(error, OSError) and error.errno == errno.EBUSY
        if (
            not others
            and plan is not None
            and (Path(os.fsdecode(plan.directory)) / "frontier").exists()
        ):
            words = sys.argv[1:]
            if "--resume" not in words:  # behind "--" it would be a path
                words.insert(1 if words[:1] == ["report"] else 0, "--resume")
            command = " ".join(_shell_word(word) for word in ["pwalk", *words])
            say(f"pwalk: what is finished is kept; go on with: {command}")
        raise


@cli.command()
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option("--compression", metavar="|".join(COMPRESSIONS), help="Default: by format and name.")
@click.option("--header/--no-header", default=True, help="CSV: name the columns first.")
def convert(source: str, output: str, compression: str | None, header: bool) -> None:
    """Write a binary report, IN, as OUT: CSV for .csv, .csv.zst, .csv.gz and -, else Parquet."""
    file = convert_binary(source, output, compression, header)
    say(f"{file.records:,} entries")
    if file.torn:
        say(f"{printable(source)} is torn: these are the entries before that place")
    sys.exit(EXIT_WITH_ERRORS if file.torn else EXIT_COMPLETE)


@cli.command()
@click.argument("path")
@click.option("-0", "--null", is_flag=True, help="End each path with a NUL, not a newline.")
@click.option("--dirs", is_flag=True, help="Directories.")
@click.option("--files", is_flag=True, help="Everything but directories.")
@_selection
def walk(path: str, null: bool, dirs: bool, files: bool, **selection: Any) -> None:
    """Print the paths below PATH, one a line, in no particular order."""
    everything = not dirs and not files
    text = _core.TextOptions(
        format=_core.TextFormat.nul_terminated if null else _core.TextFormat.lines,
        directories=dirs or everything,
        others=files or everything,
    )
    outcome = run_walk(path, text, "-", buffer_threshold="64MB", **_selected(**selection))
    say_errors(outcome.errors, "could not be looked at")
    sys.exit(EXIT_WITH_ERRORS if outcome.errors else EXIT_COMPLETE)


def _selected(
    *,
    no_snap: bool,
    snapshots: bool,
    exclude_from: str | None,
    exclude_path: tuple[str, ...],
    depth: int,
    **options: Any,
) -> dict[str, Any]:
    """Turn the options of the command line into those of the API."""
    if no_snap and snapshots:
        raise click.UsageError("--NoSnap and --snapshots contradict each other")
    exclude: list[str | bytes] = list(exclude_path)
    if exclude_from is not None:
        with click.open_file(exclude_from, "rb") as file:
            exclude += [line for line in file.read().split(b"\n") if line]
    return {
        "ignore_snapshots": not snapshots,
        "exclude": exclude,
        "max_depth": depth,
        **options,
    }


def _summarize(outcome: Outcome) -> None:
    progress = outcome.progress
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in progress.kinds.items())
    say(f"{progress.entries:,} entries ({kinds}), {size_text(progress.bytes)}")
    if progress.vanished:
        say(f"{progress.vanished:,} vanished while being looked at")
    if progress.automount_points:
        say(f"{progress.automount_points:,} automount points were not entered")
    if progress.spilled:
        say(f"{size_text(progress.spilled)} went through temporary files")
    say_errors(outcome.errors, "could not be looked at")
    say(
        f"{progress.elapsed:.2f} s, {progress.rate:,.0f} entries/s, "
        f"{progress.threads_peak} threads at most"
    )
    if outcome.path != "-" and Path(outcome.path).is_file():
        say(f"{printable(outcome.path)}: {size_text(Path(outcome.path).stat().st_size)}")


def _shell_word(word: str) -> str:
    """Quote a word for the shell, so that it can be shown and be copied."""
    if printable(word) == word:
        return shlex.quote(word)
    plain = "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in _escaped_quotes(word))
    return f"$'{plain}'"


def _escaped_quotes(word: str) -> bytes:
    return os.fsencode(word).replace(b"\\", b"\\\\").replace(b"'", b"\\'")


def _fail(message: str) -> NoReturn:
    say(f"pwalk: {printable(message)}")
    sys.exit(EXIT_FAILURE)


def _describe(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def main() -> NoReturn:
    """Run the command line, and exit."""
    # Nothing here computes with numpy, which pyarrow imports; its threads cost more than the rest.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cli.main(prog_name="pwalk", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_FAILURE)
    except (KeyboardInterrupt, click.Abort):
        _ignore_signals()
        say("pwalk: interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except _ReaderGoneError:
        # Python must not try to flush its output once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILURE)
    except OSError as error:
        _fail(_describe(error))
    except (TypeError, ValueError, MemoryError, RuntimeError, ImportError) as error:
        _fail(str(error) or type(error).__name__)
    sys.exit(EXIT_COMPLETE)


def _ignore_signals() -> None:
    """Let nothing change how the process ends; all that is left is to end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
