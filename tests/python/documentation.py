r"""The code on a page of documentation, as ``test_documentation`` runs it.

Every block says by its language what is done with it; a block without one, an indented block or
an unknown language is a problem, so that nothing goes unnoticed.

:``sh``: run by ``bash -eu``
:``console``: lines that start with ``$ `` are commands (a ``\`` at the end goes on), what follows
    is exactly what they print; ``...`` on a line of its own stands for any lines. A status other
    than 0 is a failure unless ``$ echo $?`` comes next
:``python``: run; the blocks of a page share one namespace
:``sql``: each statement is run by DuckDB
:``cpp``: compiled and linked against the installed core, and run, without arguments, if it has a
    ``main``. With the ``cmake`` block next to it, before or after, it is a project in the page's
    directory; its file has the name that ``add_executable`` gives it
:``json``: parsed, as one document or as lines
:``text``: no code
:``{include}`` and the like: what Sphinx makes something of: no code

All blocks of a page run in order, in one directory, and ``sh`` and ``console`` in one shell. A
comment on the line above a block says more of it:

:``<!-- numbers vary -->``: numbers in the output of this ``console`` need not be the same
:``<!-- not run: reason -->``: it cannot be run here. Calls of ``make`` in it must still exist

What a page finds at first is made by ``tests/documentation/PAGE.sh``, if that exists; a page that
calls ``make`` runs in a copy of the checkout. It has a network of its own, where the hosts below
example.org that it names serve its directory, or one in it with the host's name, over http and
https; and places such as /srv for itself (see ``documentation_place``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
SETUPS = ROOT / "tests" / "documentation"

RUN = ("sh", "console", "python", "sql", "cpp", "cmake", "json")
# Those in braces tell Sphinx what to do; a file that is included is tested where it lies.
NO_CODE = ("text", "{toctree}", "{eval-rst}", "{include}", "{literalinclude}")

_NUMBERS_VARY = "<!-- numbers vary -->"
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>\S.*\S) -->")
_REMARK = re.compile(r"^\s*<!--\s*(not run|numbers vary)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; ``line`` is that of its first line of code."""

    language: str
    line: int
    text: str
    numbers_vary: bool = False
    not_run: str = ""


@dataclass
class Page:
    """What is to be run of a page, in order, and what keeps it from being so."""

    path: Path
    blocks: list[Block] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The path in the repository."""
        return str(self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path)

    @property
    def to_run(self) -> list[Block]:
        return [block for block in self.blocks if not block.not_run]

    @property
    def calls_make(self) -> bool:
        return any(True for block in self.to_run for _ in make_calls(block))

    @property
    def hosts(self) -> list[str]:
        """The hosts that its code speaks to."""
        code = "\n".join(block.text for block in self.to_run)
        return sorted(set(re.findall(r"\b(?:[\w-]+\.)*example\.(?:org|com|net)\b", code)))

    @property
    def setup(self) -> Path:
        """The script that makes what the page begins with; a translation has the original's."""
        return SETUPS / re.sub(r"(\.\w\w)?\.md$", ".md.sh", self.name)


def pages() -> list[Page]:
    """Every page whose code is run."""
    named = ("README.md", "README.ru.md", "CONTRIBUTING.md", "bench/README.md")
    found = [ROOT / name for name in named if (ROOT / name).exists()]
    return [read(path) for path in (*found, *sorted((ROOT / "docs").rglob("*.md")))]


def read(path: Path) -> Page:
    """Read a page."""
    text = path.read_text("utf-8")
    page = Page(path)
    lines = text.splitlines()
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "code_block":
            page.problems.append(f"{page.name}:{_first(token)}: an indented code block")
        elif token.type == "fence":
            _add(page, token, lines)
    remarks = sum(block.numbers_vary + bool(block.not_run) for block in page.blocks)
    if remarks != len(_REMARK.findall(text)):
        page.problems.append(f"{page.name}: a remark that is malformed or above no block of code")
    return page


def make_calls(block: Block) -> Iterator[str]:
    """The lines of a block that call make."""
    if block.language in ("sh", "console"):
        yield from re.findall(r"^(?:\$ )?(make(?: .*)?)$", block.text, re.MULTILINE)


def _add(page: Page, token: Token, lines: list[str]) -> None:
    language, line = token.info.strip(), _first(token)
    if language.startswith("{"):
        language = language.partition(" ")[0]
    above = lines[line - 2].strip() if line > 1 else ""
    reason = _NOT_RUN.fullmatch(above)
    if language in RUN:
        page.blocks.append(
            Block(
                language,
                line + 1,
                token.content,
                numbers_vary=language == "console" and above == _NUMBERS_VARY,
                not_run=reason["reason"] if reason else "",
            )
        )
    elif language not in NO_CODE:
        what = f"an unknown language: {language}" if language else "a block without a language"
        page.problems.append(f"{page.name}:{line}: {what}")


def _first(token: Token) -> int:
    assert token.map is not None
    return token.map[0] + 1


# ---- Links ---------------------------------------------------------------------------------------


def dead_links(page: Page) -> list[str]:
    """Links, pictures and inclusions that lead to no file, or to no heading of the page."""
    text = page.path.read_text("utf-8")
    found = []
    headings = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))  # Sphinx's labels
    tokens = MarkdownIt("commonmark").parse(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            headings.add(re.sub(r"[^\w\- ]", "", token.content.lower()).replace(" ", "-"))
        if token.type == "fence" and re.match(r"\{\w*include\} ", token.info):
            found.append(token.info.split()[1])
        for child in token.children or ():
            found.append(str(child.attrs.get("href") or child.attrs.get("src") or ""))
    return [link for link in found if link and not _leads_somewhere(link, page, headings)]


def _leads_somewhere(link: str, page: Page, headings: set[str]) -> bool:
    if re.match(r"(https?|mailto):", link):
        return True  # elsewhere: not this test's business
    path, _, heading = unquote(link).partition("#")
    if not path:
        return heading in headings
    return (page.path.parent / path).exists()


# ---- Sessions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """A command of a ``console`` block, and what it prints."""

    line: int
    text: str
    expected: list[str]
    may_fail: bool


def commands(block: Block) -> list[Command]:
    """Take a ``console`` block apart.

    :raises ValueError: it does not start with a command
    """
    found: list[tuple[int, list[str], list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append((number, [line[2:]], []))
        elif not found:
            raise ValueError("a console block starts with a command")
        elif not found[-1][2] and found[-1][1][-1].endswith("\\"):
            found[-1][1].append(line)
        else:
            found[-1][2].append(line)
    following = [words for _, words, _ in found[1:]] + [[""]]
    return [
        Command(number, "\n".join(words), expected, after[0].strip() == "echo $?")
        for (number, words, expected), after in zip(found, following, strict=True)
    ]


def agrees(expected: Iterable[str], printed: str, numbers_vary: bool) -> bool:
    """Whether what was printed is what the page shows."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "..." else re.escape(_compared(line, numbers_vary)) + "\n"
        for line in expected
    )
    lines = (_compared(line, numbers_vary) + "\n" for line in printed.splitlines())
    return re.fullmatch(pattern, "".join(lines)) is not None


def _compared(line: str, numbers_vary: bool) -> str:
    """A line without what does not matter: a wider number moves columns and stretches rules."""
    if numbers_vary:
        line = re.sub(r"\d+(?:[.,]\d+)*", "0", line)
        line = re.sub(r"( |─|━|-)\1+", r"\1", line)
    return line.rstrip()
