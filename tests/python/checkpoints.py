"""Reports with a checkpoint: run, kill and resume them, and compare what they wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import pwalk
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import restricted
import support
from pwalk import _core
from pwalk._checkpoint import open_checkpoint

#: What a report is called, by a name for its format and compression.
OUTPUTS = {
    "parquet": "out.parquet",
    "csv": "out.csv",
    "csv.zst": "out.csv.zst",
    "csv.gz": "out.csv.gz",
    "binary": "out.pwal",
}

#: Where in a frontier it says whether the scan is complete.
COMPLETE_AT = 8

OPTIONS: dict[str, Any] = {
    "max_threads": None,
    "max_inflight": None,
    "stall_timeout": 300.0,
    "ignore_snapshots": True,
    "one_file_system": False,
    "max_depth": None,
    "exclude": None,
    "buffer_threshold": "2GB",
}

# Arguments: files of a computed tree or 0, top, format, output, checkpoint, interval.
REPORT = """
import json, sys
import checkpoints
from pwalk import _core
from pwalk._checkpoint import plan_of
from pwalk._report import run_report
files, top, form, output, checkpoint, interval = sys.argv[1:]
if int(files):
    fs = _core.synthetic_file_system(_core.SyntheticTree(int(files)), top.encode())
else:
    fs = _core.posix_file_system()
plan = plan_of(checkpoint, float(interval), True)
outcome = run_report(top, form, output, None, True, None, fs, plan, **checkpoints.OPTIONS)
errors = [[error, error.operation, error.errno] for error in outcome.errors]
progress = outcome.progress
counts = [progress.entries, progress.bytes, progress.errors, progress.kinds, progress.vanished]
json.dump([errors, counts], sys.stdout)
"""

Rows: TypeAlias = "pa.Table | tuple[bytes, list[bytes]]"


def format_of(form: str) -> str:
    """The format that a key of :data:`OUTPUTS` means."""
    return form.partition(".")[0]


def rows_of(output: Path) -> Rows:
    """All columns of all rows of a report, in an order that does not depend on the scan's."""
    if output.name.endswith(".parquet"):
        with output.open("rb") as parquet:  # by name only if that is UTF-8
            return _sorted(pq.read_table(parquet))
    if output.name.endswith(".pwal"):
        file = pwalk.read_binary(output)
        table = pa.table(file)
        assert not file.torn
        return _sorted(table)
    header, _, rest = support.decompressed(output).partition(b"\n")
    assert not rest or rest.endswith(b"\n")
    return header, sorted(rest.split(b"\n")[:-1])


def _sorted(table: pa.Table) -> pa.Table:
    table = table.replace_schema_metadata(None)
    return table.sort_by([("filename", "ascending"), ("inode", "ascending")]).combine_chunks()


def count(rows: Rows) -> int:
    """How many rows there are."""
    return len(rows[1]) if isinstance(rows, tuple) else int(rows.num_rows)


def assert_same(got: Rows, expected: Rows, about: str = "") -> None:
    """No row is lost, twice, or other than it should be."""
    same = got == expected if isinstance(got, tuple) else got.equals(expected)
    assert same, f"{about}: {difference(got, expected)}"


def difference(got: Rows, expected: Rows) -> str:
    """Some rows in which two reports differ."""
    ours, theirs = _lines(got), _lines(expected)
    twice = sorted({line for line in ours if ours.count(line) > 1}) if len(ours) < 5000 else []
    more, fewer = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
    return (
        f"{len(ours)} rows, not {len(theirs)}; too many: {more[:3]}; missing: {fewer[:3]}; "
        f"twice: {twice[:3]}"
    )


def _lines(rows: Rows) -> list[str]:
    if isinstance(rows, tuple):
        return [repr(line) for line in rows[1]]
    return [repr(tuple(row.values())) for row in rows.to_pylist()]


