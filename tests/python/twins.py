"""Two equal trees that are changed alike, and the lists that walks over them gave out."""

# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH112, PTH114, PTH116, PTH211
# Both trees are told apart by the text in front of a path.

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trees

NAMES = ("a", "b", "c", "d", "e", "f.txt", "g g", "h\udcff", "ü", ".snapshot", "i\n", "-j")
MODES = (0o000, 0o300, 0o444, 0o555, 0o755)

Step = tuple[Any, ...]


# --- a tree, and what happens to it ----------------------------------------------------------


class Twins:
    """Two equal trees. What is done to one is done to the other, with the same outcome."""

    def __init__(self, ground: Path) -> None:
        serial = next(_serials)
        # A directory of its own for each: there is nothing else above either of them.
        self.holders = [ground / f"{letter}{serial:06d}" for letter in "ab"]
        for holder in self.holders:
            (holder / "top").mkdir(parents=True)
        self.tops = [str(holder / "top") for holder in self.holders]

    def __enter__(self) -> Twins:
        return self

    def __exit__(self, *_: object) -> None:
        for holder in self.holders:
            trees.remove_tree(holder)

    def do(self, what: Callable[..., object], *relative: str, **more: Any) -> bool:
        """Do something to both trees; say whether it could be done."""
        outcomes = []
        for top in self.tops:
            try:
                what(*(f"{top}/{path}" for path in relative), **more)
                outcomes.append(0)
            except OSError as error:
                outcomes.append(error.errno or -1)
        assert outcomes[0] == outcomes[1], f"the twins differ: {what} {relative} {outcomes}"
        return outcomes[0] == 0

    def link(self, at: str, to: str) -> bool:
        """A link that stays within its tree wherever it is moved, and seldom leads up."""
        if (to == "." or f"{at}/".startswith(f"{to}/")) and len(at) % 6:
            to = "nowhere"
        for top in self.tops:
            target = f"{top}/{to}" if to != "." else "."
            try:
                os.symlink(target, f"{top}/{at}")
            except OSError:
                return False
        return True

    def inventory(self) -> tuple[list[str], list[str]]:
        """Paths of directories, and of everything, below the top."""
        directories, everything = [], []
        todo = [""]
        while todo:
            above = todo.pop()
            with contextlib.suppress(PermissionError), os.scandir(f"{self.tops[0]}/{above}") as at:
                for entry in sorted(at, key=lambda entry: os.fsencode(entry.name)):
                    path = f"{above}/{entry.name}" if above else entry.name
                    everything.append(path)
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(path)
                        todo.append(path)
        return directories, everything

    def listings(self) -> list[list[Any]]:
        return [
            [(path.removeprefix(top), *names) for path, *names in os.walk(top)] for top in self.tops
        ]


_serials = itertools.count()


def touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def swap(one: str, other: str) -> None:
    aside = one + ".aside"
    os.rename(one, aside)
    try:
        os.rename(other, one)
    except OSError:
        os.rename(aside, one)
        raise
    os.rename(aside, other)


def make_and_remove(path: str) -> None:
    os.mkdir(path)
    os.rmdir(path)


def touch_and_restore_times(path: str, name: str) -> None:
    """Change a directory and give it its modification time back."""
    status = os.stat(path)
    touch(f"{path}/{name}")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def plant(twins: Twins, folder: list[tuple[int, int, int, int]]) -> None:
    """Fill both trees with equal things."""
    directories = [""]
    for kind, where, name, to in folder:
        above = directories[where % len(directories)]
        path = f"{above}/{NAMES[name % len(NAMES)]}".lstrip("/")
        if kind < 7:
            if twins.do(os.mkdir, path):
                directories.append(path)
        elif kind < 9:
            twins.do(touch, path)
        elif kind < 11:
            twins.link(path, directories[to % len(directories)] or ".")
        else:
            twins.link(path, "nowhere")


# --- what changes it between two steps -------------------------------------------------------


class Text(str):
    """A name that is no plain ``str``."""


