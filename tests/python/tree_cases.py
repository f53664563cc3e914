"""Random pairs of trees: one, and another that is like it but for a few changes."""

# ruff: noqa: PTH102, PTH118, PTH123, PTH211
# Names are bytes.

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from hypothesis import strategies as st


@dataclass(frozen=True)
class Content:
    """What a file holds, in few words."""

    unit: bytes
    times: int = 1
    flipped: tuple[int, ...] = ()  # places
    added: int = 0  # bytes at the end; negative: taken off

    def __len__(self) -> int:
        return max(0, len(self.unit) * self.times + self.added)

    def expanded(self) -> bytes:
        content = bytearray(self.unit * self.times + b"+" * self.added)[: len(self)]
        for place in self.flipped:
            if place < len(content):
                content[place] ^= 0x55
        return bytes(content)


Path: TypeAlias = tuple[bytes, ...]
Leaf: TypeAlias = tuple[str, "Content | bytes | int | None"]
Spec: TypeAlias = dict[Path, Leaf]

DIRECTORY: Leaf = ("directory", None)
SPARSE_SIZE = (9 << 20) + 77

NAMES: tuple[bytes, ...] = (
    *(b"a", b"b", b"c", b"d"),
    b"e.txt",
    b".hidden",
    b"new\nline",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"*[a]?",
    b"-",
    "größe".encode(),
    "日本".encode(),
    b"n" * 255,
)

_names = st.sampled_from(NAMES) | st.binary(min_size=1, max_size=6).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
_contents = st.builds(
    Content, st.binary(max_size=4), st.sampled_from([1, 1, 1, 1024, 16384, 16385, 22_500])
)

# TOP stands for the tree's own top, OTHER for that of the other tree, OUT for what holds both.
_targets = st.sampled_from(
    [
        *(b".", b"..", b"../..", b"nowhere", b"/dev/null", b"/nowhere/at/all", b"\xff"),
        *(b"OUT", b"OUT/outside", b"TOP", b"TOP/a", b"TOP/b/a", b"OTHER", b"OTHER/a", b"OTHER/b"),
    ]
) | st.sampled_from([up + name for up in (b"", b"../", b"./") for name in NAMES[:4]])

_leaves: st.SearchStrategy[Leaf] = st.one_of(
    st.tuples(st.just("file"), _contents),
    st.tuples(st.just("file"), _contents),
    st.tuples(st.just("link"), _targets),
    st.tuples(st.just("hard"), st.integers(0, 1000)),
    st.tuples(st.sampled_from(["fifo", "socket", "directory"]), st.none()),
    st.tuples(st.sampled_from(["character", "block"]), st.integers(1, 3)),
    st.tuples(st.just("sparse"), st.integers(0, SPARSE_SIZE - 1)),
)


