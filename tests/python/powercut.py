"""A disk that loses its power: what may be found on it afterwards.

What a program did to the files below a directory is recorded by recorder.c. After a cut behind any
of these operations, of each file there is what had been synced, and any of the writes since, page
by page; of each directory the names that had been synced, and any of the changes since, a rename
being one change.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

PAGE = 4096


_HEADER = struct.Struct("=cQQII")


class Operation(NamedTuple):
    """One of the calls recorded.

    Kinds: c(reate), t(emporary file), f (truncate), w(rite), s(ync a file), d (sync a directory),
    r(ename), l(ink), u(nlink), m(kdir). ``first`` and ``second`` are paths, or what was written.
    """

    kind: str
    inode: int
    offset: int
    first: bytes
    second: bytes


def build_library(source: Path, directory: Path) -> Path:
    """Compile what has to be preloaded; skip the test where that is not possible."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = directory / f"{source.stem}.so"
    flags = ("-std=gnu11", "-O1", "-shared", "-fPIC")
    subprocess.run([compiler, *flags, "-o", str(library), str(source), "-ldl"], check=True)
    return library


def preloaded(library: Path) -> dict[str, str]:
    """The environment in which ``library`` comes behind what these tests are run with.

    Sanitizers report on stderr there: for a log file they make directories before they can bear
    that somebody else answers such calls.
    """
    preloads = filter(None, [os.environ.get("LD_PRELOAD"), str(library)])
    return {"LD_PRELOAD": " ".join(preloads)} | {
        name: ":".join(word for word in given.split(":") if not word.startswith("log_path="))
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")
        if (given := os.environ.get(name)) is not None
    }


def operations(log: Path) -> Iterator[Operation]:
    """What has been recorded."""
    content = log.read_bytes()
    at = 0
    while at < len(content):
        kind, inode, offset, first, second = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        middle, end = at + first, at + first + second
        yield Operation(kind.decode(), inode, offset, content[at:middle], content[middle:end])
        at = end


@dataclass(frozen=True)
class Write:
    offset: int
    content: bytes

    def apply(self, content: bytearray) -> None:
        end = self.offset + len(self.content)
        content.extend(bytes(max(0, end - len(content))))
        content[self.offset : end] = self.content


@dataclass(frozen=True)
class Truncate:
    length: int

    def apply(self, content: bytearray) -> None:
        del content[self.length :]
        content.extend(bytes(self.length - len(content)))


@dataclass
class File:
    content: bytearray = field(default_factory=bytearray)
    pending: list[Write | Truncate] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """Of a directory: a name that is gone, and one that now means something."""

    gone: str | None
    name: str | None
    node: File | Directory | None

    def apply(self, names: dict[str, File | Directory]) -> None:
        if self.gone is not None:
            names.pop(self.gone, None)
        if self.name is not None and self.node is not None:
            names[self.name] = self.node


@dataclass
class Directory:
    names: dict[str, File | Directory] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def now(self, changes: list[Change] | None = None) -> dict[str, File | Directory]:
        names = dict(self.names)
        for change in self.pending if changes is None else changes:
            change.apply(names)
        return names


# Which of the pending changes of names, and which writes, a cut leaves.
Names = Callable[[list[Change]], list[Change]]
Writes = Callable[["list[Write | Truncate]"], "list[Write | Truncate]"]
# What is found: paths, and what is in the files; None: it is a directory.
State = dict[str, "bytes | None"]


class Disk:
    """What is below a directory, as it would be after a cut."""

    def __init__(self, base: Path) -> None:
        """Begin with what is there, all of it synced."""
        self.base = base
        self.inodes: dict[int, File] = {}
        self.top = self._load(base)

    def _load(self, place: Path) -> Directory:
        directory = Directory()
        for path in place.iterdir():
            if path.is_dir():
                directory.names[path.name] = self._load(path)
            else:
                file = File(bytearray(path.read_bytes()))
                directory.names[path.name] = self.inodes[path.stat().st_ino] = file
        return directory

    def apply(self, operation: Operation) -> None:
        """Do what the program did."""
        kind, inode = operation.kind, operation.inode
        if kind in "ct":
            self.inodes[inode] = File()
        if kind in "cl":
            directory, name = self._parent(operation.first)
            directory.pending.append(Change(None, name, self.inodes[inode]))
        elif kind == "f":
            self.inodes[inode].pending.append(Truncate(operation.offset))
        elif kind == "w":
            for at in range(0, len(operation.first), PAGE):
                page = operation.first[at : at + PAGE]
                self.inodes[inode].pending.append(Write(operation.offset + at, page))
        elif kind == "s":
            file = self.inodes[inode]
            for write in file.pending:
                write.apply(file.content)
            file.pending.clear()
        elif kind == "d":
            directory = self._directory(operation.first)
            directory.names = directory.now()
            directory.pending.clear()
        elif kind == "r":
            directory, name = self._parent(operation.first)
            other, new_name = self._parent(operation.second)
            assert directory is other
            directory.pending.append(Change(name, new_name, directory.now()[name]))
        elif kind == "u":
            directory, name = self._parent(operation.first)
            directory.pending.append(Change(name, None, None))
        elif kind == "m":
            directory, name = self._parent(operation.first)
            directory.pending.append(Change(None, name, Directory()))

    def _directory(self, path: bytes) -> Directory:
        directory = self.top
        for name in Path(path.decode()).relative_to(self.base).parts:
            below = directory.now()[name]
            assert isinstance(below, Directory)
            directory = below
        return directory

    def _parent(self, path: bytes) -> tuple[Directory, str]:
        place = Path(path.decode())
        return self._directory(bytes(place.parent)), place.name

    def after_cut(self, names: Names, writes: Writes) -> State:
        """Return what is found after a cut that leaves what these choose."""
        state: State = {}
        self._collect(self.top, "", names, writes, state)
        return state

    def _collect(
        self, directory: Directory, at: str, names: Names, writes: Writes, state: State
    ) -> None:
        for name, node in directory.now(names(directory.pending)).items():
            path = f"{at}/{name}" if at else name
            if isinstance(node, Directory):
                state[path] = None
                self._collect(node, path, names, writes, state)
            else:
                content = bytearray(node.content)
                for write in writes(node.pending):
                    write.apply(content)
                state[path] = bytes(content)


def build(state: State, base: Path) -> None:
    """Make the files of a state."""
    base.mkdir()
    for path, content in state.items():
        if content is None:
            (base / path).mkdir()
        else:
            (base / path).write_bytes(content)
