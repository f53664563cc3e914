"""The trees that are measured: on disk, made once and kept, or served by latencyfs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUP = "users"


class UnavailableError(Exception):
    """A tree that cannot be had here; the text says why."""


@dataclass(frozen=True)
class Shape:
    """``directories`` directories with ``files`` files each; none: the files lie in the top.

    As a ``chain`` each directory lies in the one before; on disk only.
    """

    directories: int
    files: int
    chain: bool = False

    @property
    def entries(self) -> int:
        """Entries below the top."""
        return self.directories + max(self.directories, 1) * self.files

    def options(self) -> list[str]:
        """As make_tree and latencyfs take it."""
        chain = ["--fanout", "1"] if self.chain else []
        return ["--directories", str(self.directories), "--files", str(self.files), *chain]


def _require(program: Path) -> None:
    if not os.access(program, os.X_OK):
        raise UnavailableError(f"{program.name} is not built")


@contextlib.contextmanager
def on_disk(shape: Shape, work: Path, programs: Path, shared: bool = False) -> Iterator[Path]:
    """A tree below ``work``, made by make_tree unless an earlier run left it.

    A ``shared`` one belongs to :data:`GROUP`, which has all the rights a repair would give it.
    """
    form = "shared" if shared else "chain" if shape.chain else "tree"
    tree = work / f"{form}-{shape.directories}x{shape.files}"
    if not tree.exists():
        _require(programs / "make_tree")
        unfinished = tree.with_suffix(".unfinished")
        subprocess.run(
            ["rm", "-rf", str(unfinished)], check=True
        )  # rmtree recurses, chains are deep
        print(f"making {tree.name}: {shape.entries:,} entries", flush=True)
        command = [str(programs / "make_tree"), str(unfinished), *shape.options()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if shared:
            subprocess.run(["chgrp", "-R", GROUP, str(unfinished)], check=True)
            subprocess.run(["chmod", "-R", "g+rX", str(unfinished)], check=True)
            setgid = ["-type", "d", "-exec", "chmod", "g+s", "{}", "+"]
            subprocess.run(["find", str(unfinished), *setgid], check=True)
        unfinished.rename(tree)
    yield tree


@contextlib.contextmanager
def with_latency(
    shape: Shape, work: Path, programs: Path, delay_us: int, attr_timeout: float
) -> Iterator[Path]:
    """A latencyfs mount where each operation takes ``delay_us``."""
    _require(programs / "latencyfs")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise UnavailableError("/dev/fuse cannot be used")
    mount = work / "mount"
    mount.mkdir(exist_ok=True)
    options = [*shape.options(), "--delay-us", str(delay_us), "--attr-timeout", str(attr_timeout)]
    command = [str(programs / "latencyfs"), *options, str(mount)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            if server.stdout.readline() != "ready\n":
                raise UnavailableError("latencyfs could not mount")
            yield mount
        finally:
            server.send_signal(signal.SIGTERM)


def drop_caches() -> None:
    """Make the next run read everything from the disk."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
