from typing import Literal, TypeAlias

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

class HttpOptions:
    # Texts as bytes: headers by name and value; proxies for http, for https, and the exceptions.
    def __init__(
        self,
        *,
        headers: list[tuple[bytes, bytes]],
        timeout: float,
        follow_redirects: bool,
        verify_tls: bool,
        ca_file: bytes,
        proxies: tuple[bytes, bytes, bytes],
        allow_private_redirects: bool,
        block_private: bool,
    ) -> None: ...

def printable_url(url: bytes) -> bytes: ...

# A path, or a URL with its options.
SourceRef: TypeAlias = bytes | tuple[bytes, HttpOptions]

class FileComparison(Comparison):
    def __init__(self, pool: Pool, a: SourceRef, b: SourceRef, options: CompareOptions) -> None: ...
    @property
    def equal(self) -> bool: ...
    @property
    def bytes_read(self) -> int: ...

class GroupComparison(Comparison):
    def __init__(
        self, pool: Pool, sources: list[SourceRef], options: CompareOptions, *, only_whether: bool
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

class MirrorComparison(Comparison):
    def __init__(
        self,
        pool: Pool,
        top: bytes,
        urls: list[tuple[bytes, SourceRef]],
        options: CompareOptions,
    ) -> None: ...
    def differences(self) -> Differences: ...

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
    def __init__(self, pool: Pool, a: SourceRef, b: SourceRef, options: ArchiveOptions) -> None: ...
    def differences(self) -> Differences: ...

class SourceProbe(Comparison):
    def __init__(self, pool: Pool, source: SourceRef) -> None: ...
    @property
    def kind(self) -> Literal["file", "directory", "archive"]: ...

class Completions:
    def __init__(self) -> None: ...
    @property
    def fd(self) -> int: ...
    def watch(self, comparison: Comparison, number: int) -> None: ...
    def take(self) -> list[int]: ...
