"""The pages of the reference name all that there is: what is made by hand cannot be forgotten."""

from __future__ import annotations

import ast
import re
from types import ModuleType

import komparu
import pwalk
import pyarrow
import pytest
from documentation import ROOT
from pwalk._stream import ScanSchema

REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("package", [pwalk, komparu], ids=lambda package: package.__name__)
def test_every_public_name_is_on_its_package_s_page(package: ModuleType) -> None:
    page = (REFERENCE / f"{package.__name__}.md").read_text("utf-8")
    pattern = rf"auto(?:function|class|exception):: {package.__name__}\.(\w+)(?:\(\))?$"
    documented = re.findall(pattern, page, re.MULTILINE)
    assert sorted(documented) == sorted({*package.__all__} - {"__version__"})


def test_every_header_is_on_the_page_of_the_cpp_api() -> None:
    page = (REFERENCE / "cpp.md").read_text("utf-8")
    shown = re.findall(r"{literalinclude} ../../include/filetree/(\S+)$", page, re.MULTILINE)
    listed = re.findall(r"^\| \[`(\S+)`\]", page, re.MULTILINE)
    assert shown == listed
    headers = [path.name for path in (ROOT / "include" / "filetree").iterdir()]
    assert sorted(shown) == sorted(headers)


def test_the_page_of_columns_has_all_of_them_in_order() -> None:
    page = (REFERENCE / "formats" / "columns.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    columns = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert columns == pyarrow.schema(ScanSchema()).names


def test_configure_names_every_option_with_its_default() -> None:
    text = str(komparu.configure.__doc__)
    named = dict(re.findall(r"``(\w+)=(\S+?)``", text))
    named |= dict(re.findall(r":param (\w+):.*?default (\w+)", text, re.DOTALL))
    assert {name: ast.literal_eval(value) for name, value in named.items()} == komparu.get_config()
