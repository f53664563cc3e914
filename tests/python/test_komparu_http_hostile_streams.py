"""Bodies that are odd but right, that never end, or that unpack to far more than they are."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import hostile_server as hostile
import komparu
import pytest
import support
from hostile_server import Answer, Peer, Request, Server, chunk, head
from komparu import aio

MEBI = 1 << 20
CONTENT = b"the same bytes, or nearly so " * 4000
SIZE = len(CONTENT)


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def same(tmp_path: Path) -> Path:
    path = tmp_path / "same"
    path.write_bytes(CONTENT)
    return path


def gzipped(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(content) + packer.flush()


def bytewise(peer: Peer, _: Request) -> None:
    peer.send(head("200 OK", f"Content-Length: {SIZE}")[:40])
    peer.send(head("200 OK", f"Content-Length: {SIZE}")[40:])
    for start in range(0, SIZE, 997):
        peer.send(CONTENT[start : start + 997])


LENGTH = f"Content-Length: {SIZE}"
CHUNKED = "Transfer-Encoding: chunked"

RIGHT: dict[str, Answer] = {
    "two lengths that agree": hostile.raw(head("200 OK", LENGTH, LENGTH), CONTENT),
    "no length": hostile.raw(head("200 OK"), CONTENT),
    "no length, HTTP/1.0": hostile.raw(b"HTTP/1.0 200 OK\r\n\r\n", CONTENT),
    "chunks": hostile.raw(head("200 OK", CHUNKED), chunk(CONTENT), chunk(b"")),
    "many chunks": hostile.raw(
        head("200 OK", CHUNKED),
        *[chunk(CONTENT[start : start + 7]) for start in range(0, SIZE, 7)],
        chunk(b""),
    ),
    "extensions and trailers": hostile.raw(
        head("200 OK", CHUNKED),
        b"%x;a=b\r\n%b\r\n0;c\r\nContent-Length: 5\r\nETag: x\r\n\r\n" % (SIZE, CONTENT),
    ),
    "chunks and a length": hostile.raw(
        head("200 OK", "Content-Length: 5", CHUNKED), chunk(CONTENT), chunk(b"")
    ),
    "a length and gzip": hostile.raw(
        head("200 OK", f"Content-Length: {len(gzipped(CONTENT))}", "Content-Encoding: gzip"),
        gzipped(CONTENT),
    ),
    "some 1xx": hostile.raw(
        head("100 Continue"), head("103 Early", "ETag: x") * 9, head("200 OK", LENGTH), CONTENT
    ),
    "bare line feeds": hostile.raw(head("200 OK", LENGTH).replace(b"\r", b""), CONTENT),
    "odd spaces": hostile.raw(head("200", f"CONTENT-length:\t {SIZE} \t"), CONTENT),
    "in pieces": bytewise,
}


@pytest.mark.parametrize("name", RIGHT)
def test_an_odd_answer_that_is_right_is_compared(name: str, same: Path, tmp_path: Path) -> None:
    other, shorter, longer = tmp_path / "other", tmp_path / "shorter", tmp_path / "longer"
    other.write_bytes(CONTENT[:-1] + b"!")
    shorter.write_bytes(CONTENT[:-1])
    longer.write_bytes(CONTENT + b"!")
    with Server(RIGHT[name]) as server, Server(hostile.honest(CONTENT)) as honest:
        for precheck in (True, False):
            komparu.configure(size_precheck=precheck, timeout=10, proxy="")
            assert komparu.compare(server.url(), same)
            assert komparu.compare(honest.url(), server.url())
            assert not any(komparu.compare(path, server.url()) for path in (other, shorter, longer))


# ---- Without end -------------------------------------------------------------------------------


def trickle(peer: Peer, _: Request) -> None:
    peer.send(head("200 OK"))
    peer.trickle(itertools.cycle(CONTENT[n : n + 1] for n in range(SIZE)), 0.05)


@pytest.mark.parametrize("kind", ["file", "url"])
def test_a_trickle_ends_with_the_comparison_s_own_time(kind: str, same: Path) -> None:
    with Server(trickle) as server:
        begun = time.monotonic()
        with pytest.raises(komparu.ComparisonTimeoutError):
            komparu.compare(
                server.url(),
                same if kind == "file" else server.url("/b"),
                timeout=25,
                comparison_timeout=1.2,
                proxy="",
            )
        assert 1.2 <= time.monotonic() - begun < 25
        # Nothing is read on.
        support.wait_until(lambda: len(server.closed) == server.connections, "the ends")


def test_a_trickle_ends_with_the_coroutine_s_own_time(same: Path) -> None:
    with Server(trickle) as server, pytest.raises(komparu.ComparisonTimeoutError):
        asyncio.run(aio.compare(server.url(), same, comparison_timeout=0.3, proxy=""))


def test_a_trickle_is_no_silence(tmp_path: Path) -> None:
    content = CONTENT[:40]
    (tmp_path / "file").write_bytes(content)

    def answer(peer: Peer, _: Request) -> None:
        peer.send(head("200 OK"))
        peer.trickle((content[n : n + 1] for n in range(40)), 0.2)
        peer.close()

    with Server(answer) as server:
        assert komparu.compare(server.url(), tmp_path / "file", timeout=6, proxy="")


def test_an_endless_body_ends_at_the_first_difference(same: Path) -> None:
    def answer(peer: Peer, _: Request) -> None:
        peer.send(head("200 OK"))
        while True:
            peer.send(CONTENT)

    with Server(answer) as server:
        assert not komparu.compare(server.url(), same, timeout=10, proxy="")
        support.wait_until(lambda: len(server.closed) == 1, "the end of the transfer")


def test_a_server_that_waits_for_its_reader_is_not_late() -> None:
    """One side is held back for longer than the timeout, of which the other one knows nothing."""
    content = bytes(8 * MEBI)
    ready = threading.Event()

    def slow(peer: Peer, _: Request) -> None:
        peer.send(head("200 OK", f"Content-Length: {len(content)}"), content[:1])
        peer.trickle((bytes(1) for _ in range(20)), 0.4)
        ready.set()
        peer.send(content[21:])

    with Server(hostile.honest(content)) as fast, Server(slow) as held:
        assert komparu.compare(fast.url(), held.url(), timeout=6, proxy="", quick_check=False)
        assert ready.is_set()


# ---- Connections -------------------------------------------------------------------------------


def test_a_server_that_never_accepts_is_an_error_in_time(same: Path) -> None:
    with socket.socket() as listener, ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # what the backlog holds; the next ones wait for room
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        begun = time.monotonic()
        with pytest.raises(komparu.SourceReadError) as caught:
            komparu.compare(url, same, timeout=0.5, proxy="")
        assert time.monotonic() - begun < 25
        assert caught.value.errno == errno.ETIMEDOUT


def test_a_port_where_nobody_listens_is_an_error_at_once(same: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/"
        with pytest.raises(komparu.SourceReadError) as caught:
            komparu.compare(url, same, timeout=10, proxy="")
    assert caught.value.errno == errno.ECONNREFUSED


def test_a_connection_that_was_closed_while_idle_is_not_used(same: Path) -> None:
    with Server(hostile.raw(head("200 OK", LENGTH), CONTENT)) as server:
        for _ in range(5):
            assert komparu.compare(server.url(), same, timeout=10, proxy="")
        assert server.connections == 5


def test_an_answer_that_came_unasked_is_not_taken_for_the_next_one(
    same: Path, tmp_path: Path
) -> None:
    (tmp_path / "lure").write_bytes(b"lure")
    sent = threading.Event()

    def answer(peer: Peer, request: Request) -> None:
        body = CONTENT if request.target == "/" else b"true"
        peer.send(head("200 OK", f"Content-Length: {len(body)}"), body)
        if request.target == "/":
            peer.wait(0.1)
            peer.send(head("200 OK", "Content-Length: 4"), b"lure")
            sent.set()

    with Server(answer) as server:
        assert komparu.compare(server.url("/"), same, timeout=10, proxy="")
        assert sent.wait(support.LIVENESS)
        assert not komparu.compare(server.url("/next"), tmp_path / "lure", timeout=10, proxy="")


# ---- Bombs -------------------------------------------------------------------------------------

BOMB_SIZE = 1 << 30


def bomb() -> bytes:
    """Return a gzip stream of BOMB_SIZE zeros, which is a thousandth of it."""
    packer = zlib.compressobj(wbits=-15)
    start = packer.compress(bytes(16 * MEBI)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(wbits=-15).flush()
    crc = 0
    for _ in range(64):
        crc = zlib.crc32(bytes(16 * MEBI), crc)
    sizes = crc.to_bytes(4, "little") + (BOMB_SIZE & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + start * 64 + end + sizes


@pytest.fixture(scope="module")
def bomb_server() -> Iterator[Server]:
    content = bomb()
    plain = hostile.honest(content, "Content-Encoding: gzip")
    in_chunks = hostile.raw(
        head("200 OK", CHUNKED, "Content-Encoding: gzip"), chunk(content), chunk(b"")
    )

    def answer(peer: Peer, request: Request) -> None:
        (in_chunks if request.target == "/chunks" else plain)(peer, request)

    with Server(answer) as server:
        yield server


MEASURED = """
import json, memory, sys, time, komparu
before, begun = memory.peak(), time.monotonic()
answer = komparu.compare(*sys.argv[1:], timeout=20, proxy="")
print(json.dumps([answer, memory.peak() - before >> 10, time.monotonic() - begun]))
"""


def measured(*sources: str) -> tuple[bool, int, float]:
    """Compare in a process of its own: the answer, the MiB that it took, and the seconds."""
    answer, memory, seconds = json.loads(support.run_quietly(MEASURED, *sources))
    return answer, memory, seconds


@pytest.mark.parametrize("path", ["/", "/chunks"])
def test_a_bomb_differs_from_a_small_file_at_once(
    path: str, bomb_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(bytes(1000))
    answer, memory, seconds = measured(bomb_server.url(path), str(tmp_path / "small"))
    assert not answer
    assert memory < 100
    assert seconds < 25


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "url"])
def test_a_bomb_is_unpacked_in_little_memory(
    kind: str, bomb_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "zeros").touch()
    with (tmp_path / "zeros").open("r+b") as file:
        file.truncate(BOMB_SIZE)
    rival = str(tmp_path / "zeros") if kind == "file" else bomb_server.url("/chunks")
    answer, memory, _ = measured(bomb_server.url(), rival)
    assert answer
    assert memory < 100


@pytest.mark.parametrize("last", [b"", b"\1"])
def test_what_unpacks_to_much_waits_for_a_slow_other_side(last: bytes) -> None:
    """The client is full long before a single read's content is taken."""
    content = bytes(100 * MEBI) + last
    packed = gzipped(content)
    half = threading.Event()

    def slow(peer: Peer, _: Request) -> None:
        peer.send(head("200 OK", f"Content-Length: {len(content)}"), content[:10])
        half.wait(0.5)
        peer.send(content[10:-1], b"\0")

    fast: Callable[[Peer, Request], None] = hostile.honest(packed, "Content-Encoding: gzip")
    with Server(fast) as packing, Server(slow) as plain:
        equal = komparu.compare(packing.url(), plain.url(), timeout=20, proxy="")
    assert equal is (last != b"\1")


# ---- Files that change --------------------------------------------------------------------------


def test_a_file_that_changes_before_an_answer_comes_is_no_answer(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    asked, changed = threading.Event(), threading.Event()

    def answer(peer: Peer, request: Request) -> None:
        asked.set()
        peer.wait_for(changed)
        hostile.honest(b"123456")(peer, request)

    with Server(answer) as server, ThreadPoolExecutor(1) as executor:
        answered = executor.submit(komparu.compare, server.url(), file, proxy="")
        assert asked.wait(support.LIVENESS)
        file.write_bytes(b"123456")
        changed.set()
        with pytest.raises(komparu.SourceReadError, match="changed"):
            answered.result(support.LIVENESS)
