"""Operations of komparu.aio: many tasks at once, some of them cancelled at some moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from komparu import aio

from soaking import comparisons
from soaking.outcomes import CANCELLED, DONE, Context, check
from soaking.trees import LARGE

_PATIENCE = 120.0


def gathered(c: Context) -> str:
    """Tasks that all have their answers."""
    asyncio.run(asyncio.wait_for(_gather(c), _PATIENCE))
    return DONE


def cancelled(c: Context) -> str:
    """Tasks of which some are cancelled."""
    return CANCELLED if asyncio.run(asyncio.wait_for(_cancel(c), _PATIENCE)) else DONE


def interrupted(c: Context) -> str:
    """An event loop ended by Ctrl-C, with all that is under way in it."""

    async def gather() -> None:
        c.interrupter.arm(c.soon(0.05))  # not before: half a loop that is made or closed would leak
        try:
            await _gather(c)
        finally:
            c.interrupter.disarm()

    return CANCELLED if c.interrupter.guards(lambda: asyncio.run(gather())) else DONE


OPERATIONS = (gathered, cancelled, interrupted)


async def _gather(c: Context) -> None:
    for found, expected in await asyncio.gather(*_some(c)):
        check(found == expected, found, expected)


async def _cancel(c: Context) -> int:
    loop = asyncio.get_running_loop()
    tasks = [asyncio.ensure_future(one) for one in (*_some(c), _slow(c))]
    for task in tasks:
        if c.rng.random() < 0.6:
            loop.call_later(c.soon(0.1), task.cancel)
    tasks[-1].cancel() if c.rng.random() < 0.2 else loop.call_later(0.1, tasks[-1].cancel)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, asyncio.CancelledError):
            continue
        if isinstance(end, BaseException):
            raise end
        check(end[0] == end[1], *end)
    return sum(isinstance(end, asyncio.CancelledError) for end in ends)


def _some(c: Context) -> list[Coroutine[Any, Any, tuple[Any, Any]]]:
    return [c.rng.choice(_KINDS)(c) for _ in range(c.rng.randrange(1, 25))]


async def _files(c: Context) -> tuple[Any, Any]:
    a, b, same = comparisons.random_pair(c)
    return await aio.compare(comparisons.anyhow(c, a), comparisons.anyhow(c, b)), same


async def _large(c: Context) -> tuple[Any, Any]:
    return await aio.compare(*c.places.pair("same", LARGE), quick_check=False), True


async def _tree(c: Context) -> tuple[Any, Any]:
    name, expected = comparisons.random_tree(c)
    return await aio.compare_dir(c.places.left, c.places.left.with_name(name)), expected


async def _archives(c: Context) -> tuple[Any, Any]:
    a, b, expected = comparisons.random_archives(c)
    pair = comparisons.anyhow(c, a), comparisons.anyhow(c, b)
    return await aio.compare_archive(*pair), expected


async def _many(c: Context) -> tuple[Any, Any]:
    a, b, same = comparisons.random_pair(c)
    return (await aio.compare_many([str(a), str(b)])).all_equal, same


async def _mirror(c: Context) -> tuple[Any, Any]:
    left = c.places.left
    names = [str(path.relative_to(left)) for path in left.glob("d4/*")]
    urls = {name: c.places.served(left / name) for name in names}
    found = await aio.compare_dir_urls(left / "d4", {name[3:]: urls[name] for name in names})
    return found.equal, True


async def _slow(c: Context) -> tuple[Any, Any]:
    path, copy = c.places.pair("same", 300_000)
    return await aio.compare(path, c.places.served(copy, "drops")), True


_KINDS = (_files, _files, _files, _large, _tree, _archives, _many, _mirror)
