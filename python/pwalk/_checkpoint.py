"""Reports that survive: parts of the output, committed again and again, put together at the end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from pwalk import _arguments, _core
from pwalk._scan import await_start
from pwalk._stream import POLL_INTERVAL

if TYPE_CHECKING:
    from pwalk._report import Target

_ROWS_AT_ONCE = 1 << 18
# Seconds that a scan may take to come to rest once it has been told to stop.
_REST_PATIENCE = 15.0

Tick = Callable[[_core.Report], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a report keeps what it has finished, and how often.

    :ivar directory: of the checkpoint
    :ivar interval: seconds from one commit to the next
    :ivar resume: whether to go on with what is there
    """

    directory: bytes
    interval: float
    resume: bool


def plan_of(checkpoint: _arguments.StrPath | None, interval: float, resume: bool) -> Plan | None:
    """Check the arguments that checkpoints have.

    :raises TypeError: when one has the wrong type
    :raises ValueError: when one has a value that cannot be used
    """
    interval = _arguments.seconds("checkpoint_interval", interval)
    if checkpoint is None:
        if resume:
            raise ValueError("resume needs a checkpoint")
        return None
    return Plan(_arguments.path_bytes("checkpoint", checkpoint), interval, bool(resume))


def open_checkpoint(
    plan: Plan, top: bytes, target: Target, options: dict[str, Any]
) -> _core.Checkpoint:
    """Open the directory of a checkpoint, and check that it is one of the same report.

    :raises OSError: when it cannot be used
    :raises ValueError: when there is something else in it
    """
    if target.is_stdout:
        raise ValueError("checkpoint: standard output cannot be gone on with; name a file")
    return _core.Checkpoint(
        plan.directory,
        target.suffix,
        _identity(top, target, options),
        plan.resume,
        plan.interval,
    )


def _identity(top: bytes, target: Target, options: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what rows and parts depend on, by name."""
    exclude = sorted(_printed(path) for path in options["exclude"])
    return [
        ("top", _printed(top)),
        ("format", target.format),
        ("compression", target.compression),
        *((name, str(bool(options[name]))) for name in ("ignore_snapshots", "one_file_system")),
        ("max_depth", str(options["max_depth"] or 0)),
        ("exclude", ", ".join(exclude) or "nothing"),
    ]


def _printed(path: bytes) -> str:
    """Return a path as text that tells it from every other."""
    return repr(path)[1:]


def scan_into_parts(
    checkpoint: _core.Checkpoint,
    top: bytes,
    checked: _core.ReportOptions,
    fs: _core.FileSystem,
    target: Target,
    text: _core.TextOptions,
    tick: Tick,
    finish: Tick,
) -> None:
    """Scan what is left of a tree until the checkpoint is complete.

    :raises KeyboardInterrupt: when SIGINT or SIGTERM came; what was finished has been committed
    """
    core: _core.Report
    if target.format == "parquet":
        scan = core = _core.Scan(top, checked, fs, checkpoint)
    else:
        file_report = core = _core.FileReport(top, checked, fs, text, checkpoint)
    try:
        await_start(core, top)
        with _signals_stop(checkpoint):
            stop = _Stop(checkpoint)
            if target.format == "parquet":
                _write_parquet_parts(checkpoint, scan, target, stop, tick)
            else:
                while not file_report.wait(POLL_INTERVAL):
                    stop.check()
                    tick(file_report)
        finish(core)
    finally:
        core.close()
    if checkpoint.stopping:
        raise KeyboardInterrupt


def _write_parquet_parts(
    checkpoint: _core.Checkpoint, core: _core.Scan, target: Target, stop: _Stop, tick: Tick
) -> None:
    with _ParquetPart(checkpoint, target.compression) as part:
        while (item := core.next(POLL_INTERVAL)) is not False:
            if isinstance(item, _core.Mark):
                checkpoint.commit(item, part.finish())
                if item.last:
                    return
            elif item is not None:
                part.add(item)
            stop.check()
            tick(core)
        checkpoint.complete_with(core.last_mark(), part.finish())


class _ParquetPart(AbstractContextManager["_ParquetPart"]):
    """The part being written; there is no file before there are rows."""

    def __init__(self, checkpoint: _core.Checkpoint, compression: str) -> None:
        self._checkpoint = checkpoint
        self._compression = compression
        self._file: Any = None
        self._rows = 0

    def add(self, batch: _core.Batch) -> None:
        from pwalk._parquet import ParquetFile  # takes a while: the scan runs meanwhile

        if self._file is None:
            self._file = ParquetFile(self._checkpoint.begin_part(), self._compression)
        self._rows += batch.rows
        self._file.add(batch)

    def finish(self) -> int:
        """End the part, so that the next rows begin another; return how many it has."""
        if self._file is None:
            return 0
        self._file.finish({})
        rows, self._file, self._rows = self._rows, None, 0
        return rows

    def __exit__(self, *_: object) -> None:
        """Leave a part that is not finished alone."""
        if self._file is not None:
            self._file.abandon()


class _Stop:
    """Gives a scan that has been told to stop some time to come to rest."""

    def __init__(self, checkpoint: _core.Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._deadline: float | None = None

    def check(self) -> None:
        """Give up waiting, when it is time.

        :raises KeyboardInterrupt: then
        """
        if not self._checkpoint.stopping or not self._checkpoint.due:
            return
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + _REST_PATIENCE
        elif now > self._deadline:
            raise KeyboardInterrupt


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make KeyboardInterrupt of SIGTERM as well, unless somebody has other plans for it."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _signals_stop(checkpoint: _core.Checkpoint) -> Iterator[None]:
    """Let SIGINT and SIGTERM commit what is finished; a second one does not wait for that.

    Handlers that somebody has installed stay as they are, and signals of other threads' concern.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if checkpoint.stopping:
            signal.default_int_handler(number, frame)
        checkpoint.stop()

    usual = (signal.SIG_DFL, signal.default_int_handler)
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) in usual]
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def write_whole(
    checkpoint: _core.Checkpoint,
    target: Target,
    text: _core.TextOptions,
    fd: int,
    metadata: Callable[[], dict[str, str]],
) -> None:
    """Put the parts of a complete checkpoint together, a piece at a time.

    :raises OSError: when a file cannot be read or written
    """
    if target.format != "parquet":
        checkpoint.write_parts(text, fd, os.fsencode(target.path))
        return
    import pyarrow.parquet

    from pwalk._parquet import ParquetFile

    with ParquetFile(fd, target.compression) as whole:
        for path in checkpoint.parts():
            # Opened here: pyarrow takes no name that is not UTF-8.
            with (
                Path(os.fsdecode(path)).open("rb") as file,
                pyarrow.parquet.ParquetFile(file) as part,
            ):
                # Each by itself: one iterator over all would keep some of each until its end.
                for group in range(part.num_row_groups):
                    for batch in part.iter_batches(_ROWS_AT_ONCE, row_groups=[group]):
                        whole.add(batch)
        whole.finish(metadata())
