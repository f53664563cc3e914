"""What a source is: a path, a URL (``file``, ``http``, ``https``), or a :class:`Source`."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from komparu import _core
from komparu._errors import ConfigError
from komparu._http import http_options
from komparu._options import NOT_GIVEN, Options, check
from komparu._types import Source, StrPath

AnySource: TypeAlias = StrPath | Source

# RFC 3986, section 3.1. One letter alone is no scheme that we know, and may be a file's name.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def source_of(name: str, source: AnySource, options: Options) -> _core.SourceRef:
    """Return what a source is to the core.

    :raises TypeError: when it is none of what a source may be
    :raises ConfigError: when it is empty, has a null byte, is a URL that cannot be read, or has an
        option that cannot be used
    """
    if isinstance(source, Source):
        if isinstance(source.url, Source):
            raise TypeError("Source.url must be str, bytes or os.PathLike, not Source")
        _check_options(source)
        return _ref_of("Source.url", source.url, source, options)
    return _ref_of(name, source, None, options)


def _ref_of(name: str, source: StrPath, own: Source | None, options: Options) -> _core.SourceRef:
    if not isinstance(source, str) or not is_url(source):
        return path_of(name, source)
    if "\0" in source:
        raise ConfigError(f"{name}: URL contains null byte")
    try:
        url = source.encode("utf-8", "surrogateescape")
        _core.printable_url(url)
    except UnicodeEncodeError:
        raise ConfigError(f"{name} cannot be encoded") from None
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
    return url, http_options(name, own, options)


def is_url(source: object) -> bool:
    """Return whether a source is fetched from a server."""
    scheme = _SCHEME.match(source) if isinstance(source, str) else None
    return scheme is not None and scheme[1].lower() in ("http", "https")


def shown(source: str) -> str:
    """Return a source as messages may show it: of a URL without credentials and query."""
    if not is_url(source):
        return source
    return os.fsdecode(_core.printable_url(source.encode("utf-8", "surrogateescape")))


def _check_options(source: Source) -> None:
    for option in ("headers", "timeout", "follow_redirects", "verify_ssl", "proxy"):
        value = getattr(source, option)
        if value is not NOT_GIVEN:
            check(option, value)


def path_of(name: str, source: StrPath) -> bytes:
    """Return the path that a source names.

    :raises TypeError: when it is none of what a path may be
    :raises ConfigError: when it is empty, has a null byte, or is a URL of another scheme
    """
    try:
        encoded = os.fsencode(source)
    except TypeError:
        kind = type(source).__name__
        raise TypeError(f"{name} must be str, bytes, os.PathLike or Source, not {kind}") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{name} cannot be encoded for the file system") from None
    if not encoded:
        raise ConfigError(f"{name} cannot be empty")
    scheme = _SCHEME.match(source) if isinstance(source, str) else None
    if scheme is not None:
        encoded = _path_in_url(name, str(source), scheme[1].lower())
    if b"\0" in encoded:
        raise ConfigError(f"{name}: path contains null byte")
    return encoded


def _path_in_url(name: str, url: str, scheme: str) -> bytes:
    if scheme != "file":
        raise ConfigError(f"{name}: cannot read {scheme}:// URLs")
    parts = None
    with contextlib.suppress(ValueError):  # its text may hold credentials
        parts = urlsplit(url)
    if parts is None:
        raise ConfigError(f"{name}: not a valid file:// URL")
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(f"{name}: a file:// URL names a file of this host, not of another one")
    path = unquote_to_bytes(parts.path.encode("utf-8", "surrogateescape"))
    if not path:
        raise ConfigError(f"{name} cannot be empty")
    return path
