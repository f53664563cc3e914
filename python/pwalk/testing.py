"""Trees that are computed, never stored: for trying out what a real one would need weeks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from pwalk import _core

_LARGEST_TOTAL = 10**13


@dataclass(frozen=True)
class MockFilesystem:
    """A balanced tree of exactly ``total_files`` files, for :func:`pwalk.walk_mock`.

    Directories hold at most 100 files, ``f0.dat``, ``f1.dat`` and so on, and up to 10 directories,
    ``d0``, ``d1`` and so on. No entry occupies memory: 10\\ :sup:`9` files cost what ten do.

    :param total_files: files in all directories together; at most 10\\ :sup:`13`
    :param root: path of the top

    :raises TypeError: when ``total_files`` is no int or ``root`` no str
    :raises ValueError: when ``total_files`` is negative or too large, or ``root`` is empty
    """

    total_files: int
    root: str = "/mock"
    tree: _core.SyntheticTree = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.total_files, bool) or not isinstance(self.total_files, int):
            kind = type(self.total_files).__name__
            raise TypeError(f"total_files must be int, not {kind}")
        if not 0 <= self.total_files <= _LARGEST_TOTAL:
            raise ValueError(f"total_files must be 0 to 10**13, not {self.total_files}")
        if not isinstance(self.root, str):
            raise TypeError(f"root must be str, not {type(self.root).__name__}")
        if not self.root or "\0" in self.root:
            raise ValueError("root cannot be empty or contain a null character")
        object.__setattr__(self, "tree", _core.SyntheticTree(self.total_files))

    @property
    def total_directories(self) -> int:
        """Directories below the top."""
        return self.tree.total_directories
