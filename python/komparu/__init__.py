"""Compare two file trees. Only the version is here so far."""

from komparu._core import __version__

__all__ = ["__version__"]
