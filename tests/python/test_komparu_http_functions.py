"""URLs of a real nginx in every function but compare, at once and awaited, and in the command."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import komparu
import nginx
import pytest
import support
from komparu import DiffReason, aio
from nginx import Nginx, Site

MEBI = 1 << 20
SITES = {
    "main": Site("""
        location / { alias documents/; }
        location /no-ranges/ { alias documents/; max_ranges 0; }
        location /chunked/ {
            alias documents/; sub_filter "neither in here" ""; sub_filter_types *;
        }
        location /by-header { if ($http_x_test = "a") { return 200 "same"; } return 200 "not"; }
        location /refused/ { return 403; }
        location /broken/ { return 500; }
    """),
}
# Where the server says a length and has ranges; where it says only the length; where neither.
WAYS = ("", "no-ranges/", "chunked/")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("nginx") / "documents"
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def server(documents: Path) -> Iterator[Nginx]:
    with nginx.running(documents.parent, SITES) as running:
        yield running


@pytest.fixture(autouse=True)
def _on_its_own(monkeypatch: pytest.MonkeyPatch, documents: Path, server: Nginx) -> Iterator[None]:
    nginx.forget_proxies(monkeypatch)
    server.forget()
    yield
    komparu.reset_config()
    for path in documents.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(params=["sync", "aio"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Calls a function of komparu, or the coroutine of its name."""
    if request.param == "sync":
        return lambda name, *args, **options: getattr(komparu, name)(*args, **options)
    return lambda name, *args, **options: asyncio.run(getattr(aio, name)(*args, **options))


# ---- Many ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_groups_of_urls_and_files(
    call: Callable[..., Any], server: Nginx, documents: Path, way: str
) -> None:
    large = os.urandom(9 * MEBI)
    contents = {
        "a": large,
        "b": large,
        "c": large[:-1] + bytes([large[-1] ^ 1]),
        "d": large[:-1],
        "e": b"",
    }
    for name, content in contents.items():
        (documents / name).write_bytes(content)
    urls = {name: server.url(f"/{way}{name}") for name in contents}
    files = {name: str(documents / name) for name in contents}
    found = call("compare_many", [*urls.values(), *files.values()])
    assert {frozenset(group) for group in found.groups} == {
        frozenset({urls["a"], urls["b"], files["a"], files["b"]}),
        *(frozenset({urls[name], files[name]}) for name in "cde"),
    }
    assert len(found.groups) == 4
    assert not found.all_equal
    assert found.diff[urls["a"], urls["c"]]
    assert not found.diff[urls["a"], files["b"]]
    # Each is read once.
    requests = server.log()
    assert sorted(server.url(request.uri) for request in requests) == sorted(urls.values())
    assert {request.method for request in requests} == {"GET"}

    same = [urls["a"], files["b"], urls["b"]]
    assert call("compare_all", same)
    for other in "cde":
        assert not call("compare_all", [*same, urls[other]])
        assert not call("compare_all", [*same, urls[other]], size_precheck=False)
    assert call("compare_all", [urls["a"]])
    assert call("compare_all", [urls["e"], files["e"]])


def test_many_urls_of_different_sizes_are_not_read_to_know_that(
    server: Nginx, documents: Path
) -> None:
    for name, size in (("a", 500 * MEBI), ("b", 500 * MEBI + 1)):
        with (documents / name).open("wb") as file:
            file.truncate(size)
    assert not komparu.compare_all([server.url("/a"), server.url("/b")])
    assert sum(request.sent for request in server.await_log("/", 2)) < 500 * MEBI


@pytest.mark.parametrize("function", ["compare_all", "compare_many"])
def test_a_url_that_cannot_be_read_is_an_error_of_the_whole(
    call: Callable[..., Any], server: Nginx, documents: Path, function: str
) -> None:
    (documents / "a").write_bytes(b"a")
    fine = [server.url("/a"), str(documents / "a")]
    for path, error in (
        ("/none", komparu.SourceNotFoundError),
        ("/refused/", PermissionError),
        ("/broken/", komparu.SourceReadError),
    ):
        with pytest.raises(error) as caught:
            call(function, [*fine, server.url(path)])
        assert caught.value.filename == server.url(path)


def test_one_url_with_two_contents_is_in_two_groups(server: Nginx, documents: Path) -> None:
    (documents / "a").write_bytes(b"same")
    url = server.url("/by-header")
    sources = [komparu.Source(url, headers={"X-Test": value}) for value in "ab"]
    found = komparu.compare_many([*sources, server.url("/a")])
    assert not found.all_equal
    assert found.groups == [{url, server.url("/a")}, {url}]
    assert found.diff == {(url, server.url("/a")): True}


def test_a_source_shows_no_secrets() -> None:
    source = komparu.Source(
        "https://me:secret@host/path?key=secret",
        headers={"A": "secret"},
        proxy="http://me:secret@p/",
    )
    assert repr(source) == "Source('https://host/path?...')"
    assert repr(komparu.Source("path")) == "Source('path')"
    assert repr(komparu.Source("http://me:secret@[::1/")) == "Source(...)"


