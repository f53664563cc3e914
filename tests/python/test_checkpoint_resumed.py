"""Resumed reports: what they say is what an undisturbed one would have said."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import checkpoints
import mounts
import pwalk
import pyarrow.parquet as pq
import pytest
import support
import trees
from checkpoints import Job

FORMS = pytest.mark.parametrize("form", ["parquet", "csv", "csv.zst", "binary"])
DIRECTORIES, FILES = 2500, 2


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """More directories than a scan gets through before its first rest; not to be changed."""
    top = tmp_path_factory.mktemp("wide") / "top"
    trees.plain(top, DIRECTORIES, FILES)
    yield top
    trees.remove_tree(top)


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four levels of directories, and some snapshots; not to be changed."""
    top = tmp_path_factory.mktemp("nested") / "top"
    for number in range(60 * 20):
        deep = top / f"outer{number // 20}" / f"inner{number % 20}" / "below" / "deep"
        deep.mkdir(parents=True)
        (deep / "file.txt").touch()
        if number % 5 == 0:
            (deep / ".snapshot").mkdir()
            (deep / ".snapshot" / "kept").touch()
    yield top
    trees.remove_tree(top)


def job_for(top: Path, tmp_path: Path, form: str = "csv") -> Job:
    return Job(tmp_path / "job", top, form).prepare()


def test_putting_a_large_part_together_takes_the_memory_of_some_row_groups(tmp_path: Path) -> None:
    """All of its rows would be 3 GB; an iterator over the whole part kept some of each group."""
    code = """
import os, sys, types
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # gives back at once what is freed
import memory, pyarrow, pyarrow.parquet
from pwalk import _checkpoint, _core, _report

part, whole = sys.argv[1:]
tree = _core.synthetic_file_system(_core.SyntheticTree(12_000_000), b"t")
if not os.path.exists(part):
    _report.run_report(
        b"t", "parquet", part, None, True, None, tree, None,
        max_threads=None, max_inflight=None, stall_timeout=300.0, ignore_snapshots=True,
        one_file_system=False, max_depth=None, exclude=[], buffer_threshold="16MB",
    )
    sys.exit()
pyarrow.set_cpu_count(2)
complete = types.SimpleNamespace(parts=lambda: [os.fsencode(part)])
target = _report.Target("parquet", "zstd", whole, True)
with open(whole, "wb") as file:
    _checkpoint.write_whole(complete, target, None, file.fileno(), dict)
assert pyarrow.parquet.read_metadata(whole).num_rows > 12_000_000
print(memory.peak() >> 10)
"""
    for _ in range(2):  # the part, in a process of its own, and the whole
        answer = support.run_script(code, tmp_path / "part", tmp_path / "whole", cwd=tmp_path)
    assert int(answer.stdout) < 430, f"{answer.stdout.decode()} MiB"


def test_what_is_gone_between_the_runs_has_vanished(tree: Path, tmp_path: Path) -> None:
    trees.plain(tree, 1500, 2)
    job = replace(job_for(tree, tmp_path), by_api=True)
    expected, _ = job.uninterrupted()
    assert isinstance(expected, tuple)
    job.begin()
    (part,) = job.checkpoint.glob("part-*")
    committed = set(part.read_bytes().splitlines())
    directories = sorted(path for path in tree.iterdir())
    random.Random(2).shuffle(directories)
    touched = directories[:600]
    gone = 0
    wanted = set(expected[1])
    for number, path in enumerate(touched):
        name = re.compile(b'"' + re.escape(os.fsencode(path)) + b'["/]')
        mine = {line for line in wanted if name.search(line)}
        if not mine & committed:
            gone += 1
            wanted -= mine
        shutil.rmtree(path)
        if number % 3 == 1:
            path.write_bytes(b"a file now")
        if number % 3 == 2:
            path.symlink_to(directories[-1])
    assert gone > 50
    errors, counts = job.finish()
    assert (errors, counts[0], counts[-1]) == ([], len(wanted), gone)
    assert Counter(checkpoints.rows_of(job.output)[1]) == Counter(wanted)
    job.assert_tidy()


def begin_until_errors_are_kept(job: Job, tree: Path) -> None:
    for _ in range(20):
        support.run_script(
            "import sys, checkpoints; from checkpoints import Job; from pathlib import Path\n"
            "Job(Path(sys.argv[1]), sys.argv[2], sys.argv[3]).begin()\n",
            *(job.directory, tree, job.form),
            cwd=job.directory.parent,
            ordinary=True,
        )
        assert job.phase() == "scanning"
        if list(job.checkpoint.glob("errors-*")):
            return
        shutil.rmtree(job.checkpoint)
    raise AssertionError("the scan always rests before it meets an error")


