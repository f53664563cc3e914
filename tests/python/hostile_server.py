"""An HTTP server that says what it is told to, byte by byte, right or wrong."""

from __future__ import annotations

import contextlib
import functools
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import support


@dataclass(frozen=True)
class Request:
    """One that has come, and over which connection, counted from 0."""

    connection: int
    target: str
    headers: dict[str, str]  # their names in lower case

    @property
    def range(self) -> tuple[int, int] | None:
        """The first and the last byte that are asked for; None for the whole."""
        value = self.headers.get("range")
        if value is None:
            return None
        first, last = value.removeprefix("bytes=").split("-")
        return int(first), int(last)


class GoneError(Exception):
    """The client has closed the connection, or the server is to end."""


class Peer:
    """One connection, for what answers its requests."""

    def __init__(self, server: Server, number: int, connection: socket.socket) -> None:
        self.server = server
        self.number = number
        self.sent = 0
        self._socket = connection
        self._come = b""

    def send(self, *parts: bytes) -> None:
        for part in parts:
            try:
                self._socket.sendall(part)
            except OSError:
                raise GoneError from None
            self.sent += len(part)

    def trickle(self, content: Iterable[bytes], pause: float) -> None:
        """Send pieces one by one, the next one after ``pause`` seconds."""
        for piece in content:
            self.send(piece)
            self.wait(pause)

    def wait(self, seconds: float) -> None:
        if self.server.ending.wait(seconds):
            raise GoneError

    def wait_for(self, event: threading.Event) -> None:
        """Wait for what another connection does."""
        deadline = time.monotonic() + support.LIVENESS
        while not event.wait(0.01):
            assert time.monotonic() < deadline
            self.wait(0)

    def hang(self) -> None:
        """Say nothing more until the client has closed the connection."""
        with contextlib.suppress(OSError):
            while self._socket.recv(65536):
                pass
        raise GoneError

    def reset(self) -> None:
        """End the connection with an RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._socket.close()
        raise GoneError

    def read_request(self) -> Request:
        while b"\r\n\r\n" not in self._come:
            try:
                piece = self._socket.recv(65536)
            except OSError:
                raise GoneError from None
            if not piece:
                raise GoneError
            self._come += piece
            self.server.bytes_received += len(piece)
        head, _, self._come = self._come.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return Request(self.number, first.split()[1], headers)


Answer = Callable[[Peer, Request], None]
"""Answers one request; others may follow on the same connection."""


def no_answer(peer: Peer, _: Request) -> None:
    peer.hang()


@dataclass
class Server:
    """Listens while its context lasts, on one port of every one of ``hosts``."""

    answer: Answer
    hosts: Sequence[str] = ("127.0.0.1",)
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    bytes_received: int = 0
    closed: list[float] = field(default_factory=list)
    """When each connection that is over has ended; see time.monotonic()."""
    ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Server:
        self._accepted = 0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self._listeners = [self._listen(host) for host in self.hosts]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        with contextlib.suppress(OSError):
            socket.create_connection((self.hosts[0], self.port), 5).close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(support.LIVENESS)
            assert not thread.is_alive()
        assert self._failures == []

    def url(self, path: str = "/", host: str | None = None) -> str:
        name = self.hosts[0] if host is None else host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}{path}"

    def threads(self) -> list[threading.Thread]:
        """Return those of this server that are alive."""
        return [thread for thread in self._threads if thread.is_alive()]

    def settle(self) -> None:
        """Wait until every connection that was made before has been counted."""
        for _ in range(2):  # the first one may be accepted before others of the same moment
            before = self._accepted
            socket.create_connection((self.hosts[0], self.port), 5).close()
            support.wait_until(functools.partial(self._has_accepted_more, before), "a connection")
            with self._lock:
                self.connections -= 1

    def _has_accepted_more(self, before: int) -> bool:
        return self._accepted > before

    def _listen(self, host: str) -> socket.socket:
        family, _, _, _, address = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
        self.port = listener.getsockname()[1]
        return listener

    def _start(self, run: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                run()
            except GoneError:
                pass
            except BaseException as failure:
                self._failures.append(failure)

        thread = threading.Thread(target=guarded)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ)
            while not self.ending.is_set():
                for key, _ in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj.accept()[0])
        for listener in self._listeners:
            listener.close()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            if self.ending.is_set():
                connection.shutdown(socket.SHUT_RDWR)
        peer = Peer(self, self._accepted, connection)
        with self._lock:
            self.connections += 1
            self._accepted += 1

        def run() -> None:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    request = peer.read_request()
                    self.requests.append(request)
                    self.answer(peer, request)
            finally:
                with self._lock:
                    self._open.discard(connection)
                connection.close()
                self.closed.append(time.monotonic())

        self._start(run)


def head(status: str = "200 OK", *lines: str) -> bytes:
    """Return a head with the lines that are given, and no other ones."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def honest(content: bytes, *lines: str, ranges: bool = False) -> Answer:
    """Serve ``content`` as one should, with more lines in the head."""
    offer = ["Accept-Ranges: bytes"] if ranges else []

    def answer(peer: Peer, request: Request) -> None:
        if ranges and request.range is not None:
            first, last = request.range
            part = content[first : last + 1]
            told = f"Content-Range: bytes {first}-{first + len(part) - 1}/{len(content)}"
            peer.send(head("206 Partial", f"Content-Length: {len(part)}", told, *lines), part)
        else:
            peer.send(head("200 OK", f"Content-Length: {len(content)}", *offer, *lines), content)

    return answer


def redirect(target: str, status: str = "302 Found") -> Answer:
    reply = head(status, f"Location: {target}", "Content-Length: 0")
    return lambda peer, _: peer.send(reply)


def raw(*parts: bytes) -> Answer:
    """Send this, and close."""

    def answer(peer: Peer, _: Request) -> None:
        peer.send(*parts)
        peer.close()

    return answer


def raw_and_hang(*parts: bytes) -> Answer:
    """Send this, and then nothing."""

    def answer(peer: Peer, _: Request) -> None:
        peer.send(*parts)
        peer.hang()

    return answer


def raw_and_reset(*parts: bytes) -> Answer:
    """Send this, and reset the connection once it has arrived."""

    def answer(peer: Peer, _: Request) -> None:
        peer.send(*parts)
        peer.wait(0.1)  # what is not read yet is lost with an RST
        peer.reset()

    return answer
