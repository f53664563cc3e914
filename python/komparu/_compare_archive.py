"""Two archives."""

from __future__ import annotations

from collections.abc import Mapping

from komparu import _core
from komparu._calls import await_end, pool
from komparu._options import NOT_GIVEN, Options
from komparu._results import dir_result
from komparu._sources import AnySource, source_of
from komparu._types import DirResult, StrPath

_LARGEST = (1 << 64) - 1


def compare_archive(
    path_a: AnySource,
    path_b: AnySource,
    *,
    chunk_size: int = NOT_GIVEN,
    max_decompressed_size: int | None = NOT_GIVEN,
    max_compression_ratio: int | None = NOT_GIVEN,
    max_archive_entries: int | None = NOT_GIVEN,
    max_entry_name_length: int | None = NOT_GIVEN,
    hash_compare: bool = NOT_GIVEN,
    headers: Mapping[str, str] | None = NOT_GIVEN,
    timeout: float | None = NOT_GIVEN,
    follow_redirects: bool = NOT_GIVEN,
    verify_ssl: bool | StrPath = NOT_GIVEN,
    proxy: str | None = NOT_GIVEN,
    comparison_timeout: float | None = NOT_GIVEN,
) -> DirResult:
    """Return in what the files in two archives differ, by name and content.

    Formats: zip, 7z, rar, cpio and tar, these two also compressed with gzip, bzip2, xz, lzma, zstd
    or lz4. The two need not be of the same format, nor have their entries in the same order. A
    leading ``./`` of a name does not matter; of several entries of one name the last one counts; a
    hard link has its target's content. Directories do not matter. Links, devices and names that
    lead outside are not compared but named in the result's ``skipped``. Nothing is written to disk,
    and memory depends on the number of entries, not on their sizes.

    Each limit holds for each of the two, and skipped entries count; None switches one off. What is
    no entry (headers, padding) counts as decompressed where it is more than 1 MiB and 16 KiB for
    each entry.

    :param path_a: one archive
    :param path_b: the other one
    :param chunk_size: bytes of one read, at least 4 KiB and at most 16 MiB of which are used; where
        it is given nowhere, what is fastest
    :param max_decompressed_size: bytes of all entries together, the zeros of holes included
    :param max_compression_ratio: how many times its own size an archive may hold; looked at from
        1 MiB of content on
    :param max_archive_entries: entries of any kind
    :param max_entry_name_length: bytes of a name
    :param hash_compare: compare by a keyed hash of 128 bits for each entry from the start, each
        archive by a thread of its own; else that is done from where their orders differ, and what
        comes before is compared byte for byte
    :param headers: HTTP headers
    :param timeout: seconds without a byte after which a transfer has failed
    :param follow_redirects: follow HTTP redirects
    :param verify_ssl: check certificates; or the path of a bundle of those to trust
    :param proxy: the proxy's URL; None for the environment's, "" for none
    :param comparison_timeout: seconds that the whole may take; None for no limit
    :raises ArchiveError: when one of the two is truncated, corrupt, encrypted, one volume of
        several or of another format; also when something but zeros follows the end of a tar or
        cpio, or a hard link's target is not before it
    :raises ArchiveBombError: when one of the two exceeds a limit
    :raises SourceNotFoundError: when one of the two does not exist
    :raises SourceReadError: when one of the two is no regular file, cannot be read, or changed
        meanwhile
    :raises ComparisonTimeoutError: when it took longer than it may
    :raises ConfigError: when an option or a path cannot be used
    :raises TypeError: when an archive is none of what a source may be
    """
    options = Options(
        chunk_size=chunk_size,
        max_decompressed_size=max_decompressed_size,
        max_compression_ratio=max_compression_ratio,
        max_archive_entries=max_archive_entries,
        max_entry_name_length=max_entry_name_length,
        hash_compare=hash_compare,
        headers=headers,
        timeout=timeout,
        follow_redirects=follow_redirects,
        verify_ssl=verify_ssl,
        proxy=proxy,
        comparison_timeout=comparison_timeout,
    )
    comparison = start(path_a, path_b, options)
    await_end(comparison, options.comparison_timeout)
    return dir_result(comparison.differences())


def start(path_a: AnySource, path_b: AnySource, options: Options) -> _core.ArchiveComparison:
    """Start comparing; whoever calls waits."""
    a = source_of("path_a", path_a, options)
    b = source_of("path_b", path_b, options)
    return _core.ArchiveComparison(
        pool(),
        a,
        b,
        _core.ArchiveOptions(
            chunk_size=options.chunk_size if options.gives("chunk_size") else 0,
            max_decompressed_size=_limit(options.max_decompressed_size),
            max_compression_ratio=_limit(options.max_compression_ratio),
            max_entries=_limit(options.max_archive_entries),
            max_name_length=_limit(options.max_entry_name_length),
            hash_compare=options.hash_compare,
        ),
    )


def _limit(value: int | None) -> int:
    return 0 if value is None else min(value, _LARGEST)