@dataclass(frozen=True)
class Job:
    """A report with a checkpoint, everything it writes in ``directory``.

    :ivar top: what is reported on
    :ivar form: a key of :data:`OUTPUTS`
    :ivar interval: of the checkpoint
    :ivar ordinary: see :func:`restricted.command`
    :ivar files: of a computed tree; 0 for a real one
    :ivar by_api: call the API in a child, which prints errors and counts, not the command
    """

    directory: Path
    top: str | Path
    form: str
    interval: float = 0.01
    ordinary: bool = False
    files: int = 0
    by_api: bool = False
    flags: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Path:
        return self.directory / "checkpoint"

    @property
    def output(self) -> Path:
        return self.directory / "output" / OUTPUTS[self.form]

    @property
    def temporary(self) -> Path:
        return self.directory / "tmp"

    def prepare(self) -> Job:
        """Make the directories."""
        self.output.parent.mkdir(parents=True)
        self.temporary.mkdir()
        return self

    def words(self) -> list[str]:
        """The command line."""
        before = restricted.command(ordinary=self.ordinary)
        kept = (self.checkpoint, str(self.interval))
        if self.files or self.by_api:
            what = (str(self.files), str(self.top), format_of(self.form))
            return [*before, sys.executable, "-c", REPORT, *what, str(self.output), *map(str, kept)]
        flags = ["--format", format_of(self.form), "-q", "--resume", *self.flags]
        keep = ["--checkpoint", str(kept[0]), "--checkpoint-interval", kept[1]]
        where = [str(self.top), "-o", str(self.output)]
        return [*before, *support.PWALK, "report", *where, *flags, *keep]

    def environment(self) -> dict[str, str]:
        own = {"TMPDIR": str(self.temporary), "PYTHONPATH": support.module_path()}
        return {**support.wide_environment(), **own}

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, as the leader of nothing: to be waited for or killed by the caller."""
        return subprocess.Popen(
            self.words(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
        )

    def finish(self, status: int = 0, about: str = "") -> Any:
        """Run it to its end; return what it printed as JSON, if it did."""
        with self.start() as child:
            try:
                told, complaints = child.communicate(timeout=support.LIVENESS)
            finally:
                child.kill()
        text = complaints.decode(errors="replace")
        assert child.returncode == status, f"{about}: exit {child.returncode}: {text}"
        assert "Traceback" not in text, f"{about}: {text}"
        return json.loads(told) if told else None

    def uninterrupted(self, status: int = 0) -> tuple[Rows, Any]:
        """The rows of a report that nothing disturbed, and what it printed.

        The tree has been read once before: that may change the atime of directories, but once only,
        on a file system with relatime.
        """
        self.finish(status)
        self.output.unlink()
        told = self.finish(status)
        rows = rows_of(self.output)
        self.output.unlink()
        return rows, told

    def report(self, **options: Any) -> list[pwalk.EntryError]:
        """Resume it in this process."""
        options = {"checkpoint_interval": self.interval, "resume": True, **options}
        form = format_of(self.form)
        return pwalk.report(self.top, form, self.output, checkpoint=self.checkpoint, **options)[1]

    def begin(self, **options: Any) -> Job:
        """Do some of it, in this process, and leave what is finished in the checkpoint.

        The scan is told to stop before it has begun, so it does at its first rest. One worker does
        not get through a thousand directories until then, unless the machine is very busy.
        """

        def stopping(*arguments: Any) -> _core.Checkpoint:
            checkpoint = open_checkpoint(*arguments)
            checkpoint.stop()
            return checkpoint

        for _ in range(100):
            with (
                mock.patch("pwalk._report.open_checkpoint", stopping),
                pytest.raises(KeyboardInterrupt),
            ):
                self.report(resume=False, **{"max_inflight": 1, **options})
            assert not self.output.exists()
            if self.phase() == "scanning" and any(self.checkpoint.glob("part-*")):
                return self
            shutil.rmtree(self.checkpoint)
        raise AssertionError("the first rest never comes in the midst of the scan")

    def kept(self) -> dict[str, bytes]:
        """What is in the checkpoint."""
        return {path.name: path.read_bytes() for path in self.checkpoint.iterdir()}

    def phase(self) -> str:
        """How far a report that has been killed had come."""
        frontier = self.checkpoint / "frontier"
        if frontier.exists():
            complete = frontier.read_bytes()[COMPLETE_AT]
            return "assembling" if complete else "scanning"
        if self.output.exists():
            return "removal"
        return "first interval" if self.checkpoint.exists() else "start-up"

    def assert_tidy(self, about: str = "") -> None:
        """Nothing is left but the report."""
        assert support.names_in(self.checkpoint) == [], about
        assert support.names_in(self.output.parent) == [self.output.name], about
        assert support.names_in(self.temporary) == [], about