@dataclass(frozen=True)
class Pair:
    """Two trees, and whether a file of theirs is one and the same."""

    a: Spec
    b: Spec
    shared: int | None  # which file of b is a hard link to that of a


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Draw two trees that are mostly the same."""
    spec: Spec = {}
    for name, leaf, at in draw(
        st.lists(st.tuples(_names, _leaves, st.integers(0, 30)), max_size=14)
    ):
        _add(spec, at, name, leaf)
    other = dict(spec)
    for change, at, name, leaf in draw(
        st.lists(
            st.tuples(st.sampled_from(CHANGES), st.integers(0, 10**6), _names, _leaves), max_size=3
        )
    ):
        change(other, at, name, leaf)
    return Pair(spec, other, draw(st.none() | st.integers(0, 100)))


def _add(spec: Spec, at: int, name: bytes, leaf: Leaf) -> None:
    """Add an entry to one of the directories; half of the time a directory around it, too."""
    directories = [(), *(path for path, kind in spec.items() if kind == DIRECTORY)]
    path = (*directories[at // 2 % len(directories)], name)
    if path in spec:
        return
    if at % 2:
        spec[path] = DIRECTORY
        path = (*path, NAMES[at % len(NAMES)])
    spec[path] = leaf


def _any(spec: Spec, at: int) -> Path | None:
    return sorted(spec)[at % len(spec)] if spec else None


def _remove(spec: Spec, at: int, _name: bytes = b"", _leaf: Leaf = DIRECTORY) -> None:
    chosen = _any(spec, at)
    if chosen is not None:
        for path in [path for path in spec if path[: len(chosen)] == chosen]:
            del spec[path]


def _rename(spec: Spec, at: int, name: bytes, _leaf: Leaf) -> None:
    chosen = _any(spec, at)
    if chosen is None or (*chosen[:-1], name) in spec:
        return
    for path in [path for path in spec if path[: len(chosen)] == chosen]:
        renamed = (*chosen[:-1], name, *path[len(chosen) :])
        spec[renamed] = spec.pop(path)


def _replace(spec: Spec, at: int, _name: bytes, leaf: Leaf) -> None:
    chosen = _any(spec, at)
    if chosen is not None:
        _remove(spec, at)
        spec[chosen] = leaf


def _edit(spec: Spec, at: int, _name: bytes, _leaf: Leaf) -> None:
    """Change the first, the last or some byte of a file, or let it grow or shrink."""
    files = sorted(path for path, (kind, _) in spec.items() if kind in ("file", "sparse"))
    if not files:
        return
    path = files[at % len(files)]
    kind, content = spec[path]
    if isinstance(content, Content):
        length = len(content)
        if at % 5 < 3 and length > 0:
            place = (0, length - 1, at // 5 % length)[at % 5]
            content = replace(content, flipped=(*content.flipped, place))
        else:
            content = replace(content, added=content.added + (-1 if at % 5 == 3 else 1))
    elif isinstance(content, int):
        content = (0, SPARSE_SIZE - 1, at * 7919 % SPARSE_SIZE, content)[at % 4]
    spec[path] = kind, content


CHANGES: tuple[Callable[[Spec, int, bytes, Leaf], None], ...] = (
    _edit,
    _edit,
    _remove,
    _rename,
    _replace,
    _add,
)


def build(out: bytes, pair: Pair) -> tuple[bytes, bytes]:
    """Make both trees, and what lies outside of them, in ``out``."""
    top_a, top_b, outside = (os.path.join(out, name) for name in (b"one", b"two", b"outside"))
    os.mkdir(outside)
    _write(os.path.join(outside, b"file"), b"outside")
    _build(pair.a, top_a, top_b, out)
    _build(pair.b, top_b, top_a, out)
    common = [
        path
        for path in sorted(pair.a)
        if pair.a[path][0] == "file" and pair.b.get(path, DIRECTORY)[0] == "file"
    ]
    if pair.shared is not None and common:
        path = common[pair.shared % len(common)]
        os.unlink(os.path.join(top_b, *path))  # noqa: PTH108
        os.link(os.path.join(top_a, *path), os.path.join(top_b, *path))
    return top_a, top_b


def _build(spec: Spec, top: bytes, other: bytes, out: bytes) -> None:
    os.mkdir(top)
    for path in sorted(spec):
        kind, value = spec[path]
        place = os.path.join(top, *path)
        if kind == "directory":
            os.mkdir(place)
        elif kind == "link":
            assert isinstance(value, bytes)
            target = value.replace(b"TOP", top).replace(b"OTHER", other).replace(b"OUT", out)
            os.symlink(target, place)
        elif kind == "sparse":
            assert isinstance(value, int)
            with open(place, "wb") as file:
                file.truncate(SPARSE_SIZE)
                file.seek(value)
                file.write(b"x")
        elif kind in ("fifo", "socket", "character", "block"):
            _special(kind, place, value)
        elif kind == "hard":
            _hard_link(spec, top, place, value)
        else:
            assert isinstance(value, Content)
            _write(place, value.expanded())


def _special(kind: str, place: bytes, value: object) -> None:
    types = {
        "fifo": stat.S_IFIFO,
        "socket": stat.S_IFSOCK,
        "character": stat.S_IFCHR,
        "block": stat.S_IFBLK,
    }
    number = os.makedev(1, value) if isinstance(value, int) else 0
    try:
        os.mknod(place, types[kind] | 0o600, number)
    except PermissionError:
        os.mkfifo(place)  # devices are root's


def _hard_link(spec: Spec, top: bytes, place: bytes, value: object) -> None:
    made = [
        os.path.join(top, *path)
        for path, (kind, _) in sorted(spec.items())
        if kind in ("file", "link", "fifo") and os.path.lexists(os.path.join(top, *path))
    ]
    if made and isinstance(value, int):
        os.link(made[value % len(made)], place, follow_symlinks=False)
    else:
        _write(place, b"hard")


def _write(place: bytes, content: bytes) -> None:
    with open(place, "wb") as file:
        file.write(content)


def locked(out: bytes, rng: random.Random) -> tuple[bytes, bytes]:
    """Make two trees of files, directories and links with whatever permission bits."""
    tops = os.path.join(out, b"one"), os.path.join(out, b"two")
    made: list[bytes] = []
    for top in tops:
        os.mkdir(top)
        for number in range(14):
            at = os.path.join(top, b"d%d" % rng.randrange(3), b"d%d" % rng.randrange(2))
            if rng.random() < 0.5:
                at = os.path.dirname(at)  # noqa: PTH120
            os.makedirs(at, exist_ok=True)  # noqa: PTH103
            place = os.path.join(at, b"%d" % rng.randrange(8))
            if os.path.lexists(place):
                continue
            made.append(place)
            if rng.random() < 0.25:
                os.symlink(rng.choice((b"../d0", b"1", b"d1/2", b"nowhere", b"..")), place)
            elif rng.random() < 0.2:
                os.mkdir(place)
                _write(os.path.join(place, b"%d" % number), b"below")
            else:
                _write(place, rng.choice((b"x", b"y", b"longer")))
    directories = [os.path.dirname(place) for place in made]  # noqa: PTH120
    for place in sorted({*made, *directories} - set(tops), key=len, reverse=True):
        if rng.random() < 0.25 and not os.path.islink(place):  # noqa: PTH114
            os.chmod(place, rng.choice((0o000, 0o300, 0o400, 0o600, 0o700)))  # noqa: PTH101
    return tops
