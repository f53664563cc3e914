"""Bad input ends in one clear error that names it, before any work is done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pwalk
import pytest
import support

WRONG_VALUES: list[tuple[str, Any]] = [
    ("format", "xml"),
    ("format", ""),
    ("compression", "rar"),
    ("max_threads", -1),
    ("max_inflight", -1),
    ("max_depth", -1),
    ("buffer_threshold", ""),
    ("buffer_threshold", "lots"),
    ("buffer_threshold", "2XB"),
    ("buffer_threshold", "GB"),
    ("buffer_threshold", "-1GB"),
    ("buffer_threshold", "1 2GB"),
    ("buffer_threshold", "9" * 5000),
    ("buffer_threshold", "9" * 400 + ".0"),
    ("buffer_threshold", -1),
]

WRONG_TYPES: list[tuple[str, Any]] = [
    ("format", 7),
    ("output", 3.5),
    ("max_threads", "four"),
    ("max_threads", 1.5),
    ("buffer_threshold", [2]),
    ("exclude", 5),
    ("exclude", [None]),
    ("max_depth", "1"),
    ("progress", "not callable"),
    ("stall_timeout", "soon"),
    ("max_inflight", "many"),
]

GOOD_SIZES: list[int | str] = ["2GB", "512MB", "1.5GB", "64KB", "1048576", 1_048_576]


@pytest.fixture
def nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_a_wrong_value_is_a_value_error_that_names_the_argument(
    plain: Path, nothing_written: Path, name: str, value: object
) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        pwalk.report(plain, **options)
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize(("name", "value"), WRONG_TYPES)
def test_a_value_of_a_wrong_type_is_a_type_error(
    plain: Path, nothing_written: Path, name: str, value: object
) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(TypeError):
        pwalk.report(plain, **options)
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("size", GOOD_SIZES)
def test_a_size_is_a_number_of_bytes_or_a_text_with_a_unit(
    plain: Path, tmp_path: Path, size: int | str
) -> None:
    _, errors = pwalk.report(plain, output=tmp_path / "out", buffer_threshold=size)
    assert errors == []


@pytest.mark.parametrize("top", [None, 3, 1.5])
@pytest.mark.parametrize("start", [pwalk.report, pwalk.scan])
def test_a_top_that_is_no_path_is_a_type_error(
    nothing_written: Path, start: Callable[[object], object], top: object
) -> None:
    with pytest.raises(TypeError):
        start(top)
    assert support.names_in(nothing_written) == []


def test_an_unknown_argument_is_a_type_error(plain: Path, nothing_written: Path) -> None:
    options: dict[str, Any] = {"thread_count": 4}
    with pytest.raises(TypeError, match="thread_count"):
        pwalk.report(plain, **options)
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("start", [pwalk.report, pwalk.scan])
def test_a_top_with_a_null_byte_is_a_value_error(
    nothing_written: Path, start: Callable[[str], object]
) -> None:
    with pytest.raises(ValueError, match=r"(?i)null"):
        start("nul\0byte")
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("start", [pwalk.report, pwalk.scan])
def test_a_missing_top_is_not_found(
    tmp_path: Path, nothing_written: Path, start: Callable[[Path], object]
) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        start(tmp_path / "missing")
    assert str(tmp_path / "missing") in str(raised.value)
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("start", [pwalk.report, pwalk.scan])
def test_an_empty_top_is_not_found(nothing_written: Path, start: Callable[[str], object]) -> None:
    with pytest.raises((FileNotFoundError, ValueError)):
        start("")
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("start", [pwalk.report, pwalk.scan])
@pytest.mark.parametrize("kind", ["file", "fifo", "link"])
def test_a_top_that_is_not_a_directory_is_refused_without_blocking(
    tmp_path: Path, nothing_written: Path, start: Callable[[Path], object], kind: str
) -> None:
    top = tmp_path / kind
    if kind == "fifo":
        os.mkfifo(top)
    else:
        (tmp_path / "file").touch()
    if kind == "link":
        top.symlink_to("file")
    with pytest.raises(NotADirectoryError) as raised:
        start(top)
    assert str(top) in str(raised.value)
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_missing_output_directory_is_not_found(
    plain: Path, tmp_path: Path, nothing_written: Path, form: str
) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        pwalk.report(plain, form, tmp_path / "missing" / "out")
    assert str(tmp_path / "missing") in str(raised.value)
    assert not (tmp_path / "missing").exists()
    assert support.names_in(nothing_written) == []


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_an_output_that_is_a_directory_is_refused(
    plain: Path, nothing_written: Path, form: str
) -> None:
    (nothing_written / "folder").mkdir()
    with pytest.raises((OSError, ValueError)) as raised:
        pwalk.report(plain, form, nothing_written / "folder")
    assert "folder" in str(raised.value)
    assert support.names_in(nothing_written) == ["folder"]
    assert support.names_in(nothing_written / "folder") == []


def test_only_csv_is_streamed_to_stdout(plain: Path, nothing_written: Path) -> None:
    with pytest.raises(ValueError, match=r"output|format"):
        pwalk.report(plain, "parquet", "-")
    assert support.names_in(nothing_written) == []


def test_no_progress_is_reported_for_bad_input(plain: Path, nothing_written: Path) -> None:
    calls: list[pwalk.Progress] = []
    with pytest.raises(FileNotFoundError):
        pwalk.report(nothing_written / "missing", progress=calls.append)
    with pytest.raises(ValueError, match="format"):
        pwalk.report(plain, "xml", progress=calls.append)
    assert calls == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["report"], "PATH"),
        (["report", "missing"], "missing"),
        (["report", "file"], "file"),
        (["report", "--format", "xml", "tree"], "format"),
        (["report", "--format", "csv", "--compression", "rar", "tree"], "compression"),
        (["report", "--buffer-threshold", "lots", "tree"], "buffer"),
        (["report", "--max-threads", "-1", "tree"], "threads"),
        (["report", "--max-threads", "four", "tree"], "threads"),
        (["report", "--max-inflight", "-1", "tree"], "inflight"),
        (["report", "--depth", "deep", "tree"], "depth"),
        (["report", "--stall-timeout", "soon", "tree"], "stall"),
        (["report", "--output", "no/such/out.csv", "tree"], "no/such"),
        (["report", "--exclude", "no-such-list", "tree"], "no-such-list"),
        (["report", "--format", "parquet", "--output", "-", "tree"], "output"),
        (["report", "--no-such-flag", "tree"], "no-such-flag"),
        (["report", "tree", "second"], "second"),
        (["missing"], "missing"),
        (["walk"], "PATH"),
        (["walk", "missing"], "missing"),
        (["walk", "file"], "file"),
    ],
)
def test_the_command_names_the_bad_argument_and_exits_2(
    nothing_written: Path, arguments: list[str], named: str
) -> None:
    (nothing_written / "tree").mkdir()
    (nothing_written / "file").touch()
    answer = support.run_pwalk(*arguments, cwd=nothing_written)
    assert answer.returncode == 2
    assert named in answer.stderr.decode()
    assert answer.stdout == b""
    assert support.names_in(nothing_written) == ["file", "tree"]
