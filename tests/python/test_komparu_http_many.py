"""Many URLs at once: how long they take far away, and what they hold."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hostile_server as hostile
import komparu
import networks
import pytest
import support
from hostile_server import Peer, Request, Server
from komparu import aio

CONTENT = os.urandom(4096)

ROUND_TRIP = 0.02
COUNT = 1000
ONE_AT_A_TIME = 50  # are measured, for all

GOAL = 0.05
MARGIN = 4.0  # of a noisy machine

SLOW = 100


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def same(tmp_path: Path) -> Path:
    path = tmp_path / "same"
    path.write_bytes(CONTENT)
    return path


def share(server: Server, file: Path) -> float:
    """Return what all at once take, as a share of what they take one after another."""
    komparu.configure(proxy="")
    begun = time.monotonic()
    for n in range(ONE_AT_A_TIME):
        assert komparu.compare(server.url(f"/one/{n}"), file)
    one_by_one = (time.monotonic() - begun) * COUNT / ONE_AT_A_TIME

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(
            *(aio.compare(server.url(f"/many/{n}"), file) for n in range(COUNT))
        )

    begun = time.monotonic()
    assert asyncio.run(all_of_them()) == [True] * COUNT
    return (time.monotonic() - begun) / one_by_one


def share_behind_netem() -> float | str:
    """The same in a network that delays each packet by half a round trip; or why it cannot be."""
    reason = networks.delay(int(ROUND_TRIP * 500))
    if reason is not None:
        return reason
    with tempfile.TemporaryDirectory() as directory, Server(hostile.honest(CONTENT)) as server:
        file = Path(directory) / "same"
        file.write_bytes(CONTENT)
        return min(share(server, file) for _ in range(3))


@pytest.mark.slow
def test_a_thousand_urls_behind_a_slow_network_take_a_twentieth() -> None:
    measured = networks.run_inside(share_behind_netem)
    if isinstance(measured, str):
        pytest.skip(measured)
    assert measured < GOAL * MARGIN


@pytest.mark.slow
def test_a_thousand_urls_of_a_slow_server_are_waited_for_together(same: Path) -> None:
    """The server answers once there are as many requests at a time as it takes for the goal."""
    together = threading.Barrier(round(1 / GOAL))
    first = itertools.count()

    def answer(peer: Peer, request: Request) -> None:
        if next(first) < together.parties:
            together.wait(support.LIVENESS)
        hostile.honest(CONTENT)(peer, request)

    async def all_of_them(server: Server) -> list[bool]:
        return await asyncio.gather(
            *(aio.compare(server.url(f"/many/{n}"), same) for n in range(COUNT))
        )

    komparu.configure(proxy="", timeout=support.LIVENESS)
    with Server(answer) as server:
        assert asyncio.run(all_of_them(server)) == [True] * COUNT
        assert not together.broken
        # Connections are used again.
        assert server.connections <= 40


# ---- A hundred slow ones -----------------------------------------------------------------------


def sockets() -> set[str]:
    return {target for _, target in support.open_descriptors() if target.startswith("socket:")}


@pytest.mark.parametrize("silent", [True, False])
def test_a_hundred_slow_ones_use_few_threads_and_end_at_once(silent: bool, same: Path) -> None:
    """Slow is without a word, or a byte now and then. There are several servers, as one host has
    its limit."""

    def trickle(peer: Peer, _: Request) -> None:
        peer.send(hostile.head("200 OK"))
        peer.trickle((CONTENT[n : n + 1] for n in range(len(CONTENT))), 0.1)

    async def cancelled(servers: list[Server]) -> tuple[int, float]:
        calls = [
            asyncio.ensure_future(aio.compare(servers[n % 5].url(f"/{n}"), same))
            for n in range(SLOW)
        ]
        while sum(len(server.requests) for server in servers) < SLOW:
            await asyncio.sleep(0.01)
        own = len(support.threads()) - sum(len(server.threads()) for server in servers)
        begun = time.monotonic()
        for call in calls:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        seconds = time.monotonic() - begun
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        return own, seconds

    komparu.configure(proxy="")
    gc.collect()
    before, threads_before = sockets(), len(support.threads())
    answer = hostile.no_answer if silent else trickle
    with (
        Server(answer) as a,
        Server(answer) as b,
        Server(answer) as c,
        Server(answer) as d,
        Server(answer) as e,
    ):
        servers = [a, b, c, d, e]
        own, seconds = asyncio.run(cancelled(servers))
        # Those that trickle keep a crowded machine at work, for which threads are added.
        assert own - threads_before <= (20 if silent else SLOW // 2)
        assert seconds < support.LIVENESS / 4
        for server in servers:
            support.wait_until(
                lambda server=server: len(server.closed) == server.connections,  # type: ignore[misc]
                "the ends of the connections",
            )
    support.wait_until(lambda: sockets() <= before, "no socket that is left")
