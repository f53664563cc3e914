"""Checkpoints that are refused: other reports', other people's, in use, or damaged."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import re
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import checkpoints
import latency
import pwalk
import pytest
import support
import trees
from checkpoints import Job
from pwalk import _core

DIRECTORIES, FILES = 2500, 2


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """More directories than a scan gets through before its first rest; not to be changed."""
    top = tmp_path_factory.mktemp("wide") / "top"
    trees.plain(top, DIRECTORIES, FILES)
    yield top
    trees.remove_tree(top)


def job_for(top: Path, tmp_path: Path, form: str = "csv") -> Job:
    return Job(tmp_path / "job", top, form).prepare()


@pytest.fixture
def begun(wide: Path, tmp_path: Path) -> Job:
    return job_for(wide, tmp_path).begin()


def assert_refused(job: Job, why: str, **options: Any) -> None:
    """The checkpoint is refused, and as it was."""
    before = job.kept()
    with pytest.raises(ValueError, match=why) as raised:
        job.report(**options)
    assert str(job.checkpoint) in str(raised.value)
    assert job.kept() == before
    assert support.names_in(job.output.parent) == []


# --- arguments -------------------------------------------------------------------------------


def test_resume_needs_a_checkpoint(wide: Path) -> None:
    with pytest.raises(ValueError, match="resume needs a checkpoint"):
        pwalk.report(wide, resume=True)


@pytest.mark.parametrize(
    ("interval", "kind"),
    [
        *((value, ValueError) for value in (0, -1.0, float("nan"), float("inf"))),
        *((value, TypeError) for value in ("1", None, True)),
    ],
)
def test_a_bad_interval_is_refused(
    wide: Path, tmp_path: Path, interval: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="checkpoint_interval"):
        pwalk.report(wide, checkpoint=tmp_path / "c", checkpoint_interval=interval)
    assert support.names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("checkpoint", "kind"), [("", ValueError), ("a\0b", ValueError), (7, TypeError)]
)
def test_a_bad_checkpoint_is_refused(wide: Path, checkpoint: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="checkpoint"):
        pwalk.report(wide, checkpoint=checkpoint)


def test_standard_output_cannot_be_resumed(wide: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint: standard output"):
        pwalk.report(wide, "csv", "-", checkpoint=tmp_path / "c")
    assert support.names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--resume"], b"resume needs a checkpoint"),
        (["--checkpoint", "c", "--checkpoint-interval", "0"], b"checkpoint_interval"),
        (["--checkpoint", "c", "--format", "csv", "-o", "-"], b"standard output"),
    ],
)
def test_the_command_exits_2_on_bad_arguments(
    wide: Path, tmp_path: Path, arguments: list[str], told: bytes
) -> None:
    answer = support.run_pwalk("report", str(wide), *arguments, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert told in answer.stderr
    assert support.names_in(tmp_path) == []


# --- what rows depend on ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"exclude": ["/nowhere"]}, r"exclude nothing, not '/nowhere'"),
        ({"max_depth": 3}, "max_depth 0, not 3"),
        ({"one_file_system": True}, "one_file_system False, not True"),
        ({"ignore_snapshots": False}, "ignore_snapshots True, not False"),
        ({"compression": "gzip"}, "compression none, not gzip"),
    ],
)
def test_other_options_are_refused(begun: Job, changed: dict[str, Any], told: str) -> None:
    assert_refused(begun, told, **changed)


def test_another_top_is_refused(begun: Job, plain: Path) -> None:
    assert_refused(replace(begun, top=plain), rf"top '{begun.top}', not '{plain}'")


@pytest.mark.parametrize("form", ["parquet", "binary"])
def test_another_format_is_refused(begun: Job, form: str) -> None:
    assert_refused(replace(begun, form=form), f"format csv, not {form}")


def test_other_options_that_change_no_row_are_not(begun: Job) -> None:
    begun.report(max_threads=1, max_inflight=2, stall_timeout=9.0, buffer_threshold="1MB")
    assert checkpoints.count(checkpoints.rows_of(begun.output)) == 1 + DIRECTORIES * (1 + FILES)


def test_a_checkpoint_without_resume_is_refused(begun: Job) -> None:
    assert_refused(begun, "unfinished report: resume it, or remove", resume=False)


def test_resume_begins_where_there_is_nothing(wide: Path, tmp_path: Path) -> None:
    job = job_for(wide, tmp_path)
    rows, _ = job.uninterrupted()
    shutil.rmtree(job.checkpoint)
    job.report()
    checkpoints.assert_same(checkpoints.rows_of(job.output), rows)
    job.assert_tidy()


def test_the_top_replaced_by_another_directory_is_refused(tree: Path, tmp_path: Path) -> None:
    trees.plain(tree, 1200, 2)
    job = job_for(tree, tmp_path).begin()
    before = job.kept()
    tree.rename(tree.with_name("away"))
    trees.plain(tree, 3)
    with pytest.raises(ValueError, match="another directory than it was"):
        job.report()
    kept = job.kept()
    assert {name: kept[name] for name in before} == before
    trees.remove_tree(tree)
    with pytest.raises(FileNotFoundError):
        job.report()
    tree.with_name("away").rename(tree)
    job.report()
    assert checkpoints.count(checkpoints.rows_of(job.output)) == 1 + 1200 * 3
    job.assert_tidy()


# --- the directory ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["notes.txt", "part-000001.csv", "frontier", ".hidden"])
def test_a_directory_with_foreign_files_is_refused(wide: Path, tmp_path: Path, name: str) -> None:
    job = job_for(wide, tmp_path)
    job.checkpoint.mkdir()
    (job.checkpoint / name).write_bytes(b"mine")
    for resume in (False, True):
        assert_refused(job, "not empty, and no checkpoint", resume=resume)


@pytest.mark.parametrize(
    "name", ["notes.txt", "part-time.csv", "part-1", "errors-", "errors-x.log"]
)
def test_foreign_files_beside_a_checkpoint_stay(begun: Job, name: str) -> None:
    (begun.checkpoint / name).write_bytes(b"mine")
    begun.report()
    assert begun.kept() == {name: b"mine"}


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (Path.touch, errno.ENOTDIR),
        (lambda path: path.symlink_to("nowhere"), errno.ENOENT),
        (lambda path: path.symlink_to(path.name), errno.ELOOP),
    ],
    ids=["file", "dangling", "loop"],
)
def test_a_checkpoint_that_can_be_no_directory_is_an_error(
    wide: Path, tmp_path: Path, make: Callable[[Path], None], number: int
) -> None:
    job = job_for(wide, tmp_path)
    make(job.checkpoint)
    with pytest.raises(OSError, match=r".") as raised:
        job.report()
    assert (raised.value.errno, raised.value.filename) == (number, str(job.checkpoint))
    assert support.names_in(job.output.parent) == []


def test_a_missing_parent_is_an_error(wide: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        pwalk.report(wide, output=tmp_path / "out", checkpoint=tmp_path / "missing" / "c")
    assert support.names_in(tmp_path) == []


def test_a_link_to_a_directory_is_one(wide: Path, tmp_path: Path) -> None:
    job = job_for(wide, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    job.checkpoint.symlink_to(tmp_path / "elsewhere")
    job.begin().report()
    job.assert_tidy()


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_checkpoint_that_cannot_be_written_is_an_error(
    wide: Path, tmp_path: Path, mode: int
) -> None:
    job = job_for(wide, tmp_path)
    job.checkpoint.mkdir()
    job.checkpoint.chmod(mode)
    flags = ("--checkpoint", job.checkpoint, "-o", job.output)
    answer = support.run_pwalk("report", wide, *flags, cwd=tmp_path, ordinary=True)
    job.checkpoint.chmod(0o700)
    assert answer.returncode == 2
    assert os.fsencode(job.checkpoint) in answer.stderr
    assert b"Permission denied" in answer.stderr
    assert job.kept() == {}


def test_a_checkpoint_that_cannot_be_listed_is_an_error(wide: Path, tmp_path: Path) -> None:
    with latency.mounted(tmp_path / "checkpoint", "--fail-list", ".=EIO") as checkpoint:
        with pytest.raises(OSError, match="Input/output error") as raised:
            pwalk.report(wide, "csv", tmp_path / "output.csv", checkpoint=checkpoint)
        assert raised.value.filename == str(checkpoint)


def test_names_in_complaints_may_be_any_bytes(begun: Job) -> None:
    odd = os.fsdecode(os.fsencode(begun.directory) + b"/\xff\n")
    begun.checkpoint.rename(odd)
    with pytest.raises(ValueError, match=re.escape(odd)):
        pwalk.report(begun.top, "csv", begun.output, checkpoint=odd)
    flags = ("--format", "csv", "-o", begun.output, "--checkpoint", odd)
    answer = support.run_pwalk("report", begun.top, *flags, cwd=begun.directory)
    assert answer.returncode == 2
    assert rb"job/\xff\n holds an unfinished report" in answer.stderr


def test_two_reports_cannot_have_the_same_checkpoint(begun: Job) -> None:
    before = begun.kept()
    with (begun.checkpoint / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="busy") as raised:
            begun.report()
        with begun.start() as child:
            _, told = child.communicate(timeout=support.LIVENESS)
        assert child.returncode == 2
        assert told == f"pwalk: {begun.checkpoint}: Device or resource busy\n".encode()
    assert (raised.value.errno, raised.value.filename) == (errno.EBUSY, str(begun.checkpoint))
    assert begun.kept() == before
    begun.report()


def test_the_second_of_two_reports_at_once_is_refused(wide: Path, tmp_path: Path) -> None:
    job = job_for(wide, tmp_path)
    refused: list[int | None] = []

    def second(_: pwalk.Progress) -> None:
        with pytest.raises(OSError, match="busy") as raised:
            replace(job, form="parquet").report()
        refused.append(raised.value.errno)

    job.report(progress=second)
    assert set(refused) == {errno.EBUSY}
    job.assert_tidy()


# --- damage ----------------------------------------------------------------------------------


def open_again(job: Job) -> None:
    """What a resumed report does first."""
    identity = [
        ("top", repr(os.fsencode(job.top))[1:]),
        *[("format", "csv"), ("compression", "none"), ("ignore_snapshots", "True")],
        *[("one_file_system", "False"), ("max_depth", "0"), ("exclude", "nothing")],
    ]
    _core.Checkpoint(os.fsencode(job.checkpoint), ".csv", identity, True, 60.0)


def test_every_damaged_byte_of_a_frontier_is_noticed(begun: Job) -> None:
    open_again(begun)
    frontier = begun.checkpoint / "frontier"
    whole = frontier.read_bytes()
    places = {*range(400), *random.Random(1).sample(range(len(whole)), 400), len(whole) - 1}
    for place in sorted(places):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= change
            frontier.write_bytes(damaged)
            with pytest.raises(ValueError, match="frontier is damaged"):
                open_again(begun)
    frontier.write_bytes(whole)
    begun.report()
    begun.assert_tidy()


def test_a_torn_frontier_is_noticed_at_every_length(begun: Job) -> None:
    frontier = begun.checkpoint / "frontier"
    whole = frontier.read_bytes()
    lengths = {*range(400), *random.Random(1).sample(range(len(whole)), 400), len(whole) - 1}
    for length in sorted(lengths):
        frontier.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="frontier is damaged"):
            open_again(begun)
    frontier.write_bytes(whole + b"\0")
    assert_refused(begun, "frontier is damaged")


def test_lengths_that_lie_are_noticed_although_the_sum_is_right(begun: Job) -> None:
    frontier = begun.checkpoint / "frontier"
    whole = frontier.read_bytes()
    for place in range(checkpoints.COMPLETE_AT, 500):
        damaged = bytearray(whole[:-4])
        damaged[place : place + 4] = b"\xff\xff\xff\xff"
        frontier.write_bytes(damaged + struct.pack("=I", zlib.crc32(damaged)))
        try:
            open_again(begun)
        except (ValueError, OSError) as error:
            assert str(begun.checkpoint) in str(error)  # noqa: PT017


@pytest.mark.parametrize("damage", ["missing", "shorter", "longer", "empty"])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_damaged_part_is_refused(wide: Path, tmp_path: Path, form: str, damage: str) -> None:
    job = job_for(wide, tmp_path, form).begin()
    (part,) = job.checkpoint.glob("part-*")
    content = part.read_bytes()
    changed = {"shorter": content[:-1], "longer": content + b"\n", "empty": b""}
    if damage == "missing":
        part.unlink()
    else:
        part.write_bytes(changed[damage])
    assert_refused(job, f"damaged: {part.name} ")
    part.write_bytes(content)
    job.report()
    job.assert_tidy()
