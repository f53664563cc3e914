"""TLS and HTTP/2 with a real nginx, which has certificates of the tests' own authority."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import komparu
import nginx
import pytest
import support
from certificates import Authority
from komparu import aio
from nginx import OTHER_HOST, Nginx, Site

MEBI = 1 << 20
LARGE = 20 * MEBI
DOCUMENTS = "root .; location = /missing { error_page 404 /large; return 404; }"
WRONG = ("unknown", "expired", "self-signed", "wrong-name")


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """The one that is trusted, and one that is not."""
    top = tmp_path_factory.mktemp("authorities")
    return Authority(top / "ours"), Authority(top / "unknown")


@pytest.fixture(scope="module")
def bundle(authorities: tuple[Authority, Authority]) -> Path:
    return authorities[0].bundle


@pytest.fixture(scope="module")
def module_server(
    authorities: tuple[Authority, Authority], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    ours, unknown = authorities
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "file").write_bytes(b"content")
    content = array("Q", range(LARGE // 8)).tobytes()
    (directory / "large").write_bytes(content)
    (directory / "first").write_bytes(b"\1" + content[1:])
    (directory / "last").write_bytes(content[:-1] + b"\1")
    good = ours.issue("good")
    other = ours.issue("other-name", "DNS:other.test, IP:192.0.2.1")
    certificates = {
        "unknown": unknown.issue("unknown"),
        "expired": ours.issue("expired", expired=True),
        "self-signed": ours.self_signed("self-signed"),
        "wrong-name": other,
    }
    client = f"ssl_verify_client on; ssl_client_certificate {ours.bundle};"
    sites = {
        "main": Site(f"{DOCUMENTS} {good}", "ssl http2"),
        "fresh": Site(f"{DOCUMENTS} {good}", "ssl http2"),
        "shared": Site(f"{DOCUMENTS} {good}", "ssl http2"),
        "first": Site(f"{DOCUMENTS} {good}", "ssl"),
        "impatient": Site(f"{DOCUMENTS} {good} keepalive_requests 20;", "ssl http2"),
        "strict": Site(f"{DOCUMENTS} {good} {client}", "ssl"),
        "old": Site(f"{DOCUMENTS} {good} ssl_protocols TLSv1.1;", "ssl"),
        "plain": Site(
            f"""
            {DOCUMENTS}
            location = /slow {{ limit_rate 1; alias large; }}
            location = /to-main {{ return 302 https://@main@/file; }}
            location = /to-expired {{ return 302 https://@expired@/file; }}
            """
        ),
        **{name: Site(f"{DOCUMENTS} {made}", "ssl http2") for name, made in certificates.items()},
    }
    with nginx.running(directory, sites) as server:
        yield server


@pytest.fixture
def server(module_server: Nginx, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    nginx.forget_proxies(monkeypatch)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    module_server.forget()
    yield module_server
    komparu.reset_config()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


# ---- Whom to trust ------------------------------------------------------------------------------


def test_a_bundle_that_is_given_is_trusted(server: Nginx, file: Path, bundle: Path) -> None:
    for host in (nginx.HOST, OTHER_HOST):
        url = server.url("/file", host=host)
        assert komparu.compare(url, file, verify_ssl=bundle)
        assert komparu.compare(komparu.Source(url, verify_ssl=str(bundle)), file)
    komparu.configure(verify_ssl=os.fsencode(bundle))
    assert komparu.compare(server.url("/file"), file)


def test_the_bundle_of_the_environment_is_trusted(
    server: Nginx, file: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert komparu.compare(server.url("/file"), file)
    code = "import komparu, sys; print(komparu.compare(*sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, server.url("/file"), file],
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
    )
    assert (done.stdout, done.stderr) == (b"True\n", b"")


def test_an_authority_that_nobody_names_is_not_trusted(server: Nginx, file: Path) -> None:
    with pytest.raises(komparu.SourceReadError):
        komparu.compare(server.url("/file"), file)
    assert server.log() == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_certificate_is_an_error_unless_it_is_not_verified(
    server: Nginx, file: Path, bundle: Path, name: str
) -> None:
    url = server.url("/file", name)
    for _ in range(2):  # a connection that was made without a check is not used with one
        with pytest.raises(komparu.SourceReadError) as caught:
            komparu.compare(url, file, verify_ssl=bundle)
        assert caught.value.filename == url
        assert server.log() == []
        assert komparu.compare(url, file, verify_ssl=False)
        assert len(server.log()) == 1
        server.forget()
    with pytest.raises(komparu.SourceReadError):
        komparu.compare(komparu.Source(url, verify_ssl=False), f"{url}?other", verify_ssl=bundle)
    assert server.log("/file?other") == []


def test_a_connection_to_a_trusted_server_is_not_used_by_who_does_not_trust_it(
    server: Nginx, file: Path, bundle: Path
) -> None:
    url = server.url("/file")
    for _ in range(2):
        assert komparu.compare(url, file, verify_ssl=bundle)
        with pytest.raises(komparu.SourceReadError):
            komparu.compare(url, file)


def test_a_certificate_is_checked_after_a_redirect(server: Nginx, file: Path, bundle: Path) -> None:
    komparu.configure(allow_private_redirects=True)
    assert komparu.compare(server.url("/to-main", "plain"), file, verify_ssl=bundle)
    url = server.url("/to-expired", "plain")
    with pytest.raises(komparu.SourceReadError) as caught:
        komparu.compare(url, file, verify_ssl=bundle)
    assert caught.value.filename == url
    assert server.url("/file", "expired") in str(caught.value)


def test_a_bundle_that_is_none_is_an_error(server: Nginx, file: Path, tmp_path: Path) -> None:
    with pytest.raises(komparu.ConfigError, match="no such file"):
        komparu.compare(server.url("/file"), file, verify_ssl=tmp_path / "none")
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(komparu.SourceReadError):
        komparu.compare(server.url("/file"), file, verify_ssl=tmp_path / "text")


@pytest.mark.parametrize("name", ["strict", "old"])
def test_a_server_that_does_not_want_this_client_is_an_error(
    server: Nginx, file: Path, bundle: Path, name: str
) -> None:
    with pytest.raises(komparu.SourceReadError):
        komparu.compare(server.url("/file", name), file, verify_ssl=bundle)


def test_https_of_a_server_that_speaks_http_is_an_error(
    server: Nginx, file: Path, bundle: Path
) -> None:
    # Asked of one that lets nobody in: what libcurl 8 finds open with TLS, it uses for HTTP, too.
    for name, scheme in (("plain", "https"), ("strict", "http")):
        url = f"{scheme}://{server.place(name)}/file"
        with pytest.raises(komparu.SourceReadError) as caught:
            komparu.compare(url, file, verify_ssl=bundle)
        assert caught.value.filename == url


# ---- HTTP/2 -------------------------------------------------------------------------------------


def test_http_2_is_spoken_where_the_server_does(server: Nginx, bundle: Path) -> None:
    for name, protocol in (("fresh", "HTTP/2.0"), ("first", "HTTP/1.1")):
        url = server.url("/file", name)
        assert komparu.compare(url, url, verify_ssl=bundle)
        requests = server.log()
        assert [request.protocol for request in requests] == [protocol] * 2
        server.forget()


def compare_with(urls: list[str], file: Path, bundle: Path) -> list[bool]:
    async def compare_all() -> list[bool]:
        return await asyncio.gather(
            *(aio.compare(url, file, verify_ssl=bundle, quick_check=False) for url in urls)
        )

    return asyncio.run(compare_all())


def test_many_urls_at_once_share_few_connections(server: Nginx, file: Path, bundle: Path) -> None:
    urls = [server.url(f"/file?{n}", "shared") for n in range(200)]
    assert compare_with(urls, file, bundle) == [True] * 200
    requests = server.log()
    assert sorted(server.url(request.uri, "shared") for request in requests) == sorted(urls)
    assert {request.protocol for request in requests} == {"HTTP/2.0"}
    assert len({request.connection for request in requests}) <= 32


def test_many_urls_outlast_connections_that_the_server_ends(
    server: Nginx, file: Path, bundle: Path
) -> None:
    urls = [server.url(f"/file?{n}", "impatient") for n in range(200)]
    assert compare_with(urls, file, bundle) == [True] * 200
    assert {request.uri for request in server.log()} == {f"/file?{n}" for n in range(200)}


@pytest.mark.parametrize("name", ["main", "first"])
def test_large_bodies_do_not_wait_for_each_other(server: Nginx, bundle: Path, name: str) -> None:
    one, other, last = (server.url(path, name) for path in ("/large?a", "/large?b", "/last"))
    for quick in (True, False):
        assert komparu.compare(one, other, verify_ssl=bundle, quick_check=quick)
        assert not komparu.compare(one, last, verify_ssl=bundle, quick_check=quick)
    whole = [request for request in server.log("/large?b") if not request.range]
    assert [request.sent for request in whole] == [LARGE] * 2


def test_many_large_bodies_at_once_are_compared(
    server: Nginx, bundle: Path, tmp_path: Path
) -> None:
    content = array("Q", range(LARGE // 8)).tobytes()
    path = tmp_path / "large"
    path.write_bytes(content)
    urls = [server.url(f"/{name}?{n}") for n in range(4) for name in ("large", "last")]
    assert compare_with(urls, path, bundle) == [True, False] * 4


@pytest.mark.parametrize("name", ["main", "first"])
def test_an_early_difference_stops_the_transfer_and_no_other_one(
    server: Nginx, file: Path, bundle: Path, name: str
) -> None:
    async def compare() -> None:
        # As long as this goes on no connection is closed for want of work.
        slow_url = server.url("/slow", "plain")
        slow = asyncio.create_task(aio.compare(slow_url, slow_url, quick_check=False))
        url = server.url("/large", name)
        for n in range(20):
            unlike = aio.compare(f"{url}?{n}", file, verify_ssl=bundle, size_precheck=False)
            assert not await unlike
            (request,) = await asyncio.to_thread(server.await_log, f"/large?{n}", 1)
            assert request.sent < LARGE // 2
            server.forget()
        assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow

    asyncio.run(compare())


@pytest.mark.parametrize("name", ["main", "first"])
def test_the_body_of_a_refusal_is_not_fetched(
    server: Nginx, file: Path, bundle: Path, name: str
) -> None:
    with pytest.raises(komparu.SourceNotFoundError):
        komparu.compare(server.url("/missing", name), file, verify_ssl=bundle)
    (request,) = server.await_log("/missing", 1)
    assert request.status == 404
    assert 0 < request.sent < LARGE // 2


def test_a_difference_leaves_others_alone(server: Nginx, bundle: Path) -> None:
    async def compare(n: int) -> bool:
        large, other = server.url(f"/large?{n}"), server.url(f"/{'first' if n % 2 else 'large'}")
        return await aio.compare(large, other, verify_ssl=bundle, quick_check=False)

    async def compare_all() -> list[bool]:
        return await asyncio.gather(*(compare(n) for n in range(8)))

    assert asyncio.run(compare_all()) == [True, False] * 4
