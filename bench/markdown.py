"""Tables and the like, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Text that is nothing but text in a table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;").replace("\n", " ")


def code(text: str) -> str:
    """A command in a table."""
    return "`" + text.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: int = 0) -> str:
    """A table of ready cells, whose columns from ``right`` on hold figures; 0: none does."""
    marks = ["---:" if right and column >= right else "---" for column in range(len(head))]
    lines = (head, marks, *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def folded(summary: str, text: str) -> str:
    """What is shown when asked for."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
