"""Changes the moving trees until it is ended: ``python -m soaking.changer WORK SEED``.

Names are taken from a small stock and files are cut when they have grown, which bounds it all.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from soaking.trees import Places, packed

_LARGEST = 32 << 10


class Changer:
    """Makes one change after the other."""

    def __init__(self, places: Places, seed: int) -> None:
        """Begin with what is there."""
        self._rng = random.Random(seed)
        self._tops = places.moving
        self._file, self._archive = places.restless
        self._changes: tuple[Callable[[], object], ...] = (
            *(self._create,) * 12,
            *(self._grow,) * 6,
            *(self._make_directory,) * 6,
            *(self._delete,) * 3,
            *(self._rename,) * 3,
            *(self._link,) * 2,
            *(self._change_mode,) * 3,
            self._delete_directory,
            self._rename_directory,
            self._change_file,
            self._change_archive,
        )

    def change(self) -> None:
        """Make one change, or none where what it needs is not there."""
        with contextlib.suppress(OSError, shutil.Error):
            self._rng.choice(self._changes)()

    def _directory(self) -> Path:
        top = self._rng.choice(self._tops)
        deep = self._rng.randrange(3)
        return top.joinpath(*(f"d{self._rng.randrange(8)}" for _ in range(deep)))

    def _name(self) -> Path:
        return self._directory() / f"f{self._rng.randrange(20)}"

    def _create(self) -> None:
        self._name().write_bytes(bytes(self._rng.randrange(3000)))

    def _grow(self) -> None:
        path = self._name()
        if path.stat().st_size > _LARGEST:
            path.write_bytes(b"")
        with path.open("ab") as file:
            file.write(bytes(4000))

    def _make_directory(self) -> None:
        (self._directory() / f"d{self._rng.randrange(8)}").mkdir()

    def _delete(self) -> None:
        self._name().unlink()

    def _rename(self) -> None:
        self._name().rename(self._name())

    def _link(self) -> None:
        self._name().symlink_to(self._rng.choice((self._name(), Path("..", "nowhere"))))

    def _change_mode(self) -> None:
        if self._rng.random() < 0.5:
            self._name().chmod(self._rng.choice((0, 0o600, 0o644)))
        elif (directory := self._directory()) not in self._tops:
            directory.chmod(self._rng.choice((0, 0o700, 0o755)))

    def _delete_directory(self) -> None:
        directory = self._directory()
        if directory not in self._tops and self._rng.random() < 0.3:
            shutil.rmtree(directory)

    def _rename_directory(self) -> None:
        directory = self._directory()
        if directory not in self._tops:
            directory.rename(self._directory() / f"d{self._rng.randrange(8)}")

    def _change_file(self) -> None:
        with self._file.open("r+b") as file:
            file.truncate(self._rng.randrange(4 << 20))
            file.write(b"changed")

    def _change_archive(self) -> None:
        whole = packed("tar.gz", {"f": self._rng.randbytes(20_000)})
        self._archive.write_bytes(whole[: self._rng.choice((len(whole), len(whole) // 2))])


def main() -> None:
    """Change things for ever."""
    places = Places(Path(sys.argv[1]), "")
    for path in places.restless:
        path.touch()
    changer = Changer(places, int(sys.argv[2]))
    for _ in range(3000):
        changer.change()
    print("ready", flush=True)
    while True:
        for _ in range(5):
            changer.change()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
