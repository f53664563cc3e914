"""The programs that compare contents: how each is called, and how it says what it found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from contenders import TREE, Contender, Tools, no_package, printed_version
from figures import Role

TWO = (f"{TREE}/a", f"{TREE}/b")
LIST = f"{TREE}/pairs"
SOURCES = Path(__file__).with_name("compare")


def _comparer(key: str, role: Role, command: list[str], missing: str = "") -> Contender:
    return Contender(key, role, "content", command, missing=missing)


def _floors(tools: Tools) -> Iterator[Contender]:
    program = tools.programs / "compare_floor"
    missing = "" if program.exists() else "compare_floor is not built"
    for key, sources in (("floor, 2", TWO), ("floor, 2, list", ("-l", LIST))):
        command = [str(program), "-t", "2", *sources]
        yield Contender(key, "floor", "content", command, timed_inside=True, missing=missing)


def _peers() -> Iterator[Contender]:
    for key, command in (
        ("cmp", ["cmp"]),
        ("diff -q", ["diff", "-q"]),
        ("diff -rq", ["diff", "-rq"]),
        ("git diff --no-index", ["git", "diff", "--no-index", "--quiet"]),
    ):
        yield _installed(key, [*command, *TWO])
    # -c: by content alone; -i names what would be copied, --delete what would have to go.
    sides = (f"{TREE}/a/", f"{TREE}/b/")
    yield _installed("rsync -rnc", ["rsync", "-rnci", "--delete", *sides], silence=True)


def _installed(key: str, command: list[str], silence: bool = False) -> Contender:
    if not shutil.which(command[0]):
        return _comparer(key, "peer", command, f"{command[0]} is not installed")
    version = printed_version([command[0], "--version"])
    return Contender(key, "peer", "content", command, same_is_silence=silence, version=version)


def _build(compiler: list[str], source: Path, target: Path) -> str:
    """Have ``target`` built from ``source``; returns why it cannot be had, or nothing."""
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return ""
    if not shutil.which(compiler[0]):
        return f"{compiler[0]} is not installed"
    command = [*compiler, "-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaint = done.stderr.strip().partition("\n")[0]
    return "" if done.returncode == 0 else f"{compiler[0]} failed: {complaint}"


def _loops(tools: Tools) -> Iterator[Contender]:
    """What one writes oneself. CMake builds the one in C."""
    in_c = tools.programs / "compare_loop"
    in_go, in_rust = in_c.with_name("compare_loop_go"), in_c.with_name("compare_loop_rust")
    rustc = ["rustc", "-O", "--edition", "2021"]
    for language, program, compiler, missing in (
        ("C", in_c, [], "" if in_c.exists() else "compare_loop is not built"),
        ("Go", in_go, ["go", "version"], _build(["go", "build"], SOURCES / "loop.go", in_go)),
        ("Rust", in_rust, ["rustc", "-V"], _build(rustc, SOURCES / "loop.rs", in_rust)),
    ):
        version = "" if missing or not compiler else printed_version(compiler)
        for key, sources in ((f"{language} loop", TWO), (f"{language} loop, list", ("-l", LIST))):
            yield Contender(
                key,
                "peer",
                "content",
                [str(program), *sources],
                version=version,
                version_of=language,
                missing=missing,
            )


def _role(key: str) -> Role:
    if key.startswith("ours"):
        return "ours"
    return "floor" if key.startswith("floor") else "peer"


def _pythons(tools: Tools) -> Iterator[Contender]:
    python = str(tools.python or sys.executable)
    without = {
        name: no_package(tools, f"komparu.{name}", "komparu.aio")
        for name in ("compare", "compare_dir", "compare_dir_urls", "aio.compare")
    }
    for key, way, sources, missing in (
        ("filecmp", "filecmp", TWO, ""),
        ("filecmp.dircmp", "dircmp", TWO, ""),
        ("filecmp, list", "filecmp_each", (LIST,), ""),
        ("floor, 32 connections", "fetched_by_32", (LIST,), ""),
        ("http.client, one at a time", "fetched", (LIST,), ""),
        ("ours: compare_dir_urls()", "mirror", (LIST,), without["compare_dir_urls"]),
        ("ours: compare()", "compare", TWO, without["compare"]),
        ("ours: compare_dir()", "compare_dir", TWO, without["compare_dir"]),
        ("ours: compare() each", "each", (LIST,), without["compare"]),
        ("ours: aio.compare() gathered", "gathered", (LIST,), without["aio.compare"]),
    ):
        yield Contender(
            key,
            _role(key),
            "content",
            [python, str(Path(__file__).with_name("comparer.py")), way, *sources],
            timed_inside=True,
            missing=missing,
        )
    command = Path(python).with_name("komparu")
    missing = "" if command.exists() else "that Python has no command komparu beside it"
    yield _comparer("ours: komparu", "ours", [str(command), "-q", *TWO], missing)


def all_comparers(tools: Tools) -> dict[str, Contender]:
    """Every comparer by key, those that are missing here included."""
    makers = (_floors(tools), _peers(), _loops(tools), _pythons(tools))
    return {contender.key: contender for made in makers for contender in made}
