"""ARCHITECTURE.md's map, and the arrows on it, hold for the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "ARCHITECTURE.md").read_text().split("```")[1]

# What the private code of a room may include of others.
BELOW = {
    "fs": set(),
    "walk": {"fs"},
    "report": {"fs", "walk"},
    "repair": {"fs", "walk"},
    "http": {"fs"},
    "compare": {"fs", "walk", "http"},
    "bindings": {"fs"},
}


def part_of(room: str) -> str:
    """The lines of the map that are about a room."""
    start = MAP.index(f"src/{room}/")
    end = MAP.find("\nsrc/", start)
    return MAP[start : end if end > 0 else None]


@pytest.mark.parametrize("room", sorted(BELOW))
def test_private_headers_are_included_along_the_arrows(room: str) -> None:
    for source in (ROOT / "src" / room).rglob("*.[ch]pp"):
        for included in re.findall(r'#include "(?:\.\./)+(\w+)/', source.read_text()):
            assert included in BELOW[room] | {room}, f"{source.name} includes {included}/"


@pytest.mark.parametrize("room", sorted(BELOW.keys() - {"bindings"}))
def test_the_map_names_every_source(room: str) -> None:
    part = part_of(room)
    for source in (ROOT / "src" / room).rglob("*.[ch]pp"):
        assert re.search(rf"\b{source.stem}\b", part), source


@pytest.mark.parametrize("room", sorted(BELOW.keys() - {"bindings"}))
def test_what_the_map_names_is_there(room: str) -> None:
    stems = {source.stem for source in (ROOT / "src" / room).rglob("*.[ch]pp")}
    for line in part_of(room).splitlines()[1:]:
        named = re.match(r" {4}(\w+(?:, \w+)*)", line)
        if named:
            assert set(named[1].split(", ")) <= stems, line


@pytest.mark.parametrize("package", ["pwalk", "komparu"])
def test_the_map_names_every_module_of_the_packages(package: str) -> None:
    start = MAP.index(f"python/{package}/")
    part = MAP[start : MAP.index("\n\n", start) if "\n\n" in MAP[start:] else None]
    for module in (ROOT / "python" / package).glob("*.py"):
        assert module.stem == "__init__" or re.search(rf"\b{module.stem}\b", part), module
