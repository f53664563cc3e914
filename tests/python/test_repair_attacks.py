"""Owners of a tree who are hostile to whoever repairs it as root."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mounts
import pwalk
import pytest
import repairs
import support
from repairs import Entry, listing, set_values
from test_repair import put, put_directory, values


@pytest.fixture(autouse=True)
def _as_root() -> None:
    repairs.require_root()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return repairs.shared_directory(tmp_path)


@pytest.fixture(scope="session")
def swapper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).with_name("swapper.c")
    program = tmp_path_factory.mktemp("swapper") / "swapper"
    subprocess.run(["cc", "-O1", "-Wall", "-o", program, source], check=True)
    return program


@contextmanager
def swapping(swapper: Path, one: Path, other: Path, most: int = 2_000_000) -> Iterator[list[int]]:
    """Swap two entries while the context lasts; then say how often."""
    made: list[int] = []
    process = subprocess.Popen(
        [swapper, one, other, str(most)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield made
    finally:
        out, _ = process.communicate(timeout=support.LIVENESS)
        made.append(int(out))


def decoy_of(tmp_path: Path, like: Path | None = None) -> Path:
    """Return a directory outside of the tree, with the names that ``like`` has."""
    decoy = tmp_path / "decoy"
    put_directory(decoy, 0, 0, 0o700)
    for name in ["secret"] if like is None else support.names_in(like):
        put(decoy / name, 0, 0, 0o600)
    return decoy


# ---- Races --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_directory_swapped_for_a_symlink_leads_nowhere(
    top: Path, tmp_path: Path, swapper: Path
) -> None:
    """The rest of the tree is repaired; what the symlink shows is never touched."""
    inner = put_directory(top / "inner", 1000, 1000, 0o700)
    for number in range(300):
        put(inner / f"f{number}", 1000, 1000, 0o600)
    decoy = decoy_of(tmp_path, inner)
    untouched = listing(decoy)
    (top / "other").symlink_to(decoy)
    swaps = changes = 0
    for _ in range(60):
        with swapping(swapper, inner, top / "other") as made:
            result = pwalk.repair(top, dry_run=False)
        swaps += made[0]
        changes += len(result.changes)
        assert listing(decoy) == untouched
        assert not any("decoy" in c.path for c in result.changes)
        for directory in (inner, top / "other"):
            if not directory.is_symlink():
                for path in [directory, *directory.iterdir()]:
                    set_values(path, 1000, 1000, 0o700 if path == directory else 0o600)
    assert swaps > 5000
    assert changes > 0, "sometimes the directory was there"


@pytest.mark.slow
def test_a_directory_swapped_for_another_does_not_lend_it_its_group(
    top: Path, swapper: Path
) -> None:
    """What lies in a stranger's directory gets no group from the attacker's in its place."""
    set_values(top, 0, 5, 0o2775)
    swaps = 0
    for _ in range(60):
        mine = put_directory(top / "mine", 1000, 3, 0o2775)
        other = put_directory(top / "other", 1001, 4, 0o2755)
        private = put_directory(other / "private", 1001, 1001, 0o700)
        secret = put(private / "secret", 1001, 1001, 0o600)
        with swapping(swapper, mine, other) as made:
            pwalk.repair(top, dry_run=False)
        swaps += made[0]
        place = other if made[0] % 2 == 0 else mine
        found = [values(place / private.name), values(place / private.name / secret.name)]
        assert found[0] in ((1001, 0o700), (4, 0o2750))
        assert found[1] in ((1001, 0o600), (4, 0o640))
        shutil.rmtree(mine)
        shutil.rmtree(other)
    assert swaps > 2000


@pytest.mark.slow
def test_a_file_swapped_for_a_link_to_a_secret_keeps_the_secret(
    top: Path, tmp_path: Path, swapper: Path
) -> None:
    """Hard links and symlinks to it; the file in its place needs a repair each time."""
    secret = put(tmp_path / "secret", 0, 0, 0o600)
    before = Entry("file", 0, 0, 0o600, 2)
    os.link(secret, top / "zlink")
    (top / "zsymlink").symlink_to(secret)
    swaps = 0
    for name in ["zlink", "zsymlink"] * 40:
        file = put(top / "file", 1000, 1000, 0o600)
        with swapping(swapper, file, top / name) as made:
            for _ in range(5):
                pwalk.repair(top, dry_run=False)
        swaps += made[0]
        assert repairs.look(secret) == before
        if made[0] % 2:  # back to where each belongs
            (top / "file").rename(tmp_path / "between")
            (top / name).rename(top / "file")
            (tmp_path / "between").rename(top / name)
    assert swaps > 5000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_file_swapped_for_something_that_waits_is_not_waited_for(
    top: Path, swapper: Path, kind: str
) -> None:
    """Opening the FIFO would wait for a writer; opening the device would fail."""
    other = top / kind
    for _ in range(40):
        file = put(top / "file", 1000, 1000, 0o600)
        if kind == "fifo":
            os.mkfifo(other)
        else:
            os.mknod(other, stat.S_IFCHR, os.makedev(240, 77))
        set_values(other, 1000, 1000, 0o600)
        with swapping(swapper, file, other) as made:
            for _ in range(5):
                assert pwalk.repair(top, dry_run=False).errors == []
        # What was swapped between two looks may have been missed.
        assert pwalk.repair(top, dry_run=False).errors == []
        file, other = (file, other) if made[0] % 2 == 0 else (other, file)
        assert values(file) == (5, 0o640)
        assert values(other) == (5, 0o600)
        file.unlink()
        other.unlink()
        file, other = top / "file", top / kind


@pytest.mark.slow
def test_the_top_swapped_for_a_protected_directory_is_refused(
    tmp_path: Path, swapper: Path
) -> None:
    """Whatever is checked is what is walked. In a root of its own, where /etc is nobody's."""
    mounts.require_mounting()
    script = """
import os, sys, subprocess, pwalk
swapper, place = sys.argv[1:]
os.makedirs(place + "/good", exist_ok=True)
os.chown(place + "/good", 1000, 5)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/etc"], check=True)
open("/etc/file", "w").close()
os.chmod("/etc/file", 0o600)
os.chmod("/etc", 0o700)
os.symlink("/etc", place + "/bad")
refused = done = 0
swapping = subprocess.Popen([swapper, place + "/good", place + "/bad", "1000000"],
                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
for _ in range(1500):
    try:
        pwalk.repair(place + "/good", dry_run=False)
        done += 1
    except pwalk.ProtectedPathError:
        refused += 1
swapping.communicate()
print(refused > 0, done > 0, oct(os.stat("/etc").st_mode), oct(os.stat("/etc/file").st_mode))
"""
    answer = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, swapper, tmp_path / "place"],
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
    )
    assert answer.stdout == b"True True 0o40700 0o100600\n", answer.stderr.decode()


