"""Look at one directory tree: walk it, report every entry's metadata.

:func:`walk` is :func:`os.walk`, in parallel.
:func:`report` writes every entry's metadata to a file (Parquet, CSV or binary), which
:func:`read_binary` reads if it is binary; :func:`scan` gives it as a live Arrow stream.
"""

from pwalk._binary import BinaryFile, read_binary
from pwalk._core import __version__
from pwalk._report import report
from pwalk._scan import Scan, scan
from pwalk._types import EntryError, Progress
from pwalk._walk import walk, walk_mock

__all__ = [
    "BinaryFile",
    "EntryError",
    "Progress",
    "Scan",
    "__version__",
    "read_binary",
    "report",
    "scan",
    "walk",
    "walk_mock",
]
