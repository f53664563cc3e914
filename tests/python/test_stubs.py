"""The stubs of the extension modules say what the modules have."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("komparu", "pwalk")

# What stubtest says of all that nanobind makes: classes have a metaclass of its own, those that
# only the core makes have object's __init__, functions are no Python functions, and names of types
# alone (aliases, tuples, protocols) are no objects. Names and signatures are for the other test.
ALLOWED = r"""
(komparu|pwalk)\._core\.[A-Z]\w+
(komparu|pwalk)\._core\.[A-Z]\w+\.(__init__|__nb_enum__)
(komparu|pwalk)\._core\.[a-z]\w+
"""


def declarations(stub: str) -> dict[str, str]:
    """What a stub declares: of functions their parameters without types, of classes their bases.

    A class has what the protocols among its bases declare.
    """
    tree = ast.parse(stub)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, str] = {}

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef) and _is_object(node):
                bases = [classes[name] for name in map(ast.unparse, node.bases) if name in classes]
                found[prefix + node.name] = ", ".join(b.name for b in bases if _is_object(b))
                for declaring in [node, *(base for base in bases if not _is_object(base))]:
                    look(declaring.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef):
                kinds = [ast.unparse(decorator) for decorator in node.decorator_list]
                found[prefix + node.name] = " ".join([*kinds, _parameters(node.args)])
            elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
                found.update((alias.asname or alias.name, "") for alias in node.names)

    look(tree.body, "")
    return found


def _is_object(node: ast.ClassDef) -> bool:
    return not any(ast.unparse(base) in {"NamedTuple", "Protocol"} for base in node.bases)


def _parameters(arguments: ast.arguments) -> str:
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    arguments.defaults = [ast.Constant(...) for _ in arguments.defaults]
    arguments.kw_defaults = [d and ast.Constant(...) for d in arguments.kw_defaults]
    return f"({ast.unparse(arguments)})"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_stub_declares_what_nanobind_reads_from_the_module(
    package: str, tmp_path: Path
) -> None:
    pytest.importorskip("nanobind", reason="nanobind is not installed")
    generated = tmp_path / "generated.pyi"
    subprocess.run(
        [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", f"{package}._core", "-o", generated],
        check=True,
    )
    written = Path(str(importlib.import_module(package).__file__)).with_name("_core.pyi")
    assert declarations(written.read_text()) == declarations(generated.read_text())


def test_stubtest_finds_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    allowed = tmp_path / "allowed"
    allowed.write_text(ALLOWED)
    modules = [f"{package}._core" for package in PACKAGES]
    options = ["--allowlist", str(allowed), "--ignore-unused-allowlist"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *modules, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
