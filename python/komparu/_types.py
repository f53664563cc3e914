"""The values that go into komparu's functions and come out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from komparu._options import NOT_GIVEN


@dataclass(frozen=True, slots=True)
class Source:
    """A source with options of its own, which come before those of the call and of configure().

    :ivar url: a path, or a ``file://`` URL
    :ivar headers: HTTP headers for this source alone
    :ivar timeout: seconds without a byte after which the transfer has failed
    :ivar follow_redirects: whether redirects are followed
    :ivar verify_ssl: whether certificates are checked
    :ivar proxy: the proxy's URL; None for the environment's, "" for none
    """

    url: Any
    headers: Mapping[str, str] | None = NOT_GIVEN
    timeout: float | None = NOT_GIVEN
    follow_redirects: bool = NOT_GIVEN
    verify_ssl: bool = NOT_GIVEN
    proxy: str | None = NOT_GIVEN
