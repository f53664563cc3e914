"""komparu.compare_dir: each of its promises by itself."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import komparu
import mounts
import pytest
import support
from komparu import DiffReason, DirResult, _calls, _core

MEBI = 1 << 20
EQUAL = DirResult(True, {}, set(), set())
CONTENT, SIZE, TYPE = (
    DiffReason.CONTENT_MISMATCH,
    DiffReason.SIZE_MISMATCH,
    DiffReason.TYPE_MISMATCH,
)


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    return a, b


def put(top: Path, **files: str) -> None:
    """Write files: a "__" in a name stands for a slash."""
    for name, content in files.items():
        path = top / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def progress(a: Path, b: Path) -> tuple[list[tuple[bytes, str]], int, int]:
    """Compare by the core itself: what differs, pairs compared, bytes read."""
    options = _core.CompareOptions(chunk_size=0, size_precheck=True, quick_check=True)
    comparison = _core.TreeComparison(
        _calls.pool(), os.fsencode(a), os.fsencode(b), options, follow_symlinks=True, ignore=[]
    )
    assert comparison.wait(support.LIVENESS)
    assert comparison.failure() is None
    return comparison.differences()[0], *comparison.progress()


def result(**fields: Any) -> DirResult:
    """Return a result that tells of differences."""
    found = {"diff": {}, "only_left": set(), "only_right": set(), **fields}
    return DirResult(False, **found)


# ---- What is told -------------------------------------------------------------------------------


def test_diff_holds_paths_relative_to_the_top_with_the_reason(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    put(a, same="x", d__e__bytes="abc", d__size="abc", d__empty="")
    put(b, same="x", d__e__bytes="abd", d__size="ab", d__empty="x")
    expected = {"d/e/bytes": CONTENT, "d/size": SIZE, "d/empty": SIZE}
    assert komparu.compare_dir(a, b) == result(diff=expected)
    assert komparu.compare_dir(f"{a}///", f"{b}/.//") == result(diff=expected)
    monkeypatch.chdir(a)
    assert komparu.compare_dir(".", "../b/") == result(diff=expected)


def test_a_file_against_a_directory_is_a_type_mismatch_and_what_lies_below_is_in_only_one(
    pair: tuple[Path, Path],
) -> None:
    a, b = pair
    put(a, x__deep__one="1", x__two="2", y="file")
    put(b, x="file", y__three="3")
    os.mkfifo(a / "x" / "pipe")
    (a / "x" / "empty").mkdir()
    assert komparu.compare_dir(a, b) == result(
        diff={"x": TYPE, "y": TYPE},
        only_left={"x/deep/one", "x/two", "x/pipe"},
        only_right={"y/three"},
    )


def test_only_one_lists_files_not_directories(pair: tuple[Path, Path]) -> None:
    a, b = pair
    put(a, d__e__f="1")
    (a / "d" / "link").symlink_to("e")
    (b / "new" / "empty").mkdir(parents=True)
    put(b, new__file="")
    assert komparu.compare_dir(a, b, follow_symlinks=False) == result(
        only_left={"d/e/f", "d/link"}, only_right={"new/file"}
    )
    assert komparu.compare_dir(a, b).only_left == {"d/e/f", "d/link/f"}


def test_empty_directories_do_not_matter(pair: tuple[Path, Path]) -> None:
    a, b = pair
    (a / "one" / "in another").mkdir(parents=True)
    (b / "other").mkdir()
    assert komparu.compare_dir(a, b) == EQUAL
    (b / "one").touch()
    assert komparu.compare_dir(a, b) == result(diff={"one": TYPE})


def test_special_files_are_compared_by_type_and_device(pair: tuple[Path, Path]) -> None:
    a, b = pair
    for top in pair:
        os.mkfifo(top / "pipe")
        os.mknod(top / "socket", stat.S_IFSOCK | 0o600)
    assert komparu.compare_dir(a, b) == EQUAL
    (b / "pipe").unlink()
    (b / "pipe").touch()
    (b / "socket").unlink()
    os.mkfifo(b / "socket")
    assert komparu.compare_dir(a, b) == result(diff={"pipe": TYPE, "socket": TYPE})
    if os.geteuid() != 0:
        pytest.skip("devices are root's")
    shutil.rmtree(b)
    shutil.rmtree(a)
    for top, minor in zip(pair, (3, 5), strict=True):
        top.mkdir()
        os.mknod(top / "same", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.mknod(top / "number", stat.S_IFBLK | 0o600, os.makedev(7, minor))
        os.mknod(top / "kind", (stat.S_IFBLK, stat.S_IFCHR)[minor == 5] | 0o600, os.makedev(1, 7))
    assert komparu.compare_dir(a, b) == result(diff={"number": CONTENT, "kind": TYPE})


def test_names_are_bytes_and_come_back_with_surrogates(pair: tuple[Path, Path]) -> None:
    a, b = pair
    names = [b"\xff", b"new\nline", "größe".encode(), b"x" * 255, b"\xed\xa0\x80"]
    for name in names:
        Path(os.fsdecode(os.fsencode(a) + b"/" + name)).write_bytes(b"1")
        Path(os.fsdecode(os.fsencode(b) + b"/" + name)).write_bytes(b"2")
    (a / "\udcfe").symlink_to("nowhere")
    found = komparu.compare_dir(os.fsencode(a), b)
    assert {os.fsencode(name) for name in found.diff} == set(names)
    assert found.errors == {"\udcfe"}


# ---- Symlinks -----------------------------------------------------------------------------------


def test_followed_links_are_compared_by_what_they_lead_to(pair: tuple[Path, Path]) -> None:
    a, b = pair
    put(a, file="x", d__f="y")
    put(b, link="x", file="x", e__f="z", d__f="y")
    (a / "link").symlink_to("file")  # against a file
    (a / "dir").symlink_to(a / "d")
    (b / "dir").symlink_to(b / "e")
    assert komparu.compare_dir(a, b) == result(diff={"dir/f": CONTENT}, only_right={"e/f"})
    assert komparu.compare_dir(a, b, follow_symlinks=False) == result(
        diff={"link": TYPE, "dir": CONTENT}, only_right={"e/f"}
    )


def test_links_that_are_not_followed_are_compared_by_their_texts(pair: tuple[Path, Path]) -> None:
    a, b = pair
    put(a, file="x")
    put(b, file="x")
    for top, text in zip(pair, ("file", "./file"), strict=True):
        (top / "differs").symlink_to(text)
        (top / "dangling").symlink_to("nowhere")
        (top / "loop").symlink_to("loop")
        (top / "long").symlink_to("x" * 4000)
    assert komparu.compare_dir(a, b, follow_symlinks=False) == result(diff={"differs": CONTENT})
    assert komparu.compare_dir(a, b) == result(errors={"dangling", "loop", "long"})


@pytest.mark.parametrize("sides", ["left", "right", "both"])
def test_dangling_links_are_errors(pair: tuple[Path, Path], sides: str) -> None:
    for top, side in zip(pair, ("left", "right"), strict=True):
        if sides in (side, "both"):
            (top / "only").symlink_to("nowhere")
            (top / "file").symlink_to("nowhere")
        else:
            put(top, file="x")
    assert komparu.compare_dir(*pair) == result(errors={"only", "file"})


def test_loops_of_links_at_the_same_depth_are_equal_and_others_are_errors(
    pair: tuple[Path, Path],
) -> None:
    a, b = pair
    for top in pair:
        put(top, d__e__f="x")
        (top / "d" / "up").symlink_to("..")
        (top / "d" / "e" / "here").symlink_to(".")
    assert komparu.compare_dir(a, b) == EQUAL
    (a / "d" / "e" / "up").symlink_to("..")
    (b / "d" / "e" / "up").symlink_to("../..")
    assert komparu.compare_dir(a, b) == result(errors={"d/e/up"})
    (b / "d" / "e" / "up").unlink()
    assert komparu.compare_dir(a, b) == result(errors={"d/e/up"}), "on one side only"
    (b / "d" / "e" / "up").mkdir()
    assert komparu.compare_dir(a, b) == result(errors={"d/e/up"}), "against a directory"


def test_a_directory_and_a_link_to_it_are_both_compared(pair: tuple[Path, Path]) -> None:
    a, b = pair
    for top, content in zip(pair, "12", strict=True):
        put(top, m__f=content)
        for name in ("a before", "z behind"):
            (top / name).symlink_to("m")
    expected = {f"{name}/f": CONTENT for name in ("m", "a before", "z behind")}
    assert komparu.compare_dir(a, b) == result(diff=expected)


def test_the_order_of_listings_does_not_matter(pair: tuple[Path, Path]) -> None:
    """Directories full of links to one another: every path is gone along."""
    a, b = pair
    names = [f"d{number}" for number in range(5)]
    for top, order in ((a, names), (b, names[::-1])):
        for name in order:
            (top / name).mkdir()
            put(top / name, file=name)
        for name in order:
            for other in order:
                (top / name / f"to {other}").symlink_to(f"../{other}")
    assert komparu.compare_dir(a, b, comparison_timeout=60) == EQUAL
    put(b, d3__file="??")
    found = komparu.compare_dir(a, b)
    assert not found.errors
    paths = set(found.diff)
    assert {"d3/file", "d0/to d3/file", "d0/to d1/to d4/to d2/to d3/file"} <= paths
    assert len(paths) == 1 + 4 + 4 * 3 + 4 * 3 * 2 + 4 * 3 * 2 * 1


# ---- The same, or as good as --------------------------------------------------------------------


def test_the_same_top_through_links_or_slashes_is_equal_at_once(pair: tuple[Path, Path]) -> None:
    a, b = pair
    put(a, file="x")
    (a / "dangling").symlink_to("nowhere")
    shutil.rmtree(b)
    b.symlink_to(a)
    for other in (str(a), f"{a}/", f"{a}//.", f"{a}/../a", str(b), f"{b}/"):
        assert komparu.compare_dir(a, other) == EQUAL
    assert progress(a, b) == ([], 0, 0)


def test_a_mount_below_one_of_two_views_is_not_overlooked(tmp_path: Path) -> None:
    source = tmp_path / "source"
    put(source, d__inner__file="x", d__beside="y")
    with mounts.bind(source, tmp_path / "view") as view:
        assert komparu.compare_dir(source, view) == EQUAL
        assert progress(source, view) == ([], 2, 0)
        with mounts.tmpfs(view / "d" / "inner") as inner:
            put(inner, other="z")
            assert komparu.compare_dir(source, view) == result(
                only_left={"d/inner/file"}, only_right={"d/inner/other"}
            )


def test_hard_links_and_shared_extents_are_not_read(tmp_path: Path) -> None:
    with mounts.image(tmp_path, "xfs") as place:
        a, b = place / "a", place / "b"
        a.mkdir()
        (a / "large").write_bytes(os.urandom(12 * MEBI))
        (a / "small").write_bytes(os.urandom(9000))
        subprocess.run(["cp", "-r", "--reflink=always", a, b], check=True)
        os.link(a / "small", a / "hard")
        os.link(a / "small", b / "hard")
        os.sync()
        assert progress(a, b) == ([], 3, 0)
        (b / "small").write_bytes((a / "small").read_bytes())
        os.sync()
        assert progress(a, b) == ([], 3, 18_000)


def test_holes_on_both_sides_are_not_read(pair: tuple[Path, Path]) -> None:
    for top in pair:
        with (top / "sparse").open("wb") as file:
            file.truncate(1 << 36)
            file.seek(1 << 35)
            file.write(b"data")
    found, files, read = progress(*pair)
    assert (found, files) == ([], 1)
    assert read < 4 * MEBI
    with (pair[1] / "sparse").open("r+b") as file:
        file.seek(3 << 30)
        file.write(b"x")
    assert komparu.compare_dir(*pair) == result(diff={"sparse": CONTENT})


@pytest.mark.parametrize("place", [0, 5 * MEBI, 16 * MEBI, 48 * MEBI, 64 * MEBI - 1])
@pytest.mark.parametrize("quick", [True, False])
def test_a_large_file_amidst_small_ones(pair: tuple[Path, Path], place: int, quick: bool) -> None:
    for top in pair:
        put(top, **{f"f{number}": "small" for number in range(100)})
        with (top / "f50").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 64 * MEBI)
    assert komparu.compare_dir(*pair, quick_check=quick) == EQUAL
    with (pair[1] / "f50").open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    assert komparu.compare_dir(*pair, quick_check=quick) == result(diff={"f50": CONTENT})
    put(pair[1], f99="smell")
    expected = {"f50": CONTENT, "f99": CONTENT}
    assert komparu.compare_dir(*pair, quick_check=quick, max_workers=1).diff == expected


def test_views_into_the_kernel_are_read(tmp_path: Path) -> None:
    """Their sizes are 0, or a page, whatever they hold."""
    source = Path("/proc/sys/kernel/random")
    if not source.is_dir():
        pytest.skip(f"there is no {source}")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in source.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert komparu.compare_dir(source, copy).diff == {"uuid": CONTENT}
    assert komparu.compare_dir(copy, source).diff == {"uuid": CONTENT}
    (copy / "poolsize").write_text("7\n")
    (copy / "boot_id").write_text("")
    assert set(komparu.compare_dir(source, copy).diff) == {"uuid", "poolsize", "boot_id"}
    with mounts.bind(source, tmp_path / "view") as view:
        assert komparu.compare_dir(source, view) == EQUAL


# ---- What goes in and out -----------------------------------------------------------------------


def test_a_top_that_is_missing_or_no_directory(pair: tuple[Path, Path], tmp_path: Path) -> None:
    a, _ = pair
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "dangling", "missing/below"):
        for tops in ((a, tmp_path / name), (tmp_path / name, a)):
            with pytest.raises(komparu.SourceNotFoundError) as missing:
                komparu.compare_dir(*tops)
            assert (missing.value.errno, missing.value.filename) == (
                errno.ENOENT,
                str(tmp_path / name),
            )
    for name in ("file", "pipe"):
        for tops in ((a, tmp_path / name), (tmp_path / name, a)):
            with pytest.raises(komparu.SourceReadError) as wrong:
                komparu.compare_dir(*tops)
            assert (wrong.value.errno, wrong.value.filename) == (
                errno.ENOTDIR,
                str(tmp_path / name),
            )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("", "/missing"), {}, "dir_a cannot be empty"),
        (("/missing", b""), {}, "dir_b cannot be empty"),
        (("/missing\0", "/missing"), {}, "path contains null byte"),
        (("http://host/", "/missing"), {}, "dir_a: cannot read http:// URLs"),
        (("/missing", "/missing"), {"max_workers": -1}, "max_workers must be non-negative"),
        (("/missing", "/missing"), {"max_workers": 257}, "max_workers must be <= 256"),
        (("/missing", "/missing"), {"max_workers": True}, "max_workers must be int"),
        (("/missing", "/missing"), {"follow_symlinks": 1}, "follow_symlinks must be True or"),
        (("/missing", "/missing"), {"ignore": "*.txt"}, "ignore must be an iterable"),
        (("/missing", "/missing"), {"ignore": [b"x"]}, "ignore must hold str, not bytes"),
        (("/missing", "/missing"), {"ignore": ["\ud800"]}, "ignore cannot be encoded"),
        (("/missing", "/missing"), {"chunk_size": 0}, "chunk_size must be positive"),
        (("/missing", "/missing"), {"comparison_timeout": 0}, "comparison_timeout must be pos"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_before_any_work(
    arguments: tuple[Any, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(komparu.ConfigError, match=message):
        komparu.compare_dir(*arguments, **options)


@pytest.mark.parametrize("wrong", [None, 5, ["x"], 1.5])
def test_what_is_no_path_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="dir_b"):
        komparu.compare_dir("/", wrong)


def test_options_after_the_directories_are_given_by_name(pair: tuple[Path, Path]) -> None:
    with pytest.raises(TypeError):
        komparu.compare_dir(*pair, 65536)  # type: ignore[call-arg]


def test_a_call_comes_before_the_configuration(pair: tuple[Path, Path]) -> None:
    put(pair[0], file="x")
    (pair[0] / "link").symlink_to("nowhere")
    komparu.configure(ignore=["file"], follow_symlinks=False)
    assert komparu.compare_dir(*pair).only_left == {"link"}
    assert komparu.compare_dir(*pair, ignore=None).only_left == {"link", "file"}
    assert komparu.compare_dir(*pair, follow_symlinks=True).errors == {"link"}


def test_results_are_frozen_and_can_be_pickled(pair: tuple[Path, Path]) -> None:
    a, b = pair
    put(a, left="x", both="1")
    put(b, right="x", both="2")
    (a / "\udcff").symlink_to("nowhere")
    found = komparu.compare_dir(a, b)
    assert found == DirResult(False, {"both": CONTENT}, {"left"}, {"right"}, {"\udcff"})
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.equal = True  # type: ignore[misc]
    assert found.diff["both"] == "content_mismatch"
