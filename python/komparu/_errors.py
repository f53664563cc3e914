"""The errors of komparu. Each is also the builtin that a caller would catch."""

from __future__ import annotations

import errno
import os


class KomparuError(Exception):
    """Whatever keeps komparu from an answer."""


class SourceNotFoundError(KomparuError, FileNotFoundError):
    """A source does not exist."""


class SourceReadError(KomparuError, OSError):
    """A source cannot be read to its end, or changed while it was read."""


class ArchiveError(KomparuError, OSError):
    """An archive is truncated, corrupt, encrypted or of an unknown format."""


class ArchiveBombError(ArchiveError):
    """An archive exceeds a limit."""


class ConfigError(KomparuError, ValueError):
    """An option is unknown, or has a value that cannot be used."""


class ComparisonTimeoutError(KomparuError, TimeoutError):
    """A comparison took longer than it may."""


class _SourceIsADirectoryError(SourceReadError, IsADirectoryError):
    pass


class _SourcePermissionError(SourceReadError, PermissionError):
    pass


# What users see, and what pickle finds.
_READ_ERRORS: dict[int, type[SourceReadError]] = {
    errno.EISDIR: _SourceIsADirectoryError,
    errno.EACCES: _SourcePermissionError,
    errno.EPERM: _SourcePermissionError,
}


def error_of(failure: str, number: int, path: bytes, message: bytes) -> KomparuError:
    """Return the error for what the core says.

    ``errno`` and ``filename`` are set; ``strerror`` is the system's text, or what the core said in
    its place.
    """
    name = os.fsdecode(path)
    reason = os.fsdecode(message).removeprefix(f"{name}: ")
    if failure == "not_found":
        return SourceNotFoundError(number, reason, name)
    if failure == "archive":
        return ArchiveError(number, reason, name)
    if failure == "bomb":
        return ArchiveBombError(number, reason, name)
    return _READ_ERRORS.get(number, SourceReadError)(number, reason, name)
