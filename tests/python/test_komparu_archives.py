"""komparu.compare_archive, against the files that the archives were made of."""

from __future__ import annotations

import asyncio
import errno
import gzip
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archives
import komparu
import pytest
import support
from archives import MAKERS, QUICK_MAKERS, Files, run, tar_of, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st
from komparu import DiffReason, _calls, _core, aio

MEBI = 1 << 20

FILES: Files = {
    "d/random": os.urandom(345_678),
    "a.txt": b"some text\n" * 300,
    "d/empty": b"",
    "d/e/nul": bytes(100_000),
    "z": b"z",
}

Pair = tuple[Path, Path]


@pytest.fixture(autouse=True)
def _options_of_its_own() -> Iterator[None]:
    yield
    komparu.reset_config()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tmp_path / "a", tmp_path / "b"


@pytest.fixture(params=[False, True], ids=["in step", "hashed"])
def compare(request: pytest.FixtureRequest, pair: Pair) -> Callable[..., komparu.DirResult]:
    """Compare two archives, given as bytes."""

    def compare_bytes(a: bytes, b: bytes, **options: Any) -> komparu.DirResult:
        pair[0].write_bytes(a)
        pair[1].write_bytes(b)
        return komparu.compare_archive(*pair, hash_compare=request.param, **options)

    return compare_bytes


Compare = Callable[..., komparu.DirResult]


def expected(a: Files, b: Files) -> komparu.DirResult:
    """What a comparison of two sets of files is to find."""
    diff = {
        name: DiffReason.CONTENT_MISMATCH
        if len(a[name]) == len(b[name])
        else DiffReason.SIZE_MISMATCH
        for name in a.keys() & b.keys()
        if a[name] != b[name]
    }
    left, right = set(a) - set(b), set(b) - set(a)
    return komparu.DirResult(not (diff or left or right), diff, left, right)


# ---- Formats ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return {kind: maker(FILES) for kind, maker in MAKERS.items()}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_format_holds_the_same(compare: Compare, made: dict[str, bytes], kind: str) -> None:
    for other in ("tar gnu", "zip stored", kind):
        assert compare(made[kind], made[other]) == expected(FILES, FILES)
        assert compare(made[other], made[kind]) == expected(FILES, FILES)


@pytest.mark.parametrize("kind", MAKERS)
def test_every_difference_is_found_in_every_format(compare: Compare, kind: str) -> None:
    changed = bytearray(FILES["d/random"])
    changed[-1] ^= 1
    other = {**FILES, "d/random": bytes(changed), "z": b"zz", "new": b"n"}
    del other["a.txt"]
    assert compare(MAKERS[kind](other), tar_of(FILES.items())) == expected(other, FILES)


def test_the_order_does_not_matter(compare: Compare) -> None:
    backwards = dict(reversed(FILES.items()))
    for a in ("tar gnu", "zip"):
        for b in QUICK_MAKERS:
            whole = compare(QUICK_MAKERS[a](FILES), QUICK_MAKERS[b](backwards))
            assert whole == expected(FILES, FILES)


_contents = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda byte, size: byte * size, st.sampled_from([b"\0", b"x"]), st.integers(0, 5000)),
)
_names = st.text("ab", min_size=1, max_size=3).map(lambda name: f"d/{name}")
_differences = st.sampled_from(["none", "first", "last", "name", "missing", "extra", "order"])


@settings(max_examples=120, deadline=None)
@given(
    files=st.dictionaries(_names, _contents, min_size=1, max_size=6),
    kinds=st.tuples(*2 * [st.sampled_from(sorted(QUICK_MAKERS))]),
    difference=_differences,
    data=st.data(),
)
def test_one_planted_difference_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    files: Files,
    kinds: tuple[str, str],
    difference: str,
    data: st.DataObject,
) -> None:
    other = dict(files)
    name = data.draw(st.sampled_from(sorted(files)))
    if difference in ("first", "last") and other[name]:
        content = bytearray(other[name])
        content[0 if difference == "first" else -1] ^= 0x80
        other[name] = bytes(content)
    elif difference == "name":
        other[name + "'"] = other.pop(name)
    elif difference == "missing":
        del other[name]
    elif difference == "extra":
        other["extra"] = data.draw(_contents)
    elif difference == "order":
        other = {key: other[key] for key in data.draw(st.permutations(sorted(other)))}
    place = tmp_path_factory.getbasetemp()
    pair = place / "planted a", place / "planted b"
    for path, kind, content_of in zip(pair, kinds, (files, other), strict=True):
        path.write_bytes(QUICK_MAKERS[kind](content_of))
    for hashed in (False, True):
        found = komparu.compare_archive(*pair, hash_compare=hashed)
        assert found == expected(files, other)


