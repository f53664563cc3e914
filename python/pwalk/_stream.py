"""Arrow record batches, from a scan or a file, as Python consumes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from pwalk import _core

if TYPE_CHECKING:
    import pyarrow

# How often a wait looks whether it has been interrupted, in seconds.
POLL_INTERVAL = 0.05

_Self = TypeVar("_Self", bound="BatchStream")


class BatchStream:
    """A one-shot stream of Arrow record batches."""

    def __init__(self, source: _core.BatchSource) -> None:
        """Wrap what the core reads from."""
        self._source = source
        self._closed = False

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the stream over, as an ``ArrowArrayStream`` capsule.

        It may be asked for more than once, until rows are read through one of them.

        :param requested_schema: not looked at: the schema is fixed
        :raises RuntimeError: when the stream has been consumed or closed before
        """
        del requested_schema
        self._check_unconsumed()
        return self._source.stream()

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        """Consume the stream batch by batch.

        :raises RuntimeError: when the stream has been consumed or closed before
        """
        import pyarrow

        self._check_unconsumed()
        return self._batches(pyarrow)

    def _batches(self, pyarrow: object) -> Iterator[pyarrow.RecordBatch]:
        while (batch := self._source.next(POLL_INTERVAL)) is not False:
            if batch is not None:
                yield pyarrow.record_batch(batch)  # type: ignore[attr-defined]

    def _check_unconsumed(self) -> None:
        if self._closed or self._source.consumed:
            raise RuntimeError("this is a one-shot stream, and it has been consumed or closed")

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns, as a :class:`pyarrow.Schema`; can be read at any time."""
        import pyarrow

        return pyarrow.schema(ScanSchema())

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        self._closed = True

    def __enter__(self: _Self) -> _Self:
        """Return the stream itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the stream."""
        self.close()


class ScanSchema:
    """The columns of a scan, for whatever knows the Arrow PyCapsule interface."""

    def __arrow_c_schema__(self) -> object:
        """Return an ``ArrowSchema`` capsule."""
        return _core.scan_schema()
