"""Walk a tree in Python and print ``entries directories bytes seconds``, as floor does.

Run as ``python walker.py os|pwalk [--lstat] DIRECTORY``: os.walk or pwalk.walk, with an lstat of
every entry or without.
"""

from __future__ import annotations

import importlib
import os
import sys
import time


def main() -> None:
    """Walk as the command line says."""
    module, lstat, top = sys.argv[1], "--lstat" in sys.argv, sys.argv[-1]
    walk = importlib.import_module(module).walk
    entries = directories = size = 0
    begin = time.perf_counter()
    for path, subdirectories, files in walk(top):
        directories += len(subdirectories)
        entries += len(subdirectories) + len(files)
        if lstat:
            for name in subdirectories + files:
                size += os.lstat(f"{path}/{name}").st_size
    seconds = time.perf_counter() - begin
    print(f"{entries} {directories} {size} {seconds:.6f}")


if __name__ == "__main__":
    main()
