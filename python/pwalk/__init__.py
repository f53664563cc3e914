"""Look at one directory tree: walk it, report every entry's metadata.

:func:`walk` is :func:`os.walk`, in parallel.
:func:`report` writes it to a file (Parquet or CSV); :func:`scan` gives it as a live Arrow stream.
"""

from pwalk._core import __version__
from pwalk._report import report
from pwalk._scan import Scan, scan
from pwalk._types import EntryError, Progress
from pwalk._walk import walk, walk_mock

__all__ = ["EntryError", "Progress", "Scan", "__version__", "report", "scan", "walk", "walk_mock"]
