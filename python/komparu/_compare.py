"""Two sources."""

from __future__ import annotations

from collections.abc import Mapping

from komparu import _core
from komparu._calls import await_end, pool
from komparu._options import NOT_GIVEN, Options
from komparu._sources import AnySource, source_of
from komparu._types import StrPath


def compare(
    source_a: AnySource,
    source_b: AnySource,
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> bool:
    """Return whether two sources hold the same bytes.

    A source is a path, a URL (``file``, ``http``, ``https``) or a :class:`Source`. The same inode
    is equal without being read, and so are files that share all their extents; different sizes are
    different. A URL is read by one GET, and only as far as to the first difference.

    :param source_a: one source
    :param source_b: the other one
    :param chunk_size: bytes of one read; where it is given nowhere, what is fastest
    :param size_precheck: take different sizes for an answer, where sizes can be trusted
    :param quick_check: look at some places of large files first
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
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    comparison = start(source_a, source_b, options)
    await_end(comparison, options.comparison_timeout)
    return comparison.equal


def start(source_a: AnySource, source_b: AnySource, options: Options) -> _core.FileComparison:
    """Start comparing; whoever calls waits."""
    a = source_of("source_a", source_a, options)
    b = source_of("source_b", source_b, options)
    return _core.FileComparison(pool(), a, b, core_options(options))


def core_options(options: Options) -> _core.CompareOptions:
    """Convert for the core."""
    return _core.CompareOptions(
        chunk_size=options.chunk_size if options.gives("chunk_size") else 0,
        size_precheck=options.size_precheck,
        quick_check=options.quick_check,
        max_workers=options.max_workers,
    )
