"""A tree's metadata in a file."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pwalk import _arguments, _core
from pwalk._checkpoint import (
    Plan,
    open_checkpoint,
    plan_of,
    scan_into_parts,
    sigterm_interrupts,
    write_whole,
)
from pwalk._scan import await_start
from pwalk._stream import POLL_INTERVAL
from pwalk._types import EntryError, Progress, errors_of, progress_of

ProgressCallback = Callable[[Progress], object]

FORMATS = ("parquet", "csv", "binary")
COMPRESSIONS = ("zstd", "gzip", "none")
_TEXT_COMPRESSIONS = {
    "none": _core.Compression.none,
    "zstd": _core.Compression.zstd,
    "gzip": _core.Compression.gzip,
}
_TEXT_SUFFIXES = {"zstd": ".zst", "gzip": ".gz", "none": ""}
_CSV_SUFFIXES = tuple(".csv" + suffix for suffix in _TEXT_SUFFIXES.values())
_BINARY_SUFFIX = ".pwal"

#: Seconds between two calls of a progress callback, at least.
PROGRESS_INTERVAL = 0.1

_log = logging.getLogger("pwalk")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished report came to."""

    path: str
    errors: list[EntryError]
    progress: Progress


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report goes, and how."""

    format: str
    compression: str
    path: str
    header: bool

    @property
    def is_stdout(self) -> bool:
        """Whether the report goes to standard output."""
        return self.path == "-"

    @property
    def suffix(self) -> str:
        """How the names of such files end."""
        return _suffix(self.format, self.compression)


def report(
    top: _arguments.StrPath,
    format: str = "parquet",  # noqa: A002
    output: _arguments.StrPath | None = None,
    max_threads: int | None = None,
    buffer_threshold: int | str = "2GB",
    *,
    ignore_snapshots: bool = True,
    one_file_system: bool = False,
    exclude: _arguments.StrPath | Iterable[_arguments.StrPath] | None = None,
    max_depth: int | None = None,
    compression: str | None = None,
    header: bool = True,
    progress: ProgressCallback | None = None,
    checkpoint: _arguments.StrPath | None = None,
    checkpoint_interval: float = 60.0,
    resume: bool = False,
    max_inflight: int | None = None,
    stall_timeout: float = 300.0,
    cached_attributes: bool = False,
) -> tuple[str, list[EntryError]]:
    """Write the metadata of every entry of a tree to a file.

    The file appears under its name only when it is complete. An entry that cannot be looked at
    does not end the report: it is one of the errors returned.

    Parquet is Apache's, written by pyarrow, with the columns of :func:`pwalk.scan`. CSV is that of
    pwalk 3.0 (John Dey's), byte for byte up to the order of lines. Binary is PWAL, version 1, as
    ``src/report/pwal_format.hpp`` has it.

    :param top: the directory to report on
    :param format: ``"parquet"``, ``"csv"`` as pwalk 3.0 writes it, or ``"binary"``, which
        :func:`pwalk.read_binary` reads
    :param output: the file to write; None for ``scan.parquet``, ``scan.csv``, ``scan.csv.zst``,
        ``scan.csv.gz`` or ``scan.pwal`` in the working directory; ``"-"`` for CSV on standard
        output
    :param max_threads: cores to keep busy; None for all that this process may use
    :param buffer_threshold: bytes that may wait in memory for the file, or a text: ``"512MB"``
        counts in thousands, ``"512MiB"`` and ``"512M"`` in 1,024s. What is beyond waits in
        temporary files, in :func:`tempfile.gettempdir`, that have no name and so cannot be left
        behind. The scan itself waits only when nothing can be written there
    :param ignore_snapshots: leave out directories called ``.snapshot``
    :param one_file_system: leave out entries of other mounts
    :param exclude: paths to leave out, matched whole, component by component
    :param max_depth: levels of directories below the top to enter; None or 0 for all
    :param compression: ``"zstd"``, ``"gzip"`` or ``"none"``; None for zstd in Parquet, and for
        what the output's name says in CSV; binary has none
    :param header: begin CSV with the names of the columns
    :param progress: called with a :class:`Progress`, at least once and at most 10 times a second,
        on this thread; what it raises ends the report
    :param checkpoint: a directory in which to keep what is finished, so that the report can go on
        after whatever ends it; made if it is missing, and empty again at the end
    :param checkpoint_interval: seconds from one commit to the next; what was done since the last
        one is done again
    :param resume: go on with what is in ``checkpoint``; begin where there is nothing
    :param max_inflight: operations under way at once, at most; None for 128
    :param stall_timeout: seconds after which a call that does not return is given up
    :param cached_attributes: take from network file systems the attributes they hold already
    :returns: the path of the file written, and the entries that could not be looked at
    :raises OSError: when the top is missing, is no directory or cannot be read; when the file
        cannot be written; when another process works with the checkpoint. What has been committed
        to the checkpoint stays
    :raises KeyboardInterrupt: on SIGINT, and with a checkpoint on SIGTERM too, once everything that
        is finished has been committed
    :raises TypeError: when an argument has the wrong type
    :raises ValueError: when an argument has a value that cannot be used; when the checkpoint is
        one of another report
    """
    outcome = run_report(
        top,
        format,
        output,
        compression,
        header,
        progress,
        None,
        plan_of(checkpoint, checkpoint_interval, resume),
        max_threads=max_threads,
        max_inflight=max_inflight,
        stall_timeout=stall_timeout,
        ignore_snapshots=ignore_snapshots,
        one_file_system=one_file_system,
        max_depth=max_depth,
        exclude=exclude,
        buffer_threshold=buffer_threshold,
        cached_attributes=cached_attributes,
    )
    return outcome.path, outcome.errors


def run_report(
    top: _arguments.StrPath,
    format: str,  # noqa: A002
    output: _arguments.StrPath | None,
    compression: str | None,
    header: bool,
    progress: ProgressCallback | None,
    fs: _core.FileSystem | None,
    plan: Plan | None,
    cached_attributes: bool = False,
    **options: Any,
) -> Outcome:
    """Do what :func:`report` does, and tell how it went. ``options`` are ``report_options``'.

    Without ``fs`` the tree is the machine's own.
    """
    encoded = _arguments.path_bytes("top", top)
    target = target_of(format, output, compression, header)
    options["exclude"] = _arguments.exclusions(options["exclude"])  # may be an iterator
    checked = _arguments.report_options(**options, spill_directory=_spill_directory())
    options["cached_attributes"] = bool(cached_attributes)
    fs = fs or _core.posix_file_system(options["cached_attributes"])
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    ticker = _Ticker(progress)
    if plan is not None:
        return _write_resumably(encoded, checked, fs, options, target, plan, ticker)
    write = _write_parquet if target.format == "parquet" else _write_file
    with Output(target) as file:
        core = write(encoded, checked, fs, options, target, file, ticker)
        file.commit()
    return Outcome(target.path, errors_of(core), progress_of(core))


def _write_resumably(
    top: bytes,
    checked: _core.ReportOptions,
    fs: _core.FileSystem,
    options: dict[str, Any],
    target: Target,
    plan: Plan,
    ticker: _Ticker,
) -> Outcome:
    checkpoint = open_checkpoint(plan, top, target, options)
    try:
        with sigterm_interrupts(), Output(target) as file, errors_name(target.path):
            text = text_options(target)
            if checkpoint.complete:
                ticker.resume_complete(checkpoint)
            else:
                with errors_name(os.fsdecode(plan.directory)):
                    scan_into_parts(
                        checkpoint, top, checked, fs, target, text, ticker.tick, ticker.finish
                    )
            started = datetime.fromtimestamp(checkpoint.started, timezone.utc).isoformat()
            write_whole(
                checkpoint,
                target,
                text,
                file.fd,
                lambda: _metadata(checkpoint, top, started, options, target),
            )
            file.commit()
        checkpoint.remove()
        return Outcome(target.path, errors_of(checkpoint), progress_of(checkpoint))
    finally:
        checkpoint.close()


@contextmanager
def errors_name(path: str) -> Iterator[None]:
    """Name the file in errors of pyarrow's, which do not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:  # the file's, not the tree's
            raise OSError(error.errno, os.strerror(error.errno), path) from None
        raise


def _spill_directory() -> bytes:
    """Return where temporary files go; nothing where there is no such place.

    The places are tempfile's, but it would try them, and leave a file behind if it is killed then.
    """
    if tempfile.tempdir is not None:
        return os.path.abspath(os.fsencode(tempfile.tempdir))  # noqa: PTH100 - as tempfile does
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for place in filter(None, (*named, "/tmp", "/var/tmp", "/usr/tmp", os.curdir)):
        if Path(os.fsdecode(place)).is_dir() and os.access(place, os.W_OK | os.X_OK):
            return os.path.abspath(os.fsencode(place))  # noqa: PTH100 - as tempfile does
    return b""


def run_walk(
    top: _arguments.StrPath, text: _core.TextOptions, output: str, **options: Any
) -> Outcome:
    """Write nothing but paths. ``options`` are ``report_options``'."""
    encoded = _arguments.path_bytes("top", top)
    checked = _arguments.report_options(**options)
    with Output(Target("paths", "none", output, header=False)) as file:
        fs = _core.posix_file_system()
        core = _core.FileReport(encoded, checked, fs, text, file.fd, os.fsencode(output))
        _follow(core, encoded, _Ticker(None))
        file.commit()
    return Outcome(output, errors_of(core), progress_of(core))


def target_of(
    format: str,  # noqa: A002
    output: _arguments.StrPath | None,
    compression: str | None,
    header: bool,
) -> Target:
    """Check where a report is to go."""
    _arguments.choice("format", format, FORMATS)
    if compression is not None:
        _arguments.choice("compression", compression, COMPRESSIONS)
    path = "" if output is None else os.fsdecode(_arguments.path_bytes("output", output))
    if format != "csv" and path == "-":
        raise ValueError("output: only format 'csv' can be streamed to standard output")
    if format == "binary":
        if compression not in (None, "none"):
            raise ValueError("compression must be none with format 'binary'")
        compression = "none"
    elif compression is None:
        compression = "zstd" if format == "parquet" else _compression_of(path)
    return Target(format, compression, path or "scan" + _suffix(format, compression), header)


def _suffix(format: str, compression: str) -> str:  # noqa: A002
    if format == "csv":
        return ".csv" + _TEXT_SUFFIXES[compression]
    return _BINARY_SUFFIX if format == "binary" else ".parquet"


def format_of(path: str | None) -> str:
    """Return the format that a file's name asks for."""
    if path is not None and path.endswith(_BINARY_SUFFIX):
        return "binary"
    return "csv" if path is not None and is_csv_name(path) else "parquet"


def is_csv_name(path: str) -> bool:
    """Return whether CSV is what belongs there."""
    return path == "-" or path.endswith(_CSV_SUFFIXES)


def text_options(target: Target) -> _core.TextOptions:
    """Convert for the core how a file that is not Parquet is written."""
    return _core.TextOptions(
        format=_core.TextFormat.binary if target.format == "binary" else _core.TextFormat.csv,
        compression=_TEXT_COMPRESSIONS[target.compression],
        header=target.header,
    )


def _compression_of(path: str) -> str:
    for compression, suffix in _TEXT_SUFFIXES.items():
        if suffix and path.endswith(suffix):
            return compression
    return "none"


class Output(AbstractContextManager["Output"]):
    """The file being written, or standard output. Discarded unless committed."""

    def __init__(self, target: Target) -> None:
        self._file = None if target.is_stdout else _core.OutputFile(os.fsencode(target.path))
        if self._file is None:
            sys.stdout.flush()

    @property
    def fd(self) -> int:
        return sys.stdout.fileno() if self._file is None else self._file.fd

    def commit(self) -> None:
        if self._file is not None:
            self._file.commit()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.discard()


class Pace:
    """Tells when progress is due: at most 10 times a second, and once at least."""

    def __init__(self) -> None:
        self._was_due = False
        self._next = time.monotonic() + PROGRESS_INTERVAL

    def due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + PROGRESS_INTERVAL
        self._was_due = True
        return True

    def due_at_end(self) -> bool:
        """What was too short to be due has its turn now."""
        return self.due() or not self._was_due


class _Ticker:
    """Calls a progress callback now and then, and passes on what the core has to say."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._pace = Pace()

    def tick(self, report: _core.Report) -> None:
        if self._pace.due():
            log_bad_paths(report)
            self._call(report)

    def finish(self, report: _core.Report) -> None:
        """Pass on the rest."""
        log_bad_paths(report)
        if self._pace.due_at_end():
            self._call(report)

    def resume_complete(self, checkpoint: _core.Checkpoint) -> None:
        """Call it for a report of which only the writing is left."""
        self._call(checkpoint)

    def _call(self, report: _core.Report | _core.Checkpoint) -> None:
        if self._callback is not None:
            self._callback(progress_of(report))


def log_bad_paths(report: _core.Report) -> None:
    """Report paths that CSV cannot carry as they are, as pwalk 3.0 does."""
    for path in report.take_bad_paths():
        _log.warning("Bad File: %s", printable(os.fsdecode(path)))


def printable(path: str) -> str:
    """Return the path with what a terminal must not see, or cannot show, as escapes."""
    escaped = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)


def _write_file(
    top: bytes,
    checked: _core.ReportOptions,
    fs: _core.FileSystem,
    options: dict[str, Any],
    target: Target,
    file: Output,
    ticker: _Ticker,
) -> _core.Report:
    del options
    name = os.fsencode(target.path)
    text = text_options(target)
    core = _core.FileReport(top, checked, fs, text, file.fd, name)
    _follow(core, top, ticker)
    return core


def _follow(core: _core.FileReport, top: bytes, ticker: _Ticker) -> None:
    try:
        await_start(core, top)
        while not core.wait(POLL_INTERVAL):
            ticker.tick(core)
        ticker.finish(core)
    finally:
        core.close()


def _write_parquet(
    top: bytes,
    checked: _core.ReportOptions,
    fs: _core.FileSystem,
    options: dict[str, Any],
    target: Target,
    file: Output,
    ticker: _Ticker,
) -> _core.Report:
    started = _now()
    core = _core.Scan(top, checked, fs)
    try:
        await_start(core, top)
        from pwalk._parquet import ParquetFile  # pyarrow takes a while: the scan runs meanwhile

        with errors_name(target.path), ParquetFile(file.fd, target.compression) as parquet:
            while (batch := core.next(POLL_INTERVAL)) is not False:
                if isinstance(batch, _core.Batch):
                    parquet.add(batch)
                ticker.tick(core)
            ticker.finish(core)
            parquet.finish(_metadata(core, top, started, options, target))
    finally:
        core.close()
    return core


def _metadata(
    core: _core.Totals, top: bytes, started: str, options: dict[str, Any], target: Target
) -> dict[str, str]:
    progress = core.progress()
    named = {name: _plain(value) for name, value in options.items()}
    return {
        "top": top.decode("utf-8", "backslashreplace"),
        "host": socket.gethostname(),
        "started": started,
        "finished": _now(),
        "options": json.dumps({**named, "compression": target.compression}),
        "version": _core.__version__,
        "entries": str(progress.entries),
        "errors": str(progress.errors),
        "vanished": str(progress.vanished),
        "clamped_times": str(core.clamped_times),
    }


def _plain(value: object) -> object:
    """Convert an option into what JSON knows."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, bytes, os.PathLike)):
        return os.fsencode(value).decode("utf-8", "backslashreplace")
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
