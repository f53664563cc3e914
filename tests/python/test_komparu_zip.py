"""Zip: its central directory and the headers of its entries must say the same."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import komparu
import pytest
from archives import Files, run, tar_of, write_tree, zip_files, zip_of

FILES: Files = {"a": b"some text, " * 5, "d/b": os.urandom(40), "d/c": b"", "e": bytes(60)}

LOCAL, RECORD, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


@pytest.fixture
def is_same(tmp_path: Path) -> Callable[..., bool]:
    """Compare an archive with the files that it should hold."""

    written: Files = {}

    def compare(archive: bytes, files: Files) -> bool:
        nonlocal written
        (tmp_path / "a.zip").write_bytes(archive)
        if files != written:
            (tmp_path / "b.tar").write_bytes(tar_of(files.items()))
            written = files
        result = komparu.compare_archive(tmp_path / "a.zip", tmp_path / "b.tar")
        return result.equal and not result.skipped

    return compare


# ---- What is whole ------------------------------------------------------------------------------


def in_zip64(files: Files) -> bytes:
    """Every field that can be elsewhere is in the extra field of zip64, as is the end."""
    entries, records = b"", b""
    for name, content in files.items():
        stored = name.encode()
        fixed = struct.pack("<HHHII", 45, 0, 0, 0x21 << 16, zlib.crc32(content))
        sizes = struct.pack("<QQ", len(content), len(content))
        none = b"\xff" * 8
        extra = struct.pack("<HHHH", 0x7777, 0, 1, 24) + sizes + struct.pack("<Q", len(entries))
        records += RECORD + struct.pack("<H", 45) + fixed + none
        records += struct.pack("<HHHHHI", len(stored), len(extra), 2, 0, 0, 0) + b"\xff" * 4
        records += stored + extra + b"ok"
        extra = struct.pack("<HH", 1, 16) + sizes
        entries += LOCAL + fixed + none + struct.pack("<HH", len(stored), len(extra))
        entries += stored + extra + content
    at = len(entries)
    end = b"PK\6\6" + struct.pack("<QHHII", 44, 45, 45, 0, 0)
    end += struct.pack("<QQQQ", len(files), len(files), len(records), at)
    end += b"PK\6\7" + struct.pack("<IQI", 0, at + len(records), 1)
    return entries + records + end + END + bytes(4) + b"\xff" * 12 + bytes(2)


def streamed(files: Files) -> bytes:
    """Sizes and checksums are behind the content, as where the writer could not go back."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert b"PK\7\x08" in pipe.getvalue()
    return pipe.getvalue()


def by_program(files: Files, place: Path, *command: str) -> bytes:
    """What a program writes that gets the names in its input, if it wants them."""
    write_tree(place / "tree", files)
    run(*command, cwd=place / "tree", stdin="\n".join(files).encode())
    return (place / "out.zip").read_bytes()