def test_an_archive_and_itself_is_equal(pair: Pair) -> None:
    pair[0].write_bytes(tar_of(FILES.items()))
    assert komparu.compare_archive(pair[0], pair[0]).equal
    pair[0].write_bytes(tar_of(FILES.items())[:-20000])
    with pytest.raises(komparu.ArchiveError, match="runcated"):
        komparu.compare_archive(pair[0], pair[0])


def test_archives_are_named_in_every_way(pair: Pair) -> None:
    for path in pair:
        path.write_bytes(tar_of([("a", b"1")]))
    a, b = pair
    for name in (str(b), os.fsencode(b), b.as_uri(), komparu.Source(b)):
        assert komparu.compare_archive(a, name).equal
    with pytest.raises(komparu.ConfigError, match=r"^path_a cannot be empty$"):
        komparu.compare_archive("", b)
    with pytest.raises(komparu.ConfigError, match=r"^path_b cannot be empty$"):
        komparu.compare_archive(a, "")
    with pytest.raises(TypeError, match=r"^path_a must be str"):
        komparu.compare_archive(7, b)  # type: ignore[arg-type]


# ---- Names --------------------------------------------------------------------------------------


def test_dot_slash_is_stripped(compare: Compare) -> None:
    dotted = [("./d/a", b"1"), ("././b", b"2"), ("d//c/./e", b"3")]
    plain = [("d/a", b"1"), ("b", b"2"), ("d/c/e", b"3")]
    for make in (tar_of, zip_of, archives.cpio_of):
        assert compare(make(dotted), make(plain)).equal
        assert compare(make(dotted), make(plain[::-1])).equal


def test_names_that_lead_outside_are_skipped(compare: Compare) -> None:
    outside = [("/etc/passwd", b"1"), ("../up", b"2"), ("d/../a", b"3"), ("a", b"4")]
    found = compare(tar_of(outside), tar_of([("a", b"4")]))
    assert found.equal
    assert found.skipped == {"/etc/passwd", "../up", "d/../a"}
    assert compare(zip_of(outside), zip_of([("a", b"4")])).skipped == found.skipped


def test_links_and_devices_are_skipped(compare: Compare, tmp_path: Path) -> None:
    top = tmp_path / "top"
    archives.write_tree(top, {"a": b"1", "d/b": b"2"})
    (top / "link").symlink_to("a")
    (top / "d/dangling").symlink_to("/nowhere")
    os.mkfifo(top / "fifo")
    skipped = {"link", "d/dangling", "fifo"}
    if os.geteuid() == 0:
        os.mknod(top / "null", 0o20666, os.makedev(1, 3))
        skipped |= {"null"}
    names = b"".join(os.fsencode(path.relative_to(top)) + b"\n" for path in top.rglob("*"))
    plain = tar_of([("a", b"1"), ("d/b", b"2")])
    for form in ("newc", "odc", "ustar"):
        made = run("cpio", "--quiet", "-o", "-H", form, cwd=top, stdin=names)
        found = compare(made, plain)
        assert found.equal
        assert found.skipped == skipped
    assert compare(run("tar", "-c", ".", cwd=top), plain).skipped == skipped
    run("zip", "-qry", "../made.zip", "a", "d", "link", cwd=top)
    assert compare((tmp_path / "made.zip").read_bytes(), plain).skipped == skipped & {
        "link",
        "d/dangling",
    }


def test_of_several_entries_of_a_name_the_last_one_wins(compare: Compare) -> None:
    once = tar_of([("a", b"2"), ("b", b"1")])
    entries = [("a", b"1"), ("b", b"1"), ("a", b"2")]
    assert compare(tar_of(entries), once).equal
    assert not compare(tar_of(entries[::-1]), once).equal
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zip_of(entries)
    assert compare(twice, once).equal
    assert compare(once, twice).equal


