"""What the command line does: two of whatever kind, compared as what they are."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from komparu import _compare, _compare_archive, _compare_dir, _core
from komparu._calls import await_end, pool, timed_out
from komparu._errors import ComparisonTimeoutError, ConfigError
from komparu._options import Options
from komparu._results import are_equal
from komparu._sources import is_url, shown, source_of

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
    deadline = _Deadline(options.comparison_timeout)
    kinds = _kinds(a, b, options, deadline, archives=archives)
    if kinds == ["directory", "directory"]:
        tree = _compare_dir.start(a, b, options)
        poll = None if show is None else lambda: show(*tree.progress())
        deadline.await_end(tree, poll)
        return _collections("directories", tree.differences())
    if "directory" in kinds:
        directory, other = (a, b) if kinds[0] == "directory" else (b, a)
        raise ConfigError(f"{directory} is a directory, and {shown(other)} is not")
    if archives and kinds == ["archive", "archive"]:
        pair = _compare_archive.start(a, b, options)
        deadline.await_end(pair)
        return _collections("archives", pair.differences())
    files = _compare.start(a, b, options)
    poll = None if show is None else lambda: show(0, files.bytes_read)
    deadline.await_end(files, poll)
    return Answer("files", files.equal)


def _kinds(a: str, b: str, options: Options, deadline: _Deadline, *, archives: bool) -> list[str]:
    """Return what the two are. A URL is only looked at where it may be one of two archives."""
    refs = source_of("A", a, options), source_of("B", b, options)
    urls = is_url(a), is_url(b)
    kinds = ["file", "file"]
    maybe_archives = archives
    for index in sorted((0, 1), key=urls.__getitem__):
        if urls[index] and not maybe_archives:
            continue
        probe = _core.SourceProbe(pool(), refs[index])
        deadline.await_end(probe)
        kinds[index] = probe.kind
        maybe_archives = maybe_archives and probe.kind == "archive"
    return kinds


class _Deadline:
    """The end of what several comparisons may take together, from now on."""

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._end = math.inf if limit is None else time.monotonic() + limit

    def await_end(
        self, comparison: _core.Comparison, poll: Callable[[], None] | None = None
    ) -> None:
        left = None if self._limit is None else max(0.0, self._end - time.monotonic())
        try:
            await_end(comparison, left, poll)
        except ComparisonTimeoutError:
            raise timed_out(self._limit) from None


def _collections(kind: str, differences: _core.Differences) -> Answer:
    diff, only_left, only_right, errors, skipped = differences
    return Answer(
        kind,
        equal=are_equal(differences),
        diff={os.fsdecode(name): why for name, why in sorted(diff)},
        only_left=[os.fsdecode(name) for name in sorted(only_left)],
        only_right=[os.fsdecode(name) for name in sorted(only_right)],
        errors={os.fsdecode(name): os.fsdecode(why) for name, why in sorted(errors)},
        skipped=[os.fsdecode(name) for name in sorted(skipped)],
    )
