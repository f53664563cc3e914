"""komparu.compare of what a real nginx serves: bodies of every kind, refusals, what is asked."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gzip
import itertools
import os
import socket
from array import array
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import komparu
import nginx
import pytest
import support
from komparu import aio
from nginx import Nginx, Site

MEBI = 1 << 20
SAMPLED = 17 * MEBI  # large enough for quick_check
LARGE = 30 * MEBI
HUGE = 200 * MEBI
PASSWORD = "p@ss/word?1 %"

# An nginx that does not know a length, as one that changes what it sends: chunked, or ended by the
# connection's end, which a proxy that asks as HTTP/1.0 passes on as chunked.
_FILTER = 'sub_filter "neither in here" ""; sub_filter_types *; sub_filter_last_modified on;'

WAYS = {
    "plain": "alias documents/;",
    "no-ranges": "alias documents/; max_ranges 0;",
    "false-ranges": "alias documents/; max_ranges 0; add_header Accept-Ranges bytes;",
    "chunked": f"alias documents/; {_FILTER}",
    "closed": f"alias documents/; {_FILTER} chunked_transfer_encoding off;",
    "passed-on": "proxy_pass http://@main@/closed/; proxy_http_version 1.0;",
    "gzip-static": "alias documents/; gzip_static always;",
    "gzip": "proxy_pass http://@main@/gzip-if-wanted/; proxy_set_header Accept-Encoding gzip;",
    "gzip-closed": (
        "proxy_pass http://@main@/gzip-if-wanted/; proxy_set_header Accept-Encoding gzip;"
        "chunked_transfer_encoding off;"
    ),
}

STATUSES = (
    204,
    304,
    *range(400, 408),
    *range(409, 418),
    *range(421, 427),
    428,
    429,
    451,
    *range(500, 509),
    511,
    599,
)

_MAIN = (
    "".join(f"location /{way}/ {{ {how} }}\n" for way, how in WAYS.items())
    + "".join(f"location = /status/{code} {{ return {code}; }}\n" for code in STATUSES)
    + """
    location /gzip-if-wanted/ {
        alias documents/;
        gzip on; gzip_types *; gzip_comp_level 1; gzip_http_version 1.0; gzip_min_length 1;
        gzip_proxied any;
    }
    location /basic/ {
        alias documents/;
        auth_basic realm; auth_basic_user_file passwords;
    }
    location /presigned/ {
        if ($request_method != GET) { return 403; }
        if ($arg_signature != "ab%2Fc+d~e%3D%3d") { return 403; }
        alias documents/;
    }
    location /one-connection/ { limit_conn connections 1; alias documents/; }
    location /slow-one-connection/ {
        limit_conn connections 1; limit_rate 40m; alias documents/;
    }
    location /one-request/ { limit_req zone=requests; limit_req_status 429; alias documents/; }
