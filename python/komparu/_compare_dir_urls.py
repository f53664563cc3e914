"""A directory and its mirror on a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from komparu import _core
from komparu._calls import await_end, pool
from komparu._compare import core_options
from komparu._errors import ConfigError
from komparu._options import NOT_GIVEN, Options
from komparu._results import dir_result
from komparu._sources import AnySource, path_of, source_of
from komparu._types import DirResult, StrPath


def compare_dir_urls(
    dir_path: StrPath,
    url_map: Mapping[Any, AnySource],
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> DirResult:
    """Return in what a directory's files differ from what URLs hold.

    Some dozens of URLs are fetched at once, over connections that are used again. What cannot be
    fetched is ``DiffReason.READ_ERROR`` in ``diff``, for whatever reason; a directory where a file
    should be is ``DiffReason.TYPE_MISMATCH``. Files below the directory that no URL is given for
    are in ``only_left``, names without a file in ``only_right``. Symlinks are followed.

    :param dir_path: the directory
    :param url_map: of each file's path, relative to the directory, the URL or :class:`Source` that
        should hold the same
    :param chunk_size: bytes of one read of a file; where it is given nowhere, what is fastest
    :param size_precheck: take different sizes for an answer, where sizes can be trusted
    :param quick_check: look at some places of large files first
    :param headers: HTTP headers
    :param timeout: seconds without a byte after which a transfer has failed
    :param follow_redirects: follow HTTP redirects
    :param verify_ssl: check certificates; or the path of a bundle of those to trust
    :param proxy: the proxy's URL; None for the environment's, "" for none
    :param max_workers: URLs that may be fetched at once, and threads: 0 for what is fastest, 256 at
        most
    :param comparison_timeout: seconds that the whole may take; None for no limit
    :raises SourceNotFoundError: when there is no such directory
    :raises SourceReadError: when the directory cannot be read. What cannot be read below it is in
        the result's ``errors``
    :raises ComparisonTimeoutError: when it took longer than it may
    :raises ConfigError: when an option, a URL or a name cannot be used
    :raises TypeError: when something is of a type that it must not be
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
        max_workers=max_workers,
        comparison_timeout=comparison_timeout,
    )
    comparison = start(dir_path, url_map, options)
    await_end(comparison, options.comparison_timeout)
    return dir_result(comparison.differences())


def start(
    dir_path: StrPath, url_map: Mapping[Any, AnySource], options: Options
) -> _core.MirrorComparison:
    """Start comparing; whoever calls waits."""
    top = path_of("dir_path", dir_path)
    if not isinstance(url_map, Mapping):
        raise TypeError(f"url_map must be a mapping, not {type(url_map).__name__}")
    urls: dict[bytes, _core.SourceRef] = {}
    for name, source in url_map.items():
        encoded = _relative(name)
        if encoded in urls:
            raise ConfigError(f"url_map: {name!r} is there twice")
        urls[encoded] = source_of(f"url_map[{name!r}]", source, options)
    return _core.MirrorComparison(pool(), top, list(urls.items()), core_options(options))


def _relative(name: StrPath) -> bytes:
    try:
        encoded = os.fsencode(name)
    except TypeError:
        kind = type(name).__name__
        raise TypeError(f"url_map's names must be str, bytes or os.PathLike, not {kind}") from None
    except UnicodeEncodeError:
        raise ConfigError(f"url_map: {name!r} cannot be encoded for the file system") from None
    if b"\0" in encoded:
        raise ConfigError(f"url_map: {name!r}: path contains null byte")
    if any(part in (b"", b".", b"..") for part in encoded.split(b"/")):
        raise ConfigError(f"url_map: {name!r} is no plain path relative to dir_path")
    return encoded