@FORMS
def test_progress_errors_and_rows_are_those_of_the_whole(
    tmp_path: Path, tree: Path, form: str
) -> None:
    trees.plain(tree / "plain", 1500, 2)
    for number in range(1500):
        (tree / "plain" / f"folder{number}" / "locked").mkdir(mode=0)
    trees.locked(tree / "locked")
    options = {"ordinary": True, "by_api": True}
    job = replace(job_for(tree, tmp_path, form), **options)  # type: ignore[arg-type]
    rows, (errors, counts) = job.uninterrupted()
    assert len(errors) > 150
    begin_until_errors_are_kept(job, tree)
    told, resumed = job.finish()
    assert sorted(told) == sorted(errors)
    assert resumed == counts
    checkpoints.assert_same(checkpoints.rows_of(job.output), rows)
    job.assert_tidy()


def test_the_metadata_is_that_of_the_whole(wide: Path, tmp_path: Path) -> None:
    job = job_for(wide, tmp_path, "parquet").begin()
    job.report()
    metadata = {
        name.decode(): value.decode()
        for name, value in pq.read_metadata(job.output).metadata.items()
    }
    rows = 1 + DIRECTORIES * (1 + FILES)
    assert pq.read_metadata(job.output).num_rows == rows
    assert (metadata["entries"], metadata["errors"], metadata["vanished"]) == (str(rows), "0", "0")
    started, finished = (datetime.fromisoformat(metadata[n]) for n in ("started", "finished"))
    assert started <= finished
    assert json.loads(metadata["options"])["compression"] == "zstd"


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": ["outer5", "outer7/inner2", "outer9/inner1/below/deep/file.txt"]},
        {"max_depth": 2},
        {"max_depth": 3},
        {"ignore_snapshots": False},
        {"one_file_system": True},
        {"max_inflight": 3, "buffer_threshold": 1},
    ],
    ids=str,
)
def test_the_selection_goes_on_as_it_began(
    nested: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    if "exclude" in options:
        options = {"exclude": [nested / name for name in options["exclude"]]}
    with contextlib.ExitStack() as stack:
        if "one_file_system" in options:
            for outer in range(0, 60, 4):
                place = nested / f"outer{outer}" / "inner3"
                stack.enter_context(mounts.bind(nested / "outer1", place))
        job = job_for(nested, tmp_path, "parquet")
        job.report(**options)  # once more than needed: atime
        job.report(**options)
        expected = checkpoints.rows_of(job.output)
        job.output.unlink()
        job.begin(**options).report(**options)
        checkpoints.assert_same(checkpoints.rows_of(job.output), expected)
        job.assert_tidy()


@FORMS
def test_a_binary_or_compressed_report_may_be_begun_more_than_once(
    wide: Path, tmp_path: Path, form: str
) -> None:
    job = job_for(wide, tmp_path, form)
    rows, _ = job.uninterrupted()
    job.begin()
    for _ in range(3):
        with pytest.raises(StopError):
            job.report(progress=stop, checkpoint_interval=1e6)
    seen: list[pwalk.Progress] = []
    job.report(progress=seen.append)
    assert seen[-1].entries == checkpoints.count(rows)
    checkpoints.assert_same(checkpoints.rows_of(job.output), rows)
    job.assert_tidy()


class StopError(Exception):
    """Raised by a test's own callback."""


def stop(_: pwalk.Progress) -> None:
    raise StopError


def test_the_callback_is_called_although_only_the_writing_is_left(
    wide: Path, tmp_path: Path
) -> None:
    job = job_for(wide, tmp_path)
    with pytest.raises(IsADirectoryError):
        pwalk.report(wide, "csv", job.output.parent, checkpoint=job.checkpoint)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pwalk._report.write_whole", stop_writing)
        with pytest.raises(StopError):
            job.report()
    assert job.phase() == "assembling"
    seen: list[pwalk.Progress] = []
    job.report(progress=seen.append)
    assert [progress.entries for progress in seen] == [1 + DIRECTORIES * (1 + FILES)]
    job.assert_tidy()


def stop_writing(*_: object) -> None:
    raise StopError


def test_another_thread_may_report_and_resume(wide: Path, tmp_path: Path) -> None:
    job = job_for(wide, tmp_path).begin()
    caller = threading.Thread(target=job.report)
    caller.start()
    caller.join(support.LIVENESS)
    assert not caller.is_alive()
    assert checkpoints.count(checkpoints.rows_of(job.output)) == 1 + DIRECTORIES * (1 + FILES)
    job.assert_tidy()
