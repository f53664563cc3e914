"""One directory tree: walk it, report every entry's metadata, repair its group permissions.

:func:`walk` is :func:`os.walk`, in parallel.
:func:`report` writes every entry's metadata to a file (Parquet, CSV or binary), which
:func:`read_binary` reads if it is binary; :func:`scan` gives it as a live Arrow stream.
:func:`repair` makes a shared tree usable by its group; :func:`undo` takes that back.
"""

from pwalk._binary import BinaryFile, read_binary
from pwalk._core import ProtectedPathError, __version__
from pwalk._repair import Change, RepairResult, Skipped, repair, undo, validate_gid
from pwalk._report import report
from pwalk._scan import Scan, scan
from pwalk._types import EntryError, Progress
from pwalk._walk import walk, walk_mock

__all__ = [
    "BinaryFile",
    "Change",
    "EntryError",
    "Progress",
    "ProtectedPathError",
    "RepairResult",
    "Scan",
    "Skipped",
    "__version__",
    "read_binary",
    "repair",
    "report",
    "scan",
    "undo",
    "validate_gid",
    "walk",
    "walk_mock",
]
