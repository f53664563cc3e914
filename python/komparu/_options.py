"""Options: their defaults, their checks, and where a value comes from.

A value comes from the source, else from the call, else from :func:`configure`, else it is the
default.
"""

from __future__ import annotations

import enum
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from komparu._errors import ConfigError

_LARGEST_CHUNK = 1 << 30
_MOST_WORKERS = 256
# Seconds. Beyond it nobody waits for the end, and neither do clocks.
_LONGEST = 10**9


# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _NotGiven(enum.Enum):
    NOT_GIVEN = enum.auto()

    def __repr__(self) -> str:
        return "<not given>"


#: What an option is that nobody has given. Typed as anything, as it stands for anything.
NOT_GIVEN: Any = _NotGiven.NOT_GIVEN


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, not {value!r}")
    return value


def _chunk_size(name: str, value: object) -> int:
    size = _integer(name, value)
    if size <= 0:
        raise ConfigError(f"{name} must be positive")
    if size > _LARGEST_CHUNK:
        raise ConfigError(f"{name} must be <= 1GB")
    return size


def _workers(name: str, value: object) -> int:
    count = _integer(name, value)
    if count < 0:
        raise ConfigError(f"{name} must be non-negative")
    if count > _MOST_WORKERS:
        raise ConfigError(f"{name} must be <= {_MOST_WORKERS}")
    return count


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be int, not {type(value).__name__}")
    return value


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name} must be a number of seconds or None, not {value!r}")
    if not value > 0:
        raise ConfigError(f"{name} must be positive")
    return None if value > _LONGEST else float(value)


def _limit(name: str, value: object) -> int | None:
    if value is None:
        return None
    limit = _integer(name, value)
    if limit <= 0:
        raise ConfigError(f"{name} must be positive")
    return limit


def _headers(name: str, value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} must be a mapping, not {type(value).__name__}")
    for part in (text for item in value.items() for text in item):
        if not isinstance(part, str):
            raise ConfigError(f"{name} must hold str, not {type(part).__name__}")
        if any(character in part for character in "\r\n\0"):
            raise ConfigError(f"{name} must not contain CR, LF or NUL")
    for key in value:
        if not _TOKEN.fullmatch(key):
            raise ConfigError(f"{name}: {key!r} is no name of a header")
    return dict(value)


def _verification(name: str, value: object) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise ConfigError(f"{name} must be True, False or the path of a bundle, not {value!r}")
    path = os.fsdecode(value)
    if not path or "\0" in path:
        raise ConfigError(f"{name}: {path!r} is no path")
    return path


def _proxy(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{name} must be str or None, not {type(value).__name__}")
    if value is not None and not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{name} must be a URL of printable ASCII characters")
    return value


def _patterns(name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ConfigError(f"{name} must be an iterable of patterns, not {type(value).__name__}")
    patterns = tuple(value)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ConfigError(f"{name} must hold str, not {type(pattern).__name__}")
    return patterns


# Of every option: its default, and what checks and converts a value.
_OPTIONS: dict[str, tuple[Any, Callable[[str, object], Any]]] = {
    "chunk_size": (65536, _chunk_size),
    "size_precheck": (True, _flag),
    "quick_check": (True, _flag),
    "headers": (None, _headers),
    "timeout": (30.0, _seconds),
    "follow_redirects": (True, _flag),
    "verify_ssl": (True, _verification),
    "proxy": (None, _proxy),
    "max_workers": (0, _workers),
    "follow_symlinks": (True, _flag),
    "ignore": (None, _patterns),
    "hash_compare": (False, _flag),
    "max_decompressed_size": (1 << 30, _limit),
    "max_compression_ratio": (200, _limit),
    "max_archive_entries": (100_000, _limit),
    "max_entry_name_length": (4096, _limit),
    "comparison_timeout": (300.0, _seconds),
    "allow_private_redirects": (False, _flag),
    "block_private": (False, _flag),
}

_lock = threading.Lock()
_configured: dict[str, Any] = {}


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def configure(**options: Any) -> None:
    """Set defaults for all later calls, those of other threads included.

    What a call or a :class:`Source` gives comes before them. Options that functions have mean here
    what they mean there. Their defaults, where nothing is configured: ``chunk_size=65536`` (which,
    unless it is given, stands for whatever is fastest; of files at most 2 MiB at once are read),
    ``size_precheck=True``, ``quick_check=True``, ``headers=None``, ``timeout=30.0`` (seconds),
    ``follow_redirects=True``, ``verify_ssl=True``, ``proxy=None``, ``max_workers=0``,
    ``follow_symlinks=True``, ``ignore=None``, ``hash_compare=False``,
    ``max_decompressed_size=1_073_741_824`` (bytes), ``max_compression_ratio=200``,
    ``max_archive_entries=100_000``, ``max_entry_name_length=4096`` (bytes),
    ``comparison_timeout=300.0`` (seconds). None switches a limit or a timeout off. Only here there
    are:

    :param allow_private_redirects: redirects may lead to addresses that are not public, such as
        those of this host and its network; default False
    :param block_private: the first URL may not lead there either, for services that take URLs from
        strangers; default False
    :raises ConfigError: when an option is unknown or its value cannot be used; then none is set
    """
    checked = {name: check(name, value) for name, value in options.items()}
    with _lock:
        _configured.update(checked)


def get_config() -> dict[str, Any]:
    """Return the value that each option has where no call and no source gives one."""
    with _lock:
        return {name: default for name, (default, _) in _OPTIONS.items()} | _configured


def reset_config() -> None:
    """Forget what has been configured."""
    with _lock:
        _configured.clear()


def check(name: str, value: object) -> Any:
    """Check and convert a value.

    :raises ConfigError: when there is no such option, or the value cannot be used
    """
    try:
        _, convert = _OPTIONS[name]
    except KeyError:
        raise ConfigError(f"unknown option: {name}") from None
    return convert(name, value)


class Options:
    """The options of one call, as far as it gives them."""

    def __init__(self, **given: Any) -> None:
        """Check what is given.

        :raises ConfigError: when a value cannot be used
        """
        with _lock:
            self._given = dict(_configured)
        self._given |= {
            name: check(name, value) for name, value in given.items() if value is not NOT_GIVEN
        }

    def gives(self, name: str) -> bool:
        """Return whether the call, or configure(), has given an option."""
        return name in self._given

    def __getattr__(self, name: str) -> Any:
        if name in self._given:
            return self._given[name]
        try:
            return _OPTIONS[name][0]
        except KeyError:
            raise AttributeError(name) from None
