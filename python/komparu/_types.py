"""The values that go into komparu's functions and come out of them."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from komparu._options import NOT_GIVEN

StrPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """A source with options of its own, which come before those of the call and of configure().

    Its repr shows no secrets: neither headers nor proxy, nor a URL's credentials and query.

    :ivar url: a path, or a URL (``file``, ``http``, ``https``)
    :ivar headers: HTTP headers for this source alone
    :ivar timeout: seconds without a byte after which the transfer has failed
    :ivar follow_redirects: whether redirects are followed
    :ivar verify_ssl: whether certificates are checked; or the path of a bundle of those to trust
    :ivar proxy: the proxy's URL; None for the environment's, "" for none
    """

    url: Any
    headers: Mapping[str, str] | None = NOT_GIVEN
    timeout: float | None = NOT_GIVEN
    follow_redirects: bool = NOT_GIVEN
    verify_ssl: bool | StrPath = NOT_GIVEN
    proxy: str | None = NOT_GIVEN

    def __repr__(self) -> str:
        shown = self.url
        if isinstance(shown, str) and "://" in shown:
            try:
                parts = urlsplit(shown)
            except ValueError:  # it may hold anything
                return "Source(...)"
            place = parts.netloc.rpartition("@")[2]
            shown = f"{parts.scheme}://{place}{parts.path}" + ("?..." if parts.query else "")
        return f"Source({shown!r})"


class DiffReason(str, enum.Enum):
    """Why two things of one name are not the same."""

    #: Their bytes differ; of symlinks that are not followed their texts, of devices their numbers.
    CONTENT_MISMATCH = "content_mismatch"
    #: Their sizes differ.
    SIZE_MISMATCH = "size_mismatch"
    #: Not in use: a name that one side lacks is in ``only_left`` or ``only_right``.
    MISSING = "missing"
    #: One is a file, the other a directory, a device or the like.
    TYPE_MISMATCH = "type_mismatch"
    #: What a URL holds could not be fetched.
    READ_ERROR = "read_error"


@dataclass(frozen=True, slots=True)
class DirResult:
    """In what two collections of files differ.

    Names are paths relative to the top; bytes that cannot be decoded are in them as surrogates.

    :ivar equal: whether nothing differs and nothing was unreadable
    :ivar diff: of names that both sides have, why they are not the same
    :ivar only_left: files that only the first side has
    :ivar only_right: files that only the second side has
    :ivar errors: names that could not be read; nothing is known of what is below them
    :ivar skipped: entries of archives that were not compared: links, devices, and names that lead
        outside
    """

    equal: bool
    diff: dict[str, DiffReason]
    only_left: set[str]
    only_right: set[str]
    errors: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CompareResult:
    """Which of several sources hold the same bytes.

    :ivar all_equal: whether all do
    :ivar groups: the sources, by what they hold; in the order in which they were given
    :ivar diff: of every pair of sources, True when they differ
    """

    all_equal: bool
    groups: list[set[str]]
    diff: dict[tuple[str, str], bool]
