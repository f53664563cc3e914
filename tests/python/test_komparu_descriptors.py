"""Comparisons of a process that may open few files: they wait for each other, and all have an
answer."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import komparu
import pytest
import support
import trees

CODE = """
import asyncio, resource, sys
import komparu
from komparu import aio

what, sources = sys.argv[1], sys.argv[2:]
resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))

async def at_once():
    calls = [getattr(aio, what)(*sources, quick_check=False) if what == "compare" else
             getattr(aio, what)(*sources) for _ in range(100)]
    return await asyncio.gather(*calls)

found = asyncio.run(at_once())
print(sum(one if what == "compare" else one.equal for one in found))
"""


@pytest.mark.parametrize("what", ["compare", "compare_archive", "compare_dir"])
def test_a_hundred_at_once_wait_for_each_other(tmp_path: Path, what: str) -> None:
    sources = tmp_path / "a", tmp_path / "b"
    for source in sources:
        if what == "compare":
            source.write_bytes(bytes(12 << 20))
        elif what == "compare_dir":
            trees.plain(source, directories=20, files=5)
        else:
            (tmp_path / "content").write_bytes(bytes(12 << 20))
            with tarfile.open(source, "w") as archive:
                archive.add(tmp_path / "content", "content")
    assert support.run_script(CODE, what, *sources, cwd=tmp_path).stdout == b"100\n"


def test_a_kept_error_keeps_no_file_open(tmp_path: Path) -> None:
    pair = tmp_path / "a", tmp_path / "b"
    for path in pair:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 4 << 30)
    before = support.open_descriptors()
    errors = []
    for _ in range(10):
        try:
            komparu.compare(*pair, comparison_timeout=0.01)
        except komparu.ComparisonTimeoutError as error:
            errors.append(error)
    for path in pair:
        path.unlink()
    assert len(errors) == 10
    support.wait_until(
        lambda: support.open_descriptors() <= before, "all to be closed", support.LIVENESS
    )


def test_many_sources_do_with_few_descriptors(tmp_path: Path) -> None:
    paths = [tmp_path / str(i) for i in range(300)]
    for path in paths:
        path.write_bytes(b"the same")
    code = CODE.partition("async def")[0] + "print(komparu.compare_many(sources).all_equal)"
    assert support.run_script(code, "", *paths, cwd=tmp_path).stdout == b"True\n"


def test_when_nobody_gives_any_back_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    code = """
import os, resource, sys
import komparu
a, b = sys.argv[1:]
assert komparu.compare(a, b)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
kept = []
try:
    while True:
        kept.append(os.open(a, os.O_RDONLY))
except OSError:
    pass
try:
    komparu.compare(a, b)
except komparu.SourceReadError as error:
    print(error.strerror)
"""
    said = support.run_script(code, tmp_path / "a", tmp_path / "b", cwd=tmp_path)
    assert said.stdout == b"Too many open files\n"
