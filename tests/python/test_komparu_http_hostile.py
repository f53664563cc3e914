"""komparu.compare of what servers send that make mistakes, or lie: an error in time, and never a
wrong answer."""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hostile_server as hostile
import komparu
import pytest
from hostile_server import Answer, Peer, Request, Server, chunk, head

CONTENT = b"the same bytes, or nearly so " * 40
SIZE = len(CONTENT)
SHORT = CONTENT[: SIZE // 2]

PATIENCE = 10.0  # of comparisons that are not to wait for it
TIMEOUT = 0.3
GRACE = 20.0  # of a busy machine; what is not ended by the time given hangs for ever

BAD_CHUNK = errno.ECONNRESET  # as libcurl gives the connection up


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@dataclass(frozen=True)
class Case:
    answer: Answer
    number: int  # the error's
    # What a client could take it for.
    seen_as: tuple[bytes, ...] = (CONTENT,)
    hangs: bool = False

    @property
    def timeout(self) -> float:
        return TIMEOUT if self.hangs else PATIENCE


def promised(length: object, body: bytes = CONTENT, *more: str) -> Answer:
    return hostile.raw(head("200 OK", f"Content-Length: {length}", *more), body)


def chunked(*body: bytes, more: tuple[str, ...] = ()) -> Answer:
    return hostile.raw(head("200 OK", "Transfer-Encoding: chunked", *more), *body)


def part(content_range: str | None, body: bytes = CONTENT, *more: str) -> Answer:
    told = [] if content_range is None else [f"Content-Range: {content_range}"]
    return hostile.raw(head("206 Partial", f"Content-Length: {len(body)}", *told, *more), body)


def trickled(content: Callable[[], Iterator[bytes]], start: bytes = b"") -> Answer:
    def answer(peer: Peer, _: Request) -> None:
        peer.send(start)
        peer.trickle(content(), 0.02)

    return answer


def fast(content: Callable[[], Iterator[bytes]], start: bytes = b"") -> Answer:
    def answer(peer: Peer, _: Request) -> None:
        peer.send(start)
        for piece in content():
            peer.send(piece)

    return answer


def header_lines() -> Iterator[bytes]:
    return (b"X-%d: %b\r\n" % (n, b"y" * 500) for n in itertools.count())


def letters() -> Iterator[bytes]:
    return itertools.repeat(b"z" * 4096)


LENGTHS = {
    "shorter": Case(promised(SIZE - 5), errno.EPROTO, (CONTENT, CONTENT[:-5])),
    "longer": Case(promised(SIZE + 5), errno.EPROTO),
    "longer by half": Case(promised(SIZE, SHORT), errno.EPROTO, (CONTENT, SHORT)),
    "negative": Case(promised(-SIZE), errno.EPROTO, (CONTENT, b"")),
    "minus one": Case(promised(-1), errno.EPROTO, (CONTENT, b"")),
    "not a number": Case(promised("many"), errno.EPROTO, (CONTENT, b"")),
    "hexadecimal": Case(promised(f"0x{SIZE:x}"), errno.EPROTO, (CONTENT, b"")),
    "a sign": Case(promised(f"+{SIZE}"), errno.EPROTO, (CONTENT, b"")),
    "letters behind": Case(promised(f"{SIZE}bytes"), errno.EPROTO),
    "a fraction": Case(promised(f"{SIZE}.0"), errno.EPROTO),
    "two numbers": Case(promised(f"{SIZE} {SIZE}"), errno.EPROTO),
    "a list": Case(promised(f"{SIZE}, {SIZE - 5}"), errno.EPROTO, (CONTENT, CONTENT[:-5])),
    "beyond 64 bits": Case(promised(2**64 + SIZE), errno.EPROTO),
    "beyond 63 bits": Case(promised(2**63 + SIZE), errno.EPROTO, (CONTENT, b"")),
    "nothing": Case(promised(""), errno.EPROTO, (CONTENT, b"")),
    "two": Case(
        promised(SIZE, CONTENT, f"Content-Length: {SIZE - 5}"),
        errno.EPROTO,
        (CONTENT, CONTENT[:-5]),
    ),
    "two, the first one short": Case(
        promised(SIZE - 5, CONTENT, f"Content-Length: {SIZE}"),
        errno.EPROTO,
        (CONTENT, CONTENT[:-5]),
    ),
}

CHUNKS = {
    "no end": Case(chunked(chunk(CONTENT)), errno.EPROTO),
    "cut": Case(chunked(chunk(CONTENT)[: SIZE // 2]), errno.EPROTO, (CONTENT, SHORT)),
    "cut in a size": Case(chunked(chunk(CONTENT), b"1"), errno.EPROTO),
    "cut in the end": Case(chunked(chunk(CONTENT), b"0\r\n"), errno.EPROTO),
    "no size": Case(chunked(b"\r\n", CONTENT, b"\r\n0\r\n\r\n"), BAD_CHUNK, (CONTENT, b"")),
    "a size of letters": Case(chunked(chunk(CONTENT), b"zz\r\nzz\r\n0\r\n\r\n"), BAD_CHUNK),
    "a negative size": Case(chunked(chunk(CONTENT), b"-1\r\nzz\r\n0\r\n\r\n"), BAD_CHUNK),
    "an enormous size": Case(chunked(chunk(CONTENT), b"f" * 40, b"\r\nz\r\n"), BAD_CHUNK),
    "a size too small": Case(
        chunked(b"5\r\n", CONTENT, b"\r\n0\r\n\r\n"), BAD_CHUNK, (CONTENT, CONTENT[:5])
    ),
    "no chunks": Case(chunked(CONTENT), BAD_CHUNK, (CONTENT, b"")),
    "cut, with a length": Case(
        chunked(chunk(CONTENT), more=(f"Content-Length: {SIZE}",)), errno.EPROTO
    ),
}

PARTS = {
    "no Content-Range": Case(part(None), errno.EIO),
    "a right one": Case(part(f"bytes 0-{SIZE - 1}/{SIZE}"), errno.EIO),
    "a middle": Case(part(f"bytes 5-{SIZE + 4}/{SIZE + 10}"), errno.EIO),
    "several": Case(
        part(
            None,
            b"--b\r\nContent-Range: bytes 0-4/9\r\n\r\n" + CONTENT[:5] + b"\r\n--b--\r\n",
            "Content-Type: multipart/byteranges; boundary=b",
        ),
        errno.EIO,
        (CONTENT, CONTENT[:5]),
    ),
}

HEADS = {
    "garbage": Case(hostile.raw(b"\x16\x03\x01\x00\xff" * 20), errno.EPROTO, (CONTENT, b"")),
    "HTTP/0.9": Case(hostile.raw(CONTENT), errno.EPROTO),
    "another protocol": Case(hostile.raw(b"ICY 200 OK\r\n\r\n", CONTENT), errno.EPROTO),
    "no status": Case(hostile.raw(b"HTTP/1.1 \r\n\r\n", CONTENT), errno.EPROTO),
    "a status of letters": Case(hostile.raw(b"HTTP/1.1 abc OK\r\n\r\n", CONTENT), errno.EPROTO),
    "a status out of range": Case(hostile.raw(b"HTTP/1.1 999 OK\r\n\r\n", CONTENT), errno.EIO),
    "no content": Case(hostile.raw(head("204 None"), CONTENT), errno.EIO, (CONTENT, b"")),
    "not modified": Case(hostile.raw(head("304 Same")), errno.EIO, (CONTENT, b"")),
    "switching": Case(
        hostile.raw(head("101 Switching", "Upgrade: x", "Connection: Upgrade"), CONTENT),
        errno.EPROTO,
        (CONTENT, b""),
    ),
    "a NUL in a line": Case(
        hostile.raw(b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", CONTENT), errno.EPROTO
    ),
    "cut": Case(
        hostile.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n".encode()),
        errno.EPROTO,
        (CONTENT, b""),
    ),
    "closed at once": Case(hostile.raw(), errno.ECONNRESET, (CONTENT, b"")),
    "lines without end": Case(
        fast(header_lines, b"HTTP/1.1 200 OK\r\n"), errno.EPROTO, (CONTENT, b"")
    ),
    "a line without end": Case(
        fast(letters, b"HTTP/1.1 200 OK\r\nX: "), errno.EPROTO, (CONTENT, b"")
    ),
    "a status line without end": Case(
        fast(letters, b"HTTP/1.1 200 "), errno.EPROTO, (CONTENT, b"")
    ),
    "1xx without end": Case(
        fast(lambda: itertools.repeat(head("103 Early", "X: y") * 50)),
        errno.EPROTO,
        (CONTENT, b""),
    ),
}

CODINGS = {
    "unknown": Case(promised(SIZE, CONTENT, "Content-Encoding: rot13"), errno.EPROTO),
    "not what it says": Case(
        promised(SIZE, CONTENT, "Content-Encoding: gzip"), errno.EPROTO, (CONTENT, b"")
    ),
    "an unknown transfer coding": Case(
        hostile.raw(head("200 OK", "Transfer-Encoding: rot13"), CONTENT), errno.EPROTO
    ),
    "many": Case(
        promised(SIZE, CONTENT, *["Content-Encoding: gzip, gzip, gzip"] * 20),
        errno.EPROTO,
        (CONTENT, b""),
    ),
}

RESETS = {
    "before the head": Case(hostile.raw_and_reset(), errno.ECONNRESET, (CONTENT, b"")),
    "in the head": Case(
        hostile.raw_and_reset(b"HTTP/1.1 200 OK\r\nContent-"), errno.ECONNRESET, (CONTENT, b"")
    ),
    "in the body": Case(
        hostile.raw_and_reset(head("200 OK", f"Content-Length: {SIZE}"), SHORT),
        errno.ECONNRESET,
        (CONTENT, SHORT),
    ),
    "of a body of unknown length": Case(
        hostile.raw_and_reset(head("200 OK", "Connection: close"), CONTENT), errno.ECONNRESET
    ),
    "between chunks": Case(
        hostile.raw_and_reset(head("200 OK", "Transfer-Encoding: chunked"), chunk(CONTENT)),
        errno.ECONNRESET,
    ),
}

SILENCES = {
    "never answers": Case(hostile.no_answer, errno.ETIMEDOUT, (CONTENT, b""), hangs=True),
    "a head without end": Case(
        hostile.raw_and_hang(b"HTTP/1.1 200 OK\r\n"), errno.ETIMEDOUT, (CONTENT, b""), hangs=True
    ),
    "a head that trickles": Case(
        trickled(lambda: itertools.repeat(b"X: y\r\n"), b"HTTP/1.1 200 OK\r\n"),
        errno.ETIMEDOUT,
        (CONTENT, b""),
        hangs=True,
    ),
    "a line that trickles": Case(
        trickled(lambda: itertools.repeat(b"y"), b"HTTP/1.1 200 OK\r\nX: "),
        errno.ETIMEDOUT,
        (CONTENT, b""),
        hangs=True,
    ),
    "1xx that trickle": Case(
        trickled(lambda: itertools.repeat(head("102 Processing"))),
        errno.ETIMEDOUT,
        (CONTENT, b""),
        hangs=True,
    ),
    "no body": Case(
        hostile.raw_and_hang(head("200 OK", f"Content-Length: {SIZE}")),
        errno.ETIMEDOUT,
        (CONTENT, b""),
        hangs=True,
    ),
    "half a body": Case(
        hostile.raw_and_hang(head("200 OK", f"Content-Length: {SIZE}"), SHORT),
        errno.ETIMEDOUT,
        (CONTENT, SHORT),
        hangs=True,
    ),
    "a body of unknown length": Case(
        hostile.raw_and_hang(head("200 OK"), CONTENT), errno.ETIMEDOUT, hangs=True
    ),
    "no last chunk": Case(
        hostile.raw_and_hang(head("200 OK", "Transfer-Encoding: chunked"), chunk(CONTENT)),
        errno.ETIMEDOUT,
        hangs=True,
    ),
    "a redirect's body": Case(
        # Followed without it, to an address that is not public.
        hostile.raw_and_hang(head("302 Found", "Location: /", "Content-Length: 10")),
        errno.EACCES,
        (CONTENT, b""),
    ),
}

CASES = {
    f"{group}: {name}": case
    for group, cases in {
        "length": LENGTHS,
        "chunks": CHUNKS,
        "206": PARTS,
        "head": HEADS,
        "coding": CODINGS,
        "reset": RESETS,
        "silence": SILENCES,
    }.items()
    for name, case in cases.items()
}


@contextmanager
def rival(kind: str, content: bytes, place: Path) -> Iterator[str]:
    """The other side: ``content`` as a file, or from an honest server."""
    if kind == "file":
        path = place / "rival"
        path.write_bytes(content)
        yield str(path)
    else:
        with Server(hostile.honest(content)) as server:
            yield server.url()


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@pytest.mark.parametrize("kind", ["file", "url"])
@pytest.mark.parametrize("name", CASES)
def test_a_broken_answer_is_an_error_in_time_whatever_it_could_be_taken_for(
    name: str, kind: str, tmp_path: Path
) -> None:
    case = CASES[name]
    for content in case.seen_as:
        with (
            Server(case.answer) as server,
            rival(kind, content, tmp_path) as other,
            ends_within(case.timeout + GRACE),
            pytest.raises(komparu.SourceReadError) as caught,
        ):
            komparu.compare(
                server.url("/a"), other, size_precheck=False, timeout=case.timeout, proxy=""
            )
        assert (caught.value.errno, caught.value.filename) == (case.number, server.url("/a"))
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", CASES)
def test_a_broken_answer_never_equals_a_file_by_default(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    for content in case.seen_as:
        with (
            Server(case.answer) as server,
            rival("file", content, tmp_path) as other,
            contextlib.suppress(komparu.SourceReadError),
        ):
            assert not komparu.compare(other, server.url(), timeout=case.timeout, proxy="")


@pytest.mark.parametrize("name", CASES)
def test_broken_answers_on_both_sides_are_no_answer(name: str) -> None:
    case = CASES[name]
    with (
        Server(case.answer) as a,
        Server(case.answer) as b,
        ends_within(case.timeout + GRACE),
        pytest.raises(komparu.SourceReadError),
    ):
        komparu.compare(a.url(), b.url(), timeout=case.timeout, proxy="")