def test_each_source_of_many_has_its_own_headers(server: Nginx, documents: Path) -> None:
    for name in "ab":
        (documents / name).write_bytes(b"same")
    sources = [
        komparu.Source(server.url(f"/{name}"), headers={"X-Test": f"of {name}"}) for name in "ab"
    ]
    assert komparu.compare_all(sources, headers={"X-Test": "of nobody"})
    assert {request.uri: request.test_header for request in server.log()} == {
        "/a": "of a",
        "/b": "of b",
    }


# ---- A directory and its mirror -----------------------------------------------------------------


def mirror(documents: Path, count: int) -> dict[str, bytes]:
    contents = {f"sub{i % 7}/file {i}": os.urandom(i * 100) for i in range(count)}
    for name, content in contents.items():
        path = documents / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shutil.copytree(documents / "here", documents / "there")
    return contents


def url_map(server: Nginx, names: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    return {name: server.url(f"/there/{name.replace(' ', '%20')}") for name in names}


def test_a_directory_and_its_mirror(
    call: Callable[..., Any], server: Nginx, documents: Path
) -> None:
    names = mirror(documents, 300)
    urls = url_map(server, names)
    found = call("compare_dir_urls", documents / "here", urls)
    assert found == komparu.DirResult(True, {}, set(), set())
    requests = server.log()
    assert len(requests) == 300
    assert len({request.connection for request in requests}) <= 32

    (documents / "there" / "sub1" / "file 1").write_bytes(bytes(100))
    (documents / "there" / "sub2" / "file 2").unlink()
    (documents / "here" / "sub3" / "file 3").unlink()
    (documents / "here" / "sub4" / "extra").touch()
    (documents / "here" / "sub5" / "dangling").symlink_to("nowhere")
    (documents / "here" / "sub0" / "file 21").write_bytes(b"shorter")
    (documents / "here" / "directory" / "in it").mkdir(parents=True)
    urls |= {
        "directory": server.url("/there/sub1/file%201"),
        "sub5/dangling": server.url("/there/sub1/file%201"),
        "refused": server.url("/refused/"),
        "sub6/file 6": "http://127.0.0.1:1/",
        "sub6/file 13": server.url("/broken/"),
    }
    found = call("compare_dir_urls", str(documents / "here"), urls)
    assert found == komparu.DirResult(
        equal=False,
        diff={
            "sub1/file 1": DiffReason.CONTENT_MISMATCH,
            "sub0/file 21": DiffReason.SIZE_MISMATCH,
            "sub2/file 2": DiffReason.READ_ERROR,
            "sub6/file 6": DiffReason.READ_ERROR,
            "sub6/file 13": DiffReason.READ_ERROR,
            "directory": DiffReason.TYPE_MISMATCH,
        },
        only_left={"sub4/extra"},
        only_right={"sub3/file 3", "refused"},
        errors={"sub5/dangling"},
    )


def test_a_mirror_with_options_for_all_and_for_some(server: Nginx, documents: Path) -> None:
    names = list(mirror(documents, 10))
    urls: dict[Any, Any] = dict(url_map(server, names))
    urls[names[3]] = komparu.Source(urls[names[3]], headers={"X-Test": "its own"})
    urls[os.fsencode(names[4])] = urls.pop(names[4])
    urls[Path(names[5])] = urls.pop(names[5])
    found = komparu.compare_dir_urls(
        documents / "here", urls, headers={"X-Test": "of all"}, max_workers=1
    )
    assert found.equal
    given = [request.test_header for request in server.log()]
    assert sorted(given) == ["its own"] + ["of all"] * 9
    assert len({request.connection for request in server.log()}) == 1


def test_what_is_below_what_cannot_be_read_is_told_of_once(server: Nginx, documents: Path) -> None:
    names = list(mirror(documents, 8))
    loop = documents / "here" / "loop"
    loop.symlink_to(".")
    found = komparu.compare_dir_urls(
        documents / "here", url_map(server, names) | {"loop/x": server.url("/none")}
    )
    assert found == komparu.DirResult(False, {}, set(), set(), errors={"loop"})


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/"
    with pytest.raises(komparu.ConfigError, match="there twice"):
        komparu.compare_dir_urls(tmp_path, {"a": url, b"a": url})


def test_a_mirror_of_nothing(tmp_path: Path) -> None:
    assert komparu.compare_dir_urls(tmp_path, {}).equal
    (tmp_path / "file").touch()
    assert komparu.compare_dir_urls(tmp_path, {}).only_left == {"file"}
    with pytest.raises(komparu.SourceNotFoundError):
        komparu.compare_dir_urls(tmp_path / "none", {"a": "http://127.0.0.1:1/"})
    with pytest.raises(komparu.SourceReadError, match="Not a directory"):
        komparu.compare_dir_urls(tmp_path / "file", {})


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "./a", "a//b", "a/", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(komparu.ConfigError, match="url_map"):
        komparu.compare_dir_urls(tmp_path, {name: "http://127.0.0.1:1/"})


def test_what_is_no_mirror(tmp_path: Path) -> None:
    wrong: Any
    for wrong in ({5: "http://h/"}, [("a", "http://h/")], "a", None, {"a": None}):
        with pytest.raises(TypeError, match="url_map"):
            komparu.compare_dir_urls(tmp_path, wrong)
    with pytest.raises(komparu.ConfigError, match="dir_path cannot be empty"):
        komparu.compare_dir_urls("", {})
    with pytest.raises(komparu.ConfigError, match=r"url_map\['a'\]: cannot read ftp"):
        komparu.compare_dir_urls(tmp_path, {"a": "ftp://h/"})


# ---- Archives -----------------------------------------------------------------------------------

FILES = {"one": b"1", "two": os.urandom(3 * MEBI), "three": bytes(100_000)}


def tar_of(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hashed", [False, True])
def test_archives(
    call: Callable[..., Any], server: Nginx, documents: Path, way: str, hashed: bool
) -> None:
    turned = dict(reversed(FILES.items()))
    (documents / "a.tar").write_bytes(tar_of(FILES))
    (documents / "b.tar.gz").write_bytes(tar_of(turned, "w:gz"))
    (documents / "c.zip").write_bytes(zip_of(FILES))
    (documents / "other.zip").write_bytes(zip_of(FILES | {"one": b"2"}))
    names = ("a.tar", "b.tar.gz", "c.zip")
    for name in names:
        url = server.url(f"/{way}{name}")
        for other in names:
            assert call("compare_archive", url, documents / other, hash_compare=hashed).equal
        assert call("compare_archive", url, server.url(f"/{way}c.zip"), hash_compare=hashed).equal
        found = call("compare_archive", url, server.url("/other.zip"), hash_compare=hashed)
        assert found.diff == {"one": DiffReason.CONTENT_MISMATCH}
    assert {request.method for request in server.log()} == {"GET"}


def test_an_archive_in_order_is_fetched_once(server: Nginx, documents: Path) -> None:
    (documents / "a.tar").write_bytes(tar_of(FILES))
    assert komparu.compare_archive(server.url("/a.tar"), documents / "a.tar").equal
    assert len(server.log()) == 1


def test_a_zip_takes_few_requests_however_many_entries_it_has(
    server: Nginx, documents: Path
) -> None:
    """Its end, its directory (libarchive's reading, and ours), its beginning, and all the rest."""
    (documents / "a.zip").write_bytes(zip_of({f"name {i}": b"%100d" % i for i in range(10_000)}))
    assert (documents / "a.zip").stat().st_size > MEBI
    assert komparu.compare_archive(server.url("/a.zip"), documents / "a.zip").equal
    assert len(server.log()) <= 8


def test_archives_that_are_none(server: Nginx, documents: Path) -> None:
    (documents / "text").write_bytes(b"text")
    (documents / "whole.zip").write_bytes(zip_of(FILES))
    (documents / "cut.zip").write_bytes(zip_of(FILES)[:-100])
    for way in WAYS:
        for name in ("text", "cut.zip"):
            with pytest.raises(komparu.ArchiveError) as caught:
                komparu.compare_archive(server.url(f"/{way}{name}"), documents / "whole.zip")
            assert caught.value.filename == server.url(f"/{way}{name}")
        with pytest.raises(komparu.ArchiveBombError):
            komparu.compare_archive(
                server.url(f"/{way}whole.zip"), documents / "whole.zip", max_decompressed_size=MEBI
            )
    with pytest.raises(komparu.SourceNotFoundError):
        komparu.compare_archive(server.url("/none"), documents / "whole.zip")


# ---- The command --------------------------------------------------------------------------------


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "komparu.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=support.LIVENESS,
    )


def test_the_command_takes_urls(server: Nginx, documents: Path) -> None:
    (documents / "a").write_bytes(b"same")
    (documents / "b").write_bytes(b"other")
    (documents / "a.tar").write_bytes(tar_of(FILES))
    (documents / "b.zip").write_bytes(zip_of(FILES | {"one": b"2"}))
    assert run(server.url("/a"), documents / "a").returncode == 0
    assert run(documents / "a", server.url("/b")).returncode == 1
    archives = run("--json", server.url("/a.tar"), server.url("/b.zip"))
    assert archives.returncode == 1
    assert json.loads(archives.stdout)["diff"] == {"one": "content_mismatch"}
    assert run("--bytes", server.url("/a.tar"), documents / "a.tar").returncode == 0
    trouble = run(server.url("/none?secret"), documents / "a")
    assert trouble.returncode == 2
    assert "404" in trouble.stderr
    assert "secret" not in trouble.stderr
    assert run(server.url("/a"), documents).returncode == 2
    for way in ([], ["--json"]):
        found = run(*way, server.url("/a?secret", user="me:secret"), documents / "b")
        assert found.returncode == 1
        assert server.url("/a?...") in found.stdout
        assert "secret" not in found.stdout + found.stderr
    assert run("http://", documents / "a").returncode == 2
