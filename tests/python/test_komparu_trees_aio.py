"""komparu.aio.compare_dir: many at once, cancelled ones, and few descriptors."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import komparu
import latency
import mounts
import pytest
import support
import trees
import uvloop
from komparu import aio

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    loop = request.param()
    yield loop.run_until_complete
    loop.close()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a", tmp_path / "b"
    for top in (a, b):
        trees.plain(top, directories=10, files=20)
    return a, b


def test_dozens_at_once_find_what_one_after_the_other_does(
    run: Run, pair: tuple[Path, Path]
) -> None:
    a, b = pair
    (b / "folder3" / "file7.txt").write_bytes(b"changed")
    (b / "folder4" / "file8.txt").unlink()
    (b / "folder5" / "file9.txt").rename(b / "folder5" / "renamed")
    (a / "dangling").symlink_to("nowhere")
    tops = [(a, b), (b, a), (a, a / "folder1"), (b / "folder3", a / "folder3"), (b, b)]
    expected = [komparu.compare_dir(*pair) for pair in tops]
    assert [found.equal for found in expected] == [False, False, False, False, True]

    async def all_of_them() -> list[komparu.DirResult]:
        return await asyncio.gather(
            *(aio.compare_dir(*tops[n % 5], max_workers=n % 3) for n in range(100))
        )

    assert run(all_of_them()) == expected * 20


def test_options_and_errors_are_those_of_the_synchronous_call(
    run: Run, pair: tuple[Path, Path]
) -> None:
    a, b = pair
    (a / "skipped").touch()
    (a / "link").symlink_to("nowhere")
    assert run(aio.compare_dir(a, b, ignore=["skip*"], follow_symlinks=False)).only_left == {"link"}
    with pytest.raises(komparu.SourceNotFoundError):
        run(aio.compare_dir(a, b / "missing"))
    with pytest.raises(komparu.SourceReadError):
        run(aio.compare_dir(a / "skipped", b))
    with pytest.raises(komparu.ConfigError, match="dir_b cannot be empty"):
        run(aio.compare_dir(a, ""))
    with pytest.raises(komparu.ConfigError, match="max_workers"):
        run(aio.compare_dir(a, b, max_workers=1000))


def test_cancelling_a_task_stops_its_reading(run: Run, tmp_path: Path) -> None:
    size = 64 << 20
    if shutil.disk_usage(tmp_path).free < 20 * size:
        pytest.skip("there is no room for large files")
    for top in (tmp_path / "a", tmp_path / "b"):
        for number in range(8):
            path = top / f"folder{number % 4}" / f"large{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)

    async def cancelled() -> None:
        tasks = [
            asyncio.ensure_future(
                aio.compare_dir(tmp_path / "a", tmp_path / "b", chunk_size=512, quick_check=quick)
            )
            for quick in [True, False] * 5
        ]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)

    run(cancelled())
    support.wait_until(
        lambda: not any("large" in path for _, path in support.open_descriptors()),
        "all files to be closed",
    )


def test_a_call_that_hangs_keeps_neither_a_cancelled_task_nor_others(
    run: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    with (
        latency.mounted(tmp_path / "hung", "--hang", "d000002") as hung,
        mounts.bind(hung, tmp_path / "view") as view,
    ):

        async def some_hang() -> None:
            hanging = [asyncio.ensure_future(aio.compare_dir(hung, view)) for _ in range(5)]
            await asyncio.sleep(0.05)
            for _ in range(5):
                assert (await aio.compare_dir(*pair)).equal
            assert not any(task.done() for task in hanging)
            with pytest.raises(komparu.ComparisonTimeoutError):
                await aio.compare_dir(hung, view, comparison_timeout=0.1)
            begun = time.monotonic()
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
            assert time.monotonic() - begun < support.LIVENESS / 4

        run(some_hang())


def test_fifty_at_once_do_with_few_descriptors(tmp_path: Path) -> None:
    """Deep and wide trees, each of which would keep many directories open if it were alone."""
    for top in (tmp_path / "a", tmp_path / "b"):
        for chain in range(3):
            at = top
            for level in range(40):
                at = at / f"level{level} of {chain}"
                for name in range(2):
                    (at / f"beside{name}").mkdir(parents=True)
                    (at / f"beside{name}" / "file").write_bytes(b"x" * level)
    code = """
import asyncio, sys, resource
from komparu import aio
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
async def fifty():
    return await asyncio.gather(*(aio.compare_dir(*sys.argv[1:]) for _ in range(50)))
found = asyncio.run(fifty())
print(sum(result.equal for result in found), *sorted(set().union(*(r.errors for r in found)))[:3])
"""
    answer = support.run_script(code, tmp_path / "a", tmp_path / "b", cwd=tmp_path)
    assert answer.stdout == b"50\n"
