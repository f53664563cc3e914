"""komparu.compare_all and compare_many, against the bytes that tests know."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import komparu
import komparu.aio
import large_files
import pytest
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from komparu import _calls, _core

MEBI = 1 << 20
RANGE = 4 << 20  # what one thread reads, and the size from which samples are looked at


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture(params=["sync", "asyncio"])
def many(request: pytest.FixtureRequest) -> Callable[..., komparu.CompareResult]:
    """Both ways to ask."""
    if request.param == "sync":
        return komparu.compare_many
    return lambda *given, **options: asyncio.run(komparu.aio.compare_many(*given, **options))


@pytest.fixture(params=["sync", "asyncio"])
def alike(request: pytest.FixtureRequest) -> Callable[..., bool]:
    if request.param == "sync":
        return komparu.compare_all
    return lambda *given, **options: asyncio.run(komparu.aio.compare_all(*given, **options))


def written(directory: Path, contents: list[bytes]) -> list[str]:
    paths = [directory / f"{i:04}" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


def expected(paths: list[str], contents: list[bytes]) -> komparu.CompareResult:
    """What compare_many must say, by the bytes themselves."""
    groups: dict[bytes, set[str]] = {}
    for path, content in zip(paths, contents, strict=True):
        groups.setdefault(content, set()).add(path)
    return komparu.CompareResult(
        all_equal=len(groups) <= 1,
        groups=list(groups.values()),
        diff={
            (a, b): left != right
            for (a, left), (b, right) in itertools.combinations(
                zip(paths, contents, strict=True), 2
            )
        },
    )


def sha256_of(paths: list[str]) -> list[str]:
    said = subprocess.run(["sha256sum", *paths], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in said.stdout.splitlines()]


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def bytes_read(paths: list[str], only_whether: bool = False, **options: Any) -> tuple[bool, int]:
    """Compare by the core itself, which tells how much it has read."""
    given: dict[str, Any] = {"chunk_size": 0, "size_precheck": True, "quick_check": True, **options}
    comparison = _core.GroupComparison(
        _calls.pool(),
        [os.fsencode(path) for path in paths],
        _core.CompareOptions(**given),
        only_whether=only_whether,
    )
    assert comparison.wait(support.LIVENESS)
    assert comparison.failure() is None
    return comparison.all_equal, comparison.bytes_read


# ---- compare_all ---------------------------------------------------------------------------------


def test_none_and_one_source_are_true(alike: Callable[..., bool], tmp_path: Path) -> None:
    assert alike([]) is True
    assert alike([tmp_path / "one"]) is True
    assert alike(iter([])) is True


@pytest.mark.parametrize("planted", [0, 1, 7, 15])
def test_one_that_differs_among_many_is_found(
    alike: Callable[..., bool], tmp_path: Path, planted: int
) -> None:
    contents = [b"the same" * 1000] * 16
    paths = written(tmp_path, contents)
    assert alike(paths) is True
    with Path(paths[planted]).open("r+b") as file:
        file.seek(7999)
        file.write(b"!")
    assert alike(paths) is False


def test_a_difference_in_size_is_told_without_reading(tmp_path: Path) -> None:
    paths = written(tmp_path, [b"x" * 1000, b"x" * 1000, b"x" * 1001])
    assert bytes_read(paths, only_whether=True) == (False, 0)


def test_the_first_difference_stops_the_reading(tmp_path: Path) -> None:
    size = 64 * MEBI
    paths = written(tmp_path, [bytes(size)] * 3)
    with Path(paths[1]).open("r+b") as file:
        file.seek(size // 16)
        file.write(b"!")  # where no sample is taken
    equal, read = bytes_read(paths, only_whether=True, max_workers=1)
    assert not equal
    assert read < 3 * size * 3 // 4
    with Path(paths[1]).open("r+b") as file:
        file.write(b"!")
    equal, read = bytes_read(paths, only_whether=True)
    assert not equal
    assert read <= 3 * 5 * (64 << 10)  # samples


# ---- compare_many --------------------------------------------------------------------------------


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_sources_are_grouped_by_their_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    pool = data.draw(st.lists(st.binary(max_size=20), min_size=1, max_size=4))
    sizes = st.sampled_from([0, 1, 4096, RANGE - 1, RANGE, RANGE + 1])
    pool += [b"\0" * data.draw(sizes), b"\0" * data.draw(sizes) + b"\1"]
    contents = data.draw(st.lists(st.sampled_from(pool), min_size=2, max_size=8))
    options: dict[str, Any] = {
        "chunk_size": data.draw(st.sampled_from([1000, 65536, 8 * MEBI])),
        "size_precheck": data.draw(st.booleans()),
        "quick_check": data.draw(st.booleans()),
        "max_workers": data.draw(st.sampled_from([0, 1, 2])),
    }
    paths = written(tmp_path_factory.mktemp("many"), contents)
    wanted = expected(paths, contents)
    assert len(wanted.groups) == len(set(sha256_of(paths)))
    assert komparu.compare_many(paths, **options) == wanted
    assert komparu.compare_all(paths, **options) == wanted.all_equal
    for path in paths:
        Path(path).unlink()


@pytest.mark.parametrize(
    "place",
    [0, 1, 4095, 4096, RANGE - 1, RANGE, RANGE + 1, 2 * RANGE - 1, 2 * RANGE, 3 * RANGE - 1],
)
def test_one_byte_that_differs_is_found_wherever_it_is(tmp_path: Path, place: int) -> None:
    content = random.Random(place).randbytes(3 * RANGE)
    other = bytearray(content)
    other[place] ^= 1
    contents = [content, bytes(other), content]
    paths = written(tmp_path, contents)
    for quick_check in (True, False):
        assert komparu.compare_many(paths, quick_check=quick_check) == expected(paths, contents)


def test_two_that_differ_at_the_same_place_are_not_the_same(tmp_path: Path) -> None:
    contents = [bytes(2 * RANGE), b"\1" + bytes(2 * RANGE - 1), b"\2" + bytes(2 * RANGE - 1)]
    paths = written(tmp_path, contents)
    assert komparu.compare_many(paths) == expected(paths, contents)


def test_each_source_is_read_about_once(tmp_path: Path) -> None:
    size = 2 * MEBI
    paths = written(tmp_path, [random.Random(1).randbytes(size)] * 20)
    assert bytes_read(paths) == (True, 20 * size)


def test_large_sources_are_read_once_and_their_samples(tmp_path: Path) -> None:
    size = 8 * MEBI
    paths = written(tmp_path, [bytes(size)] * 4)
    assert bytes_read(paths) == (True, 4 * (size + 5 * (64 << 10)))


def test_what_no_other_can_equal_is_not_read(tmp_path: Path) -> None:
    paths = written(tmp_path, [b"a", b"ab", b"abc", b"abc"])
    assert bytes_read(paths) == (False, 6)


def test_an_empty_file_is_no_reason_to_read_the_others(tmp_path: Path) -> None:
    paths = written(tmp_path, [b"abc", b"", b"ab", b""])
    assert bytes_read(paths) == (False, 0)
    assert komparu.compare_many(paths).groups == [{paths[0]}, {paths[1], paths[3]}, {paths[2]}]


def test_one_file_under_several_names_is_not_read(tmp_path: Path) -> None:
    (first,) = written(tmp_path, [b"content"])
    os.link(first, tmp_path / "second")
    (tmp_path / "third").symlink_to(first)
    paths = [first, str(tmp_path / "second"), str(tmp_path / "third")]
    assert bytes_read(paths) == (True, 0)
    assert komparu.compare_many(paths).groups == [set(paths)]


def test_files_without_a_size_are_read() -> None:
    sources = ["/proc/version", "/proc/sys/kernel/ostype", "/proc/version"]
    result = komparu.compare_many(sources)
    assert result.groups == [{"/proc/version"}, {"/proc/sys/kernel/ostype"}]


def test_a_file_without_a_size_equals_one_with_it(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(Path("/proc/version").read_bytes())
    assert komparu.compare_many(["/proc/version", copy]).all_equal
    assert komparu.compare_all(["/proc/version", copy, "/dev/null"]) is False


def test_groups_are_in_the_order_of_the_sources(
    many: Callable[..., komparu.CompareResult], tmp_path: Path
) -> None:
    contents = [b"c", b"a", b"c", b"b", b"a"]
    paths = written(tmp_path, contents)
    assert many(paths).groups == [{paths[0], paths[2]}, {paths[1], paths[4]}, {paths[3]}]


def test_diff_has_every_pair(many: Callable[..., komparu.CompareResult], tmp_path: Path) -> None:
    contents = [b"1", b"2", b"1"]
    a, b, c = written(tmp_path, contents)
    assert many([a, b, c]).diff == {(a, b): True, (a, c): False, (b, c): True}


def test_sources_of_every_kind_are_named_as_given(tmp_path: Path) -> None:
    (path,) = written(tmp_path, [b"x"])
    odd = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(odd)).write_bytes(b"x")
    url = f"file://{path}"
    result = komparu.compare_many([Path(path), odd, url, komparu.Source(path)])
    assert result.groups == [{path, os.fsdecode(odd), url}]


def test_a_thousand_sources_take_few_threads_and_descriptors(tmp_path: Path) -> None:
    contents = [b"%d" % (i % 10) * 4096 for i in range(1000)]
    paths = written(tmp_path, contents)
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, descriptors())

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = descriptors()
    try:
        assert komparu.compare_many(paths) == expected(paths, contents)
    finally:
        done.set()
        watcher.join()
    assert 0 < most < before + 64


@pytest.mark.parametrize("call", [komparu.compare_all, komparu.compare_many])
def test_a_source_that_cannot_be_read_is_an_error(call: Callable[..., Any], tmp_path: Path) -> None:
    paths = written(tmp_path, [b"a", b"a"])
    with pytest.raises(komparu.SourceNotFoundError) as missing:
        call([*paths, tmp_path / "gone"])
    assert missing.value.filename == str(tmp_path / "gone")
    with pytest.raises(IsADirectoryError):
        call([*paths, tmp_path])
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(komparu.SourceReadError, match="not a regular file"):
        call([*paths, tmp_path / "fifo"])


def test_a_file_that_changes_meanwhile_is_no_answer(tmp_path: Path) -> None:
    size = 4 * MEBI
    paths = written(tmp_path, [bytes(size)] * 40)
    begun, done = threading.Event(), threading.Event()

    def change() -> None:
        while not done.is_set():
            for path in paths:
                os.utime(path)
            begun.set()

    writer = threading.Thread(target=change)
    writer.start()
    try:
        assert begun.wait(support.LIVENESS)
        with pytest.raises(komparu.SourceReadError, match="changed while"):
            komparu.compare_many(paths)
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize("wrong", ["a/path", b"a", Path("a"), komparu.Source("a"), 7, None])
@pytest.mark.parametrize("call", [komparu.compare_all, komparu.compare_many])
def test_what_is_not_several_sources_is_refused(call: Callable[..., Any], wrong: Any) -> None:
    with pytest.raises(TypeError, match="sources must be an iterable of sources"):
        call(wrong)


def test_a_source_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(komparu.ConfigError, match=r"sources\[1\] cannot be empty"):
        komparu.compare_many([tmp_path, ""])
    with pytest.raises(komparu.ConfigError, match=r"sources\[0\]: path contains null byte"):
        komparu.compare_all(["a\0b", tmp_path])
    with pytest.raises(TypeError, match=r"sources\[2\] must be"):
        komparu.compare_all(["a", "b", 3])  # type: ignore[list-item]


def test_the_time_limit_is_kept(tmp_path: Path) -> None:
    with (
        large_files.allocated(tmp_path, 4 << 30) as pair,
        pytest.raises(komparu.ComparisonTimeoutError),
    ):
        komparu.compare_many(pair, comparison_timeout=1e-3)
