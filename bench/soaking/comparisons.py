"""Operations of komparu: files, directories, archives, URLs."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import komparu
from komparu import DiffReason, DirResult

from soaking.outcomes import CANCELLED, DONE, REFUSED, Context, check, must_raise
from soaking.trees import (
    ARCHIVES,
    BROKEN,
    DIFFERING,
    LARGE,
    ONLY_LEFT,
    ONLY_RIGHT,
    PAIRS,
    SIZES,
)

TOO_LATE = komparu.ComparisonTimeoutError


def files(c: Context) -> str:
    """Two files that stay as they are, each as a path or a URL."""
    a, b, same = random_pair(c)
    found = komparu.compare(anyhow(c, a), anyhow(c, b), **options(c, "chunk_size", "quick_check"))
    check(found == same, a, b, found)
    return DONE


def directories(c: Context) -> str:
    """Two trees that stay as they are."""
    name, expected = random_tree(c)
    given = options(c, "chunk_size", "max_workers", "quick_check", "follow_symlinks")
    found = komparu.compare_dir(c.places.left, c.places.left.with_name(name), **given)
    check(found == expected, name, found)
    return DONE


def moving(c: Context) -> str:
    """Trees, files and archives that change: an answer, or an error that says so."""
    a, b = c.places.moving
    file, archive = c.places.restless
    result = komparu.compare_dir(a, b, **options(c, "max_workers", "follow_symlinks", "ignore"))
    check(isinstance(result, DirResult), result)
    try:
        komparu.compare(file, c.places.pair("same", 3 << 20)[0], **options(c, "chunk_size"))
        komparu.compare_archive(archive, archive, **options(c, "hash_compare"))
        komparu.compare_archive(archive, c.places.archives / "a.zip")
    except (komparu.SourceReadError, komparu.ArchiveError):
        return REFUSED
    return DONE


def archives(c: Context) -> str:
    """Two archives, of any formats, by path or URL."""
    a, b, expected = random_archives(c)
    given = options(c, "chunk_size", "hash_compare")
    found = komparu.compare_archive(anyhow(c, a), anyhow(c, b), **given)
    check(found == expected, a, b, found)
    return DONE


def broken_archives(c: Context) -> str:
    """Archives that are truncated, corrupt or too good to be true."""
    whole = c.places.archives / "a.tar"
    broken = c.places.archives / c.rng.choice(BROKEN)
    pair = (whole, broken) if c.rng.random() < 0.5 else (broken, whole)
    must_raise(
        komparu.ArchiveError, lambda: komparu.compare_archive(*pair, **options(c, "hash_compare"))
    )
    bomb = c.places.archives / "bomb.zip"
    must_raise(komparu.ArchiveBombError, lambda: komparu.compare_archive(bomb, bomb))
    return REFUSED


def many(c: Context) -> str:
    """Many sources: which are the same."""
    pairs = [random_pair(c) for _ in range(c.rng.randrange(1, 6))]
    sources = list(dict.fromkeys(itertools.chain(*(pair[:2] for pair in pairs))))
    expected = groups(c, sources)
    given = options(c, "chunk_size", "max_workers", "quick_check")
    by_name = {path: str(path) for path in sources}
    found = komparu.compare_many([by_name[path] for path in sources], **given)
    named = [{by_name[path] for path in group} for group in expected]
    check(found.groups == named, found.groups, named)
    check(komparu.compare_all(sources, **given) == (len(expected) == 1), sources)
    return DONE


def mirror(c: Context) -> str:
    """A directory and its mirror on the server, which may lack something or refuse."""
    left = c.places.left
    source = left.with_name(c.rng.choice(("same", "other")))
    names = [str(path.relative_to(left)) for path in left.glob("d[0-3]/*")]
    how = c.rng.choice(("file", "file", "busy"))
    urls: dict[str, Any] = {name: c.places.served(source / name, how) for name in names}
    found = komparu.compare_dir_urls(left, urls, **options(c, "max_workers"))
    wrong = {DIFFERING, ONLY_LEFT} if source.name == "other" else set()
    expected = set(names) if how == "busy" else wrong
    check(found.diff.keys() == expected and not found.only_right, how, found.diff)
    check(len(found.only_left) == 180, len(found.only_left))
    return DONE if how == "file" else REFUSED


def bad_urls(c: Context) -> str:
    """URLs whose bodies are cut, that are not there, refuse, or lead where they must not."""
    path = c.places.pair("same", c.rng.choice((5000, 300_000)))
    errors = {
        "short": komparu.SourceReadError,
        "busy": komparu.SourceReadError,
        "away": komparu.SourceReadError,
    }
    for how, error in errors.items():
        url = c.places.served(path[1], how)
        must_raise(error, functools.partial(komparu.compare, path[0], url))
    url = c.places.served(c.places.work / "missing")
    must_raise(komparu.SourceNotFoundError, functools.partial(komparu.compare, path[0], url))
    return REFUSED


def timed_out(c: Context) -> str:
    """A comparison that takes longer than it may, or just not."""
    limit = c.soon(0.05) + 1e-4
    call, expected = random_work(c)
    try:
        check(call(comparison_timeout=limit) == expected, "within", limit)
    except TOO_LATE:
        return CANCELLED
    return DONE


def interrupted(c: Context) -> str:
    """A comparison ended by Ctrl-C."""
    call, expected = random_work(c)
    return CANCELLED if c.interrupts(lambda: check(call() == expected, call)) else DONE


def mistaken(c: Context) -> str:
    """What cannot be compared, and options that cannot be used."""
    file, missing = c.places.archives / "a.zip", c.places.work / "missing"
    must_raise(komparu.SourceNotFoundError, lambda: komparu.compare(file, missing))
    must_raise(IsADirectoryError, lambda: komparu.compare(file, c.places.still))
    must_raise(komparu.SourceNotFoundError, lambda: komparu.compare_dir(missing, c.places.left))
    must_raise(PermissionError, lambda: komparu.compare_dir(c.places.locked, c.places.left))
    must_raise(komparu.SourceReadError, lambda: komparu.compare_dir(file, c.places.left))
    must_raise(komparu.ConfigError, lambda: komparu.compare(file, file, chunk_size=0))
    must_raise(komparu.ConfigError, lambda: komparu.compare(file, "ftp://127.0.0.1/x"))
    must_raise(komparu.SourceReadError, lambda: komparu.compare(file, "http://127.0.0.1:1/x"))
    return REFUSED


OPERATIONS = (
    files,
    directories,
    moving,
    archives,
    broken_archives,
    many,
    mirror,
    bad_urls,
    timed_out,
    interrupted,
    mistaken,
)


# ---- what is compared, and what is known of it ---------------------------------------------------


def random_pair(c: Context) -> tuple[Path, Path, bool]:
    """Two files, and whether they are the same."""
    kind = c.rng.choice(list(PAIRS))
    return *c.places.pair(kind, c.rng.choice(SIZES)), PAIRS[kind]


def random_tree(c: Context) -> tuple[str, DirResult]:
    """The name of a tree beside ``left``, and in what the two differ."""
    if c.rng.random() < 0.5:
        return "same", DirResult(True, {}, set(), set())
    differing = {DIFFERING: DiffReason.CONTENT_MISMATCH}
    return "other", DirResult(False, differing, {ONLY_LEFT}, {ONLY_RIGHT})


def random_archives(c: Context) -> tuple[Path, Path, DirResult]:
    """Two archives, and in what they differ."""
    a, b = (c.places.archives / c.rng.choice(ARCHIVES) for _ in range(2))
    if c.rng.random() < 0.5:
        return a, b, DirResult(True, {}, set(), set())
    reason = DiffReason.SIZE_MISMATCH
    other = b.with_name(b.name.replace("a.", "b."))
    return a, other, DirResult(False, {"d1/f1": reason}, set(), set())


def random_work(c: Context) -> tuple[Any, Any]:
    """A call that takes a while, and what it returns."""
    kind = c.rng.randrange(4)
    if kind == 0:
        large = c.places.pair("same", LARGE)
        return lambda **more: komparu.compare(*large, quick_check=False, **more), True
    if kind == 1:
        name, tree = random_tree(c)
        other = c.places.left.with_name(name)
        return lambda **more: komparu.compare_dir(c.places.left, other, **more), tree
    if kind == 2:
        a, b, result = random_archives(c)
        return lambda **more: komparu.compare_archive(a, anyhow(c, b), **more), result
    path, copy = c.places.pair("same", 300_000)
    slow = c.places.served(copy, "drops")
    return lambda **more: komparu.compare(path, slow, **more), True


def anyhow(c: Context, path: Path) -> Any:
    """A file as any kind of source."""
    kinds = (
        lambda: path,
        lambda: str(path),
        lambda: bytes(path),
        lambda: path.as_uri(),
        lambda: komparu.Source(path),
        lambda: c.places.served(path),
        lambda: komparu.Source(c.places.served(path), headers={"X-Soak": "yes"}, timeout=60),
    )
    return c.rng.choice(kinds)()


def groups(c: Context, sources: list[Path]) -> list[set[Path]]:
    """The sources by what they hold, in their order."""
    found: dict[int, set[Path]] = {}
    for path in sources:
        content = c.once(("content", path), functools.partial(_content, path))
        found.setdefault(content, set()).add(path)
    return list(found.values())


def _content(path: Path) -> int:
    return hash(path.read_bytes())


def options(c: Context, *names: str) -> dict[str, Any]:
    """Some of these options."""
    every = {
        "chunk_size": c.rng.choice((4096, 100_000, 1 << 20)),
        "quick_check": c.rng.random() < 0.5,
        "max_workers": c.rng.choice((1, 3, 40)),
        "follow_symlinks": c.rng.random() < 0.5,
        "hash_compare": c.rng.random() < 0.5,
        "ignore": ["f1*", "d3"],
    }
    return {name: every[name] for name in names if c.rng.random() < 0.4}
