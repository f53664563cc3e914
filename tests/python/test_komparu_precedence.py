"""Options of every function at each of their levels: default, configure(), call."""

from __future__ import annotations

import asyncio
import inspect
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import komparu
import komparu.aio
import pytest
from komparu import (
    _compare,
    _compare_archive,
    _compare_dir,
    _compare_dir_urls,
    _compare_many,
    _core,
    _http,
    aio,
)
from komparu._options import NOT_GIVEN, Options

# Of every option a value that is not its default, and another one.
VALUES: dict[str, tuple[Any, Any]] = {
    "chunk_size": (4096, 8192),
    "size_precheck": (False, True),
    "quick_check": (False, True),
    "headers": ({"A": "b"}, {"C": "d"}),
    "timeout": (1.5, None),
    "follow_redirects": (False, True),
    "verify_ssl": (False, True),
    "proxy": ("http://127.0.0.1:1", ""),
    "max_workers": (1, 2),
    "follow_symlinks": (False, True),
    "ignore": (("*.a",), ("*.b",)),
    "hash_compare": (True, False),
    "max_decompressed_size": (10, None),
    "max_compression_ratio": (10, None),
    "max_archive_entries": (10, None),
    "max_entry_name_length": (10, None),
    "comparison_timeout": (1.5, None),
    "allow_private_redirects": (True, False),
    "block_private": (True, False),
}

TWO = ("a", "b")
FUNCTIONS: list[tuple[str, tuple[Any, ...]]] = [
    ("compare", TWO),
    ("compare_dir", TWO),
    ("compare_archive", TWO),
    ("compare_all", (TWO,)),
    ("compare_many", (TWO,)),
    ("compare_dir_urls", ("a", {"b": "c"})),
]


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


def test_every_option_has_values_here() -> None:
    assert VALUES.keys() == komparu.get_config().keys()


@pytest.mark.parametrize("name", VALUES)
def test_a_call_comes_before_the_configuration_and_that_before_the_default(name: str) -> None:
    configured, given = VALUES[name]
    default = komparu.get_config()[name]
    assert getattr(Options(), name) == default
    assert getattr(Options(**{name: NOT_GIVEN}), name) == default
    komparu.configure(**{name: configured})
    assert getattr(Options(), name) == configured != default
    assert getattr(Options(**{name: given}), name) == given
    komparu.reset_config()
    assert getattr(Options(**{name: given}), name) == given


class _Recorded(Exception):  # noqa: N818  (no error, but what was asked for)
    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__()
        self.given = given


def _record(**given: Any) -> Any:
    raise _Recorded(given)


def options_of(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(("name", "sources"), FUNCTIONS)
@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "aio"])
def test_every_function_passes_on_each_of_its_options(
    monkeypatch: pytest.MonkeyPatch, name: str, sources: tuple[Any, ...], awaited: bool
) -> None:
    for module in (_compare, _compare_dir, _compare_archive, _compare_dir_urls, _compare_many, aio):
        monkeypatch.setattr(module, "Options", _record)
    function = getattr(komparu.aio if awaited else komparu, name)

    def call(options: dict[str, Any]) -> None:
        called = function(*sources, **options)
        asyncio.run(called)

    def given(**options: Any) -> dict[str, Any]:
        with pytest.raises(_Recorded) as recorded:
            call(options)
        return recorded.value.given

    names = options_of(function)
    assert names <= VALUES.keys()
    assert "comparison_timeout" in names
    nothing = given()
    assert nothing == dict.fromkeys(names, NOT_GIVEN)
    for option in names:
        value = VALUES[option][0]
        assert given(**{option: value}) == nothing | {option: value}


@pytest.mark.parametrize(("name", "sources"), FUNCTIONS)
def test_both_ways_take_the_same_arguments(name: str, sources: tuple[Any, ...]) -> None:
    sync = inspect.signature(getattr(komparu, name))
    awaited = inspect.signature(getattr(komparu.aio, name))
    assert list(sync.parameters.values()) == list(awaited.parameters.values())
    positional = [p for p in sync.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    assert len(positional) == len(sources)


# ---- What a Source says of itself ----------------------------------------------------------------

# What the core is told of it.
TOLD: dict[str, tuple[str, Any, Any]] = {
    "headers": ("headers", [(b"A", b"b")], [(b"C", b"d")]),
    "timeout": ("timeout", 1.5, 0.0),
    "follow_redirects": ("follow_redirects", False, True),
    "verify_ssl": ("verify_tls", False, True),
    "proxy": ("proxies", (b"http://127.0.0.1:1", b"http://127.0.0.1:1", b""), (b"", b"", b"")),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_source_comes_before_the_call_and_that_before_the_configuration(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(_core, "HttpOptions", lambda **given: given)
    key, *expected = TOLD[name]

    def told(source: komparu.Source, **call: Any) -> Any:
        given: Any = _http.http_options("a", source, Options(**call))
        return given[key]

    values = VALUES[name]
    for index in (0, 1):
        value, other = values[index], values[1 - index]
        komparu.configure(**{name: value})
        assert told(komparu.Source("http://h/")) == expected[index]
        assert told(komparu.Source("http://h/"), **{name: other}) == expected[1 - index]
        source = komparu.Source("http://h/", **{name: value})
        assert told(source, **{name: other}) == expected[index]
        komparu.reset_config()


# ---- Options that can be seen at work ------------------------------------------------------------


def test_patterns_and_links_of_the_configuration(tmp_path: Path) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
        (tmp_path / side / "one").write_text("same")
    (tmp_path / "a" / "extra.tmp").touch()
    (tmp_path / "a" / "link").symlink_to("one")
    (tmp_path / "b" / "link").symlink_to("../b/one")
    trees = tmp_path / "a", tmp_path / "b"
    assert komparu.compare_dir(*trees).only_left == {"extra.tmp"}
    komparu.configure(ignore=["*.tmp"], follow_symlinks=False)
    assert komparu.compare_dir(*trees).diff == {"link": komparu.DiffReason.CONTENT_MISMATCH}
    assert komparu.compare_dir(*trees, follow_symlinks=True).equal
    assert komparu.compare_dir(*trees, ignore=None).only_left == {"extra.tmp"}
    assert komparu.compare_dir(*trees, ignore=["extra*", "link"]).equal


def test_limits_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("one", "two", "three"):
            entry = tarfile.TarInfo(name)
            entry.size = 100
            archive.addfile(entry, io.BytesIO(bytes(100)))
    assert komparu.compare_archive(path, path).equal
    compare: Callable[..., komparu.DirResult] = komparu.compare_archive
    for option, limit in (
        ("max_archive_entries", 2),
        ("max_decompressed_size", 299),
        ("max_entry_name_length", 4),
    ):
        komparu.configure(**{option: limit})
        with pytest.raises(komparu.ArchiveBombError, match=option):
            compare(path, path)
        assert compare(path, path, **{option: limit + 1}).equal
        assert compare(path, path, **{option: None}).equal
        komparu.configure(**{option: None})
        assert compare(path, path).equal
        with pytest.raises(komparu.ArchiveBombError, match=option):
            compare(path, path, **{option: limit})
        komparu.reset_config()
