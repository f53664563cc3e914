"""The places of large bodies that komparu asks for beside the whole: servers that answer with other
ones, or with another content."""

from __future__ import annotations

import errno
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hostile_server as hostile
import komparu
import pytest
from hostile_server import Answer, Peer, Request, Server, head

MEBI = 1 << 20
CONTENT = os.urandom(17 * MEBI)
SIZE = len(CONTENT)
SAMPLES = 4

Range = tuple[int, int]
Lie = Callable[[Peer, Range], None]


class Withheld:
    """Serves a content of which the whole comes only once ``enough`` ranges have been answered.

    Until then nothing can be known but from the ranges.
    """

    def __init__(self, lie: Lie | None, *lines: str, content: bytes = CONTENT) -> None:
        self._lie = lie
        self._lines = lines
        self._content = content
        self._lock = threading.Lock()
        self._answered = 0
        self._enough = threading.Event()

    def __call__(self, peer: Peer, request: Request) -> None:
        if request.range is None:
            self._send_whole(peer)
            return
        try:
            if self._lie is None:
                peer.send(*part(request.range, content=self._content, lines=self._lines))
            else:
                self._lie(peer, request.range)
        finally:
            with self._lock:
                self._answered += 1
                if self._answered == SAMPLES:
                    self._enough.set()

    def _send_whole(self, peer: Peer) -> None:
        length = f"Content-Length: {len(self._content)}"
        peer.send(head("200 OK", length, "Accept-Ranges: bytes", *self._lines), self._content[:5])
        peer.wait_for(self._enough)
        peer.send(self._content[5:])


def part(
    asked: Range,
    told: str | None = None,
    content: bytes = CONTENT,
    lines: tuple[str, ...] = (),
) -> tuple[bytes, bytes]:
    """Return the bytes that were asked for, as a right answer or under another Content-Range."""
    first, last = asked
    body = content[first : last + 1]
    told = told or f"Content-Range: bytes {first}-{last}/{len(content)}"
    return head("206 Partial", f"Content-Length: {len(body)}", told, *lines), body


def told(line: Callable[[int, int], str]) -> Lie:
    return lambda peer, asked: peer.send(*part(asked, line(*asked)))


def several_parts(peer: Peer, asked: Range) -> None:
    first, last = asked
    inner = f"--b\r\nContent-Range: bytes {first}-{last}/{SIZE}\r\n\r\n".encode()
    body = inner + CONTENT[first : last + 1] + b"\r\n--b--\r\n"
    kind = "Content-Type: multipart/byteranges; boundary=b"
    peer.send(head("206 Partial", kind, f"Content-Length: {len(body)}"), body)


def cut(peer: Peer, asked: Range) -> None:
    start, body = part(asked)
    peer.send(start, body[:-1])
    peer.close()


def silent(peer: Peer, _: Range) -> None:
    peer.hang()


def stalling(peer: Peer, asked: Range) -> None:
    start, body = part(asked)
    peer.send(start, body[:-1])
    peer.hang()


LIES: dict[str, tuple[Lie, int]] = {
    "another first": (
        told(lambda a, b: f"Content-Range: bytes {a - 1}-{b - 1}/{SIZE}"),
        errno.EPROTO,
    ),
    "another last": (
        told(lambda a, b: f"Content-Range: bytes {a}-{b - 1}/{SIZE}"),
        errno.EPROTO,
    ),
    "a later last": (
        told(lambda a, b: f"Content-Range: bytes {a}-{b + 1}/{SIZE + 10}"),
        errno.EPROTO,
    ),
    "a larger total": (told(lambda a, b: f"Content-Range: bytes {a}-{b}/{SIZE + 1}"), errno.EIO),
    "a total below the last": (
        told(lambda a, b: f"Content-Range: bytes {a}-{b}/{b}"),
        errno.EPROTO,
    ),
    "the whole": (told(lambda *_: f"Content-Range: bytes 0-{SIZE - 1}/{SIZE}"), errno.EPROTO),
    "backwards": (told(lambda a, b: f"Content-Range: bytes {b}-{a}/{SIZE}"), errno.EPROTO),
    "another unit": (told(lambda a, b: f"Content-Range: lines {a}-{b}/{SIZE}"), errno.EPROTO),
    "negative": (told(lambda a, b: f"Content-Range: bytes -{a}-{b}/{SIZE}"), errno.EPROTO),
    "beyond 64 bits": (
        told(lambda a, b: f"Content-Range: bytes {a + 2**64}-{b + 2**64}/{SIZE}"),
        errno.EPROTO,
    ),
    "letters": (told(lambda *_: "Content-Range: from here to there"), errno.EPROTO),
    "empty": (told(lambda *_: "Content-Range:"), errno.EPROTO),
    "none": (told(lambda *_: "X-Content-Range: none"), errno.EPROTO),
    "unsatisfied": (told(lambda *_: f"Content-Range: bytes */{SIZE}"), errno.EPROTO),
    "several parts": (several_parts, errno.EPROTO),
    "cut": (cut, errno.EPROTO),
    "another ETag": (
        lambda peer, asked: peer.send(*part(asked, lines=('ETag: "other"',))),
        errno.EIO,
    ),
    "another Last-Modified": (
        lambda peer, asked: peer.send(
            *part(asked, lines=("Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT",))
        ),
        errno.EIO,
    ),
    "416": (
        lambda peer, _: peer.send(
            head("416 Not satisfiable", f"Content-Range: bytes */{SIZE}", "Content-Length: 0")
        ),
        errno.EIO,
    ),
    "500": (lambda peer, _: peer.send(head("500 No", "Content-Length: 0")), errno.EIO),
}

