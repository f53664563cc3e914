"""Make docs/terminal.svg: what a terminal shows of a real run.

``.venv/bin/python docs/terminal.py docs/terminal.svg``, after ``make try``; it reports on /usr.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COMMANDS = (
    "pwalk report /usr",
    """python -c "import duckdb; print(duckdb.sql('''
    SELECT extension, count(*) AS files, sum(size) AS bytes
    FROM 'scan.parquet' WHERE file_count = -1
    GROUP BY ALL ORDER BY bytes DESC LIMIT 4'''))\"""",
    "komparu backup/ data/",
)


def make_trees(top: Path) -> None:
    """Two trees that differ."""
    for name, log in (("backup", "yesterday"), ("data", "everyday!")):
        (top / name / "logs").mkdir(parents=True)
        (top / name / "logs" / "today.log").write_text(log)
        (top / name / "settings.json").write_text("{}")
    (top / "data" / "notes.txt").write_text("remember")


def main() -> None:
    """Run the commands and write the picture."""
    console = Console(width=80, record=True, file=io.StringIO())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as top:
        make_trees(Path(top))
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "green"), (command, "bold")))
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=top,
                env={**os.environ, "PATH": path, "COLUMNS": "80"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode not in (0, 1):  # 1: something differs, or could not be looked at
                raise SystemExit(f"{command}: {done.stdout}")
            console.print(Text.from_ansi(done.stdout.rstrip("\n")), end="\n\n")
    picture = console.export_svg(title="filetree", unique_id="terminal")
    # Nothing is loaded from elsewhere: the font is that of whoever looks.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    Path(sys.argv[1]).write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
