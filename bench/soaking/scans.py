"""Operations of pwalk: walks, scans, reports."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
from pwalk.testing import MockFilesystem

from soaking.outcomes import CANCELLED, DONE, REFUSED, Context, StopError, check, must_raise

_FORMATS = {
    "scan.parquet": {"format": "parquet"},
    "plain.parquet": {"format": "parquet", "compression": "none"},
    "scan.csv": {"format": "csv"},
    "scan.csv.zst": {"format": "csv"},
    "scan.csv.gz": {"format": "csv"},
    "scan.pwal": {"format": "binary"},
}
# What may be said of an entry that changes while it is looked at, or that is locked.
_EXPECTED_ERRORS = {errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE}


def walk_still(c: Context) -> str:
    """A walk of what nobody changes is os.walk's."""
    topdown, follow = c.rng.random() < 0.5, c.rng.random() < 0.5
    top: Any = c.rng.choice((os.fspath, os.fsencode, Path))(c.places.still)
    kind = ("walk", type(top), topdown, follow)
    expected = c.once(kind, lambda: list(os.walk(top, topdown, followlinks=follow)))
    found = list(
        pwalk.walk(top, topdown, None, follow, c.rng.choice((None, 1, 4)), ignore_snapshots=False)
    )
    check(found == expected, kind, len(found), len(expected))
    return DONE


def walk_moving(c: Context) -> str:
    """A walk of what changes fails in no other way than by onerror."""
    top = str(c.rng.choice(c.places.moving))
    errors: list[OSError] = []
    walk = pwalk.walk(top, c.rng.random() < 0.5, errors.append, c.rng.random() < 0.5)
    for _, directories, _ in walk:
        if directories and c.rng.random() < 0.2:
            directories.pop()
    for error in errors:
        check(error.errno in _EXPECTED_ERRORS, repr(error))
    return DONE


def walk_abandoned(c: Context) -> str:
    """A walk that ends half-way: dropped, closed, or by what its callback raises."""

    def refuse(error: OSError) -> None:
        raise StopError from error

    top = str(c.rng.choice((c.places.still, *c.places.moving)))
    walk = pwalk.walk(top, c.rng.random() < 0.5, refuse)
    try:
        for _ in itertools.islice(walk, c.rng.randrange(60)):
            pass
    except StopError:
        return CANCELLED
    if c.rng.random() < 0.5:
        walk.close()  # type: ignore[attr-defined]
    return CANCELLED


def walk_interrupted(c: Context) -> str:
    """A walk ended by Ctrl-C."""

    def walk() -> None:
        for _ in pwalk.walk(str(c.rng.choice((c.places.still, *c.places.moving)))):
            pass

    return CANCELLED if c.interrupts(walk, 0.02) else DONE


def walk_computed(c: Context) -> str:
    """The beginning of a walk of a computed tree that is far too large for more."""
    walk = pwalk.walk_mock(MockFilesystem(10**9), c.rng.random() < 0.5)
    for _ in itertools.islice(walk, c.rng.randrange(300)):
        pass
    return CANCELLED


def scan(c: Context) -> str:
    """A scan that is consumed: of what nobody changes it has a row for each entry."""
    still = c.rng.random() < 0.5
    top = c.places.still if still else c.rng.choice(c.places.moving)
    with pwalk.scan(top, ignore_snapshots=False, **_options(c)) as stream:
        if c.rng.random() < 0.5:
            rows = pa.table(stream).num_rows
        else:
            rows = sum(batch.num_rows for batch in stream)
        errors = stream.errors
    if still:
        check(rows == _entries(c) and not errors, rows, errors)
    _check_errors(errors)
    return DONE


def scan_abandoned(c: Context) -> str:
    """A scan that is closed or dropped half-way, or at once."""
    stream = pwalk.scan(c.rng.choice((c.places.still, *c.places.moving)), **_options(c))
    style = c.rng.randrange(4)
    if style == 0:
        reader = pa.RecordBatchReader.from_stream(stream)
        for _ in itertools.islice(reader, 1):
            pass
        return CANCELLED
    if style == 1:
        for _ in itertools.islice(stream, c.rng.randrange(3)):
            pass
    if style < 3:
        stream.close()
    return CANCELLED


def scan_interrupted(c: Context) -> str:
    """A scan ended by Ctrl-C."""

    def consume() -> None:
        with pwalk.scan(c.rng.choice((c.places.still, *c.places.moving))) as stream:
            pa.table(stream)

    return CANCELLED if c.interrupts(consume) else DONE


def report(c: Context) -> str:
    """A report: of what nobody changes it has a row for each entry."""
    still = c.rng.random() < 0.5
    top = c.places.still if still else c.rng.choice(c.places.moving)
    output, form = _output(c)
    _, errors = pwalk.report(top, output=output, ignore_snapshots=False, **form, **_options(c))
    rows = rows_of(output)
    if still:
        check(rows == _entries(c) and not errors, output.name, rows, errors)
    _check_errors(errors)
    return DONE


def report_cancelled(c: Context) -> str:
    """A report ended by its callback or by Ctrl-C is not there, or is complete."""
    output, form = _output(c)
    top = c.rng.choice((c.places.still, *c.places.moving))
    cancelled = _is_cancelled(c, top, {"output": output, **form, **_options(c)})
    if output.exists():
        rows_of(output)
    check(output.exists() or cancelled, output.name)
    return CANCELLED if cancelled else DONE


