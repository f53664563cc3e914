"""A server some milliseconds away: it waits before it takes a connection, and before each answer.

Run as ``python web.py DELAY ROOT...``, it serves the files below the roots by their absolute paths,
and prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

DELAY = 0.020

_base: str | None = None


def url_of(path: Path) -> str:
    """Where a file is served while :func:`serving` lasts."""
    if _base is None:
        raise RuntimeError("nothing is served")
    return _base + quote(str(path))


@contextlib.contextmanager
def serving(roots: Sequence[Path]) -> Iterator[None]:
    """Serve what is below these directories, in a process of its own."""
    global _base
    command = [sys.executable, __file__, str(DELAY), *(str(root.resolve()) for root in roots)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            _base = f"http://127.0.0.1:{int(server.stdout.readline())}"
            yield
        finally:
            _base = None
            server.terminate()


class _Connection(asyncio.Protocol):
    def __init__(self, delay: float, roots: Sequence[Path]) -> None:
        self._delay = delay
        self._roots = roots
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # As the handshake would take.
        transport.pause_reading()
        asyncio.get_running_loop().call_later(self._delay, transport.resume_reading)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while b"\r\n\r\n" in self._waiting:
            head, self._waiting = self._waiting.split(b"\r\n\r\n", 1)
            path = Path(unquote(head.split(b" ", 2)[1].decode()))
            asyncio.get_running_loop().call_later(self._delay, self._answer, path)

    def _answer(self, path: Path) -> None:
        content = b""
        status = "404 Not Found"
        if any(path.is_relative_to(root) for root in self._roots) and path.is_file():
            content = path.read_bytes()
            status = "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n"
        self._transport.write(head.encode() + content)


async def _serve(delay: float, roots: Sequence[Path]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(delay, roots), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), [Path(root) for root in sys.argv[2:]]))
