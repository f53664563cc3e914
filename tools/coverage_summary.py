#!/usr/bin/env python3
"""coverage_summary.py PLACE: lines that were run of those that could be, by room and by package."""

import json
import sys
from collections import Counter
from pathlib import Path


def main() -> None:
    place = Path(sys.argv[1])
    run, all_of = Counter[str](), Counter[str]()
    for file in json.loads((place / "core.json").read_text())["files"]:
        for part in (_room(file["filename"]), "the core"):
            run[part] += file["line_covered"]
            all_of[part] += file["line_total"]
    for name, file in json.loads((place / "python.json").read_text())["files"].items():
        for part in (str(Path(name).parent), "Python"):
            run[part] += file["summary"]["covered_lines"]
            all_of[part] += file["summary"]["num_statements"]
    for part in sorted(all_of, key=lambda part: ("/" not in part, part)):
        percent = 100 * run[part] / all_of[part]
        print(f"{part:24} {run[part]:6} of {all_of[part]:6} {percent:6.1f} %")


def _room(file: str) -> str:
    """src/walk for src/walk/engine.cpp; each room sees the public headers by links of its own."""
    parts = Path(file).parts
    return "/".join(parts[:2]) if parts[0] == "src" else "include/filetree"


main()
