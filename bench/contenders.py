"""The programs that are compared: how each is called, and how its entries are counted."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from figures import Kind, Role
from trees import GROUP

TREE = "{tree}"


@dataclass(frozen=True)
class Tools:
    """Where the programs are; a path of None: look it up, or do without."""

    programs: Path
    scratch: Path
    cores: int
    python: Path | None = None
    pwalk3: Path | None = None
    bfs: Path | None = None

    @property
    def parquet(self) -> Path:
        """The file our Parquet report writes."""
        return self.scratch / "report.parquet"

    def shown(self, text: str) -> str:
        """For readers: without the places where this machine keeps things."""
        python = Path(self.python or sys.executable)
        for place, name in (
            (self.programs, ""),
            (Path(__file__).parent, "bench/"),
            (self.scratch, ""),
            (python.parent, ""),
        ):
            text = text.replace(f"{place}/", name)
        return text


@dataclass(frozen=True)
class Contender:
    """One program with fixed options; TREE in a command stands for the tree."""

    key: str
    role: Role
    kind: Kind
    command: list[str]
    count: Callable[[Path], int] | None = None  # entries, from what the check printed
    check: list[str] = field(default_factory=list)  # the command to count by; empty: the same
    timed_inside: bool = False  # prints "entries directories bytes seconds ..."
    same_is_silence: bool = False  # of comparers; else the status tells
    same_as: str = ""  # the key of what yields the very same; both checks print a checksum
    version: str = ""
    version_of: str = ""  # empty: of the command
    missing: str = ""


def first_number(output: Path) -> int:
    """The entries of a program that prints ``entries directories bytes seconds``."""
    return int(output.read_text().split()[0])


def files_alone(output: Path) -> int:
    """The files of such a program."""
    entries, directories = output.read_text().split()[:2]
    return int(entries) - int(directories)


def lines(extra: int, mark: bytes = b"\n") -> Callable[[Path], int]:
    """Count marks; ``extra`` of them are no entries (a header, the top itself)."""

    def count(output: Path) -> int:
        with output.open("rb") as stream:
            blocks: Iterator[bytes] = iter(lambda: stream.read(1 << 20), b"")
            rest, found = b"", 0
            for block in blocks:
                found += (rest + block).count(mark)
                rest = (rest + block)[-(len(mark) - 1) :] if len(mark) > 1 else b""
        return found - extra

    return count


def printed_version(command: list[str]) -> str:
    """The version in what ``command`` prints."""
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+[\w.+-]*", output)
    return found.group() if found else ""


def _floors(tools: Tools) -> Iterator[Contender]:
    program = tools.programs / "floor"
    missing = "" if program.exists() else "floor is not built"

    def floor(key: str, kind: Kind, *options: str) -> Contender:
        command = [str(program), *options, TREE]
        return Contender(
            key, "floor", kind, command, first_number, timed_inside=True, missing=missing
        )

    cores = str(tools.cores)
    yield floor("floor, names, cores", "names", "-n", "-t", cores)
    yield floor("floor, names, 64", "names", "-n", "-t", "64")
    yield floor("floor, 1", "metadata", "-t", "1")
    yield floor("floor, cores", "metadata", "-t", cores)
    yield floor("floor, 16", "metadata", "-t", "16")
    yield floor("floor, 64", "metadata", "-t", "64")
    yield floor("floor, 64, cached", "metadata", "-d", "-t", "64")


def _peer(
    key: str,
    kind: Kind,
    command: list[str],
    count: Callable[[Path], int],
    check: list[str] | None = None,
    missing: str = "",
) -> Contender:
    found = shutil.which(command[0])
    if not missing and not found:
        missing = f"{command[0]} is not installed"
    version = "" if missing else printed_version([command[0], "--version"])
    return Contender(
        key, "peer", kind, command, count, check or [], version=version, missing=missing
    )


def _finders(tools: Tools) -> Iterator[Contender]:
    with_top = lines(extra=1)
    sizes = [TREE, "-printf", "%s\\n"]
    yield _peer("find, names", "names", ["find", TREE], with_top)
    yield _peer("find, stat", "metadata", ["find", *sizes], with_top)

    bfs = str(tools.bfs or "bfs")
    version = printed_version([bfs, "--version"]) if shutil.which(bfs) else ""
    old = bool(version) and int(version.partition(".")[0]) < 3
    no_jobs = f"bfs {version} has no -j (3.0 and later do)" if old else ""
    yield _peer("bfs, names", "names", [bfs, TREE], with_top)
    yield _peer("bfs, stat", "metadata", [bfs, *sizes], with_top)
    yield _peer("bfs -j64, stat", "metadata", [bfs, "-j64", *sizes], with_top, missing=no_jobs)

    fd = "fdfind" if shutil.which("fdfind") else "fd"
    yield _peer("fd, names", "names", [fd, "-u", ".", TREE], lines(extra=0))
    yield _peer("fd -j64, names", "names", [fd, "-u", "-j64", ".", TREE], lines(extra=0))


def _summers(tools: Tools) -> Iterator[Contender]:
    yield _peer("du", "metadata", ["du", "-s", TREE], lines(extra=1), ["du", "-a", TREE])
    as_json = ["gdu", "-npc", "-o-", TREE]
    yield _peer("gdu", "metadata", ["gdu", "-npc", TREE], lines(1, b'{"name":'), as_json)
    pwalk3 = str(tools.pwalk3 or "pwalk")
    missing = "" if tools.pwalk3 else "no released package; give one by --pwalk3"
    yield _peer("pwalk 3.0, CSV", "metadata", [pwalk3, TREE], lines(extra=1), missing=missing)


def _pythons(tools: Tools) -> Iterator[Contender]:
    python = str(tools.python or sys.executable)
    version = printed_version([python, "--version"])

    def command(*options: str) -> list[str]:
        return [python, str(Path(__file__).with_name("walker.py")), *options, TREE]

    def walk(key: str, same_as: str, *options: str, missing: str = "") -> Contender:
        return Contender(
            key,
            "ours" if key.startswith("ours") else "peer",
            "names",
            command(*options),
            files_alone if "mock" in options else first_number,
            command("--check", *options) if same_as else [],
            timed_inside=True,
            same_as=same_as,
            version=version,
            missing=missing,
        )

    up = "--bottom-up"
    yield walk("os.walk", "os.walk", "os")
    yield walk("os.walk, bottom-up", "os.walk, bottom-up", up, "os")
    lstat = walk("os.walk + lstat", "", "--lstat", "os")
    yield dataclasses.replace(lstat, kind="metadata")
    yield _scandir_rs(walk("scandir-rs", "", "scandir_rs"), python)

    no_walk, no_mock = no_package(tools, "pwalk.walk"), no_package(tools, "pwalk.walk_mock")
    one = ("--threads", "1")
    for key, same_as, options in (
        ("ours: walk()", "os.walk", ()),
        ("ours: walk(max_threads=1)", "os.walk", one),
        ("ours: walk(), bottom-up", "os.walk, bottom-up", (up,)),
    ):
        yield walk(key, same_as, *options, "pwalk", missing=no_walk)
    serial = "ours: walk_mock(max_threads=1)"
    for key, same_as, options in (
        ("ours: walk_mock()", serial, ()),
        (serial, serial, one),
        ("ours: walk_mock(), bottom-up", "", (up,)),
    ):
        yield walk(key, same_as, *options, "mock", missing=no_mock)


def _scandir_rs(contender: Contender, python: str) -> Contender:
    """``contender`` with the version of the package, or as missing."""
    version = printed_version([python, "-c", "import scandir_rs; print(scandir_rs.__version__)"])
    missing = "" if version else "scandir-rs is not installed for that Python"
    return dataclasses.replace(
        contender, version=version, version_of=contender.key, missing=missing
    )


def _repairers(tools: Tools) -> Iterator[Contender]:
    """Recursive changes that find nothing to change. With -v, a line for each entry looked at."""
    for key, command in (
        ("chmod -R g+rX", ["chmod", "-R", "g+rX", TREE]),
        ("chgrp -R", ["chgrp", "-R", GROUP, TREE]),
    ):
        yield _peer(key, "metadata", command, lines(extra=1), [command[0], "-v", *command[1:]])
    counting = (
        "import sys, pwalk; r = pwalk.repair(sys.argv[1], dry_run={}); "
        "print(r.progress.entries - 1 - len(r.changes) - len(r.skipped) - len(r.errors))"
    )
    for key, dry_run, options in (
        ("ours: repair", False, ["--apply"]),
        ("ours: repair, dry run", True, []),
    ):
        python = str(tools.python)
        yield Contender(
            key,
            "ours",
            "metadata",
            [python, "-m", "pwalk.cli", "repair", *options, TREE],
            first_number,
            [python, "-c", counting.format(dry_run), TREE],
            missing=no_package(tools, "pwalk.repair"),
        )


def no_package(tools: Tools, name: str = "pwalk.report", module: str = "pwalk.cli") -> str:
    """Why ``name`` of our Python packages cannot be called, or nothing."""
    if tools.python is None:
        return "give the interpreter that has it by --python"
    probe = subprocess.run(
        [str(tools.python), "-c", f"import {module}; {name}"], capture_output=True, check=False
    )
    return "" if probe.returncode == 0 else f"there is no {name} there"


def _parquet_rows(tools: Tools) -> Callable[[Path], int]:
    program = "import sys, pyarrow.parquet as p; print(p.read_metadata(sys.argv[1]).num_rows)"

    def count(_output: Path) -> int:
        command = [str(tools.python), "-c", program, str(tools.parquet)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout) - 1

    return count


def _ours(tools: Tools) -> Iterator[Contender]:
    scan = tools.programs / "scan_null"
    no_scan = "" if os.access(scan, os.X_OK) else "scan_null is not built"
    for key, options in (
        ("ours: scan", []),
        ("ours: scan, cached", ["--cached"]),
        ("ours: scan, CSV encoded", ["--csv"]),
    ):
        command = [str(scan), *options, TREE]
        yield Contender(key, "ours", "metadata", command, first_number, [], True, missing=no_scan)

    # To standard output, as the others write.
    report = [str(tools.python), "-m", "pwalk.cli", "report"]
    csv = [*report, "--format=csv", "--output=-", TREE]
    parquet = [*report, "--format=parquet", f"--output={tools.parquet}", TREE]
    missing = no_package(tools)
    yield Contender("ours: CSV", "ours", "metadata", csv, lines(extra=2), missing=missing)
    yield Contender(
        "ours: Parquet", "ours", "metadata", parquet, _parquet_rows(tools), missing=missing
    )


def all_contenders(tools: Tools) -> dict[str, Contender]:
    """Every contender by key, those that are missing here included."""
    makers = (_floors, _finders, _summers, _pythons, _repairers, _ours)
    return {contender.key: contender for make in makers for contender in make(tools)}
