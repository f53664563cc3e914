"""Do these hold the same bytes?

:func:`compare` compares two files or URLs, :func:`compare_dir` two directories with all that is
below them, :func:`compare_dir_urls` a directory and its mirror on a server, :func:`compare_archive`
two archives; :func:`compare_all` and :func:`compare_many` take any number of sources.
:func:`configure` sets options for all calls, and :mod:`komparu.aio` has the same functions as
coroutines. The command ``komparu`` tells what it is given apart by what it is.
"""

from komparu._compare import compare
from komparu._compare_archive import compare_archive
from komparu._compare_dir import compare_dir
from komparu._compare_dir_urls import compare_dir_urls
from komparu._compare_many import compare_all, compare_many
from komparu._core import __version__
from komparu._errors import (
    ArchiveBombError,
    ArchiveError,
    ComparisonTimeoutError,
    ConfigError,
    KomparuError,
    SourceNotFoundError,
    SourceReadError,
)
from komparu._options import configure, get_config, reset_config
from komparu._types import CompareResult, DiffReason, DirResult, Source

__all__ = [
    "ArchiveBombError",
    "ArchiveError",
    "CompareResult",
    "ComparisonTimeoutError",
    "ConfigError",
    "DiffReason",
    "DirResult",
    "KomparuError",
    "Source",
    "SourceNotFoundError",
    "SourceReadError",
    "__version__",
    "compare",
    "compare_all",
    "compare_archive",
    "compare_dir",
    "compare_dir_urls",
    "compare_many",
    "configure",
    "get_config",
    "reset_config",
]
