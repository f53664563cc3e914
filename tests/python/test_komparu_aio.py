"""komparu.aio: many comparisons at once, on loops of several kinds."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import komparu
import pytest
import support
import uvloop
from komparu import _calls, aio

MEBI = 1 << 20


class _Deaf(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors, as some on other systems."""

    def add_reader(self, *_: Any) -> Any:  # type: ignore[override]
        raise NotImplementedError


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
    "deaf": _Deaf,
}

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    loop = LOOPS[request.param]()
    yield loop.run_until_complete
    loop.close()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(os.urandom(5 * MEBI + 7))
    shutil.copyfile(a, b)
    return a, b


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Files that take seconds, if nobody stops, each the only one of a directory. They are tars
    of one such file, too."""
    size = 4 << 30
    place = tmp_path_factory.mktemp("endless")
    if shutil.disk_usage(place).free < 4 * size:
        pytest.skip("there is no room for two large files")
    entry = tarfile.TarInfo("content")
    entry.size = size
    pair = place / "a" / "file", place / "b" / "file"
    for path in pair:
        path.parent.mkdir()
        with path.open("wb") as file:
            file.write(entry.tobuf())
            os.posix_fallocate(file.fileno(), 0, size + 512 + 1024)
    yield pair
    for path in pair:
        path.unlink()


Call = Callable[[Path, Path], Coroutine[Any, Any, Any]]

ENDLESS: dict[str, Call] = {
    "compare": lambda a, b: aio.compare(a, b, chunk_size=4096),
    "compare_dir": lambda a, b: aio.compare_dir(a.parent, b.parent, chunk_size=4096),
    "compare_archive": lambda a, b: aio.compare_archive(
        a, b, chunk_size=4096, max_decompressed_size=None
    ),
    "compare_all": lambda a, b: aio.compare_all([a, b], chunk_size=4096),
    "compare_many": lambda a, b: aio.compare_many([a, b], chunk_size=4096),
}


def test_hundreds_at_once_with_few_threads(run: Run, pair: tuple[Path, Path]) -> None:
    a, b = pair
    (a.parent / "c").write_bytes(b"other")
    before = threading.active_count()

    async def all_of_them() -> list[bool]:
        calls = [aio.compare(a, b if n % 3 else a.parent / "c") for n in range(400)]
        assert threading.active_count() <= before + 1
        return await asyncio.gather(*calls)

    assert run(all_of_them()) == [n % 3 != 0 for n in range(400)]
    assert _calls.pool().threads <= 128


def test_short_ones_are_not_held_up_by_a_long_one(
    run: Run, pair: tuple[Path, Path], endless: tuple[Path, Path]
) -> None:
    async def mixed() -> list[bool]:
        long_ones = [
            asyncio.ensure_future(aio.compare(*endless, chunk_size=4096)) for _ in range(8)
        ]
        await asyncio.sleep(0.1)
        answers = [await aio.compare(*pair) for _ in range(20)]
        assert not any(task.done() for task in long_ones)
        for task in long_ones:
            task.cancel()
        await asyncio.gather(*long_ones, return_exceptions=True)
        return answers

    assert run(mixed()) == [True] * 20


@pytest.mark.parametrize("call", ENDLESS)
def test_cancelling_a_task_stops_its_reading(
    run: Run, endless: tuple[Path, Path], call: str
) -> None:
    async def cancelled() -> None:
        tasks = [asyncio.ensure_future(ENDLESS[call](*endless)) for _ in range(20)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)

    run(cancelled())
    support.wait_until(lambda: not _reads_on(), "all reading to end", support.LIVENESS)


def _reads_on() -> bool:
    def read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])  # rchar

    before = read()
    time.sleep(0.1)
    return read() - before > MEBI  # looking itself reads, too


def test_the_time_limit_is_kept(run: Run, endless: tuple[Path, Path]) -> None:
    with pytest.raises(komparu.ComparisonTimeoutError):
        run(aio.compare(*endless, chunk_size=4096, comparison_timeout=0.05))
    support.wait_until(lambda: not _reads_on(), "all reading to end", support.LIVENESS)


def test_errors_are_those_of_the_synchronous_call(run: Run, tmp_path: Path) -> None:
    with pytest.raises(komparu.SourceNotFoundError):
        run(aio.compare(tmp_path / "missing", __file__))
    with pytest.raises(IsADirectoryError):
        run(aio.compare(tmp_path, __file__))
    with pytest.raises(komparu.ConfigError, match="source_a cannot be empty"):
        run(aio.compare("", __file__))


def test_a_loop_closed_with_work_under_way_leaves_nothing(
    pair: tuple[Path, Path], endless: tuple[Path, Path]
) -> None:
    for kind in LOOPS.values():  # each keeps something for itself
        loop = kind()
        assert loop.run_until_complete(aio.compare(*pair))
        loop.close()
    del loop
    gc.collect()
    before = support.open_descriptors()
    for kind in LOOPS.values():
        loop = kind()
        task = loop.create_task(aio.compare(*endless, chunk_size=4096))
        loop.run_until_complete(asyncio.sleep(0.05))
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
        del loop, task
    gc.collect()
    support.wait_until(lambda: support.open_descriptors() <= before, "all to be closed")


def test_an_idle_loop_costs_nothing(run: Run, pair: tuple[Path, Path]) -> None:
    async def idle() -> float:
        assert await aio.compare(*pair)
        begun = time.process_time()
        await asyncio.sleep(1.0)
        return time.process_time() - begun

    assert run(idle()) < 0.2