@pytest.mark.slow
def test_entries_that_come_and_go_do_not_end_a_repair(top: Path) -> None:
    stop = threading.Event()

    def stir() -> None:
        number = 0
        while not stop.is_set():
            path = top / f"f{number % 50}"
            number += 1
            with contextlib.suppress(FileNotFoundError):
                path.rename(top / "renamed")
            path.touch(0o600)
            os.chown(path, 1000, 1000)

    thread = threading.Thread(target=stir)
    thread.start()
    try:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert pwalk.repair(top, dry_run=False).errors == []
    finally:
        stop.set()
        thread.join()


# ---- Links, mounts, types -----------------------------------------------------------------------


def test_a_hard_link_to_a_secret_is_left_alone(top: Path, tmp_path: Path) -> None:
    secret = put(tmp_path / "secret", 0, 0, 0o600)
    os.link(secret, top / "innocent")
    for dry_run in (True, False):
        result = pwalk.repair(top, dry_run, force_group_writable=True)
        assert list(result.changes) == []
        assert [s.path for s in result.skipped] == [str(top / "innocent")]
    assert values(secret) == (0, 0o600)
    pwalk.repair(top, dry_run=False, hardlinks="repair")
    assert values(secret) == (5, 0o640)


def test_a_hard_link_to_a_device_is_left_alone(top: Path, tmp_path: Path) -> None:
    device = tmp_path / "device"
    os.mknod(device, stat.S_IFBLK, os.makedev(7, 200))
    set_values(device, 0, 0, 0o660)
    os.link(device, top / "innocent")
    result = pwalk.repair(top, dry_run=False)
    assert [s.path for s in result.skipped] == [str(top / "innocent")]
    assert values(device) == (0, 0o660)


def test_nothing_waits_for_a_fifo_or_wakes_a_device(top: Path) -> None:
    """An open of the FIFO would wait for a writer; one of the device would fail."""
    os.mkfifo(top / "fifo", 0o600)
    os.mknod(top / "device", stat.S_IFCHR | 0o600, os.makedev(240, 77))
    for name in ("fifo", "device"):
        os.chown(top / name, 1000, 1000)
    result = pwalk.repair(top, dry_run=False)
    assert result.errors == []
    assert [values(top / name) for name in ("fifo", "device")] == [(5, 0o600), (5, 0o600)]


