"""Any number of sources."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

from komparu import _core
from komparu._calls import await_end, pool
from komparu._compare import core_options
from komparu._options import NOT_GIVEN, Options
from komparu._sources import AnySource, source_of
from komparu._types import CompareResult, Source, StrPath


def compare_all(
    sources: Iterable[AnySource],
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> bool:
    """Return whether all sources hold the same bytes; True for none and for one.

    Each source is read once at most, and none is read further than to the first difference that is
    found. See :func:`compare_many` for how contents are told apart.

    :param sources: paths, URLs (``file``, ``http``, ``https``) or :class:`Source` objects
    :param chunk_size: bytes of one read; where it is given nowhere, what is fastest
    :param size_precheck: take different sizes for an answer, where sizes can be trusted
    :param quick_check: look at some places of large files first
    :param max_workers: threads that may work at it at once: 0 for what is fastest, 256 at most
    :param headers: HTTP headers
    :param timeout: seconds without a byte after which a transfer has failed
    :param follow_redirects: follow HTTP redirects
    :param verify_ssl: check certificates; or the path of a bundle of those to trust
    :param proxy: the proxy's URL; None for the environment's, "" for none
    :param comparison_timeout: seconds that the whole may take; None for no limit
    :raises SourceNotFoundError: when a source does not exist
    :raises SourceReadError: when a source is no regular file, cannot be read or fetched, or changed
        meanwhile
    :raises ComparisonTimeoutError: when it took longer than it may
    :raises ConfigError: when an option or a source cannot be used
    :raises TypeError: when a source is none of what it may be
    """
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        max_workers=max_workers,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    comparison = start(as_list(sources), options, only_whether=True)
    if comparison is None:
        return True
    await_end(comparison, options.comparison_timeout)
    return comparison.all_equal


def compare_many(
    sources: Iterable[AnySource],
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> CompareResult:
    """Return which of the sources hold the same bytes.

    Each source is read about once, however many there are: what inodes, sizes and, of large files,
    samples do not tell apart is told apart by a 128-bit hash under a random key that only this call
    has. A source that cannot be read is an error.

    :param sources: paths, URLs (``file``, ``http``, ``https``) or :class:`Source` objects; the
        result names them as they are given, bytes decoded by :func:`os.fsdecode`
    :param chunk_size: bytes of one read; where it is given nowhere, what is fastest
    :param size_precheck: take different sizes for an answer, where sizes can be trusted
    :param quick_check: look at some places of large files first
    :param max_workers: threads that may work at it at once: 0 for what is fastest, 256 at most
    :param headers: HTTP headers
    :param timeout: seconds without a byte after which a transfer has failed
    :param follow_redirects: follow HTTP redirects
    :param verify_ssl: check certificates; or the path of a bundle of those to trust
    :param proxy: the proxy's URL; None for the environment's, "" for none
    :param comparison_timeout: seconds that the whole may take; None for no limit
    :raises SourceNotFoundError: when a source does not exist
    :raises SourceReadError: when a source is no regular file, cannot be read or fetched, or changed
        meanwhile
    :raises ComparisonTimeoutError: when it took longer than it may
    :raises ConfigError: when an option or a source cannot be used
    :raises TypeError: when a source is none of what it may be
    """
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        max_workers=max_workers,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    given = as_list(sources)
    comparison = start(given, options, only_whether=False)
    if comparison is None:
        return result_of(given, [0] * len(given))
    await_end(comparison, options.comparison_timeout)
    return result_of(given, comparison.groups())


def as_list(sources: Iterable[AnySource]) -> list[AnySource]:
    """Take the sources, and refuse what only looks like several.

    :raises TypeError: when there is a single one, or nothing that can be iterated over
    """
    if isinstance(sources, (str, bytes, os.PathLike, Source)) or not isinstance(sources, Iterable):
        raise TypeError(f"sources must be an iterable of sources, not {type(sources).__name__}")
    return list(sources)


def start(
    sources: Sequence[AnySource], options: Options, *, only_whether: bool
) -> _core.GroupComparison | None:
    """Start comparing; whoever calls waits. None: there is nothing to compare."""
    refs = [source_of(f"sources[{i}]", source, options) for i, source in enumerate(sources)]
    if len(refs) < 2:
        return None
    return _core.GroupComparison(pool(), refs, core_options(options), only_whether=only_whether)


def result_of(sources: Sequence[AnySource], numbers: Sequence[int]) -> CompareResult:
    """Return the result of sources of which each one's group is known."""
    groups: dict[int, set[str]] = {}
    groups_of: dict[str, set[int]] = {}
    for source, number in zip(sources, numbers, strict=True):
        name = _name_of(source)
        groups.setdefault(number, set()).add(name)
        # A name may be there with several contents: with other headers a URL has another one.
        groups_of.setdefault(name, set()).add(number)
    return CompareResult(
        all_equal=len(groups) <= 1,
        groups=list(groups.values()),
        diff={
            (a, b): len(groups_of[a] | groups_of[b]) > 1
            for a, b in itertools.combinations(groups_of, 2)
        },
    )


def _name_of(source: AnySource) -> str:
    return os.fsdecode(source.url if isinstance(source, Source) else source)
