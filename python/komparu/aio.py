"""The functions of :mod:`komparu` as coroutines.

No thread waits for a call: the core says through one descriptor which comparisons have ended.
Cancelling a task stops its comparison within a chunk.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from komparu import (
    _compare,
    _compare_archive,
    _compare_dir,
    _compare_dir_urls,
    _compare_many,
    _core,
)
from komparu._calls import raise_failure, timed_out
from komparu._options import NOT_GIVEN, Options
from komparu._results import dir_result
from komparu._sources import AnySource
from komparu._types import CompareResult, DirResult, StrPath

__all__ = [
    "compare",
    "compare_all",
    "compare_archive",
    "compare_dir",
    "compare_dir_urls",
    "compare_many",
]


class _Bridge:
    """Wakes the futures of one event loop. Holds no reference to the loop, which holds it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._completions = _core.Completions()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._numbers = itertools.count()
        self._process = os.getpid()
        self.woken = threading.Event()
        try:
            loop.add_reader(self._completions.fd, self.wake)
        except NotImplementedError:  # as asyncio says of loops that cannot watch descriptors
            threading.Thread(
                target=_forward, args=(weakref.ref(self), weakref.ref(loop)), daemon=True
            ).start()

    def serves(self) -> bool:
        """Return whether this process made it: a descriptor is shared with the parent."""
        return self._process == os.getpid()

    async def end_of(self, comparison: _core.Comparison) -> None:
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._completions.watch(comparison, number)
        try:
            await future
        finally:
            self._waiting.pop(number, None)

    def wake(self) -> None:
        """Tell those whose comparisons have ended."""
        self.woken.set()
        for number in self._completions.take():
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result(None)

    @property
    def fd(self) -> int:
        return self._completions.fd


def _forward(
    bridge_of: weakref.ref[_Bridge], loop_of: weakref.ref[asyncio.AbstractEventLoop]
) -> None:
    """Wake a loop that cannot watch descriptors itself, as long as it is there."""
    while True:
        bridge, loop = bridge_of(), loop_of()
        if bridge is None or loop is None or loop.is_closed():
            return
        fd, woken = bridge.fd, bridge.woken
        del bridge
        descriptor = select.poll()
        descriptor.register(fd, select.POLLIN)
        ready = descriptor.poll(1000)
        if ready:
            bridge = bridge_of()
            if bridge is None:
                return
            woken.clear()
            try:
                loop.call_soon_threadsafe(bridge.wake)
            except RuntimeError:  # closed meanwhile
                return
            del bridge
            woken.wait(1.0)  # until then the descriptor stays readable


_bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Bridge] = (
    weakref.WeakKeyDictionary()
)


def _bridge() -> _Bridge:
    loop = asyncio.get_running_loop()
    bridge = _bridges.get(loop)
    if bridge is None or not bridge.serves():
        bridge = _bridges[loop] = _Bridge(loop)
    return bridge


async def _await_end(comparison: _core.Comparison, timeout: float | None) -> None:
    try:
        await asyncio.wait_for(_bridge().end_of(comparison), timeout)
    except asyncio.TimeoutError:
        raise timed_out(timeout) from None
    finally:
        comparison.cancel()
    raise_failure(comparison)


async def compare(
    source_a: AnySource,
    source_b: AnySource,
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> bool:
    """Return whether two sources hold the same bytes; see :func:`komparu.compare`."""
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    comparison = _compare.start(source_a, source_b, options)
    await _await_end(comparison, options.comparison_timeout)
    return comparison.equal


async def compare_archive(
    path_a: AnySource,
    path_b: AnySource,
    *,
    chunk_size: int = NOT_GIVEN,
    max_decompressed_size: int | None = NOT_GIVEN,
    max_compression_ratio: int | None = NOT_GIVEN,
    max_archive_entries: int | None = NOT_GIVEN,
    max_entry_name_length: int | None = NOT_GIVEN,
    hash_compare: bool = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> DirResult:
    """Return in what two archives differ; see :func:`komparu.compare_archive`."""
    options = Options(
        chunk_size=chunk_size,
        max_decompressed_size=max_decompressed_size,
        max_compression_ratio=max_compression_ratio,
        max_archive_entries=max_archive_entries,
        max_entry_name_length=max_entry_name_length,
        hash_compare=hash_compare,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    comparison = _compare_archive.start(path_a, path_b, options)
    await _await_end(comparison, options.comparison_timeout)
    return dir_result(comparison.differences())


async def compare_dir(
    dir_a: StrPath,
    dir_b: StrPath,
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    follow_symlinks: bool = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    ignore: Iterable[str] | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> DirResult:
    """Return in what two directories differ; see :func:`komparu.compare_dir`."""
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        follow_symlinks=follow_symlinks,
        max_workers=max_workers,
        ignore=ignore,
        comparison_timeout=comparison_timeout,
    )
    comparison = _compare_dir.start(dir_a, dir_b, options)
    await _await_end(comparison, options.comparison_timeout)
    return dir_result(comparison.differences())


async def compare_dir_urls(
    dir_path: StrPath,
    url_map: Mapping[Any, AnySource],
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> DirResult:
    """Return in what a directory differs from URLs; see :func:`komparu.compare_dir_urls`."""
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        max_workers=max_workers,
        comparison_timeout=comparison_timeout,
    )
    comparison = _compare_dir_urls.start(dir_path, url_map, options)
    await _await_end(comparison, options.comparison_timeout)
    return dir_result(comparison.differences())


async def compare_all(
    sources: Iterable[AnySource],
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> bool:
    """Return whether all sources hold the same bytes; see :func:`komparu.compare_all`."""
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        max_workers=max_workers,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    comparison = _compare_many.start(_compare_many.as_list(sources), options, only_whether=True)
    if comparison is None:
        return True
    await _await_end(comparison, options.comparison_timeout)
    return comparison.all_equal


async def compare_many(
    sources: Iterable[AnySource],
    *,
    chunk_size: int = NOT_GIVEN,
    size_precheck: bool = NOT_GIVEN,
    quick_check: bool = NOT_GIVEN,
    max_workers: int = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> CompareResult:
    """Return which of the sources hold the same bytes; see :func:`komparu.compare_many`."""
    options = Options(
        chunk_size=chunk_size,
        size_precheck=size_precheck,
        quick_check=quick_check,
        max_workers=max_workers,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    given = _compare_many.as_list(sources)
    comparison = _compare_many.start(given, options, only_whether=False)
    if comparison is None:
        return _compare_many.result_of(given, [0] * len(given))
    await _await_end(comparison, options.comparison_timeout)
    return _compare_many.result_of(given, comparison.groups())
