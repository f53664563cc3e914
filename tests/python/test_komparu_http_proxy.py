"""Proxies, of the environment and given ones, on the way to a real nginx."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import forward_proxy
import komparu
import nginx
import pytest
from certificates import Authority
from forward_proxy import Proxy
from nginx import HOST, OTHER_HOST, Nginx, Site


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ours")


@pytest.fixture(scope="module")
def module_server(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "file").write_bytes(b"content")
    sites = {
        "main": Site("root .; location = /to-other { return 302 http://@other@/file; }"),
        "other": Site("root .;"),
        "tls": Site(f"root .; {authority.issue('tls')}", "ssl http2"),
    }
    with nginx.running(directory, sites) as server:
        yield server


@pytest.fixture
def server(module_server: Nginx, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    nginx.forget_proxies(monkeypatch)
    module_server.forget()
    yield module_server
    komparu.reset_config()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with forward_proxy.running() as proxy:
        yield proxy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(
    server: Nginx, proxy: Proxy, file: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url())
    url = server.url("/file?x")
    assert komparu.compare(url, file)
    assert komparu.compare(komparu.Source(url, proxy=None), file, proxy="")
    assert [(asked.method, asked.target) for asked in proxy.asked] == [("GET", url)] * 2
    assert len(server.log()) == 2


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_the_proxy_of_the_environment_is_used_for_https(
    server: Nginx,
    proxy: Proxy,
    file: Path,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, proxy.url())
    headers = {"X-Test": "x", "Authorization": "y"}
    url = server.url("/file", "tls")
    assert komparu.compare(url, file, verify_ssl=authority.bundle, headers=headers)
    (asked,) = proxy.asked
    assert (asked.method, asked.target) == ("CONNECT", server.place("tls"))
    assert not {"x-test", "authorization"} & set(asked.headers)  # it is told nothing
    (request,) = server.log()
    assert (request.test_header, request.authorization) == ("x", "y")
    assert request.protocol == "HTTP/2.0"


def test_each_scheme_has_its_own_proxy(
    server: Nginx, proxy: Proxy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", proxy.url())
    assert komparu.compare(server.url("/file"), file)
    assert proxy.asked == []


def test_an_empty_proxy_is_none(
    server: Nginx, proxy: Proxy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url())
    url = server.url("/file")
    assert komparu.compare(url, file, proxy="")
    assert komparu.compare(komparu.Source(url, proxy=""), file)
    komparu.configure(proxy="")
    assert komparu.compare(url, file)
    assert proxy.asked == []
    assert len(server.log()) == 3


@pytest.mark.parametrize(
    ("exceptions", "used"),
    [
        (HOST, False),
        (f"one.test, {HOST},other.test", False),
        ("127.0.0.0/8", False),
        ("*", False),
        (OTHER_HOST, True),
        ("0.0.1", True),
        ("127.0.0.0/32", True),
        ("", True),
    ],
)
def test_hosts_of_no_proxy_are_reached_without(
    server: Nginx,
    proxy: Proxy,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    exceptions: str,
    used: bool,
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url())
    monkeypatch.setenv("no_proxy", exceptions)
    assert komparu.compare(server.url("/file"), file)
    assert len(proxy.asked) == used


def test_a_proxy_that_is_given_is_used_for_all_hosts(
    server: Nginx, proxy: Proxy, file: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    assert komparu.compare(server.url("/file"), file, proxy=proxy.url())
    tls = server.url("/file", "tls")
    assert komparu.compare(tls, file, proxy=proxy.url(), verify_ssl=authority.bundle)
    assert [asked.method for asked in proxy.asked] == ["GET", "CONNECT"]


def test_each_source_has_its_own_proxy(server: Nginx, proxy: Proxy) -> None:
    one = komparu.Source(server.url("/file?one"), proxy=proxy.url())
    other = komparu.Source(server.url("/file?other"), proxy="")
    for _ in range(3):
        assert komparu.compare(one, other)
    assert {asked.target for asked in proxy.asked} == {server.url("/file?one")}
    assert len(proxy.asked) == 3


def test_credentials_of_a_proxy_are_for_it_alone(
    server: Nginx, proxy: Proxy, file: Path, authority: Authority
) -> None:
    through = proxy.url("us%40er:secret")
    assert komparu.compare(server.url("/file"), file, proxy=through)
    tls = server.url("/file", "tls")
    assert komparu.compare(tls, file, proxy=through, verify_ssl=authority.bundle)
    sent = [asked.headers["proxy-authorization"] for asked in proxy.asked]
    assert sent == ["Basic dXNAZXI6c2VjcmV0"] * 2
    for request in server.log():
        assert (request.authorization, request.proxy_authorization) == ("", "")


def test_a_redirect_goes_through_the_proxy(server: Nginx, proxy: Proxy, file: Path) -> None:
    url = server.url("/to-other")
    with pytest.raises(komparu.SourceReadError, match="not public"):
        komparu.compare(url, file, proxy=proxy.url())
    komparu.configure(allow_private_redirects=True)
    headers = {"X-Test": "x"}
    assert komparu.compare(url, file, proxy=proxy.url(), headers=headers)
    assert [asked.target for asked in proxy.asked] == [url, url, server.url("/file", "other")]
    assert proxy.asked[1].headers["x-test"] == "x"
    assert "x-test" not in proxy.asked[2].headers


@pytest.mark.parametrize("site", ["main", "tls"])
def test_a_proxy_that_cannot_be_reached_is_an_error_without_its_credentials(
    server: Nginx, file: Path, site: str
) -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    url = server.url("/file", site)
    for through in (f"http://us:secret@{HOST}:{port}", "http://us:secret@[x", "x://us:secret@y"):
        with pytest.raises(komparu.KomparuError) as caught:
            komparu.compare(url, file, proxy=through)
        assert "secret" not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"
    assert server.log() == []
