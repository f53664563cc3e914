"""What the documentation shows is run: see ``documentation`` for how a page says what to do."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import documentation
import documentation_place
import networks
import pytest
from documentation import ROOT, Page

PAGES = documentation.pages()
BUILD = ROOT / "build" / "dev"

WITH_CODE = [page for page in PAGES if page.to_run]


def for_each(pages: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=[page.name for page in pages])


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the core is installed, for blocks of C++."""
    if shutil.which("cmake") is None or not (BUILD / "build.ninja").exists():
        pytest.skip("the core is not built here, or there is no cmake")
    at = tmp_path_factory.mktemp("prefix")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", at], check=True, capture_output=True)
    return at


@for_each(PAGES)
def test_every_block_says_what_it_is(page: Page) -> None:
    assert page.problems == []


@for_each(PAGES)
def test_every_link_leads_somewhere(page: Page) -> None:
    assert documentation.dead_links(page) == []


@for_each(WITH_CODE)
def test_what_a_page_says_is_so(page: Page, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if page.hosts:
        for program in ("nginx", "openssl"):
            if shutil.which(program, path="/usr/local/bin:/usr/bin:/usr/sbin:/sbin") is None:
                pytest.skip(f"there is no {program}")
    compiles = any(block.language == "cpp" for block in page.to_run)
    installed = request.getfixturevalue("prefix") if compiles else None
    failure = networks.run_inside(documentation_place.run_page, page.path, tmp_path, installed)
    if failure:
        pytest.fail(failure, pytrace=False)


def test_what_is_not_run_has_a_reason_and_calls_what_exists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_out = [(page, block) for page in PAGES for block in page.blocks if block.not_run]
    with capsys.disabled():
        for page, block in left_out:
            print(f"\nnot run: {page.name}:{block.line}: {block.not_run}", end="")
    for page, block in left_out:
        for call in documentation.make_calls(block):
            make, *words = shlex.split(call, comments=True)
            tried = subprocess.run(
                [make, "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert tried.returncode == 0, f"{page.name}:{block.line}: {call}: {tried.stderr}"


def test_every_setup_belongs_to_a_page() -> None:
    setups = set(documentation.SETUPS.rglob("*.sh"))
    assert setups == {page.setup for page in PAGES if page.setup.exists()}
