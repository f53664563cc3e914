"""Walk a tree in Python and print ``entries directories bytes seconds``, as floor does.

Run as ``python walker.py [options] os|pwalk|scandir_rs|mock TREE``: os.walk, pwalk.walk, iteration
over scandir_rs.Walk, or pwalk.walk_mock, where TREE is a number of files. ``--check`` prints a
checksum of everything that was yielded, in order, as a fifth value; its seconds mean nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable

Steps = Iterable[tuple[str, list[str], list[str]]]

# Before CPython 3.12 os.walk recurses, once for each level of the tree.
RECURSION_LIMIT = 10_000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("walker", choices=("os", "pwalk", "scandir_rs", "mock"))
    parser.add_argument("tree")
    parser.add_argument("--lstat", action="store_true", help="of every entry")
    parser.add_argument("--bottom-up", action="store_true")
    parser.add_argument("--threads", type=int, help="max_threads of pwalk's walkers")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> Callable[[], Steps]:
    """What starts the walk; everything it needs is imported by then."""
    tree, topdown, threads = arguments.tree, not arguments.bottom_up, arguments.threads
    if arguments.walker == "pwalk":
        import pwalk

        return lambda: pwalk.walk(tree, topdown, max_threads=threads)
    if arguments.walker == "mock":
        import pwalk
        from pwalk.testing import MockFilesystem

        return lambda: pwalk.walk_mock(MockFilesystem(int(tree)), topdown, threads)
    if arguments.walker == "scandir_rs":
        scandir_rs = importlib.import_module("scandir_rs")
        # Nothing left out, nothing sorted, no limit.
        options = {"sorted": False, "skip_hidden": False, "follow_links": False}
        return lambda: scandir_rs.Walk(tree, max_depth=0, max_file_cnt=0, **options)
    return lambda: os.walk(tree, topdown)


def main() -> None:
    """Walk as the command line says."""
    arguments = _arguments()
    sys.setrecursionlimit(RECURSION_LIMIT)
    start = _chosen(arguments)
    lstat, checksum = arguments.lstat, hashlib.blake2b(digest_size=16) if arguments.check else None
    entries = directories = size = 0
    begin = time.perf_counter()
    for path, subdirectories, files in start():
        directories += len(subdirectories)
        entries += len(subdirectories) + len(files)
        if lstat:
            for name in subdirectories + files:
                size += os.lstat(f"{path}/{name}").st_size
        if checksum:
            checksum.update(repr((path, subdirectories, files)).encode())
    seconds = time.perf_counter() - begin
    line = f"{entries} {directories} {size} {seconds:.6f}"
    print(f"{line} {checksum.hexdigest()}" if checksum else line)


if __name__ == "__main__":
    main()
