"""README.md and README.ru.md say the same, as far as that can be counted, with a real picture."""

from __future__ import annotations

import html
import re
import runpy
import subprocess
import sys
from pathlib import Path

import documentation
import support
from documentation import ROOT, Page

ENGLISH, RUSSIAN = (documentation.read(ROOT / name) for name in ("README.md", "README.ru.md"))


def text(page: Page) -> str:
    return page.path.read_text("utf-8")


def figures(page: Page) -> list[list[str]]:
    """The numbers in each row of the tables, as English writes them."""
    rows = [line for line in text(page).splitlines() if line.startswith("|")]
    if page is RUSSIAN:
        rows = [re.sub(r"(?<=\d),(?=\d)", ".", re.sub(r"(?<=\d) (?=\d{3})", "", r)) for r in rows]
    else:
        rows = [re.sub(r"(?<=\d),(?=\d{3})", "", row) for row in rows]
    return [re.findall(r"\d+(?:\.\d+)*", row) for row in rows]


def test_both_have_the_same_code() -> None:
    def code(page: Page) -> list[tuple[str, str, bool, str]]:
        return [(b.language, b.text, b.numbers_vary, b.not_run) for b in page.blocks]

    assert code(RUSSIAN) == code(ENGLISH)


def test_the_tables_of_both_have_the_same_figures() -> None:
    assert figures(RUSSIAN) == figures(ENGLISH)
    assert sum(map(len, figures(ENGLISH))) > 100


def test_both_have_the_same_sections() -> None:
    def shape(page: Page) -> list[tuple[str, int]]:
        """The level of each heading, and the number of points below it."""
        parts = re.split(r"^(#+) .*$", re.sub(r"```.*?```", "", text(page), flags=re.S), flags=re.M)
        return [
            (level, len(re.findall(r"^- ", body, re.M)))
            for level, body in zip(parts[1::2], parts[2::2], strict=True)
        ]

    assert shape(RUSSIAN) == shape(ENGLISH)


def test_both_have_the_same_links_and_lead_to_each_other() -> None:
    def links(page: Page) -> list[str]:
        return [link for link in re.findall(r"\]\(([^)]*)\)", text(page)) if link[0] != "#"]

    english, russian = links(ENGLISH), links(RUSSIAN)
    assert (english[0], russian[0]) == ("README.ru.md", "README.md")
    assert sorted(english[1:]) == sorted(russian[1:])


def test_the_picture_is_what_its_script_makes(tmp_path: Path) -> None:
    """But for what lies in /usr, which is another thing on another machine."""
    script = ROOT / "docs" / "terminal.py"
    again = tmp_path / "terminal.svg"
    subprocess.run([sys.executable, script, again], check=True, timeout=support.LIVENESS)
    commands: tuple[str, ...] = runpy.run_path(str(script))["COMMANDS"]
    lines = "\n".join(commands).splitlines()
    lines += ["logs/today.log: contents differ", "notes.txt: only in data/"]
    for picture in (again, script.with_suffix(".svg")):
        content = picture.read_text("utf-8")
        shown = re.findall(r"<text [^>]*>([^<]*)</text>", html.unescape(content))
        said = [line.replace("\xa0", " ").strip() for line in shown]
        assert [line for line in said if line in map(str.strip, lines)] == [*map(str.strip, lines)]
        assert any(re.fullmatch(r"[\d,]+ entries \(.*\), .* [KMGT]iB", line) for line in said)
