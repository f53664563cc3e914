"""How Sphinx builds these pages; `make docs` calls it."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

FIGURES = DOCS / "benchmarks" / "README.md"

# What is shown as a page by another name; links to it lead there.
PAGES = {
    ROOT / "ARCHITECTURE.md": "architecture",
    ROOT / "CHANGELOG.md": "changelog",
    ROOT / "bench" / "README.md": "benchmarks",
    DOCS / "benchmarks": "benchmarks/README" if FIGURES.exists() else "benchmarks",
}


def _version() -> str:
    match = re.search(
        r"project\(filetree VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text("utf-8")
    )
    if match is None:
        raise ValueError("CMakeLists.txt names no version")
    return match[1]


project = "filetree"
author = "the filetree authors"
project_copyright = author
version = release = _version()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"filetree {version}"
html_copy_source = False
html_show_sphinx = False

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

# Other people's names: building these pages asks no network for their addresses.
nitpick_ignore_regex = [
    ("py:.*", r"(os|collections|asyncio|fnmatch|logging|tempfile|pyarrow|errno)(\..*)?"),
    ("py:.*", r"(str|bytes|int|float|bool|object|list|dict|set|tuple|None|Any|AnyStr|T)"),
    (
        "py:.*",
        r"(Iterable|Iterator|Mapping|Sequence|Callable|PathLike|Schema|RecordBatch|StrPath|AnySource)",
    ),
    ("py:.*", r"\w*(Error|Interrupt)|Exception"),
]


def _add_types(
    _app: Sphinx, what: str, _name: str, documented: Any, _options: Any, lines: list[str]
) -> None:
    """Say of the attributes that a class describes what their annotations say."""
    if what not in ("class", "exception"):
        return
    annotations = inspect.get_annotations(documented)
    described = [match[1] for line in lines if (match := re.match(r":ivar (\w+):", line))]
    lines += [f":vartype {name}: {annotations[name]}" for name in described if name in annotations]


def _escape_asterisks(_app: Sphinx, _context: Any, lines: list[str]) -> None:
    """Keep patterns in the text of an option from being markup."""
    lines[:] = [line.replace("'*", r"'\*") for line in lines]


def _link_pages(_app: Sphinx, name: str, source: list[str]) -> None:
    """Make links of a page lead to pages."""
    source[0] = _with_links(source[0], (DOCS / name).parent)


def _link_included(_app: Sphinx, path: Path, _name: str, source: list[str]) -> None:
    """Make links of a file that a page includes lead to where they led."""
    source[0] = _with_links(source[0], (DOCS / path).parent)


def _with_links(text: str, directory: Path) -> str:
    def leading(match: re.Match[str]) -> str:
        target = (directory / match[1]).resolve()
        if page := PAGES.get(target):
            return f"](/{page}.md"
        inside = directory.resolve().is_relative_to(DOCS)
        return match[0] if inside else f"]({os.path.relpath(target, DOCS)}"

    return re.sub(r"\]\((?!\w+:|[#/])([^)#\s]+)", leading, text)


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.connect("autodoc-process-docstring", _add_types)
    app.connect("source-read", _link_pages)
    app.connect("include-read", _link_included)
    app.connect("sphinx-click-process-options", _escape_asterisks)