def report_resumed(c: Context) -> str:
    """A report with a checkpoint, cancelled some times, that goes on to its end."""
    still = c.rng.random() < 0.5
    top = c.places.still if still else c.rng.choice(c.places.moving)
    output, form = _output(c)
    options = {
        "output": output,
        "checkpoint": c.scratch / "checkpoint",
        "checkpoint_interval": c.rng.choice((0.001, 0.01, 60.0)),
        "resume": True,
        "ignore_snapshots": False,
        "max_threads": c.rng.choice((None, 1)),
        **form,
    }
    outcome = DONE
    for _ in range(c.rng.randrange(4)):
        if not _is_cancelled(c, top, options):
            break
        outcome = CANCELLED
    else:
        _, errors = pwalk.report(top, **options)
        _check_errors(errors)
    rows = rows_of(output)
    check(not still or rows == _entries(c), output.name, rows)
    return outcome


def report_dropped(c: Context) -> str:
    """A report with a checkpoint that nobody goes on with."""
    output, form = _output(c)
    top = c.rng.choice((c.places.still, *c.places.moving))
    options = {"checkpoint": c.scratch / "checkpoint", "checkpoint_interval": 0.001, **form}
    return CANCELLED if _is_cancelled(c, top, {"output": output, **options}) else DONE


def read_binary(c: Context) -> str:
    """Reading a binary report: whole, torn, half-way, and something else."""
    path = c.scratch / "scan.pwal"
    pwalk.report(c.places.still, "binary", path, ignore_snapshots=False)
    whole = path.read_bytes()
    if c.rng.random() < 0.3:
        with pwalk.read_binary(path) as file:
            for _ in itertools.islice(file, c.rng.randrange(2)):
                pass
        return CANCELLED
    cut = c.rng.randrange(100, len(whole) - 1)
    path.write_bytes(whole[:cut])
    torn = pwalk.read_binary(path)
    rows = sum(batch.num_rows for batch in torn)
    check(torn.torn and rows < _entries(c), "torn at", cut, torn.torn, rows)
    path.write_bytes(c.rng.randbytes(cut))
    must_raise(ValueError, lambda: rows_of(path))
    return REFUSED


def mistaken(c: Context) -> str:
    """What cannot be walked, scanned or written, and arguments that cannot be used."""
    missing, file = c.places.work / "missing", c.places.archives / "a.zip"
    output = c.scratch / "out"
    check(list(pwalk.walk(str(missing))) == [], "walk of what is missing")
    must_raise(FileNotFoundError, lambda: pwalk.scan(missing))
    must_raise(NotADirectoryError, lambda: pwalk.scan(file))
    must_raise(PermissionError, lambda: pwalk.scan(c.places.locked))
    must_raise(FileNotFoundError, lambda: pwalk.report(missing, output=output))
    must_raise(OSError, lambda: pwalk.report(c.places.still, output=missing / "out"))
    must_raise(ValueError, lambda: pwalk.report(c.places.still, "nothing", output))
    must_raise(TypeError, lambda: pwalk.scan(5))  # type: ignore[arg-type]
    must_raise(FileNotFoundError, lambda: pwalk.read_binary(missing))
    check(not output.exists(), "a report that failed is there")
    return REFUSED


OPERATIONS = (
    walk_still,
    walk_moving,
    walk_abandoned,
    walk_interrupted,
    walk_computed,
    scan,
    scan_abandoned,
    scan_interrupted,
    report,
    report_cancelled,
    report_resumed,
    report_dropped,
    read_binary,
    mistaken,
)


def _options(c: Context) -> dict[str, Any]:
    """Options that leave the rows as they are."""
    every: dict[str, Any] = {
        "max_threads": c.rng.choice((1, 2, 8)),
        "max_inflight": c.rng.choice((1, 16)),
        "one_file_system": True,
        "exclude": [c.places.still / "missing"],
        "cached_attributes": True,
        "stall_timeout": 60.0,
    }
    return {name: value for name, value in every.items() if c.rng.random() < 0.3}


def _output(c: Context) -> tuple[Path, dict[str, Any]]:
    name = c.rng.choice(list(_FORMATS))
    form: dict[str, Any] = dict(_FORMATS[name])
    if c.rng.random() < 0.2:
        form["buffer_threshold"] = "64KiB"
    return c.scratch / name, form


def _is_cancelled(c: Context, top: Path, options: dict[str, Any]) -> bool:
    """Report, and stop that by a callback or by Ctrl-C, if it does not end before."""

    def refuse(_: pwalk.Progress) -> None:
        raise StopError

    if c.rng.random() < 0.4:
        try:
            pwalk.report(top, progress=refuse, **options)
        except StopError:
            return True
        raise AssertionError("progress was never called")
    return c.interrupts(lambda: pwalk.report(top, **options), 0.05)


def _entries(c: Context) -> int:
    def count() -> int:
        walk = os.walk(c.places.still)
        return 1 + sum(len(directories) + len(files) for _, directories, files in walk)

    number = c.once("entries", count)
    assert isinstance(number, int)
    return number


def _check_errors(errors: list[pwalk.EntryError]) -> None:
    for error in errors:
        check(error.errno in _EXPECTED_ERRORS, error, error.operation, error.strerror)


def rows_of(path: Path) -> int:
    """Count the rows of a report."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            return sum(batch.num_rows for batch in file.iter_batches(columns=["inode"]))
    if path.suffix == ".pwal":
        return sum(batch.num_rows for batch in _batches(path))
    compression = {".zst": "zstd", ".gz": "gzip"}.get(path.suffix)
    with pa.input_stream(path, compression=compression) as lines:
        return int(lines.read().count(b"\n")) - 1


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pwalk.read_binary(path) as file:
        yield from file