MAKERS: dict[str, Callable[[Files, Path], bytes]] = {
    "zip64": lambda files, _: in_zip64(files),
    "streamed": lambda files, _: streamed(files),
    "behind a program": lambda files, _: b"MZ" + os.urandom(5000) + zip_of(files.items()),
    "with a comment": lambda files, _: (
        zip_of(files.items())[:-2] + struct.pack("<H", 9) + b"a comment"
    ),
    "directories": lambda files, at: by_program(files, at, "zip", "-qr", "../out.zip", "."),
    "from a pipe": lambda files, at: by_program(
        files, at, "sh", "-c", "zip -q - -@ | cat > ../out.zip"
    ),
    "zip64 by zip": lambda files, at: by_program(files, at, "zip", "-q", "-fz", "../out.zip", "-@"),
    "7z": lambda files, at: by_program(files, at, "7z", "a", "-bd", "../out.zip", "."),
    "7z bzip2": lambda files, at: by_program(
        files, at, "7z", "a", "-bd", "-mm=bzip2", "../out.zip", "."
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_programs_write(kind: str, is_same: Callable[..., bool], tmp_path: Path) -> None:
    made = MAKERS[kind](FILES, tmp_path)
    assert zip_files(made) == FILES
    assert is_same(made, FILES)
    assert not is_same(made, {**FILES, "e": bytes(59) + b"1"})


@pytest.mark.parametrize("name", ["\xe4\u65e5.txt", "a\u0308", "with\\backslash", "-", "x" * 3000])
def test_names_of_every_kind(name: str, tmp_path: Path) -> None:
    """Whatever libarchive makes of a name, the zip says it twice."""
    one, other = tmp_path / "a.zip", tmp_path / "b.zip"
    one.write_bytes(zip_of([(name, b"1"), ("z", b"2")]))
    other.write_bytes(zip_of([("z", b"2"), (name, b"1")]))
    assert komparu.compare_archive(one, other).equal
    other.write_bytes(zip_of([("z", b"2"), (name, b"3")]))
    assert len(komparu.compare_archive(one, other).diff) == 1


def test_symlinks_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(b"1")
    (tmp_path / "tree/link").symlink_to("file")
    run("zip", "-qry", "../a.zip", ".", cwd=tmp_path / "tree")
    (tmp_path / "b.tar").write_bytes(tar_of([("file", b"1")]))
    result = komparu.compare_archive(tmp_path / "a.zip", tmp_path / "b.tar")
    assert result.equal
    assert result.skipped == {"link"}


def test_a_directory_in_another_order(is_same: Callable[..., bool]) -> None:
    made = zip_of(FILES.items())
    first, end = made.index(RECORD), made.index(END)
    records = [RECORD + record for record in made[first:end].split(RECORD)[1:]]
    assert len(records) == len(FILES)
    assert is_same(made[:first] + b"".join(records[::-1]) + made[end:], FILES)


# ---- What is not --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_bit_can_be_changed_to_what_another_reader_does_not_read(
    method: int, is_same: Callable[..., bool]
) -> None:
    """Each bit of an archive: it is an error, or Python's reader finds the same as well."""
    made = zip_of(FILES.items(), method)
    same = 0
    for place in range(len(made)):
        for bit in range(8):
            corrupt = bytearray(made)
            corrupt[place] ^= 1 << bit
            try:
                if not is_same(corrupt, FILES):
                    continue
            except komparu.ArchiveError:
                continue
            same += 1
            assert zip_files(bytes(corrupt)) in (FILES, None), (place, bit)
    assert 0 < same < 3 * len(made)  # times, attributes, what made it


def refused(archive: bytes, is_same: Callable[..., bool], why: str | None = None) -> None:
    """It is an error, which says why."""
    with pytest.raises(komparu.ArchiveError, match=why):
        is_same(archive, FILES)


def test_another_name_in_the_directory(is_same: Callable[..., bool]) -> None:
    made = zip_of(FILES.items())
    for one, other in ((b"d/b", b"d/x"), (b"d/b", b"d/c"), (b"d/c", b"../")):
        place = made.rindex(one)
        refused(
            made[:place] + other + made[place + 3 :], is_same, "not what the central directory says"
        )


def test_another_method_in_the_directory(is_same: Callable[..., bool]) -> None:
    """One content for those who go by the header, and one for those who go by the directory."""
    made = bytearray(zip_of([("a", b"1")], zipfile.ZIP_STORED))
    made[made.index(RECORD) + 10] = zipfile.ZIP_DEFLATED
    refused(bytes(made), is_same, "not what the central directory says")


def test_a_method_that_nobody_knows(is_same: Callable[..., bool]) -> None:
    """Its first byte is that of what is stored."""
    made = bytearray(zip_of([("a", b"1")], zipfile.ZIP_STORED))
    made[9] = made[made.index(RECORD) + 11] = 1
    refused(bytes(made), is_same, "unknown compression method")


def test_encrypted_by_the_directory_alone(is_same: Callable[..., bool]) -> None:
    made = bytearray(zip_of([("d/c", b"")]))
    made[made.index(RECORD) + 8] |= 1
    refused(bytes(made), is_same, "encrypted")


def test_entries_that_share_their_content(is_same: Callable[..., bool]) -> None:
    """All but one of them would be lost."""
    made = zip_of([("a", b"1"), ("c", b"2")])
    first, end = made.index(RECORD), made.index(END)
    records = made[first:end].replace(b"a", b"b", 1) + made[first:end]
    tail = made[end : end + 8] + b"\4\0\4\0" + struct.pack("<I", len(records)) + made[end + 16 :]
    refused(made[:first] + records + tail, is_same, "share their content")


def test_a_number_of_entries_that_is_not_true(is_same: Callable[..., bool]) -> None:
    made = bytearray(zip_of(FILES.items()))
    for number in (1, 3, 5, 65535):
        made[-14:-10] = 2 * struct.pack("<H", number)
        refused(bytes(made), is_same, f"says it has {number} entries, and has 4")


def test_what_the_directory_does_not_name_is_not_there(is_same: Callable[..., bool]) -> None:
    """By the format's definition; who reads zip as a stream takes it for the first archive."""
    one, other = ({"a": b"1"}, {"a": b"2"})
    whole = zip_of(one.items()) + zip_of(other.items())
    assert zip_files(whole) == other
    assert is_same(whole, other)
    assert not is_same(whole, one)


def test_a_directory_by_its_attributes_that_has_content(is_same: Callable[..., bool]) -> None:
    """Its name says that it is a file, and so do other readers."""
    unix = zipfile.ZipInfo("d/c")
    unix.create_system, unix.external_attr = 3, (stat.S_IFDIR | 0o755) << 16
    dos = zipfile.ZipInfo("d/c")
    dos.create_system, dos.external_attr = 0, 0x10
    for info in (unix, dos):
        for content in (b"content", b""):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr(info, content)
            assert zip_files(buffer.getvalue()) == {"d/c": content}
            refused(buffer.getvalue(), is_same, "a directory that is a file as well")
    named = zipfile.ZipInfo("d/")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(named, b"content")
    refused(buffer.getvalue(), is_same, "a directory that is a file as well")


def with_extra_fields(header: bytes, record: bytes) -> bytes:
    """A file a, with extra fields before its content and in the directory."""
    numbers = struct.pack("<HHHIIIIH", 20, 0, 0, 0x21 << 16, zlib.crc32(b"1"), 1, 1, 1)
    entry = LOCAL + numbers + struct.pack("<H", len(header)) + b"a" + header + b"1"
    rest = struct.pack("<HHHHII", len(record), 0, 0, 0, 0, 0)
    directory = RECORD + struct.pack("<H", 20) + numbers + rest + b"a" + record
    sizes = struct.pack("<HHIIH", 1, 1, len(directory), len(entry), 0)
    return entry + directory + END + bytes(4) + sizes


def test_a_name_in_an_extra_field(is_same: Callable[..., bool]) -> None:
    """Info-ZIP's Unicode path, which some take before the name, and some do not."""

    def field(name: bytes) -> bytes:
        body = struct.pack("<BI", 1, zlib.crc32(b"a")) + name
        return struct.pack("<HH", 0x7075, len(body)) + body

    b, c = field(b"b"), field(b"c")
    assert is_same(with_extra_fields(b"", b""), {"a": b"1"})
    assert is_same(with_extra_fields(b, b), {"b": b"1"})
    for header, record in ((b, b""), (b"", b), (b, c), (b + c, b), (b, b + c)):
        refused(with_extra_fields(header, record), is_same, "not what the central directory says")


def test_a_type_in_an_extra_field(is_same: Callable[..., bool]) -> None:
    """By libarchive's own field, which is before the content only, a file is a directory."""
    attributes = struct.pack("<BHI", 1 | 4, 3 << 8, (stat.S_IFDIR | 0o755) << 16)
    field = struct.pack("<HH", 0x6C78, len(attributes)) + attributes
    assert zip_files(with_extra_fields(field, b"")) == {"a": b"1"}
    refused(with_extra_fields(field, b""), is_same, "a directory that is a file as well")


def test_a_name_with_a_zero(is_same: Callable[..., bool]) -> None:
    made = zip_of([("a?b", b"1")]).replace(b"a?b", b"a\0b")
    refused(made, is_same, "a zero in its name")


def test_numbers_before_the_content_that_are_not_true(is_same: Callable[..., bool]) -> None:
    """Those who read zip as a stream go by them; libarchive takes 0 for what is told elsewhere."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        made = zip_of([("a", b"some content")], method)
        for field in (14, 18, 22):
            refused(
                made[:field] + bytes(4) + made[field + 4 :],
                is_same,
                "not what the central directory says",
            )


def test_two_archives_in_one_of_which_programs_take_either(is_same: Callable[..., bool]) -> None:
    """In zip64 there are more places that can be gone by, or not."""
    one, other = in_zip64({"a": b"1"}), in_zip64({"a": b"2"})
    whole = one + other
    why = "directory is not where it says"
    refused(whole, is_same, why)

    def replaced(content: bytes, place: int, number: int, form: str) -> bytes:
        packed = struct.pack(form, number)
        return content[:place] + packed + content[place + len(packed) :]

    locator, end = whole.rindex(b"PK\6\7"), whole.rindex(END)
    end64 = struct.unpack_from("<Q", whole, locator + 8)[0] + len(one)
    whole = replaced(whole, locator + 8, end64, "<Q")
    refused(whole, is_same, why)
    directory = struct.unpack_from("<Q", whole, end64 + 48)[0]
    # With the true place of the directory it is a whole archive, whose only entry is elsewhere.
    moved = replaced(whole, end64 + 48, directory + len(one), "<Q")
    refused(moved, is_same, "share|not what the central directory says|not there|Inconsistent")

    sound = in_zip64({"a": b"1"})
    assert is_same(sound, {"a": b"1"})
    locator, end = sound.index(b"PK\6\7"), sound.index(END)
    end64 = sound.index(b"PK\6\6")
    for place, number, form in (
        (locator + 4, 1, "<I"),  # the disk
        (locator + 16, 0, "<I"),  # disks
        (end64 + 16, 1, "<I"),
        (end64 + 20, 1, "<I"),
        (end64 + 24, 2, "<Q"),  # entries on this disk
        (end64 + 4, 43, "<Q"),  # its own size
        (end + 8, 2, "<H"),  # entries, beside those of the zip64
        (end + 10, 2, "<H"),
        (end + 12, 5, "<I"),  # the directory's size
        (end + 16, 0, "<I"),  # and its place
    ):
        refused(replaced(sound, place, number, form), is_same)
    # They may be told twice, if they are the same.
    numbers = struct.pack("<HHII", 1, 1, end64 - sound.index(RECORD), sound.index(RECORD))
    assert is_same(sound[: end + 8] + numbers + sound[end + 20 :], {"a": b"1"})


def test_a_comment_that_is_cut_off(is_same: Callable[..., bool]) -> None:
    made = zip_of(FILES.items())[:-2] + struct.pack("<H", 9) + b"a comment"
    assert is_same(made, FILES)
    refused(made[:-1], is_same)


def test_a_comment_with_the_mark_of_an_end(is_same: Callable[..., bool]) -> None:
    made = zip_of(FILES.items())[:-2] + struct.pack("<H", 8) + b"see " + END
    assert is_same(made, FILES)


def test_sizes_of_the_directory_that_are_not_true(is_same: Callable[..., bool]) -> None:
    made = zip_of(FILES.items())
    size = struct.unpack("<I", made[-10:-6])[0]
    for wrong in (0, 1, 45, size - 1, size + 1, len(made), 0xFFFFFFFE, 0xFFFFFFFF):
        refused(made[:-10] + struct.pack("<I", wrong) + made[-6:], is_same)
    in64 = in_zip64(FILES)
    place = in64.index(b"PK\6\6") + 40
    # Of the directory, its place, the end's place.
    for field in (place, place + 8, in64.index(b"PK\6\7") + 8):
        for wrong in (0, 1, len(in64), 1 << 40, 1 << 63, (1 << 64) - 1):
            refused(in64[:field] + struct.pack("<Q", wrong) + in64[field + 8 :], is_same)


def test_an_extra_field_of_zip64_that_is_cut_off(is_same: Callable[..., bool]) -> None:
    made = in_zip64(FILES)
    place = made.index(struct.pack("<HH", 1, 24))
    for length in (0, 8, 16, 23, 25, 1000):
        refused(made[:place] + struct.pack("<HH", 1, length) + made[place + 4 :], is_same)


def test_a_type_in_the_attributes_is_no_file(tmp_path: Path) -> None:
    """A device is skipped, not matched with a file of its name."""
    info = zipfile.ZipInfo("device")
    info.create_system = 3
    info.external_attr = (stat.S_IFCHR | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, b"")
    (tmp_path / "b.tar").write_bytes(tar_of([("device", b"")]))
    result = komparu.compare_archive(tmp_path / "a.zip", tmp_path / "b.tar")
    assert not result.equal
    assert (result.skipped, result.only_right) == ({"device"}, {"device"})
