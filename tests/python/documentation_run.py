"""Running the blocks of a page, one after the other, in one directory."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import documentation
import duckdb
import pyarrow
from documentation import Block, Page

# Reads names of scripts, runs each in this same shell, and says how it ended. A script finds in $?
# what the one before has left.
_SHELL = r"""
_status=0
# What make would install is the environment of the tests, and is there.
make() { command make -o .venv/.created -o .venv/.installed "$@"; }
while IFS= read -r -u "$1" _script; do
    (exit "$_status")
    eval 'source "$_script" >"$_script.output" 2>&1 </dev/null '"$1<&- $2>&-"
    _status=$?
    echo "$_status" >&"$2"
done
"""

# Where a page has no cmake block of its own: everything that is installed.
_PROJECT = """
cmake_minimum_required(VERSION 3.21)
project(block LANGUAGES CXX)
find_package(filetree REQUIRED)
get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
list(FILTER targets INCLUDE REGEX "^filetree::")
add_{kind}(block block.cpp)
target_link_libraries(block PRIVATE ${{targets}})
"""


class PageError(Exception):
    """A block does not do what its page says. The message names page and line."""


class Shell:
    """One bash for all blocks of a page."""

    def __init__(self, cwd: Path, scripts: Path) -> None:
        self._scripts = scripts
        names, self._names = os.pipe()
        self._answers, answers = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", _SHELL, "page", str(names), str(answers)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            pass_fds=(names, answers),
            start_new_session=True,
        )
        os.close(names)
        os.close(answers)

    def run(self, line: int, text: str, first: str = "") -> tuple[int | None, str]:
        """Run a script whose first line is ``line`` of its page.

        :return: its status, None if the shell has ended, and what it printed
        """
        script = self._scripts / f"line-{line}"
        script.write_text(first + "\n" * (line - 1) + text + "\n", "utf-8")
        os.write(self._names, os.fsencode(script) + b"\n")
        answer = b""
        while not answer.endswith(b"\n") and (more := os.read(self._answers, 100)):
            answer += more
        printed = Path(f"{script}.output").read_text("utf-8", errors="backslashreplace")
        return (int(answer) if answer else None), printed

    def end(self) -> None:
        """End it and whatever it has started."""
        os.close(self._names)
        os.close(self._answers)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, SIGKILL)
        self._process.wait()


class Runner:
    """Runs blocks of a page in the directory ``cwd``, which becomes this process's.

    :param scripts: an empty directory for what it needs itself
    """

    def __init__(self, page: Page, cwd: Path, scripts: Path) -> None:
        os.chdir(cwd)
        self._page = page
        self._cwd = cwd
        self._scripts = scripts
        self._shell = Shell(cwd, scripts)
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._database = duckdb.connect()

    def run(self) -> None:
        """Run all.

        :raises PageError: for the first that fails
        """
        try:
            if self._page.setup.exists():
                self._sh(Block("sh", 1, self._page.setup.read_text("utf-8")), self._page.setup.name)
            blocks = self._page.to_run
            for number, block in enumerate(blocks):
                if block.language == "cpp":
                    self._cpp(block, _project_of(blocks, number))
                elif block.language == "cmake":
                    self._check(_belongs_to_cpp(blocks, number), block.line, "no cpp beside it")
                else:
                    getattr(self, f"_{block.language}")(block)
        finally:
            self._shell.end()

    def _check(self, good: bool, line: int, message: str, name: str = "") -> None:
        if not good:
            raise PageError(f"{name or self._page.name}:{line}: {message}")

    def _sh(self, block: Block, name: str = "") -> None:
        status, printed = self._shell.run(block.line, f"{block.text}\nset +eu", "set -eu;")
        self._check(status == 0, block.line, f"sh failed:\n{printed}", name)

    def _console(self, block: Block) -> None:
        try:
            sequence = documentation.commands(block)
        except ValueError as error:
            raise PageError(f"{self._page.name}:{block.line}: {error}") from error
        for command in sequence:
            status, printed = self._shell.run(command.line, command.text)
            fine = status == 0 or (command.may_fail and status is not None)
            self._check(
                fine, command.line, f"status {status} of: {command.text}\nIt printed:\n{printed}"
            )
            self._check(
                documentation.agrees(command.expected, printed, block.numbers_vary),
                command.line,
                f"{command.text}\nThe page says:\n" + "\n".join(command.expected) + "\n"
                f"It printed:\n{printed}",
            )

    def _python(self, block: Block) -> None:
        code = "\n" * (block.line - 1) + block.text
        try:
            exec(compile(code, self._page.path, "exec"), self._names)
        except BaseException as error:
            lines = "".join(traceback.format_exception(error))
            raise PageError(
                f"{self._page.name}:{_line_of(error, self._page, block)}: {lines}"
            ) from error

    def _sql(self, block: Block) -> None:
        try:
            statements = self._database.extract_statements(block.text)
            for statement in statements:
                answer = self._database.sql(statement.query)
                if answer is not None:  # or it has been run already
                    pyarrow.table(answer)
        except duckdb.Error as error:
            raise PageError(f"{self._page.name}:{block.line}: {error}") from error
        self._check(bool(statements), block.line, "no SQL statement")

    def _json(self, block: Block) -> None:
        try:
            with suppress(ValueError):
                json.loads(block.text)
                return
            for line in block.text.splitlines():
                json.loads(line)
        except ValueError as error:
            raise PageError(f"{self._page.name}:{block.line}: {error}") from error

    def _cpp(self, block: Block, project: Block | None) -> None:
        build = self._scripts / f"build-{block.line}"
        runs = re.search(r"\bmain\s*\(", block.text) is not None
        source, program, kind = self._cwd, "block", "executable" if runs else "library"
        if project is None:
            source = self._scripts / f"project-{block.line}"
            source.mkdir()
            (source / "CMakeLists.txt").write_text(_PROJECT.format(kind=kind))
            file = "block.cpp"
        else:
            found = re.search(r"add_executable\(\s*(\S+)\s+(\S+)\s*\)", project.text)
            self._check(found is not None, project.line, "no add_executable(NAME FILE)")
            assert found is not None
            program, file = found.groups()
            (source / "CMakeLists.txt").write_text(project.text, "utf-8")
        (source / file).write_text(block.text, "utf-8")
        self._execute(["cmake", "-S", source, "-B", build], block.line)
        self._execute(["cmake", "--build", build], block.line)
        if runs:
            self._execute([build / program], block.line)

    def _execute(self, words: Sequence[str | Path], line: int) -> None:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )
        text = shlex.join(str(word) for word in words)
        self._check(
            done.returncode == 0, line, f"status {done.returncode} of {text}:\n{done.stdout}"
        )


def _project_of(blocks: Sequence[Block], number: int) -> Block | None:
    """The cmake block next to the cpp block with this number."""
    for beside in (number - 1, number + 1):
        if 0 <= beside < len(blocks) and blocks[beside].language == "cmake":
            return blocks[beside]
    return None


def _belongs_to_cpp(blocks: Sequence[Block], number: int) -> bool:
    return any(
        block.language == "cpp" and _project_of(blocks, at) is blocks[number]
        for at, block in enumerate(blocks)
    )


def _line_of(error: BaseException, page: Page, block: Block) -> int:
    """The last line of the page that the error came through."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    here = [frame.lineno for frame in frames if frame.filename == str(page.path)]
    return here[-1] or block.line if here else block.line


def environment(prefix: Path | None, bundle: Path | None) -> dict[str, str]:
    """What a page's commands find: those of the environment under test first, and no proxies.

    :param prefix: where the core is installed
    :param bundle: the certificates of its servers
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and name not in ("PYTHONPATH", "MAKEFLAGS")
    }
    programs = Path(sys.executable).parent
    own = {
        "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    own |= {} if prefix is None else {"CMAKE_PREFIX_PATH": str(prefix)}
    own |= {} if bundle is None else {"SSL_CERT_FILE": str(bundle)}
    return inherited | own
