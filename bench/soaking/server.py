"""Serves files, well and badly: ``python -m soaking.server ROOT`` prints its port.

``/file/PATH`` is served as it should be, ranges included; ``/short/PATH`` ends half-way,
``/drops/PATH`` comes in small pieces, ``/away/PATH`` redirects, ``/busy/PATH`` refuses.
"""

from __future__ import annotations

import http.server
import sys
import time
from pathlib import Path
from urllib.parse import unquote

_DROP = 2000


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address  # clients go when they like, that is the idea
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            raise error or AssertionError("no error")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    root: Path

    def do_GET(self) -> None:
        _, how, name = unquote(self.path).split("/", 2)
        path = self.root / name
        if how == "busy":
            self._head(503, 0)
        elif how == "away":
            self._head(302, 0, Location=f"/file/{name}")
        elif not path.is_file():
            self._head(404, 0)
        else:
            self._send(how, path.read_bytes())

    def _send(self, how: str, content: bytes) -> None:
        if how == "short":
            self._head(200, len(content))
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif how == "drops":
            self._head(200, len(content))
            for start in range(0, len(content), _DROP):
                self.wfile.write(content[start : start + _DROP])
                time.sleep(0.01)
        else:
            self._send_range(content)

    def _send_range(self, content: bytes) -> None:
        asked = self.headers.get("Range")
        if asked is None:
            self._head(200, len(content), Accept_Ranges="bytes")
            self.wfile.write(content)
            return
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        part = content[first : last + 1]
        told = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        self._head(206, len(part), Content_Range=told)
        self.wfile.write(part)

    def _head(self, status: int, length: int, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def main() -> None:
    """Serve for ever."""
    _Handler.root = Path(sys.argv[1])
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
