"""The walk command: one path a line, for people and for pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import oracle
import pytest
import support
import trees


def walked(top: str | Path, cwd: Path, *flags: str) -> Counter[bytes]:
    """The paths printed below the top; whether the top itself is printed is left open."""
    end = b"\0" if "--null" in flags else b"\n"
    answer = support.run_pwalk("walk", top, *flags, cwd=cwd)
    assert answer.returncode == 0, answer.stderr.decode(errors="replace")
    assert answer.stdout == b"" or answer.stdout.endswith(end)
    printed = Counter(answer.stdout.split(end)[:-1])
    printed.pop(os.fsencode(top), None)
    return printed


def grow(top: Path, *files: str) -> None:
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(os.fsencode(name))


def below(top: Path, *names: str) -> Counter[bytes]:
    return Counter(os.fsencode(top / name) for name in names)


def test_every_entry_is_printed_once_on_a_line_of_its_own(tree: Path, tmp_path: Path) -> None:
    grow(tree, "a/b/file", "a/file", "c d", 'quo"te', ".hidden")
    assert walked(tree, tmp_path) == below(
        tree, "a", "a/b", "a/b/file", "a/file", "c d", 'quo"te', ".hidden"
    )


def test_with_null_every_name_is_exact_whatever_it_holds(tree: Path, tmp_path: Path) -> None:
    trees.odd_names(tree / "names")
    trees.odd_directories(tree / "directories")
    trees.kinds(tree / "kinds")
    trees.deep(tree / "deep")
    expected = set(oracle.expected_rows(tree)) - {os.fsencode(tree)}
    assert walked(tree, tmp_path, "--null") == Counter(expected)


def test_only_directories_or_only_files_may_be_asked_for(tree: Path, tmp_path: Path) -> None:
    grow(tree, "a/b/file", "a/file", "c")
    (tree / "empty").mkdir()
    (tree / "dangling").symlink_to("nowhere")
    os.mkfifo(tree / "fifo")
    assert walked(tree, tmp_path, "--dirs") == below(tree, "a", "a/b", "empty")
    assert walked(tree, tmp_path, "--files") == below(
        tree, "a/b/file", "a/file", "c", "dangling", "fifo"
    )


def test_a_link_to_a_directory_is_printed_and_not_entered(tree: Path, tmp_path: Path) -> None:
    grow(tree, "a/file")
    (tree / "link").symlink_to("a")
    (tree / "loop").symlink_to(".")
    assert walked(tree, tmp_path) == below(tree, "a", "a/file", "link", "loop")


def test_snapshot_directories_are_left_out(tree: Path, tmp_path: Path) -> None:
    grow(tree, "a/.snapshot/file", "a/file", ".snapshot/file")
    assert walked(tree, tmp_path) == below(tree, "a", "a/file")


@pytest.mark.parametrize("top", [".", "a", "./a"])
def test_paths_begin_with_the_top_as_given(tree: Path, top: str) -> None:
    grow(tree, "a/file")
    printed = walked(top, tree)
    assert os.fsencode(f"{top}/file" if top != "." else "./a/file") in printed


def test_an_empty_directory_prints_nothing_below_itself(tree: Path, tmp_path: Path) -> None:
    assert walked(tree, tmp_path) == Counter()


def test_a_hundred_thousand_names_arrive(flat: Path, tmp_path: Path) -> None:
    expected = set(oracle.expected_rows(flat)) - {os.fsencode(flat)}
    assert walked(flat, tmp_path) == Counter(expected)


def test_sixty_four_descriptors_are_enough(traps: Path, tmp_path: Path) -> None:
    answer = support.run_pwalk("walk", traps, "--null", cwd=tmp_path, descriptors=64)
    expected = oracle.survey(traps)
    assert answer.returncode == bool(expected.errors), answer.stderr.decode(errors="replace")
    assert set(expected.rows) - {os.fsencode(traps)} <= set(answer.stdout.split(b"\0"))


@pytest.mark.parametrize("arguments", [("walk",), ("report", "--format=csv", "--output=-")])
def test_a_reader_that_goes_away_ends_it_without_a_traceback(
    flat: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        [*support.PWALK, *arguments, str(flat)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=support.wide_environment(),
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() != b""
        child.stdout.close()
        told = child.stderr.read()
        child.wait(support.LIVENESS)
    assert b"Traceback" not in told
    assert b"Exception ignored" not in told
    assert support.names_in(tmp_path) == []


@pytest.mark.parametrize("command", [["walk"], ["report", "--output", "-", "--quiet"]])
def test_a_reader_that_leaves_early_ends_the_command_quietly(
    flat: Path, command: list[str]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pwalk.cli", *command, flat],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.read(1)
        child.stdout.close()
        assert child.wait(support.LIVENESS) == 2
        assert child.stderr is not None
        assert child.stderr.read() == b""
