"""The live stream of a tree's metadata."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pwalk import _arguments, _core
from pwalk._stream import POLL_INTERVAL, BatchStream
from pwalk._types import EntryError, Progress, errors_of, progress_of

# Bytes of batches that may wait for whoever consumes a live stream.
_STREAM_BUFFER = 64 << 20


def await_start(report: _core.Report, top: bytes) -> None:
    """Wait until the top of the tree is open.

    :raises OSError: when it cannot be opened
    """
    while (error := report.wait_started(POLL_INTERVAL)) is None:
        pass
    if error:
        raise OSError(error, os.strerror(error), os.fsdecode(top))


class Scan(BatchStream):
    """A tree's metadata as a live stream of Arrow record batches; made by :func:`scan`.

    Anything that knows the Arrow PyCapsule interface consumes it directly, as in
    ``pyarrow.table(scan)``, ``polars.DataFrame(scan)`` or a DuckDB query over ``scan``; iterating
    over it gives :class:`pyarrow.RecordBatch`. It can be consumed once. Work goes on in the
    background from the start, until the stream ends or :meth:`close` is called; as a context
    manager it closes itself.
    """

    def __init__(self, core: _core.Scan) -> None:
        """Wrap a running scan of the core; use :func:`scan`."""
        super().__init__(core)
        self._core = core

    @property
    def errors(self) -> list[EntryError]:
        """Entries that could not be looked at so far; complete once the stream has ended."""
        return errors_of(self._core)

    @property
    def progress(self) -> Progress:
        """How far the scan is."""
        return progress_of(self._core)

    def close(self) -> None:
        """Stop all work and wait until it has stopped. Idempotent."""
        super().close()
        self._core.close()


def scan(
    top: _arguments.StrPath,
    *,
    max_threads: int | None = None,
    ignore_snapshots: bool = True,
    one_file_system: bool = False,
    exclude: _arguments.StrPath | Iterable[_arguments.StrPath] | None = None,
    max_depth: int | None = None,
    max_inflight: int | None = None,
    stall_timeout: float = 300.0,
    cached_attributes: bool = False,
) -> Scan:
    """Scan a tree into a live stream of Arrow record batches, without a file.

    The columns are those that :func:`pwalk.report` writes to Parquet; :attr:`Scan.schema` has them.
    Rows come in no particular order. The stream is that of the Arrow project's C stream interface.

    :param top: the directory to scan
    :param max_threads: cores to keep busy; None for all that this process may use
    :param ignore_snapshots: leave out directories called ``.snapshot``
    :param one_file_system: leave out entries of other mounts
    :param exclude: paths to leave out, matched whole, component by component
    :param max_depth: levels of directories below the top to enter; None or 0 for all
    :param max_inflight: operations under way at once, at most; None for 128
    :param stall_timeout: seconds after which a call that does not return is given up
    :param cached_attributes: take from network file systems the attributes they hold already
    :returns: the stream, already at work
    :raises OSError: when the top is missing, is no directory or cannot be read
    :raises TypeError: when an argument has the wrong type
    :raises ValueError: when an argument has a value that cannot be used
    """
    encoded = _arguments.path_bytes("top", top)
    options = _arguments.report_options(
        max_threads=max_threads,
        max_inflight=max_inflight,
        stall_timeout=stall_timeout,
        ignore_snapshots=ignore_snapshots,
        one_file_system=one_file_system,
        max_depth=max_depth,
        exclude=exclude,
        buffer_threshold=_STREAM_BUFFER,
    )
    fs = _core.posix_file_system(bool(cached_attributes))
    core = _core.Scan(encoded, options, fs)
    await_start(core, encoded)
    return Scan(core)
