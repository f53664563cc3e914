"""What a source is: a path, a ``file://`` URL, or a :class:`Source` with either."""

from __future__ import annotations

import os
import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from komparu._errors import ConfigError
from komparu._options import NOT_GIVEN, check
from komparu._types import Source

StrPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
AnySource: TypeAlias = StrPath | Source

# RFC 3986, section 3.1. One letter alone is no scheme that we know, and may be a file's name.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def path_of(name: str, source: AnySource) -> bytes:
    """Return the path that a source names.

    :raises TypeError: when it is none of what a source may be
    :raises ConfigError: when it is empty, has a null byte, or is a URL of another scheme
    """
    if isinstance(source, Source):
        if isinstance(source.url, Source):
            raise TypeError("Source.url must be str, bytes or os.PathLike, not Source")
        for option in ("headers", "timeout", "follow_redirects", "verify_ssl", "proxy"):
            value = getattr(source, option)
            if value is not NOT_GIVEN:
                check(option, value)
        return path_of("Source.url", source.url)
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
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(f"{name}: a file:// URL names a file of this host, not of {parts.netloc}")
    path = unquote_to_bytes(parts.path.encode("utf-8", "surrogateescape"))
    if not path:
        raise ConfigError(f"{name} cannot be empty")
    return path