def test_names_are_bytes(compare: Compare, tmp_path: Path) -> None:
    names = ["bad \udcff\udcfe", "é", "e\u0301", "new\nline", "x" * 90]
    top = tmp_path / "top"
    archives.write_tree(top, dict.fromkeys(names, b"x"))
    made = [run("tar", "-c", f"--format={form}", ".", cwd=top) for form in ("gnu", "pax", "ustar")]
    for one in made:
        for other in made:
            assert compare(one, other).equal
        assert compare(one, tar_of([])).only_left == set(names)
    cpio = archives.cpio_of((name, b"x") for name in names)
    assert compare(cpio, made[0]).equal
    run("zip", "-qr", "../made.zip", ".", cwd=top)
    assert compare((tmp_path / "made.zip").read_bytes(), tar_of([])).only_left >= {"new\nline"}


def test_names_in_unicode_do_not_depend_on_the_locale(pair: Pair) -> None:
    files = {"é/€": b"x", "日本": b"y"}
    code = "import sys, komparu; print(komparu.compare_archive(*sys.argv[1:]).equal)"
    pair[0].write_bytes(tar_of(files.items()))
    for kind in ("zip stored", "7z", "rar5"):
        pair[1].write_bytes(MAKERS[kind](files))
        for locale in ("C", "C.UTF-8", "POSIX"):
            answer = subprocess.run(
                [sys.executable, "-c", code, *map(str, pair)],
                env={**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"},
                check=True,
                capture_output=True,
            )
            assert answer.stdout == b"True\n"


# ---- Links and holes ----------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    top = tmp_path / "linked"
    archives.write_tree(top, {"a": b"1" * 5000, "m/b": b"2", "z": b""})
    (top / "m/a too").hardlink_to(top / "a")
    (top / "z too").hardlink_to(top / "z")
    (top / "m/a three").hardlink_to(top / "a")
    return top


def test_hard_links_have_their_targets_content(compare: Compare, linked: Path) -> None:
    names = sorted(str(path.relative_to(linked)) for path in linked.rglob("*") if path.is_file())
    files = {name: (linked / name).read_bytes() for name in names}
    changed = {**files, "m/a too": b"other"}
    for order in (names, names[::-1]):
        listed = b"".join(os.fsencode(name) + b"\n" for name in order)
        made = [
            run("tar", "-c", f"--format={form}", "-T", "-", cwd=linked, stdin=listed)
            for form in ("gnu", "pax", "ustar")
        ] + [
            run("cpio", "--quiet", "-o", "-H", form, cwd=linked, stdin=listed)
            for form in ("newc", "crc", "odc", "bin", "ustar")
        ]
        for one in made:
            assert compare(one, tar_of(files.items())).equal
            assert compare(tar_of(reversed(files.items())), one).equal
            assert compare(one, made[0]).equal
            assert compare(one, zip_of(changed.items())) == expected(files, changed)


def test_a_hard_link_whose_target_is_not_there_is_an_error(compare: Compare) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "a"
        tar.addfile(link)
    with pytest.raises(komparu.ArchiveError, match="the hard link b is to a, which is not"):
        compare(buffer.getvalue(), tar_of([]))


@pytest.mark.parametrize("form", ["gnu", "pax0.0", "pax0.1", "pax1.0"])
@pytest.mark.parametrize("ends_in_hole", [False, True])
def test_holes_are_zeros(compare: Compare, tmp_path: Path, form: str, ends_in_hole: bool) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        for place in (MEBI, 5 * MEBI + 4096, 9 * MEBI):
            file.seek(place)
            file.write(b"data" * 1024)
        file.truncate(20 * MEBI + 7 if ends_in_hole else file.tell())
    options = (
        ["--format=gnu"] if form == "gnu" else ["--format=pax", f"--sparse-version={form[3:]}"]
    )
    made = run("tar", "-c", "--sparse", *options, "sparse", cwd=tmp_path)
    assert len(made) < MEBI
    content = sparse.read_bytes()
    off = {"max_compression_ratio": None}
    assert compare(made, tar_of([("sparse", content)]), **off).equal
    assert compare(zip_of([("sparse", content)]), made, **off).equal
    assert compare(made, made + bytes(512), **off).equal
    changed = bytearray(content)
    changed[-1] ^= 1
    assert compare(made, tar_of([("sparse", bytes(changed))]), **off).diff == {
        "sparse": DiffReason.CONTENT_MISMATCH
    }
    assert compare(made, tar_of([("sparse", content[:-1])]), **off).diff == {
        "sparse": DiffReason.SIZE_MISMATCH
    }


# ---- What an archive is -------------------------------------------------------------------------


def test_nested_archives_are_bytes(compare: Compare) -> None:
    inner = tar_of([("a", b"1")])
    packed = gzip.compress(inner, mtime=1), gzip.compress(inner, mtime=2)
    outer = [tar_of([("inner.tar.gz", content)]) for content in packed]
    assert compare(*outer).diff == {"inner.tar.gz": DiffReason.CONTENT_MISMATCH}
    assert compare(outer[0], zip_of([("inner.tar.gz", packed[0])])).equal


def test_directories_do_not_matter(compare: Compare, tmp_path: Path) -> None:
    (tmp_path / "top/empty").mkdir(parents=True)
    (tmp_path / "top/a").write_bytes(b"1")
    plain = tar_of([("a", b"1")])
    found = compare(run("tar", "-c", ".", cwd=tmp_path / "top"), plain)
    assert found == expected({}, {})
    run("zip", "-qr", "../made.zip", ".", cwd=tmp_path / "top")
    assert compare((tmp_path / "made.zip").read_bytes(), plain) == found


def test_nothing_is_written_to_disk(pair: Pair) -> None:
    """A process that may not write a single byte into a file compares all the same."""
    code = """
import resource, sys, komparu
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for hashed in (False, True):
    assert komparu.compare_archive(*sys.argv[1:], hash_compare=hashed).equal
"""
    pair[0].write_bytes(gzip.compress(tar_of(FILES.items())))
    pair[1].write_bytes(zip_of(reversed(FILES.items())))
    support.run_script(code, *pair, cwd=pair[0].parent)


def test_an_archive_is_told_by_what_is_in_the_file(tmp_path: Path, made: dict[str, bytes]) -> None:
    def kind_of(path: Path) -> str:
        probe = _core.SourceProbe(_calls.pool(), os.fsencode(path))
        _calls.await_end(probe, support.LIVENESS)
        return probe.kind

    path = tmp_path / "file"
    for kind, content in made.items():
        path.write_bytes(content)
        assert kind_of(path) == "archive", kind
    for content in (b"", b"text", bytes(4096), gzip.compress(b"text"), os.urandom(10000)):
        path.write_bytes(content)
        assert kind_of(path) == "file"
    assert kind_of(tmp_path) == "directory"
    with pytest.raises(komparu.SourceNotFoundError):
        kind_of(tmp_path / "nowhere")


def test_what_is_no_archive(pair: Pair, tmp_path: Path) -> None:
    a, b = pair
    a.write_bytes(tar_of([]))
    for content in (b"", b"text", os.urandom(5000), gzip.compress(b"text" * 1000)):
        b.write_bytes(content)
        with pytest.raises(komparu.ArchiveError, match="not an archive of a known") as failure:
            komparu.compare_archive(a, b)
        assert failure.value.errno == errno.EBADMSG
        assert failure.value.filename == str(b)
        assert isinstance(failure.value, OSError)
    with pytest.raises(komparu.SourceNotFoundError):
        komparu.compare_archive(a, tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        komparu.compare_archive(a, tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(komparu.SourceReadError, match="not a regular file"):
        komparu.compare_archive(a, tmp_path / "fifo")


def test_coroutines_compare_many_at_once(pair: Pair) -> None:
    pair[0].write_bytes(MAKERS["tar.xz"](FILES))
    pair[1].write_bytes(zip_of(reversed(FILES.items())))

    async def many() -> list[komparu.DirResult]:
        return await asyncio.gather(*(aio.compare_archive(*pair) for _ in range(100)))

    assert all(found.equal for found in asyncio.run(many()))
    with pytest.raises(komparu.ComparisonTimeoutError):
        asyncio.run(aio.compare_archive(*pair, comparison_timeout=1e-6))


def test_archives_that_are_read_again_from_the_beginning_half_way_through_a_file(
    pair: Pair,
) -> None:
    """A hard link to what was compared in step has both sides begin again, one amid a file."""
    x, a, b = b"x" * 1000, bytes(16 * MEBI), b"b" * (24 * MEBI)
    for path, order in zip(pair, ("xayb", "xbya"), strict=True):
        with tarfile.open(path, "w") as tar:
            for name in order:
                info = tarfile.TarInfo(name)
                if name == "y":
                    info.type, info.linkname = tarfile.LNKTYPE, "x"
                    tar.addfile(info)
                else:
                    content = {"x": x, "a": a, "b": b}[name]
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    for _ in range(10):
        assert komparu.compare_archive(*pair).equal
