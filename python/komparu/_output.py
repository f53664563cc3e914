"""What the command line says of an answer."""

from __future__ import annotations

import json

from komparu._command import Answer

_REASONS = {
    "content_mismatch": "contents differ",
    "size_mismatch": "sizes differ",
    "type_mismatch": "types differ",
}


def lines_of(a: str, b: str, found: Answer) -> list[str]:
    """Return a line for each difference, in the order of the names."""
    if found.kind == "files":
        return [] if found.equal else [f"{printable(a)} and {printable(b)} differ"]
    lines = [(name, _REASONS[why]) for name, why in found.diff.items()]
    lines += [(name, f"only in {printable(a)}") for name in found.only_left]
    lines += [(name, f"only in {printable(b)}") for name in found.only_right]
    lines += [(name, "not compared") for name in found.skipped]
    return [f"{printable(name)}: {what}" for name, what in sorted(lines)]


def as_json(a: str, b: str, found: Answer) -> str:
    """Return the answer as a JSON object: names sorted, bytes that are no UTF-8 as surrogates."""
    result: dict[str, object] = {"a": a, "b": b, "kind": found.kind, "equal": found.equal}
    if found.kind != "files":
        result |= {
            "diff": found.diff,
            "only_left": found.only_left,
            "only_right": found.only_right,
            "errors": found.errors,
            "skipped": found.skipped,
        }
    return json.dumps(result, sort_keys=True)


def failure_as_json(error: Exception) -> str:
    """Return why there is no answer as a JSON object."""
    kind = next(k for k in type(error).__mro__ if not k.__name__.startswith("_"))
    return json.dumps(
        {"equal": None, "error": kind.__name__, "message": str(error)}, sort_keys=True
    )


def size_text(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} PiB"


def printable(text: str) -> str:
    """Return the text with what a terminal must not see, or cannot show, as escapes."""
    escaped = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)
