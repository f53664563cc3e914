"""PWAL, the binary form of a report: reading it, and converting it into the other forms."""

from __future__ import annotations

import os

from pwalk import _arguments, _core
from pwalk._stream import BatchStream


class BinaryFile(BatchStream):
    """The rows of a PWAL file as a stream of Arrow record batches; made by :func:`read_binary`.

    Consumed as a :class:`pwalk.Scan` is, once.
    """

    def __init__(self, core: _core.PwalReader) -> None:
        """Wrap an open file of the core; use :func:`read_binary`."""
        super().__init__(core)
        self._core = core

    @property
    def records(self) -> int:
        """Records read so far."""
        return self._core.records

    @property
    def torn(self) -> bool:
        """Whether the file was never closed, or ends within a record; known once it is consumed."""
        return self._core.torn

    @property
    def timestamp(self) -> int:
        """When the file was begun, in seconds since 1970-01-01T00:00:00Z."""
        return self._core.timestamp

    def close(self) -> None:
        """Close the file. Idempotent."""
        super().close()
        self._core.close()


def read_binary(path: _arguments.StrPath) -> BinaryFile:
    """Read a file that :func:`pwalk.report` has written with ``format="binary"``.

    The format is PWAL, version 1, as ``src/report/pwal_format.hpp`` has it. The columns are those
    of :func:`pwalk.scan`; files of either byte order and of either time unit are read. Of a torn
    file every whole record is delivered; :attr:`BinaryFile.torn` says so then.

    :param path: the file
    :returns: its rows, as a stream that can be consumed once
    :raises OSError: when the file cannot be read
    :raises TypeError: when ``path`` is no path
    :raises ValueError: when it is no PWAL file, or of a newer version; while it is consumed, when
        there is something else in place of a record
    """
    return BinaryFile(_core.PwalReader(_arguments.path_bytes("path", path)))


def convert(
    source: _arguments.StrPath,
    output: _arguments.StrPath,
    compression: str | None = None,
    header: bool = True,
) -> BinaryFile:
    """Write the rows of a PWAL file to ``output``: Parquet, or CSV for a name that says so.

    :param source: the PWAL file
    :param output: the file to write; ``"-"`` for CSV on standard output
    :param compression: as in :func:`pwalk.report`
    :param header: begin CSV with the names of the columns
    :returns: the file, consumed: its ``records``, and whether it was ``torn``
    :raises OSError: when one of the files cannot be read or written
    :raises ValueError: when ``source`` is no PWAL file
    """
    from pwalk import _report

    named = os.fsdecode(_arguments.path_bytes("output", output))
    file_format = "csv" if _report.is_csv_name(named) else "parquet"
    target = _report.target_of(file_format, output, compression, header)
    file = read_binary(source)
    with file, _report.Output(target) as out:
        if target.format == "csv":
            file._core.write_csv(out.fd, os.fsencode(target.path), _report.text_options(target))
        else:
            _write_parquet(file, out.fd, target.compression, named)
        out.commit()
    return file


def _write_parquet(file: BinaryFile, fd: int, compression: str, name: str) -> None:
    from pwalk import _report
    from pwalk._parquet import ParquetFile

    with _report.errors_name(name), ParquetFile(fd, compression) as parquet:
        while batch := file._core.next(0):
            parquet.add(batch)
        parquet.finish(
            {
                "version": _core.__version__,
                "entries": str(file.records),
                "clamped_times": str(file._core.clamped_times),
            }
        )
