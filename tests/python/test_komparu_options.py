"""Options and sources of komparu: what is refused, and what comes before what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import komparu
import pytest

MEBI = 1 << 20


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "a", tmp_path / "b"


# ---- Options ------------------------------------------------------------------------------------

BAD_OPTIONS: list[tuple[str, Any, str]] = [
    ("chunk_size", 0, "chunk_size must be positive"),
    ("chunk_size", -5, "chunk_size must be positive"),
    ("chunk_size", (1 << 30) + 1, "chunk_size must be <= 1GB"),
    ("chunk_size", "64K", "chunk_size must be int"),
    ("chunk_size", None, "chunk_size must be int"),
    ("timeout", 0, "timeout must be positive"),
    ("timeout", float("nan"), "timeout must be positive"),
    ("comparison_timeout", -1, "comparison_timeout must be positive"),
    ("quick_check", 1, "quick_check must be True or False"),
    ("headers", {"a": "b\r\nc"}, "headers must not contain CR, LF or NUL"),
    ("headers", ["a"], "headers must be a mapping"),
    ("headers", {"a b": "c"}, "'a b' is no name of a header"),
    ("headers", {"a:": "c"}, "'a:' is no name of a header"),
    ("headers", {"": "c"}, "is no name of a header"),
    ("verify_ssl", 1, "verify_ssl must be True, False or the path"),
    ("verify_ssl", "", "is no path"),
    ("proxy", 7, "proxy must be str or None"),
    ("proxy", "http://a\0b", "proxy must be a URL of printable ASCII"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD_OPTIONS)
def test_an_option_that_cannot_be_used_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(komparu.ConfigError, match=message):
        komparu.compare("/missing", "/missing", **{name: value})
    with pytest.raises(ValueError, match=message):
        komparu.configure(**{name: value})
    assert komparu.get_config() == DEFAULTS


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("", "x", "source_a cannot be empty"),
        ("x", b"", "source_b cannot be empty"),
        (komparu.Source(""), "x", "Source.url cannot be empty"),
        ("a\0b", "x", "path contains null byte"),
        ("x", "file:///a%00b", "path contains null byte"),
        ("ftp://host/file", "x", "cannot read ftp:// URLs"),
        ("file://elsewhere/x", "x", "this host"),
        ("http://", "x", "source_a: No host"),
        ("http://host:port/", "x", "source_a: Port number"),
        ("http://a b/", "x", "source_a: "),
        ("http://host/\r\nA: b", "x", "source_a: "),
        ("x", komparu.Source("http://host/\0"), "Source.url: URL contains null byte"),
        ("x", "http://host/\ud800", "source_b cannot be encoded"),
        ("http://host/", komparu.Source("x", timeout=0), "timeout must be positive"),
        ("x", komparu.Source("http://host/", headers={"a": "\n"}), "must not contain CR, LF"),
        ("x", komparu.Source("http://host/", headers={"a": "\u20ac"}), "ISO 8859-1"),
        ("x", komparu.Source("https://host/", verify_ssl="/no/where"), "no such file: /no/where"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(a: Any, b: Any, message: str) -> None:
    with pytest.raises(komparu.ConfigError, match=message):
        komparu.compare(a, b)


@pytest.mark.parametrize("wrong", [None, 5, ["x"], 1.5])
def test_what_is_no_source_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="source_b"):
        komparu.compare("x", wrong)


DEFAULTS = {
    "chunk_size": 65536,
    "size_precheck": True,
    "quick_check": True,
    "headers": None,
    "timeout": 30.0,
    "follow_redirects": True,
    "verify_ssl": True,
    "proxy": None,
    "max_workers": 0,
    "follow_symlinks": True,
    "ignore": None,
    "hash_compare": False,
    "max_decompressed_size": 1 << 30,
    "max_compression_ratio": 200,
    "max_archive_entries": 100_000,
    "max_entry_name_length": 4096,
    "comparison_timeout": 300.0,
    "allow_private_redirects": False,
    "block_private": False,
}


def test_the_configuration_begins_with_the_defaults_and_returns_to_them() -> None:
    assert komparu.get_config() == DEFAULTS
    komparu.configure(chunk_size=4096, comparison_timeout=None)
    assert komparu.get_config() == DEFAULTS | {"chunk_size": 4096, "comparison_timeout": None}
    with pytest.raises(komparu.ConfigError, match="block_private must be True or False"):
        komparu.configure(block_private=None)
    with pytest.raises(komparu.ConfigError, match="unknown option: chunksize"):
        komparu.configure(timeout=5, chunksize=1)
    assert komparu.get_config()["timeout"] == 30.0
    komparu.get_config()["timeout"] = 7
    assert komparu.get_config()["timeout"] == 30.0
    komparu.reset_config()
    assert komparu.get_config() == DEFAULTS


def test_a_call_comes_before_the_configuration(pair: tuple[Path, Path]) -> None:
    for path in pair:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 256 * MEBI)
    komparu.configure(comparison_timeout=1e-9, chunk_size=4096)
    with pytest.raises(komparu.ComparisonTimeoutError, match="longer than 1e-09 s") as failure:
        komparu.compare(*pair)
    assert isinstance(failure.value, TimeoutError)
    assert komparu.compare(*pair, comparison_timeout=None, chunk_size=65536)
    assert komparu.compare(*pair, comparison_timeout=60.0)
