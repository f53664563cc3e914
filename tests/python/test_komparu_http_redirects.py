"""Redirects by a real nginx: where they may lead, and what never goes along or into a message."""

from __future__ import annotations

import errno
import itertools
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import komparu
import nginx
import pytest
from nginx import HOST, OTHER_HOST, Nginx, Site

KINDS = (301, 302, 303, 307, 308)

# Locations that lead to /documents/file of the same server.
HERE = {
    "absolute": "http://@main@/documents/file",
    "path": "/documents/file",
    "relative": "documents/file",
    "dots": "./x/../documents/file",
    "scheme": "//@main@/documents/file",
    "query": "/documents/file?query",
    "fragment": "/documents/file#fragment",
}

# Locations that lead to another server.
ELSEWHERE = {
    "port": "http://@other@/documents/file",
    "port-by-scheme": "//@other@/documents/file",
    "host": f"http://{OTHER_HOST}:$server_port/documents/file",
    "host-by-scheme": f"//{OTHER_HOST}:$server_port/documents/file",
    "name": "http://localhost:$server_port/documents/file",
}

NOWHERE = {
    "file": "file:///etc/passwd",
    "ftp": "ftp://@other@/documents/file",
    "gopher": "gopher://@other@/documents/file",
    "dict": "dict://@other@/x",
    "data": "data:text/plain,x",
    "script": "javascript:x",
    "no-host": "http:///documents/file",
    "bad-port": "http://127.0.0.1:99999/documents/file",
    "space-in-host": "http://127.0.0.1 /documents/file",
}


def _main(secret: str) -> str:
    """Redirects of every kind."""

    def redirect(path: str, to: str, kind: int = 302) -> str:
        return f'location = {path} {{ return {kind} "{to}"; }}\n'

    targets = HERE | ELSEWHERE | NOWHERE
    return "".join(
        (
            *(redirect(f"/to-{name}", to) for name, to in targets.items()),
            *(redirect(f"/as-{kind}", HERE["path"], kind) for kind in KINDS),
            *(redirect(f"/chain/{n}", f"/chain/{n - 1}" if n else HERE["path"]) for n in range(12)),
            redirect("/loop", "/loop"),
            redirect("/ping", "/pong"),
            redirect("/pong", "/ping"),
            redirect("/to-404", f"http://@other@/none?signature={secret}"),
            redirect("/to-secret", f"http://us:{secret}@@other@/closed?signature={secret}"),
            redirect("/to-file-with-secret", f"file://us:{secret}@host/{secret}?{secret}"),
            redirect("/to-loop-with-secret", f"/to-loop-with-secret?{secret}"),
            redirect("/with-credentials", "http://us:pass@@other@/documents/file"),
            "location = /without { add_header X-Test x; return 302 ''; }",
            "location = /documents/file {}",
        )
    )


@pytest.fixture(scope="module")
def secret() -> str:
    """What no message may hold; nowhere in these files, as tracebacks show their lines."""
    return f"s{os.urandom(8).hex()}"


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory, secret: str) -> Iterator[Nginx]:
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "documents").mkdir()
    (directory / "documents" / "file").write_bytes(b"content")
    sites = {
        "main": Site(f"root .; {_main(secret)}"),
        "other": Site("root .; location = /closed { return 403; }"),
    }
    with nginx.running(directory, sites) as server:
        yield server


