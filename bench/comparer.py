"""Compare in Python and print ``pairs different bytes seconds``, as compare_floor does.

Run as ``python comparer.py compare|filecmp A B``, ``... compare_dir|dircmp A B`` for trees,
``... each|gathered|filecmp_each LIST`` for pairs of files, ``A<tab>B`` in each line, or
``... mirror|gathered|fetched|fetched_by_32 LIST`` where B is a URL. What a comparer does not tell
is ``-``. The status is 0 for the same, 1 for different.
"""

from __future__ import annotations

import asyncio
import contextlib
import filecmp
import http.client
import importlib
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

Pair = tuple[str, str]


def _same_trees(a: str, b: str) -> bool:
    """What filecmp.dircmp says, with all contents read, which dircmp does not do by itself."""
    waiting = [filecmp.dircmp(a, b, ignore=[])]
    while waiting:
        directory = waiting.pop()
        if directory.left_only or directory.right_only or directory.common_funny:
            return False
        files = filecmp.cmpfiles(
            directory.left, directory.right, directory.common_files, shallow=False
        )
        if files[1] or files[2]:
            return False
        waiting += directory.subdirs.values()
    return True


def _timed(call: Callable[[], bool]) -> tuple[bool, float]:
    begin = time.perf_counter()
    same = call()
    return same, time.perf_counter() - begin


def _gathered(compare: Callable[[str, str], Awaitable[bool]], pairs: list[Pair]) -> bool:
    async def everything() -> bool:
        return all(await asyncio.gather(*(compare(a, b) for a, b in pairs)))

    return asyncio.run(everything())


def _fetched(pairs: list[Pair]) -> bool:
    """One after the other, by one connection."""
    host = urlsplit(pairs[0][1]).netloc
    with contextlib.closing(http.client.HTTPConnection(host)) as connection:
        for path, url in pairs:
            connection.request("GET", urlsplit(url).path)
            if connection.getresponse().read() != Path(path).read_bytes():
                return False
    return True


def _fetched_by(threads: int, pairs: list[Pair]) -> bool:
    shares = [share for share in (pairs[i::threads] for i in range(threads)) if share]
    with ThreadPoolExecutor(threads) as executor:
        return all(executor.map(_fetched, shares))


def _mirrors(pairs: list[Pair]) -> bool:
    komparu = importlib.import_module("komparu")
    directory = Path(pairs[0][0]).parent
    urls = {Path(path).name: url for path, url in pairs}
    return bool(komparu.compare_dir_urls(directory, urls).equal)


def _of_list(way: str, pairs: list[Pair]) -> tuple[bool, float]:
    """Whether the files of every pair are the same."""
    if way == "filecmp_each":
        return _timed(lambda: all(filecmp.cmp(a, b, shallow=False) for a, b in pairs))
    if way == "fetched":
        return _timed(lambda: _fetched(pairs))
    if way == "fetched_by_32":
        return _timed(lambda: _fetched_by(32, pairs))
    if way == "mirror":
        importlib.import_module("komparu")
        return _timed(lambda: _mirrors(pairs))
    if way == "each":
        komparu = importlib.import_module("komparu")
        return _timed(lambda: all(komparu.compare(a, b) for a, b in pairs))
    aio = importlib.import_module("komparu.aio")
    return _timed(lambda: _gathered(aio.compare, pairs))


def _of_two(way: str, a: str, b: str) -> tuple[bool, float]:
    if way == "filecmp":
        return _timed(lambda: filecmp.cmp(a, b, shallow=False))
    if way == "dircmp":
        return _timed(lambda: _same_trees(a, b))
    komparu = importlib.import_module("komparu")
    if way == "compare_dir":
        return _timed(lambda: komparu.compare_dir(a, b).equal)
    return _timed(lambda: komparu.compare(a, b))


def main() -> int:
    """Compare as the command line says."""
    way, *sources = sys.argv[1:]
    if len(sources) == 1:
        lines = Path(sources[0]).read_text().splitlines()
        pairs = [(a, b) for a, _, b in (line.partition("\t") for line in lines)]
        count = str(len(pairs))
        same, seconds = _of_list(way, pairs)
    else:
        count = "-" if way in ("compare_dir", "dircmp") else "1"
        same, seconds = _of_two(way, *sources)
    print(f"{count} {int(not same)} - {seconds:.6f}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
