"""Networks of a test's own, from which nothing can leave.

A function is run by a process in new network and mount namespaces: there is nothing but lo, with
the addresses that the caller wants, and files such as /etc/hosts are the caller's.
"""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
import support

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

_UNSHARE = ("unshare", "--net", "--mount", "--")


@functools.lru_cache(maxsize=1)
def why_not() -> str | None:
    """Say what keeps namespaces from being made here; None when nothing does."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "there is no unshare or no ip command"
    script = "ip link set lo up && mount --bind /etc/hosts /etc/resolv.conf"
    tried = subprocess.run([*_UNSHARE, "sh", "-c", script], capture_output=True, check=False)
    if tried.returncode != 0:
        return f"no network of one's own: {tried.stderr.decode().strip()}"
    return None


def run_inside(
    function: Callable[Arguments, Answer], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Answer:
    """Call a module's function in namespaces of its own; skip the test where there are none."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    module = Path(function.__code__.co_filename).stem
    with tempfile.TemporaryFile() as answer:
        done = subprocess.run(
            [*_UNSHARE, sys.executable, "-m", "networks", module, function.__name__],
            input=pickle.dumps((arguments, named)),
            stdout=answer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=support.LIVENESS,
            env={**_without_proxies(), "PYTHONPATH": support.module_path()},
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        answer.seek(0)
        result: Answer = pickle.load(answer)
        return result


def _without_proxies() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


def add_addresses(*addresses: str) -> None:
    """Make ``addresses`` this network's own."""
    for address in addresses:
        bits = 128 if ":" in address else 32
        _run("ip", "address", "add", f"{address}/{bits}", "dev", "lo", "nodad")


def delay(milliseconds: int) -> str | None:
    """Delay every packet; say why it cannot be done."""
    words = ("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", f"{milliseconds}ms")
    if shutil.which("tc") is None:
        return "there is no tc command"
    tried = subprocess.run([*words, "limit", "100000"], capture_output=True, check=False)
    return None if tried.returncode == 0 else f"no netem: {tried.stderr.decode().strip()}"


def name_hosts(names: dict[str, Sequence[str]], directory: Path) -> None:
    """Let ``names`` stand for addresses, and no others for any."""
    lines = [f"{address} {name}\n" for name, all_of in names.items() for address in all_of]
    _replace("/etc/hosts", "".join(lines), directory)
    _replace("/etc/nsswitch.conf", "hosts: files dns\n", directory)
    _replace("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", directory)


def _replace(path: str, content: str, directory: Path) -> None:
    own = directory / Path(path).name
    own.write_text(content)
    own.chmod(0o644)
    _run("mount", "--bind", str(own), path)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


class NameServer:
    """Answers for A and AAAA on UDP 53 of 127.0.0.1 while its context lasts, with a TTL of 0.

    ``answers`` gives the addresses of a name when it is asked for the nth time, from 0, for this
    family; None for no reply at all.
    """

    def __init__(self, answers: Callable[[str, int, int], Sequence[str] | None]) -> None:
        self.asked: Counter[tuple[str, int]] = Counter()
        self._answers = answers

    def __enter__(self) -> NameServer:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closer:
            closer.sendto(b"", ("127.0.0.1", 53))
        self._thread.join(support.LIVENESS)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            reply = self._reply(query)
            if reply is not None:
                self._socket.sendto(reply, client)

    def _reply(self, query: bytes) -> bytes | None:
        labels, place = [], 12
        while (length := query[place]) != 0:
            labels.append(query[place + 1 : place + 1 + length].decode())
            place += 1 + length
        question = query[12 : place + 5]
        (kind,) = struct.unpack(">H", query[place + 1 : place + 3])
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        found: Sequence[str] | None = ()
        if family is not None:
            name = ".".join(labels).lower()
            found = self._answers(name, family, self.asked[name, family])
            self.asked[name, family] += 1
        if found is None:
            return None
        records = b""
        for address in found:
            assert family is not None
            packed = socket.inet_pton(family, address)
            records += struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed
        return query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(found), 0, 0) + question + records


def main() -> None:
    _run("ip", "link", "set", "lo", "up")
    _, module, function = sys.argv
    arguments, named = pickle.load(sys.stdin.buffer)
    result = getattr(importlib.import_module(module), function)(*arguments, **named)
    sys.stdout.buffer.write(pickle.dumps(result))


if __name__ == "__main__":
    main()