@pytest.fixture
def server(module_server: Nginx, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    """One to whose addresses redirects may lead."""
    nginx.forget_proxies(monkeypatch)
    module_server.forget()
    komparu.configure(allow_private_redirects=True)
    yield module_server
    komparu.reset_config()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


# ---- Where they lead ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [f"to-{name}" for name in HERE] + [f"as-{kind}" for kind in KINDS])
def test_a_redirect_within_a_server_is_followed(server: Nginx, file: Path, name: str) -> None:
    assert komparu.compare(server.url(f"/{name}"), file)
    first, last = server.log()
    assert first.uri == f"/{name}"
    assert last.uri == "/documents/file" + ("?query" if name == "to-query" else "")
    assert last.method == "GET"
    assert first.server == last.server


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_redirect_to_another_server_is_followed(server: Nginx, file: Path, name: str) -> None:
    assert komparu.compare(server.url(f"/to-{name}"), file)
    first, last = server.log()
    assert last.uri == "/documents/file"
    if name != "name":
        assert first.server != last.server


@pytest.mark.parametrize("name", [*HERE, *ELSEWHERE])
def test_a_redirect_to_a_private_address_is_refused_unless_it_is_allowed(
    server: Nginx, file: Path, name: str
) -> None:
    komparu.reset_config()
    with pytest.raises(komparu.SourceReadError, match="not public") as caught:
        komparu.compare(server.url(f"/to-{name}"), file)
    assert caught.value.errno == errno.EACCES
    assert caught.value.filename == server.url(f"/to-{name}")
    assert [request.uri for request in server.log()] == [f"/to-{name}"]


@pytest.mark.parametrize("name", NOWHERE)
def test_a_redirect_to_what_is_no_web_server_is_refused(
    server: Nginx, file: Path, name: str
) -> None:
    with pytest.raises(komparu.SourceReadError, match="redirect"):
        komparu.compare(server.url(f"/to-{name}"), file)
    assert [request.uri for request in server.log()] == [f"/to-{name}"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_an_error_where_it_is_not_to_be_followed(
    server: Nginx, file: Path, kind: int
) -> None:
    url = server.url(f"/as-{kind}")
    with pytest.raises(komparu.SourceReadError, match=str(kind)):
        komparu.compare(url, file, follow_redirects=False)
    with pytest.raises(komparu.SourceReadError, match=str(kind)):
        komparu.compare(komparu.Source(url, follow_redirects=False), file)
    assert len(server.log()) == 2
    source = komparu.Source(url, follow_redirects=True)
    assert komparu.compare(source, file, follow_redirects=False)


def test_a_redirect_without_a_location_is_an_error(server: Nginx, file: Path) -> None:
    with pytest.raises(komparu.SourceReadError, match="302"):
        komparu.compare(server.url("/without"), file)


def test_ten_redirects_are_followed(server: Nginx, file: Path) -> None:
    assert komparu.compare(server.url("/chain/9"), file)
    assert len(server.log()) == 11


@pytest.mark.parametrize("path", ["/chain/10", "/loop", "/ping"])
def test_more_than_ten_redirects_are_an_error(server: Nginx, file: Path, path: str) -> None:
    with pytest.raises(komparu.SourceReadError, match="too many redirects"):
        komparu.compare(server.url(path), file)
    assert len(server.log()) == 11


def test_a_missing_target_is_not_found_and_named(server: Nginx, file: Path) -> None:
    url = server.url("/to-404")
    with pytest.raises(komparu.SourceNotFoundError) as caught:
        komparu.compare(url, file)
    assert caught.value.filename == url
    assert server.url("/none", "other") in str(caught.value)


# ---- What goes along ----------------------------------------------------------------------------


def source(server: Nginx, path: str, secret: str, **options: Any) -> komparu.Source:
    headers = {"X-Test": f"header-{secret}"}
    return komparu.Source(server.url(path, user=f"user:{secret}"), headers=headers, **options)


@pytest.mark.parametrize("name", HERE)
def test_headers_and_credentials_follow_within_a_server(
    server: Nginx, file: Path, secret: str, name: str
) -> None:
    assert komparu.compare(source(server, f"/to-{name}", secret), file)
    first, last = server.log()
    assert first.authorization.startswith("Basic ")
    assert first.test_header == f"header-{secret}"
    assert (last.authorization, last.test_header) == (first.authorization, first.test_header)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_headers_and_credentials_do_not_follow_to_another_server(
    server: Nginx, file: Path, secret: str, name: str
) -> None:
    assert komparu.compare(source(server, f"/to-{name}", secret), file)
    first, last = server.log()
    assert (bool(first.authorization), bool(first.test_header)) == (True, True)
    assert (last.authorization, last.test_header) == ("", "")


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_authorization_header_does_not_follow_to_another_server(
    server: Nginx, file: Path, secret: str, name: str
) -> None:
    headers = {"aUTHORIZATION": f"Bearer {secret}"}
    assert komparu.compare(server.url(f"/to-{name}"), file, headers=headers)
    first, last = server.log()
    assert first.authorization == f"Bearer {secret}"
    assert last.authorization == ""


def test_credentials_of_a_redirect_are_for_its_target(
    server: Nginx, file: Path, secret: str
) -> None:
    assert komparu.compare(source(server, "/with-credentials", secret), file)
    first, last = server.log()
    assert first.authorization != last.authorization == "Basic dXM6cGFzcw=="
    assert last.test_header == ""


def test_each_source_has_its_own_headers(server: Nginx, secret: str) -> None:
    url = server.url("/documents/file")
    one = komparu.Source(f"{url}?one", headers={"X-Test": secret, "Authorization": "one"})
    other = komparu.Source(f"{url}?other", headers={"X-Test": "other"})
    for _ in range(3):  # over the same connections
        assert komparu.compare(one, other)
    assert komparu.compare(one, f"{url}?third")
    assert komparu.compare(one, f"{url}?call", headers={"X-Test": "call"})
    for query, expected in {
        "one": (secret, "one"),
        "other": ("other", ""),
        "third": ("", ""),
        "call": ("call", ""),
    }.items():
        requests = server.log(f"/documents/file?{query}")
        assert {(seen.test_header, seen.authorization) for seen in requests} == {expected}


@pytest.mark.parametrize("pair", [*itertools.permutations(("one", "other", "none"), 2)])
def test_each_source_has_its_own_credentials(server: Nginx, pair: tuple[str, str]) -> None:
    users = {"one": "a:a", "other": "b:b", "none": ""}
    sent = {"one": "Basic YTph", "other": "Basic Yjpi", "none": ""}
    urls = [server.url(f"/documents/file?{name}", user=users[name]) for name in pair]
    for _ in range(3):
        assert komparu.compare(*urls)
    seen = {(request.uri.partition("?")[2], request.authorization) for request in server.log()}
    assert seen == {(name, sent[name]) for name in pair}


def test_a_header_without_a_value_changes_nothing(server: Nginx, file: Path) -> None:
    url = server.url("/documents/file")
    assert komparu.compare(url, file, headers={"X-Test": "", "X-Other": " "})


def test_a_range_that_a_header_asks_for_is_no_answer(server: Nginx, file: Path) -> None:
    with pytest.raises(komparu.SourceReadError, match="206"):
        komparu.compare(server.url("/documents/file"), file, headers={"Range": "bytes=0-1"})


BAD = ("\r", "\n", "\0", "\r\nX-Test: x", "x\r\n\r\nGET / HTTP/1.1")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["name", "value"])
def test_line_ends_and_nul_in_headers_are_refused(
    server: Nginx, file: Path, secret: str, bad: str, where: str
) -> None:
    name, value = (f"X{bad}", "x") if where == "name" else ("X-Test", f"{secret}{bad}")
    url = server.url("/documents/file")
    for sources, options in (
        ((url, file), {"headers": {name: value}}),
        ((komparu.Source(url, headers={name: value}), file), {}),
        ((file, komparu.Source(url, headers={"X-Test": "x", name: value})), {}),
    ):
        with pytest.raises(komparu.ConfigError, match="CR, LF or NUL") as caught:
            komparu.compare(*sources, **options)  # type: ignore[arg-type]
        assert secret not in shown(caught.value)
    assert server.log() == []


# ---- What is in no message ----------------------------------------------------------------------


def shown(error: BaseException) -> str:
    """Return all that anything may print of an error and those that it came from."""
    parts = ["".join(traceback.format_exception(error))]
    chain: BaseException | None = error
    while chain is not None:
        parts += [str(chain), repr(chain), repr(chain.args), repr(vars(chain))]
        if isinstance(chain, OSError):
            parts += [str(chain.filename), str(chain.filename2), str(chain.strerror)]
        chain = chain.__cause__ or chain.__context__
    return "\n".join(parts)


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/to-file",
        "/to-404",
        "/to-secret",
        "/to-file-with-secret",
        "/to-loop-with-secret",
        "/to-bad-port",
        "/to-space-in-host",
        "/without",
    ],
)
def test_messages_hold_no_secret(server: Nginx, file: Path, secret: str, path: str) -> None:
    one = source(server, f"{path}?signature={secret}#{secret}", secret)
    with pytest.raises(komparu.KomparuError) as caught:
        komparu.compare(file, one)
    assert secret not in shown(caught.value)
    assert HOST in str(caught.value)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://us:{}@127.0.0.1:1/x?{}",  # nobody listens
        "http://us:{}@127.0.0.1:99999/x?{}",
        "http://us:{}@/x?{}",
        "http://us:{}@a b/x?{}",
        "http://us:{}@127.0.0.1:{}/x",
        "http://us:{}@[::1/x?{}",
        "ftp://us:{}@127.0.0.1/x?{}",
        "file://us:{}@host/x?{}",
        "file://us:{}@[::1/x?{}",
        "file://us:{}@ho\u2100st/x?{}",
    ],
)
def test_messages_about_bad_urls_hold_no_secret(file: Path, secret: str, url: str) -> None:
    for bad in (url.format(secret, secret), komparu.Source(url.format(secret, secret))):
        with pytest.raises(komparu.KomparuError) as caught:
            komparu.compare(file, bad, proxy="")
        assert secret not in shown(caught.value)
