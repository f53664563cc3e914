from typing import TypeAlias

__version__: str

# diff and errors: a name, and the reason or the message; only_left, only_right and skipped: names.
Differences: TypeAlias = tuple[
    list[tuple[bytes, str]], list[bytes], list[bytes], list[tuple[bytes, bytes]], list[bytes]
]

class CompareOptions:
    def __init__(
        self, *, chunk_size: int, size_precheck: bool, quick_check: bool, max_workers: int = 0
    ) -> None: ...

class Pool:
    def __init__(self, threads: int = 0) -> None: ...
    @property
    def threads(self) -> int: ...
    def close(self) -> None: ...

class Comparison:
    def wait(self, timeout: float) -> bool: ...
    def cancel(self) -> None: ...
    def failure(self) -> tuple[str, int, bytes, bytes] | None: ...

class FileComparison(Comparison):
    def __init__(
        self, pool: Pool, path_a: bytes, path_b: bytes, options: CompareOptions
    ) -> None: ...
    @property
    def equal(self) -> bool: ...
    @property
    def bytes_read(self) -> int: ...

class GroupComparison(Comparison):
    def __init__(
        self, pool: Pool, paths: list[bytes], options: CompareOptions, *, only_whether: bool
    ) -> None: ...
    @property
    def all_equal(self) -> bool: ...
    @property
    def bytes_read(self) -> int: ...
    def groups(self) -> list[int]: ...

class TreeComparison(Comparison):
    def __init__(
        self,
        pool: Pool,
        top_a: bytes,
        top_b: bytes,
        options: CompareOptions,
        *,
        follow_symlinks: bool,
        ignore: list[bytes],
    ) -> None: ...
    def differences(self) -> Differences: ...
    def progress(self) -> tuple[int, int]: ...

class ArchiveOptions:
    def __init__(
        self,
        *,
        chunk_size: int,
        max_decompressed_size: int,
        max_compression_ratio: int,
        max_entries: int,
        max_name_length: int,
        hash_compare: bool,
    ) -> None: ...

class ArchiveComparison(Comparison):
    def __init__(
        self, pool: Pool, path_a: bytes, path_b: bytes, options: ArchiveOptions
    ) -> None: ...
    def differences(self) -> Differences: ...

# Or what keeps it from an answer, as Comparison.failure() returns it.
def is_archive(path: bytes) -> bool | tuple[str, int, bytes, bytes]: ...

class Completions:
    def __init__(self) -> None: ...
    @property
    def fd(self) -> int: ...
    def watch(self, comparison: Comparison, number: int) -> None: ...
    def take(self) -> list[int]: ...
