"""Two directories with all that is below them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from komparu import _core
from komparu._calls import await_end, pool
from komparu._compare import core_options
from komparu._errors import ConfigError
from komparu._options import NOT_GIVEN, Options
from komparu._results import dir_result
from komparu._sources import path_of
from komparu._types import DirResult, StrPath


def compare_dir(
    dir_a: StrPath,
    dir_b: StrPath,
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    follow_symlinks: bool = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    ignore: Iterable[str] | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> DirResult:
    """Return in what two directories differ, with all that is below them.

    Empty directories do not matter. With symlinks followed, what they lead to is compared, and one
    that dangles or leads back to a directory above it is an error; else their texts are compared.
    Of special files the types are compared, and of devices their numbers. Both directories may
    change meanwhile: what is read of a file that does is not taken for an answer, but an error.

    :param dir_a: one directory
    :param dir_b: the other one
    :param chunk_size: bytes of one read; where it is given nowhere, what is fastest
    :param size_precheck: take different sizes for an answer, where sizes can be trusted
    :param quick_check: look at some places of large files first
    :param follow_symlinks: compare what symlinks lead to
    :param max_workers: threads that may work at it at once: 0 for what is fastest, 256 at most
    :param ignore: patterns, as :mod:`fnmatch` has them, case-sensitive; what has a name that
        matches one, at whatever depth, is left out on both sides, with all that is below it
    :param comparison_timeout: seconds that the whole may take; None for no limit
    :raises SourceNotFoundError: when one of the two does not exist
    :raises SourceReadError: when one of the two cannot be read, or is no directory. What cannot be
        read below them is in the result's ``errors``
    :raises ComparisonTimeoutError: when it took longer than it may
    :raises ConfigError: when an option or a path cannot be used
    :raises TypeError: when a directory is not a path
    """
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        follow_symlinks=follow_symlinks,
        max_workers=max_workers,
        ignore=ignore,
        comparison_timeout=comparison_timeout,
    )
    comparison = start(dir_a, dir_b, options)
    await_end(comparison, options.comparison_timeout)
    return dir_result(comparison.differences())


def start(dir_a: StrPath, dir_b: StrPath, options: Options) -> _core.TreeComparison:
    """Start comparing; whoever calls waits."""
    paths = path_of("dir_a", dir_a), path_of("dir_b", dir_b)
    return _core.TreeComparison(
        pool(),
        *paths,
        core_options(options),
        follow_symlinks=options.follow_symlinks,
        ignore=[_encoded(pattern) for pattern in options.ignore or ()],
    )


def _encoded(pattern: str) -> bytes:
    try:
        return os.fsencode(pattern)
    except UnicodeEncodeError:
        raise ConfigError("ignore cannot be encoded for the file system") from None
