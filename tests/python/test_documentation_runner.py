"""The runner of documentation notices what is wrong on a page."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import documentation
import documentation_run
import pytest
from documentation import Page


def page_of(directory: Path, text: str) -> Page:
    path = directory / "page.md"
    path.write_text(textwrap.dedent(text).replace("'''", "```"))
    return documentation.read(path)


@pytest.fixture
def failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Runs a page and says how it failed, or nothing."""
    monkeypatch.chdir(tmp_path)

    def run(text: str) -> str:
        page = page_of(tmp_path, text)
        assert page.problems == []
        for name in ("cwd", "scripts"):
            (tmp_path / name).mkdir()
        try:
            documentation_run.Runner(page, tmp_path / "cwd", tmp_path / "scripts").run()
        except documentation_run.PageError as error:
            return str(error).removeprefix(f"{tmp_path}/")
        return ""

    return run


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("'''\nmake\n'''\n", "page.md:1: a block without a language"),
        ("x\n\n'''fish\nmake\n'''\n", "page.md:3: an unknown language: fish"),
        ("x\n\n'''{code} sh\nmake\n'''\n", "page.md:3: an unknown language: {code}"),
        ("x\n\n    make\n", "page.md:3: an indented code block"),
        ("- x\n\n  '''fish\n  make\n  '''\n", "page.md:3: an unknown language: fish"),
        ("<!-- not run: -->\n'''sh\nmake\n'''\n", "page.md: a remark that is malformed or"),
        ("<!-- not run: far -->\n\n'''sh\nmake\n'''\n", "page.md: a remark that is malformed or"),
        ("<!-- numbers vary -->\n'''sh\nmake\n'''\n", "page.md: a remark that is malformed or"),
    ],
)
def test_a_block_that_nobody_would_run_is_a_problem(
    tmp_path: Path, text: str, problem: str
) -> None:
    (found,) = page_of(tmp_path, text).problems
    assert found.removeprefix(f"{tmp_path}/").startswith(problem)


def test_blocks_are_found_with_their_lines_and_remarks(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        """\
        # Page
        '''text
        no code
        '''
        <!-- not run: takes a week -->
        '''sh
        make kill
        '''
        - list

          <!-- numbers vary -->
          '''console
          $ wc -l x
          12 x
          '''
        """,
    )
    assert page.problems == []
    assert [(block.language, block.line, block.text) for block in page.blocks] == [
        ("sh", 7, "make kill\n"),
        ("console", 13, "$ wc -l x\n12 x\n"),
    ]
    assert [block.not_run for block in page.blocks] == ["takes a week", ""]
    assert [block.numbers_vary for block in page.blocks] == [False, True]
    assert not page.calls_make  # what is not run calls nothing


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        """\
        # What `it` is, really
        [a](page.md) [b](nothing.md) [c](#what-it-is-really) [d](#what-it-was)
        [e](https://example.org) ![f](nothing.svg) [g](page.md#what-it-is-really)

        (label)=
        '''{include} nothing.cpp
        '''
        [h](#label)
        """,
    )
    assert documentation.dead_links(page) == [
        "nothing.md",
        "#what-it-was",
        "nothing.svg",
        "nothing.cpp",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'''sh\ntrue\nfalse\necho\n'''\n", "page.md:2: sh failed"),
        ("'''sh\necho $nobody\n'''\n", "page.md:2: sh failed"),
        ("'''sh\ntrue\n\nnowhere\n'''\n", "line 4: nowhere: command not found"),
        ("'''console\n$ echo a\nb\n'''\n", "page.md:2: echo a"),
        ("'''console\n$ true\nb\n'''\n", "page.md:2: true"),
        ("'''console\n$ echo a\n'''\n", "page.md:2: echo a"),
        ("'''console\n$ echo 1\n2\n'''\n", "page.md:2: echo 1"),
        ("'''console\n$ true\n$ false\n'''\n", "page.md:3: status 1 of: false"),
        ("'''console\n$ exit 0\n'''\n", "page.md:2: status None of: exit 0"),
        ("'''console\n$ false\n$ echo $?\n0\n'''\n", "page.md:3: echo $?"),
        ("'''console\ntrue\n'''\n", "page.md:2: a console block starts with a command"),
        ("'''python\nx = 1\n\nassert x == 2\n'''\n", "page.md:4: Traceback"),
        ("'''python\nraise SystemExit\n'''\n", "page.md:2: Traceback"),
        ("'''python\nx = 1\nx =\n'''\n", "page.md:3: "),
        ("'''sql\nSELECT 1;\nSELECT x;\n'''\n", "page.md:2: Binder Error"),
        ("'''sql\nSELECT error('x');\n'''\n", "page.md:2: Invalid Input Error"),
        (
            "'''sql\nSELECT error(i::text) FROM range(9999999) t(i) WHERE i > 9e6;\n'''\n",
            "page.md:2: ",
        ),
        ("'''sql\n-- nothing\n'''\n", "page.md:2: no SQL statement"),
        ("'''json\n{]\n'''\n", "page.md:2: "),
        ("'''cmake\nproject(x)\n'''\n", "page.md:2: no cpp beside it"),
    ],
)
def test_a_failing_block_fails(failure: Callable[[str], str], text: str, message: str) -> None:
    assert message in failure(text)


