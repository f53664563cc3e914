"""Listens at /dev/log, repairs a tree meanwhile, and prints what came, as JSON.

``log_listener.py KIND TOP DRY_RUN JOURNAL``, in a mount namespace of its own, with root's rights.
If JOURNAL is not empty, it is undone instead.

KIND is ``datagram``, ``stream``, ``nobody`` (nothing there), ``gone`` (nobody listens any more),
``deaf`` (nobody reads) or ``restarted`` (another listener takes over in the midst).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pwalk

LOG = Path("/dev/log")


def own_dev() -> None:
    """Put a /dev in place that has nothing but what an interpreter needs."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev"], check=True)
    for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
        os.mknod(f"/dev/{name}", 0o20666, os.makedev(1, minor))


class Listener:
    """A log daemon."""

    def __init__(self, kind: int, delay: float = 0) -> None:
        self.delay = delay  # seconds for each message
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(str(LOG))
        self.messages: list[bytes] = []
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.thread = threading.Thread(
            target=self._read_stream if kind == socket.SOCK_STREAM else self._read_datagrams
        )
        self.thread.start()

    def _read_stream(self) -> None:
        connection, _ = self.socket.accept()
        data = b""
        while chunk := connection.recv(1 << 16):
            data += chunk
        self.messages += data.split(b"\0")[:-1]

    def _read_datagrams(self) -> None:
        while message := self.socket.recv(1 << 20):
            self.messages.append(message)
            time.sleep(self.delay)

    def end(self) -> list[bytes]:
        LOG.unlink()
        if self.socket.type == socket.SOCK_DGRAM:
            self.socket.shutdown(socket.SHUT_RD)  # what has come is still there to be read
        self.thread.join()
        self.socket.close()
        return self.messages


def main() -> None:
    kind, top, dry_run, journal = sys.argv[1:]
    own_dev()
    messages: list[bytes] = []
    listener = None
    if kind in ("datagram", "stream", "restarted"):
        listener = Listener(
            socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM,
            0.0002 if kind == "restarted" else 0,
        )
    elif kind in ("gone", "deaf"):
        unread = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        unread.bind(str(LOG))
        if kind == "gone":
            unread.close()

    def restart(_: pwalk.Progress) -> None:
        nonlocal listener
        if kind == "restarted" and listener is not None and not messages:
            messages.extend(listener.end())
            listener = Listener(socket.SOCK_DGRAM)

    if journal:
        result = pwalk.undo(journal, dry_run=False)
    else:
        result = pwalk.repair(top, dry_run == "True", progress=restart)
    changes, unlogged, errors = len(result.changes), result.unlogged, len(result.errors)
    del result
    if listener is not None:
        rest = listener.end()
        messages += rest
        assert kind != "restarted" or rest
    found = {"changes": changes, "unlogged": unlogged, "errors": errors}
    print(json.dumps({"messages": [m.hex() for m in messages], **found}))


if __name__ == "__main__":
    main()