"""
)

ZONES = """
    limit_conn_zone $server_port zone=connections:64k;
    limit_req_zone $server_port zone=requests:64k rate=1r/m;
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the servers serve."""
    top = tmp_path_factory.mktemp("nginx") / "documents"
    top.mkdir()
    contents = {
        "empty": b"",
        "byte": b"x",
        "small": os.urandom(100_000),
        "sampled": array("Q", range(SAMPLED // 8)).tobytes(),
    }
    for name, content in contents.items():
        (top / name).write_bytes(content)
        (top / f"{name}-longer").write_bytes(content + b"\0")
        if content:
            (top / f"{name}-last").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for path in list(top.iterdir()):
        (top / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    (top / "large").write_bytes(os.urandom(LARGE))
    for name, place in (("zeros", 0), ("early", MEBI), ("late", HUGE - 1)):
        with (top / name).open("wb") as file:
            file.truncate(HUGE)
            os.pwrite(file.fileno(), b"\0" if name == "zeros" else b"\1", place)
    return top


@pytest.fixture(scope="module")
def silent() -> Iterator[socket.socket]:
    """Where nginx asks for what nobody answers."""
    with socket.create_server((nginx.HOST, 0)) as listening:
        listening.settimeout(support.LIVENESS)
        yield listening


@pytest.fixture(scope="module")
def module_server(documents: Path, silent: socket.socket) -> Iterator[Nginx]:
    directory = documents.parent
    (directory / "passwords").write_text(f"us@er:{{PLAIN}}{PASSWORD}\n")
    passed_on = f"proxy_pass http://{nginx.HOST}:{silent.getsockname()[1]};"
    sites = {
        "main": Site(f"{_MAIN} location = /silent {{ {passed_on} }}"),
        "impatient": Site("location / { alias documents/; } keepalive_requests 2;"),
    }
    with nginx.running(directory, sites, ZONES) as server:
        yield server


@pytest.fixture
def server(module_server: Nginx, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    nginx.forget_proxies(monkeypatch)
    module_server.forget()
    yield module_server
    komparu.reset_config()


# ---- Bodies -------------------------------------------------------------------------------------

SMALL = ("empty", "byte", "small")


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_body_is_compared_with_a_file_however_it_is_served(
    server: Nginx, documents: Path, way: str, quick: bool
) -> None:
    for name in (*SMALL, "sampled"):
        for other in (name, f"{name}-last", f"{name}-longer"):
            if other == "empty-last":
                continue
            for precheck in (True, False):
                options: dict[str, Any] = {"quick_check": quick, "size_precheck": precheck}
                pair = server.url(f"/{way}/{name}"), documents / other
                assert komparu.compare(*pair, **options) == (name == other), other
                if name != "sampled":
                    assert komparu.compare(*reversed(pair), **options) == (name == other), other


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations_with_replacement(WAYS, 2)])
def test_two_bodies_are_compared_however_they_are_served(
    server: Nginx, one: str, other: str
) -> None:
    for name in SMALL:
        url = server.url(f"/{one}/{name}")
        assert komparu.compare(url, server.url(f"/{other}/{name}"))
        assert not komparu.compare(url, server.url(f"/{other}/{name}-longer"))
        if name != "empty":
            assert not komparu.compare(url, server.url(f"/{other}/{name}-last"))


def test_nginx_serves_these_bodies_as_the_tests_want_them(server: Nginx) -> None:
    """Or the tests above would show nothing."""
    heads = {way: _head(server, f"/{way}/small") for way in WAYS}
    assert heads["plain"]["accept-ranges"] == heads["false-ranges"]["accept-ranges"] == "bytes"
    assert "accept-ranges" not in heads["no-ranges"]
    for way in ("chunked", "passed-on", "gzip"):
        assert heads[way]["transfer-encoding"] == "chunked"
    for way in ("closed", "gzip-closed"):
        assert heads[way]["connection"] == "close"
    for way in ("chunked", "closed", "passed-on", "gzip", "gzip-closed"):
        assert "content-length" not in heads[way]
    for way in ("gzip-static", "gzip", "gzip-closed"):
        assert heads[way]["content-encoding"] == "gzip"
    assert heads["gzip-static"]["content-length"] != heads["plain"]["content-length"]


def _head(server: Nginx, path: str, method: str = "GET") -> dict[str, str]:
    """Return the headers of an answer by their names in lower case, and the status as "status"."""
    with contextlib.closing(HTTPConnection(server.place(), timeout=support.LIVENESS)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
    return {**headers, "status": str(answer.status)}


def test_identity_is_the_only_encoding_that_is_asked_for(server: Nginx, documents: Path) -> None:
    assert komparu.compare(server.url("/gzip-if-wanted/small"), documents / "small")
    assert [request.accept_encoding for request in server.log()] == ["identity"]


def test_an_encoding_that_a_header_asks_for_is_decoded(server: Nginx, documents: Path) -> None:
    url = server.url("/gzip-if-wanted/small")
    assert komparu.compare(url, documents / "small", headers={"Accept-Encoding": "gzip"})
    assert [request.accept_encoding for request in server.log()] == ["gzip"]


# ---- What is asked ------------------------------------------------------------------------------


def test_one_get_fetches_a_large_body(server: Nginx) -> None:
    one, other = server.url("/plain/large?a"), server.url("/plain/large?b")
    assert komparu.compare(one, other, quick_check=False)
    for side in "ab":
        (request,) = server.log(f"/plain/large?{side}")
        assert (request.method, request.range, request.status) == ("GET", "", 200)
        assert request.sent == LARGE


def test_quick_check_adds_a_few_small_ranges(server: Nginx) -> None:
    one, other = server.url("/plain/large?a"), server.url("/plain/large?b")
    assert komparu.compare(one, other)
    for side in "ab":
        requests = server.log(f"/plain/large?{side}")
        assert {request.method for request in requests} == {"GET"}
        whole = [request for request in requests if not request.range]
        samples = [request for request in requests if request.range]
        assert [request.sent for request in whole] == [LARGE]
        assert 1 <= len(samples) <= 4
        assert {request.status for request in samples} <= {206, 499}
        assert sum(request.sent for request in samples) <= MEBI


def test_samples_that_a_busy_server_refuses_do_not_matter(server: Nginx, documents: Path) -> None:
    url = server.url("/slow-one-connection/large")
    assert komparu.compare(url, documents / "large")
    requests = server.log("/slow-one-connection/")
    whole = [request.status for request in requests if not request.range]
    samples = {request.status for request in requests if request.range}
    assert whole == [200]
    assert samples == {503}


def test_small_bodies_take_one_request_each(server: Nginx, documents: Path) -> None:
    for name in SMALL:
        assert komparu.compare(server.url(f"/plain/{name}"), documents / name)
    assert [request.uri for request in server.log()] == [f"/plain/{name}" for name in SMALL]


def test_an_early_difference_stops_the_transfer(server: Nginx) -> None:
    one, other = server.url("/plain/zeros"), server.url("/plain/early")
    assert not komparu.compare(one, other, quick_check=False)
    for path in ("/plain/zeros", "/plain/early"):
        (request,) = server.await_log(path, 1)
        assert 0 < request.sent < HUGE // 8


def test_samples_find_a_late_difference_without_the_rest(server: Nginx) -> None:
    assert not komparu.compare(server.url("/plain/zeros"), server.url("/plain/late"))
    for path in ("/plain/zeros", "/plain/late"):
        requests = server.await_log(path, 5)
        assert sum(request.sent for request in requests) < HUGE // 2


def test_different_sizes_are_an_answer_without_bodies(server: Nginx, documents: Path) -> None:
    assert not komparu.compare(server.url("/plain/zeros"), documents / "small")
    (request,) = server.await_log("/plain/zeros", 1)
    assert request.sent < HUGE // 8


def test_nothing_is_asked_for_the_sake_of_a_file_that_is_not_there(
    server: Nginx, documents: Path
) -> None:
    with pytest.raises(komparu.SourceNotFoundError):
        komparu.compare(server.url("/plain/small"), documents / "none")
    assert server.log() == []


def test_a_url_without_an_answer_holds_up_no_other_one(
    server: Nginx, documents: Path, silent: socket.socket
) -> None:
    async def compare() -> None:
        unlike = aio.compare(server.url("/silent"), documents / "small", timeout=None)
        waiting = asyncio.create_task(unlike)
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            assert await aio.compare(server.url("/plain/small"), documents / "small")
            assert not waiting.done()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(compare())


def test_connections_are_used_again(server: Nginx) -> None:
    for _ in range(20):
        assert komparu.compare(server.url("/plain/small?a"), server.url("/plain/small?b"))
    requests = server.log()
    assert len(requests) == 40
    assert len({request.connection for request in requests}) <= 4


def test_connections_that_nginx_closes_are_made_anew(server: Nginx) -> None:
    one, other = (server.url(f"/small?{side}", "impatient") for side in "ab")
    assert all(komparu.compare(one, other) for _ in range(20))
    assert len(server.log()) == 40


def test_a_query_is_sent_as_it_is_and_a_fragment_is_not(server: Nginx, documents: Path) -> None:
    query = "?x=%2F%2f+%20a&&=;'~!$()*,:@/?y=[1]"
    assert komparu.compare(server.url(f"/plain/small{query}#fragment?"), documents / "small")
    assert [request.uri for request in server.log()] == [f"/plain/small{query}"]


def test_presigned_urls_work_where_only_get_is_allowed(server: Nginx, documents: Path) -> None:
    query = "?signature=ab%2Fc+d~e%3D%3d"
    assert _head(server, f"/presigned/small{query}", "HEAD")["status"] == "403"
    for name in (*SMALL, "sampled"):
        url = server.url(f"/presigned/{name}{query}")
        assert komparu.compare(url, documents / name)
        assert komparu.compare(url, url)
        assert not komparu.compare(url, documents / f"{name}-longer")


# ---- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", STATUSES)
def test_a_status_is_an_error(server: Nginx, documents: Path, code: int) -> None:
    url = server.url(f"/status/{code}")
    missing = code in (404, 410)
    expected = komparu.SourceNotFoundError if missing else komparu.SourceReadError
    for sources in ((url, documents / "small"), (server.url("/plain/small"), url)):
        with pytest.raises(expected, match=f"answers {code}") as caught:
            komparu.compare(*sources)
        assert isinstance(caught.value, OSError)
        assert caught.value.filename == url
        assert isinstance(caught.value, FileNotFoundError) == missing
        assert isinstance(caught.value, PermissionError) == (code in (401, 403, 407))
        if missing:
            assert caught.value.errno == errno.ENOENT
    assert len(server.log("/status/")) == 2  # nothing is tried twice


@pytest.mark.parametrize("way", ["url", "header"])
def test_basic_auth_lets_in_who_has_the_password(server: Nginx, documents: Path, way: str) -> None:
    def source(password: str) -> Any:
        if way == "url":
            return server.url("/basic/small", user=f"us%40er:{quote(password, safe='')}")
        credentials = b64encode(f"us@er:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        return komparu.Source(server.url("/basic/small"), headers=headers)

    assert komparu.compare(source(PASSWORD), documents / "small")
    with pytest.raises(komparu.SourceReadError, match="401") as caught:
        komparu.compare(source("other"), documents / "small")
    assert isinstance(caught.value, PermissionError)
    assert caught.value.errno == errno.EACCES
    assert [request.status for request in server.log()] == [200, 401]


def test_basic_auth_keeps_out_who_says_nothing(server: Nginx, documents: Path) -> None:
    with pytest.raises(PermissionError) as caught:
        komparu.compare(server.url("/basic/small"), documents / "small")
    assert isinstance(caught.value, komparu.SourceReadError)


def test_a_limit_on_connections_is_an_error(server: Nginx) -> None:
    url = server.url("/one-connection/zeros")
    with pytest.raises(komparu.SourceReadError, match="503"):
        komparu.compare(url, url)
    statuses = [request.status for request in server.await_log("/one-connection/", 2)]
    assert sorted(statuses) in ([200, 503], [499, 503])


def test_a_limit_on_requests_is_an_error(server: Nginx) -> None:
    url = server.url("/one-request/small")
    with pytest.raises(komparu.SourceReadError, match="429"):
        komparu.compare(url, url)


def test_a_request_that_is_too_long_is_an_error(server: Nginx, documents: Path) -> None:
    with pytest.raises(komparu.SourceReadError, match="414"):
        komparu.compare(server.url("/plain/small?" + "x" * 50_000), documents / "small")
    long = {"X-Test": "x" * 50_000}
    with pytest.raises(komparu.SourceReadError, match="400"):
        komparu.compare(server.url("/plain/small"), documents / "small", headers=long)