SILENCES: dict[str, Lie] = {"silent": silent, "stalling": stalling}


@pytest.fixture
def same(tmp_path: Path) -> Path:
    path = tmp_path / "same"
    path.write_bytes(CONTENT)
    return path


@contextmanager
def rival(kind: str, same: Path) -> Iterator[str]:
    if kind == "file":
        yield str(same)
    else:
        with Server(hostile.honest(CONTENT, ranges=True)) as server:
            yield server.url()


@pytest.mark.parametrize("kind", ["file", "url"])
@pytest.mark.parametrize("name", LIES)
def test_a_place_that_is_not_the_one_asked_for_is_an_error(
    name: str, kind: str, same: Path
) -> None:
    lie, number = LIES[name]
    with (
        Server(Withheld(lie)) as server,
        rival(kind, same) as other,
        pytest.raises(komparu.SourceReadError) as caught,
    ):
        komparu.compare(server.url(), other, timeout=10, proxy="")
    assert (caught.value.errno, caught.value.filename) == (number, server.url())


@pytest.mark.parametrize("name", SILENCES)
def test_a_place_that_does_not_come_is_an_error_in_time(name: str, same: Path) -> None:
    with Server(Withheld(SILENCES[name])) as server:
        begun = time.monotonic()
        with pytest.raises(komparu.SourceReadError) as caught:
            komparu.compare(server.url(), same, timeout=0.5, proxy="")
        assert time.monotonic() - begun < 25
        assert caught.value.errno == errno.ETIMEDOUT


@pytest.mark.parametrize("kind", ["file", "url"])
def test_right_answers_to_ranges_are_the_same_content(kind: str, same: Path) -> None:
    with Server(Withheld(None, 'ETag: "one"')) as server, rival(kind, same) as other:
        assert komparu.compare(server.url(), other, timeout=10, proxy="")
    ranges = [request.range for request in server.requests if request.range is not None]
    assert len(set(ranges)) == SAMPLES


def test_a_total_that_is_not_told_changes_nothing(same: Path) -> None:
    unknown = told(lambda a, b: f"Content-Range: bytes {a}-{b}/*")
    with Server(Withheld(unknown)) as server:
        assert komparu.compare(server.url(), same, timeout=10, proxy="")


def test_the_whole_in_place_of_a_range_is_no_error(same: Path) -> None:
    whole = (head("200 OK", f"Content-Length: {SIZE}"), CONTENT)
    with Server(Withheld(lambda peer, _: peer.send(*whole))) as server:
        assert komparu.compare(server.url(), same, timeout=10, proxy="")
        assert not komparu.compare(server.url(), __file__, timeout=10, proxy="")


def test_a_difference_is_found_by_ranges_while_the_whole_is_held_back(same: Path) -> None:
    content = bytearray(CONTENT)
    content[-1] ^= 1
    never = threading.Event()

    def answer(peer: Peer, request: Request) -> None:
        if request.range is not None:
            peer.send(*part(request.range, content=bytes(content)))
        else:
            peer.send(head("200 OK", f"Content-Length: {SIZE}", "Accept-Ranges: bytes"))
            peer.wait_for(never)

    with Server(answer) as server:
        assert not komparu.compare(server.url(), same, timeout=10, proxy="")


def test_a_content_that_changes_between_requests_is_no_answer(same: Path) -> None:
    """Each version is the same bytes here: what tells is the ETag alone."""
    count = iter(range(100))

    def answer(peer: Peer, request: Request) -> None:
        tag = f'ETag: "{next(count)}"'
        served: Answer = (
            Withheld(None, tag)
            if request.range
            else hostile.raw_and_hang(
                head("200 OK", f"Content-Length: {SIZE}", "Accept-Ranges: bytes", tag)
            )
        )
        served(peer, request)

    with Server(answer) as server, pytest.raises(komparu.SourceReadError, match="changed"):
        komparu.compare(server.url(), same, timeout=10, proxy="")


@pytest.mark.parametrize("offer", ["Accept-Ranges: none", "Accept-Ranges: lines", "X: y"])
def test_no_ranges_are_asked_of_a_server_that_offers_none(offer: str, same: Path) -> None:
    with Server(hostile.honest(CONTENT, offer)) as server:
        assert komparu.compare(server.url(), same, timeout=10, proxy="")
        assert komparu.compare(server.url(), server.url("/b"), timeout=10, proxy="")
    assert [request.range for request in server.requests] == [None] * 3


# ---- Archives -----------------------------------------------------------------------------------


def test_a_server_may_do_without_ranges_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abc":
            archive.writestr(name, os.urandom(2 * MEBI))
    answer = hostile.honest(path.read_bytes(), "Accept-Ranges: bytes")
    for hashed in (False, True):
        with Server(answer) as server:
            assert komparu.compare_archive(server.url(), path, proxy="", hash_compare=hashed).equal
            assert any(request.range for request in server.requests)
            assert len(server.requests) < 10
