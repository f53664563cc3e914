"""Checks of arguments, before any work is done, and their conversion for the core."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import AnyStr, TypeAlias

from pwalk import _core

StrPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_LARGEST_UNSIGNED = 2**32 - 1
_LARGEST_SIZE = 2**63 - 1
_UNITS = {
    "": 1,
    "B": 1,
    **{unit + "B": 1000**power for power, unit in enumerate("KMGTP", start=1)},
    **{unit + "IB": 1024**power for power, unit in enumerate("KMGTP", start=1)},
    **{unit: 1024**power for power, unit in enumerate("KMGTP", start=1)},
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", re.ASCII)


def path_bytes(name: str, path: StrPath) -> bytes:
    """Encode a path for the core.

    :raises TypeError: when it is no path
    :raises ValueError: when it is empty or has a null byte
    """
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise TypeError(f"{name} must be str, bytes or os.PathLike, not {_type(path)}") from None
    except UnicodeEncodeError:
        raise ValueError(f"{name} cannot be encoded for the file system") from None
    if not encoded:
        raise ValueError(f"{name} cannot be empty")
    if b"\0" in encoded:
        raise ValueError(f"{name} contains a null byte")
    return encoded


def walk_top(name: str, path: AnyStr | os.PathLike[AnyStr]) -> AnyStr:
    """Check a top as os.walk takes it: what is not there, an empty path too, is no bad argument.

    :raises TypeError: when it is no path
    :raises ValueError: when it has a null character or cannot be encoded
    """
    try:
        text = os.fspath(path)
    except TypeError:
        raise TypeError(f"{name} must be str, bytes or os.PathLike, not {_type(path)}") from None
    if text:
        path_bytes(name, text)
    return text


def size_bytes(name: str, size: int | str) -> int:
    """Convert a size: bytes, or text such as ``"512MB"``, ``"2GB"`` or ``"1.5GiB"``.

    KB, MB, GB, TB are powers of 1000; KiB and K, MiB and M, ... are powers of 1024.

    :raises TypeError: when it is neither int nor str
    :raises ValueError: when it does not parse or is not positive
    """
    if isinstance(size, bool) or not isinstance(size, (int, str)):
        raise TypeError(f"{name} must be int or str, not {_type(size)}")
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        unit = _UNITS.get(match[2].upper()) if match else None
        if match is None or unit is None:
            raise ValueError(f"{name}: cannot read {size!r} as a size, such as '512MB' or '2GB'")
        try:
            size = int(float(match[1]) * unit) if "." in match[1] else int(match[1]) * unit
        except (OverflowError, ValueError):  # more digits than there is a number for
            raise ValueError(f"{name} is too large: {match[1][:20]}...") from None
    if size > _LARGEST_SIZE:
        raise ValueError(f"{name} is too large: {size}")
    if size <= 0:
        raise ValueError(f"{name} must be positive, not {size}")
    return size


def count(name: str, value: int | None) -> int:
    """Convert a number that may be left out, for which the core has 0.

    :raises TypeError: when it is no int
    :raises ValueError: when it is negative or far too large
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be int or None, not {_type(value)}")
    if value < 0:
        raise ValueError(f"{name} must be non-negative, not {value}")
    if value > _LARGEST_UNSIGNED:
        raise ValueError(f"{name} is too large: {value}")
    return value


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Check a word against the words that are known.

    :raises TypeError: when it is no str
    :raises ValueError: when it is none of them
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {_type(value)}")
    choices = list(choices)
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def seconds(name: str, value: float) -> float:
    """Check a duration in seconds.

    :raises TypeError: when it is no number
    :raises ValueError: when it is not positive
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {_type(value)}")
    if not 0 < value <= 1e9:
        raise ValueError(f"{name} must be positive, not {value}")
    return float(value)


def flag(name: str, value: bool) -> bool:
    """Check a bool where anything else may be a mistake with consequences.

    :raises TypeError: when it is none
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {_type(value)}")
    return value


def group_number(name: str, gid: int) -> int:
    """Check a number as one that a group may have.

    :raises TypeError: when it is no int
    :raises ValueError: when no group can have it
    """
    if isinstance(gid, bool) or not isinstance(gid, int):
        raise TypeError(f"{name} must be int, not {_type(gid)}")
    if not 0 <= gid < _LARGEST_UNSIGNED:  # the largest means "no change" to chown(2)
        raise ValueError(f"{name}: {gid} is no group's number")
    return gid


def group_numbers(name: str, gids: Iterable[int] | None) -> list[int]:
    """Check numbers of groups.

    :raises TypeError: when one is no int
    :raises ValueError: when no group can have one of them
    """
    if gids is None:
        return []
    if isinstance(gids, (str, bytes)) or not isinstance(gids, Iterable):
        raise TypeError(f"{name} must be ints, not {_type(gids)}")
    return [group_number(name, gid) for gid in gids]


def exclusions(paths: StrPath | Iterable[StrPath] | None) -> list[bytes]:
    """Encode the paths to leave out.

    :raises TypeError: when one is no path
    :raises ValueError: when one is empty
    """
    if paths is None:
        return []
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    try:
        return [path_bytes("exclude", path) for path in paths]
    except TypeError as error:
        raise TypeError(f"exclude must be paths: {error}") from None


def report_options(
    *,
    max_threads: int | None,
    max_inflight: int | None,
    stall_timeout: float,
    ignore_snapshots: bool,
    one_file_system: bool,
    max_depth: int | None,
    exclude: StrPath | Iterable[StrPath] | None,
    buffer_threshold: int | str,
    spill_directory: bytes = b"",
) -> _core.ReportOptions:
    """Check the options that every report has, and convert them for the core."""
    return _core.ReportOptions(
        max_threads=count("max_threads", max_threads),
        max_inflight=count("max_inflight", max_inflight),
        stall_timeout=seconds("stall_timeout", stall_timeout),
        ignore_snapshots=bool(ignore_snapshots),
        one_file_system=bool(one_file_system),
        max_depth=count("max_depth", max_depth),
        exclude=exclusions(exclude),
        buffer_threshold=size_bytes("buffer_threshold", buffer_threshold),
        spill_directory=spill_directory,
    )


def _type(value: object) -> str:
    return type(value).__name__
