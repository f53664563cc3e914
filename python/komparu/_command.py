"""What the command line does: two of whatever kind, compared as what they are."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from komparu import _compare, _compare_archive, _compare_dir, _core
from komparu._calls import await_end
from komparu._errors import ConfigError, error_of
from komparu._options import Options
from komparu._sources import path_of

#: Called now and then with the pairs of files that have been compared, and the bytes read.
ShowProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Answer:
    """What a comparison has found; names are sorted.

    :ivar kind: ``files``, ``directories`` or ``archives``
    :ivar equal: whether they hold the same
    :ivar diff: of directories and archives: of names that both have, why they are not the same
    :ivar only_left: names that only the first one has
    :ivar only_right: names that only the second one has
    :ivar errors: of names that could not be read, why
    :ivar skipped: of archives: names that were not compared
    """

    kind: str
    equal: bool
    diff: dict[str, str] = field(default_factory=dict)
    only_left: list[str] = field(default_factory=list)
    only_right: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def answer(
    a: str, b: str, options: Options, *, archives: bool, show: ShowProgress | None
) -> Answer:
    """Compare two files, two directories or, where ``archives`` allows it, two archives.

    :raises KomparuError: when there is no answer
    """
    paths = path_of("A", a), path_of("B", b)
    directories = [_is_directory(path) for path in paths]
    if all(directories):
        tree = _compare_dir.start(*paths, options)
        poll = None if show is None else lambda: show(*tree.progress())
        await_end(tree, options.comparison_timeout, poll)
        return _collections("directories", tree.differences())
    if any(directories):
        directory, other = (a, b) if directories[0] else (b, a)
        raise ConfigError(f"{directory} is a directory, and {other} is not")
    if archives and all(_compare_archive.is_archive(path) for path in paths):
        pair = _compare_archive.start(*paths, options)
        await_end(pair, options.comparison_timeout)
        return _collections("archives", pair.differences())
    files = _compare.start(*paths, options)
    poll = None if show is None else lambda: show(0, files.bytes_read)
    await_end(files, options.comparison_timeout, poll)
    return Answer("files", files.equal)


def _is_directory(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(Path(os.fsdecode(path)).stat().st_mode)
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        failure = "not_found" if missing else "unreadable"
        raise error_of(failure, error.errno or 0, path, os.fsencode(error.strerror or "")) from None


def _collections(kind: str, differences: _core.Differences) -> Answer:
    diff, only_left, only_right, errors, skipped = differences
    return Answer(
        kind,
        equal=not (diff or only_left or only_right or errors),
        diff={os.fsdecode(name): why for name, why in sorted(diff)},
        only_left=[os.fsdecode(name) for name in sorted(only_left)],
        only_right=[os.fsdecode(name) for name in sorted(only_right)],
        errors={os.fsdecode(name): os.fsdecode(why) for name, why in sorted(errors)},
        skipped=[os.fsdecode(name) for name in sorted(skipped)],
    )