class Meddler:
    """Changes both trees, and the lists that both walks gave out."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.visited: set[str] = set()
        self.given: list[tuple[list[Any], list[Any]]] = []  # dirnames
        self.path = twins.tops[0]

    def see(self, reference: Step, ours: Step) -> None:
        self.path = reference[0]
        self.visited.add(os.path.relpath(self.path, self.twins.tops[0]))
        self.given.append((reference[1], ours[1]))

    def change(self, kind: int, a: int, b: int, c: int) -> str:
        """Do something; say what."""
        done = self.change_tree(kind, a, b, c) if kind < 72 else self.change_names(kind, a, b, c)
        return done or "nothing"

    def change_tree(self, kind: int, a: int, b: int, c: int) -> str | None:
        twins = self.twins
        directories, everything = twins.inventory()
        name = NAMES[c % len(NAMES)]
        one = self.pick(directories, a)
        other = self.pick(directories, b)
        anything = self.pick(everything, a)
        inside = f"{one}/{NAMES[b % len(NAMES)]}" if one else NAMES[b % len(NAMES)]
        aside = f"{other}/{name}" if other else name
        what = kind // 4
        if what == 0:
            return "mkdir" if twins.do(os.mkdir, inside) else None
        if what == 1:
            return "create" if twins.do(touch, inside) else None
        if what == 2:
            return "link" if twins.link(inside, other or "nowhere") else None
        if what == 3:
            return "remove" if anything and twins.do(remove, anything) else None
        if what in (4, 5):
            return "rename" if anything and twins.do(os.rename, anything, aside) else None
        if what == 6:
            return "swap" if one and other and twins.do(swap, one, other) else None
        if what in (7, 8, 9):
            to = ("nowhere", other or "nowhere", aside)[what - 7]
            if one and twins.do(os.rename, one, aside):
                return "directory to link" if twins.link(one, to) else "rename"
        elif what in (10, 11):
            if one and twins.do(remove, one):
                if what == 11:
                    return "directory to file" if twins.do(touch, one) else "remove"
                return "directory to link" if twins.link(one, other or ".") else "remove"
        elif what == 12:
            links = [path for path in everything if os.path.islink(f"{twins.tops[0]}/{path}")]
            link = self.pick(links, a)
            if link and twins.do(os.unlink, link):
                return "retarget" if twins.link(link, other or "nowhere") else "remove"
        elif what == 13:
            return "chmod" if one and twins.do(os.chmod, one, mode=MODES[b % 5]) else None
        elif what == 14:
            return "mkdir and rmdir" if twins.do(make_and_remove, inside) else None
        elif what == 15:
            hidden = one and twins.do(touch_and_restore_times, one, name=name)
            return "restored mtime" if hidden else None
        elif what == 16:
            return (
                "new inode" if one and twins.do(remove, one) and twins.do(os.mkdir, one) else None
            )
        else:
            emptied = other and twins.do(os.rename, other, f"{one}/{name}" if one else name)
            return "moved in" if emptied else None
        return None

    def pick(self, paths: list[str], which: int) -> str:
        """Mostly something that is still to come."""
        ahead = [path for path in paths if path not in self.visited]
        chosen = ahead if ahead and which % 4 else paths
        return chosen[which // 4 % len(chosen)] if chosen else ""

    def change_names(self, kind: int, a: int, b: int, c: int) -> str | None:
        # Mostly of the last step; of an earlier one they still count, if it has children to come.
        names = self.given[-1 if a % 4 else a // 4 % len(self.given)]
        size = len(names[0])
        at = b % (size + 1)
        what = (kind - 72) // 4
        if what in (0, 1):
            extra = [self.name(c, top) for top in self.twins.tops]
            for list_, name in zip(names, extra, strict=True):
                list_.insert(at, name)
            return "insert"
        if what == 2:
            return self.each(names, lambda list_: list_.clear(), "clear")
        if what == 3:
            return self.each(names, lambda list_: list_.reverse(), "reverse")
        if what == 4:
            return self.each(names, lambda list_: list_.sort(key=str), "sort")
        if what == 5:
            return self.each(names, lambda list_: list_.extend(list_[at:]), "duplicate")
        if what == 6:
            others = (None, 7, b"bytes", "null\0", "\ud800", "")
            if kind % 4 == 0:
                odd = others[c % 6]
                return self.each(names, lambda list_: list_.insert(at, odd), "odd name")
            return self.each(names, lambda list_: list_.extend(map(Text, NAMES)), "subclass")
        if size == 0:
            return None
        at = b % size
        if what in (7, 8, 9):
            return self.each(names, lambda list_: list_.pop(at), "leave out")
        if what == 10:
            extra = [self.name(c, top) for top in self.twins.tops]
            for list_, name in zip(names, extra, strict=True):
                list_[at] = name
            return "replace"
        if what == 11:
            return self.each(names, lambda list_: list_.append(list_.pop(at)), "put off")
        return self.each(names, lambda list_: list_.insert(0, list_.pop(at)), "bring forward")

    @staticmethod
    def each(
        names: tuple[list[Any], list[Any]], edit: Callable[[list[Any]], object], what: str
    ) -> str:
        for list_ in names:
            edit(list_)
        return f"dirnames: {what}"

    def name(self, which: int, top: str) -> str:
        """A name to enter: of something in the directory, somewhere else, or nowhere."""
        directories, everything = self.twins.inventory()
        kind, which = which % 6, which // 6
        if kind == 0:
            return NAMES[which % len(NAMES)]
        if kind == 1:
            return f"{top}/{directories[which % len(directories)]}" if directories else top
        if kind == 2:
            inside = os.path.realpath(self.path).startswith(self.twins.tops[0])
            return (".." if inside else ".") + "/" * (which % 2)
        if kind == 3:
            return everything[which % len(everything)] if everything else "."
        if kind == 4:
            return f"{NAMES[which % len(NAMES)]}/{NAMES[which // 2 % len(NAMES)]}"
        return ("nowhere", "/nowhere/at/all", "f.txt/", "x" * 256, "a//b", "./c")[which % 6]
