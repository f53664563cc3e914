"""Where the result goes: complete under its name, or not there at all."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import threading
import time
from collections import Counter
from pathlib import Path

import mounts
import oracle
import pwalk
import pyarrow.parquet as pq
import pytest
import support

FORMATS = pytest.mark.parametrize("form", ["parquet", "csv"])

STREAM = """
import sys
import pwalk
pwalk.report(sys.argv[1], "csv", "-")
"""


class StopError(Exception):
    """Raised by a test's own callback."""


def stop(_: pwalk.Progress) -> None:
    raise StopError("enough")


@FORMATS
def test_the_path_returned_is_text_and_that_of_the_file(
    plain: Path, tmp_path: Path, form: str
) -> None:
    path, errors = pwalk.report(plain, form, tmp_path / "out")
    assert type(path) is str
    assert Path(path).samefile(tmp_path / "out")
    assert errors == []
    assert support.names_in(tmp_path) == ["out"]


def test_a_parquet_report_is_named_scan_parquet_in_the_working_directory(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = pwalk.report(plain)
    assert support.names_in(tmp_path) == ["scan.parquet"]
    assert Path(path).samefile(tmp_path / "scan.parquet")


@pytest.mark.parametrize(
    ("compression", "name", "magic"),
    [("none", "scan.csv", b"inode,"), ("zstd", "scan.csv.zst", b"\x28\xb5\x2f\xfd")],
)
def test_a_csv_report_is_named_for_its_compression(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compression: str,
    name: str,
    magic: bytes,
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = pwalk.report(plain, "csv", compression=compression)
    assert support.names_in(tmp_path) == [name]
    assert Path(path).read_bytes().startswith(magic)


def test_a_csv_report_without_name_or_compression_is_what_its_name_says(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = pwalk.report(plain, "csv")
    (name,) = support.names_in(tmp_path)
    magic = {"scan.csv": b"inode,", "scan.csv.zst": b"\x28\xb5\x2f\xfd"}[name]
    assert Path(path).read_bytes().startswith(magic)


def test_a_relative_output_is_in_the_working_directory(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    path, _ = pwalk.report(plain, output="sub/out.parquet")
    assert support.names_in(tmp_path / "sub") == ["out.parquet"]
    assert Path(path).samefile("sub/out.parquet")


@FORMATS
def test_a_success_replaces_an_existing_file(plain: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "out").write_bytes(b"previous" * 100_000)
    pwalk.report(plain, form, tmp_path / "out")
    expected = oracle.expected_rows(plain)
    if form == "parquet":
        support.assert_same_rows(pq.read_table(tmp_path / "out"), expected)
    else:
        _, lines = support.split_csv((tmp_path / "out").read_bytes())
        assert lines == Counter(oracle.csv_lines(expected.values()))
    assert support.names_in(tmp_path) == ["out"]


@FORMATS
def test_an_exception_in_the_callback_propagates_and_leaves_no_file(
    flat: Path, tmp_path: Path, form: str
) -> None:
    with pytest.raises(StopError, match="enough"):
        pwalk.report(flat, form, tmp_path / "out", progress=stop)
    assert support.names_in(tmp_path) == []


@FORMATS
def test_a_failed_report_keeps_the_existing_file(flat: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "out").write_bytes(b"previous")
    with pytest.raises(StopError):
        pwalk.report(flat, form, tmp_path / "out", progress=stop)
    assert support.names_in(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"previous"


def test_a_failed_report_leaves_no_thread_and_no_descriptor(flat: Path, tmp_path: Path) -> None:
    pwalk.report(flat, output=tmp_path / "out")
    descriptors, threads = support.open_descriptors(), support.threads()
    with pytest.raises(StopError):
        pwalk.report(flat, output=tmp_path / "out", progress=stop)
    support.wait_until(
        lambda: support.open_descriptors() <= descriptors and support.threads() <= threads,
        "threads and descriptors of the failed report to go",
    )


def test_progress_comes_on_the_calling_thread_and_not_too_often(bulk: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, float, pwalk.Progress]] = []

    def note(seen: pwalk.Progress) -> None:
        calls.append((threading.get_ident(), time.monotonic(), seen))

    started = time.monotonic()
    pwalk.report(bulk, "csv", tmp_path / "out", progress=note)
    duration = time.monotonic() - started
    assert calls, "the callback was never called"
    assert {ident for ident, _, _ in calls} == {threading.get_ident()}
    assert len(calls) <= 10 * duration + 2  # one at the start and one at the end besides
    assert all(isinstance(seen, pwalk.Progress) for _, _, seen in calls)
    entries = [seen.entries for _, _, seen in calls]
    assert entries == sorted(entries)


def test_progress_is_also_told_from_another_calling_thread(flat: Path, tmp_path: Path) -> None:
    idents: set[int] = set()
    caller = threading.Thread(
        target=lambda: pwalk.report(
            flat,
            output=tmp_path / "out",
            progress=lambda _: idents.add(threading.get_ident()),
        )
    )
    caller.start()
    caller.join(support.LIVENESS)
    assert not caller.is_alive()
    assert idents == {caller.ident}


def test_a_dash_streams_the_csv_to_standard_output(traps: Path, tmp_path: Path) -> None:
    answer = support.run_script(STREAM, traps, cwd=tmp_path)
    header, lines = support.split_csv(answer.stdout)
    assert header == oracle.CSV_HEADER
    assert lines == Counter(oracle.csv_lines(oracle.expected_rows(traps).values()))
    assert support.names_in(tmp_path) == []


@FORMATS
def test_reports_at_once_into_one_directory_do_not_mix(
    plain: Path, flat: Path, tmp_path: Path, form: str
) -> None:
    callers = [
        threading.Thread(target=pwalk.report, args=(top, form, tmp_path / f"out{number}"))
        for number, top in enumerate([plain, flat] * 2)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(support.LIVENESS)
    assert support.names_in(tmp_path) == ["out0", "out1", "out2", "out3"]
    counts = []
    for number in range(4):
        target = tmp_path / f"out{number}"
        if form == "parquet":
            counts.append(pq.read_metadata(target).num_rows)
        else:
            counts.append(target.read_bytes().count(b"\n") - 1)
    assert counts == [106, 100_001, 106, 100_001]


@FORMATS
def test_a_full_disk_is_an_error_and_leaves_nothing(flat: Path, tmp_path: Path, form: str) -> None:
    with mounts.tmpfs(tmp_path / "small", "256k") as small:
        with pytest.raises(OSError, match="No space left") as raised:
            pwalk.report(flat, form, small / "out")
        assert raised.value.errno == errno.ENOSPC
        assert support.names_in(small) == []


@FORMATS
def test_on_a_full_disk_the_previous_report_stays(flat: Path, tmp_path: Path, form: str) -> None:
    with mounts.tmpfs(tmp_path / "small", "256k") as small:
        (small / "out").write_bytes(b"previous")
        with pytest.raises(OSError, match="No space left"):
            pwalk.report(flat, form, small / "out")
        assert support.names_in(small) == ["out"]
        assert (small / "out").read_bytes() == b"previous"


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("compression", ["none", "zstd", "gzip"])
def test_on_a_full_disk_the_command_exits_2_and_says_so(
    flat: Path, tmp_path: Path, form: str, compression: str
) -> None:
    flags = ("--format", form, "--compression", compression, "--output")
    with mounts.tmpfs(tmp_path / "small", "64k") as small:
        answer = support.run_pwalk("report", flat, *flags, small / "out", cwd=tmp_path)
        assert answer.returncode == 2
        assert b"No space left on device" in answer.stderr
        assert support.names_in(small) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_stream_to_a_full_device_exits_2_and_says_so(plain: Path, tmp_path: Path) -> None:
    answer = support.run_script(
        "import subprocess, support, sys\n"
        "with open('/dev/full', 'wb') as full:\n"
        "    flags = ['report', sys.argv[1], '--format=csv', '--output=-']\n"
        "    done = subprocess.run([*support.PWALK, *flags], stdout=full, stderr=subprocess.PIPE)\n"
        "sys.stdout.buffer.write(b'%d\\n' % done.returncode + done.stderr)\n",
        plain,
        cwd=tmp_path,
    )
    code, told = answer.stdout.split(b"\n", 1)
    assert code == b"2"
    assert b"No space left on device" in told
    assert b"Traceback" not in told


def test_a_failed_report_writes_nothing_to_a_file_that_gets_its_descriptor(
    flat: Path, tmp_path: Path
) -> None:
    def fail(_: pwalk.Progress) -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        pwalk.report(flat, output=tmp_path / "failed", progress=fail)
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context((tmp_path / f"other{i}").open("wb")) for i in range(32)]
        del caught
        gc.collect()
        assert [os.fstat(other.fileno()).st_size for other in others] == [0] * 32