def test_blocks_share_directory_shell_names_and_database(failure: Callable[[str], str]) -> None:
    text = """\
        '''sh
        mkdir a
        cd a
        word=here
        echo n > numbers.csv; echo 7 >> numbers.csv
        '''
        '''console
        $ echo $word; pwd | grep -o '/a$'
        here
        /a
        $ test $word = \\
            there
        $ echo $?
        1
        $ test $word = there || echo other
        other
        '''
        '''python
        from pathlib import Path

        numbers = Path("a/numbers.csv").read_text()
        '''
        '''python
        assert numbers == "n\\n7\\n"
        '''
        '''sql
        CREATE TABLE numbers AS FROM 'a/numbers.csv';
        SELECT n, now() FROM numbers;
        '''
        '''sql
        SELECT CASE WHEN n = 7 THEN 1 ELSE error('no') END FROM numbers;
        '''
        '''json
        {"a": 1}
        {"a": 2}
        '''
        """
    assert failure(text) == ""


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler")
@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("int main() { return 0; }", ""),
        ("int main() { return 3; }", "page.md:7: status 3 of"),
        ("int main() { return nothing; }", "page.md:7: status 2 of cmake --build"),
    ],
)
def test_a_project_is_built_and_run(failure: Callable[[str], str], code: str, message: str) -> None:
    text = f"""\
        '''cmake
        cmake_minimum_required(VERSION 3.21)
        project(page LANGUAGES CXX)
        add_executable(page page.cpp)
        '''
        '''cpp
        {code}
        '''
        """
    failed = failure(text)
    assert failed.startswith(message)
    assert bool(failed) == bool(message)


@pytest.mark.parametrize(
    ("expected", "printed", "numbers_vary", "same"),
    [
        (["a", "b"], "a\nb\n", False, True),
        (["a"], "a  \n", False, True),
        (["a"], "a\nb\n", False, False),
        (["a", "..."], "a\nb\nc\n", False, True),
        (["...", "c"], "a\nb\n", False, False),
        (["a", "...", "c"], "a\nc\n", False, True),
        (["5 MiB"], "6 MiB\n", False, False),
        (["5 MiB"], "1,234.5 MiB\n", True, True),
        (["5 MiB"], "5 GiB\n", True, False),
        (["5 MiB"], "many MiB\n", True, False),
        (["|   5 | a |"], "| 500 | a |\n", True, True),
        (["a.b"], "a+b\n", False, False),
    ],
)
def test_output_agrees(expected: list[str], printed: str, numbers_vary: bool, same: bool) -> None:
    assert documentation.agrees(expected, printed, numbers_vary) is same
