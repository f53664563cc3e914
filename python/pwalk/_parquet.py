"""Parquet, written by pyarrow."""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import Mapping
from typing import Any

import pyarrow
import pyarrow.parquet

from pwalk import _core
from pwalk._stream import ScanSchema

# Few distinct values, or the same one over and over.
_DICTIONARY_COLUMNS = ["extension", "st_dev"]
# Neighbouring rows have neighbouring values. Paths come grouped by directory, so each shares a
# prefix with the one before.
_ENCODINGS = {
    **dict.fromkeys(
        ["inode", "size", "st_blocks", "atime", "mtime", "ctime"], "DELTA_BINARY_PACKED"
    ),
    "filename": "DELTA_BYTE_ARRAY",
}
# Smallest and largest of these help no query, and cost as much as the others together.
_NO_STATISTICS = {"filename", "extension", "filename_raw"}

_ROWS_PER_PAGE = 131_072
# Row groups begin small, so that a short scan is encoded while it runs, and grow to the size that
# serves a large file best.
_FIRST_ROW_GROUP = 131_072
_LARGEST_ROW_GROUP = 1_048_576


class _Descriptor(io.RawIOBase):
    """Writes to a descriptor that is somebody else's, whole or not at all.

    Not a buffered file: that would write what is left in it when it is collected, by then perhaps
    to another file that got the descriptor's number.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._written = 0
        self._abandoned = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        # A writer that is dropped still tries to end its file.
        rest = view[len(view) :] if self._abandoned else view
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._written += len(view)
        return len(view)

    def abandon(self) -> None:
        """Swallow whatever is still to be written."""
        self._abandoned = True


class ParquetFile:
    """Record batches on their way into a Parquet file. A context manager: on an exception, nothing
    more is written.

    :param fd: a descriptor open for writing, which stays the caller's
    :param compression: ``"zstd"``, ``"gzip"`` or ``"none"``
    :raises OSError: as do :meth:`add` and :meth:`finish`, when the file cannot be written
    """

    def __init__(self, fd: int, compression: str) -> None:
        """Begin the file."""
        self._schema = pyarrow.schema(ScanSchema())
        self._file = _Descriptor(fd)
        self._writer = pyarrow.parquet.ParquetWriter(
            self._file,
            self._schema,
            compression=compression.upper(),
            use_dictionary=_DICTIONARY_COLUMNS,
            column_encoding=_ENCODINGS,
            write_statistics=[n for n in self._schema.names if n not in _NO_STATISTICS],
            **_page_options(),
        )
        self._waiting: list[pyarrow.RecordBatch] = []
        self._waiting_rows = 0
        self._row_group = _FIRST_ROW_GROUP

    def add(self, batch: _core.Batch | pyarrow.RecordBatch) -> None:
        """Add a batch; it is written once its row group is full."""
        self._waiting.append(pyarrow.record_batch(batch))
        self._waiting_rows += self._waiting[-1].num_rows
        if self._waiting_rows >= self._row_group:
            self._write_row_group()
            self._row_group = min(2 * self._row_group, _LARGEST_ROW_GROUP)

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Write what is left, and key-value metadata."""
        if self._waiting:
            self._write_row_group()
        self._writer.add_key_value_metadata(dict(metadata))
        self._writer.close()

    def __enter__(self) -> ParquetFile:
        """Return the file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the descriptor alone from now on."""
        self.abandon()

    def abandon(self) -> None:
        """Leave the descriptor alone from now on."""
        self._file.abandon()

    def _write_row_group(self) -> None:
        table = pyarrow.Table.from_batches(self._waiting, self._schema)
        self._waiting.clear()
        self._waiting_rows = 0
        self._writer.write_table(table, row_group_size=len(table))


def _page_options() -> dict[str, Any]:
    # Older versions of pyarrow have only the default, 20,000 rows, which is slower and larger.
    known = inspect.signature(pyarrow.parquet.ParquetWriter.__init__).parameters
    probed = inspect.signature(pyarrow.parquet.write_table).parameters
    name = "max_rows_per_page"
    return {name: _ROWS_PER_PAGE} if name in known or name in probed else {}