def test_setuid_programs_lose_the_bit_with_their_group(top: Path) -> None:
    for number, mode in enumerate([0o4755, 0o2755, 0o6711, 0o2644]):
        put(top / f"program{number}", 0, 0, mode)
    pwalk.repair(top, dry_run=False)
    assert [values(top / f"program{n}") for n in range(4)] == [
        (5, 0o755),
        (5, 0o755),
        (5, 0o751),
        (5, 0o644),
    ]


@pytest.mark.parametrize("one_file_system", [True, False])
def test_a_bind_mount_of_etc_inside_the_tree_is_left_alone(
    top: Path, one_file_system: bool
) -> None:
    """In a mount namespace, where /etc is the test's own."""
    mounts.require_mounting()
    script = """
import json, os, sys, subprocess, pwalk
top = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", "/etc"], check=True)
os.mkdir("/etc/inner", 0o700)
for name in ("/etc/file", "/etc/inner/file"):
    os.close(os.open(name, os.O_CREAT, 0o600))
os.makedirs(top + "/a/bound")
os.chmod(top + "/a", 0o750)
subprocess.run(["mount", "--bind", "/etc", top + "/a/bound"], check=True)
found = {}
for dry_run in (True, False):
    result = pwalk.repair(top, dry_run, one_file_system=sys.argv[2] == "True")
    found["changes"] = [c.path for c in result.changes]
    found["skipped"] = sorted(s.path + " " + s.reason for s in result.skipped)
    found["errors"] = result.errors
names = ("/etc", "/etc/file", "/etc/inner", "/etc/inner/file")
print(json.dumps([found, [oct(os.stat(n).st_mode & 0o7777) for n in names],
                  [os.stat(n).st_gid for n in names]]))
"""
    answer = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, top, str(one_file_system)],
        capture_output=True,
        check=False,
        timeout=support.LIVENESS,
    )
    assert answer.returncode == 0, answer.stderr.decode()
    found, modes, gids = json.loads(answer.stdout)
    assert found["changes"] == [str(top / "a")]
    bound = top / "a" / "bound"
    entries = [bound, bound / "file", bound / "inner", bound / "inner" / "file"]
    expected = [] if one_file_system else entries
    assert found["skipped"] == sorted(f"{p} is or lies in a protected directory" for p in expected)
    assert found["errors"] == []
    assert modes == ["0o700", "0o600", "0o700", "0o600"]
    assert gids == [0, 0, 0, 0]


def test_a_top_that_is_a_bind_mount_of_a_protected_directory_is_refused(tmp_path: Path) -> None:
    with (
        mounts.bind(Path("/etc"), tmp_path / "bound") as bound,
        pytest.raises(pwalk.ProtectedPathError),
    ):
        pwalk.repair(bound)


# ---- Protected places ---------------------------------------------------------------------------

PLACES = [
    "/",
    *(
        f"/{n}"
        for n in ["bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "sbin", "sys", "usr"]
    ),
]


@pytest.mark.parametrize("place", PLACES)
def test_protected_places_are_refused(place: str, tmp_path: Path) -> None:
    inside = "" if place == "/" else "/does/not/exist"
    (tmp_path / "link").symlink_to(place)
    forms = [
        place,
        place + "/",
        place + "//.",
        place + "/x/..",
        f"/home/..{place}",
        f"{tmp_path}/link",
        f"{tmp_path}/link/",
        *([place + inside, f"{tmp_path}/link{inside}"] if inside else []),
        os.path.relpath(place),
    ]
    for form in forms:
        for dry_run in (True, False):
            with pytest.raises(pwalk.ProtectedPathError):
                pwalk.repair(form, dry_run)
        answer = support.run_pwalk("repair", form, cwd=Path.cwd())
        assert answer.returncode == 2, form


@pytest.mark.parametrize("name", ["usrdata", "etc2", "binaries", "rooty"])
def test_only_whole_components_count(name: str) -> None:
    path = Path(f"/{name}")
    if path.exists():
        pytest.skip(f"{path} exists already")
    path.mkdir()
    try:
        (path / "etc").mkdir()
        assert len(pwalk.repair(path / "etc").changes) == 1
    finally:
        shutil.rmtree(path)


def test_protected_names_further_down_are_not_meant(top: Path) -> None:
    inner = put_directory(top / "etc", 1000, 1000, 0o700)
    pwalk.repair(inner)
    pwalk.repair(top, dry_run=False)
    assert values(inner) == (5, 0o2750)
