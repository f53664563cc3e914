"""A proxy for http and https on a loopback address, which notes what it is asked for."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import support


@dataclass(frozen=True)
class Asked:
    """A request as the proxy has got it; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]


class Proxy(ThreadingHTTPServer):
    """One that runs."""

    daemon_threads = False  # closing waits for them

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self._connections: set[socket.socket] = set()

    def url(self, user: str = "") -> str:
        """Return its URL, perhaps with credentials in it."""
        return f"http://{user + '@' if user else ''}127.0.0.1:{self.server_port}"

    def hang_up(self) -> None:
        """End all connections."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    timeout = support.LIVENESS

    def do_GET(self) -> None:
        self._note()
        target = urlsplit(self.path)
        assert target.hostname is not None
        headers = {
            name: value
            for name, value in self.headers.items()
            if not name.lower().startswith("proxy-")
        }
        connection = HTTPConnection(target.hostname, target.port, timeout=support.LIVENESS)
        with contextlib.closing(connection):
            query = f"?{target.query}" if target.query else ""
            connection.request("GET", target.path + query, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        self.send_response(answer.status)
        if location := answer.getheader("Location"):
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        self._note()
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port)), support.LIVENESS) as server:
            self.send_response(200)
            self.end_headers()
            _relay(self.connection, server)

    def _note(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, headers))

    def log_message(self, *_: object) -> None:
        pass


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Carry what either sends to the other until one of them is at its end."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        while ready := selector.select(support.LIVENESS):
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                if not data:
                    return
                key.data.sendall(data)


@contextmanager
def running() -> Iterator[Proxy]:
    """A proxy while the context lasts."""
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
            proxy.hang_up()
