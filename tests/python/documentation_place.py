"""A machine of its own for a page: places to write to, and hosts that answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import certificates
import documentation
import documentation_run
import networks
import nginx

# Empty at first, and on a tmpfs, as a page may fill them or mend what is in them.
EMPTY = ("backup", "data", "filer", "mnt", "srv")

# Public, as what pages say of redirects and of private addresses should be true here.
_ADDRESS = "93.184.215.14"

_NOT_COPIED = (".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "scan.*")

# What lies in a directory with the host's name is that host's alone.
_SITE = """
listen {address}:80;
listen {address}:443 ssl;
server_name {host};
{certificate}
root {top};
location / {{ try_files /$host$uri $uri =404; }}
"""


def run_page(path: Path, place: Path, prefix: Path | None) -> str:
    """Run a page; to be called in namespaces of its own. Return how it failed, or nothing.

    :param place: an empty directory, for this page alone
    :param prefix: where the core is installed
    """
    page = documentation.read(path)
    cwd, scripts = place / "page", place / "scripts"
    scripts.mkdir()
    _make_directory(cwd, page.calls_make)
    _enter_root(
        place / "root", [documentation.ROOT, Path(sys.prefix), Path(sys.base_prefix), place]
    )
    # What a page prints is not the answer of this process.
    sys.stdout.flush()
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        with _system_log(), _hosts(page.hosts, cwd, place / "hosts") as bundle:
            environment = documentation_run.environment(prefix, bundle)
            os.environ.clear()
            os.environ.update(environment)
            documentation_run.Runner(page, cwd, scripts).run()
    except documentation_run.PageError as failed:
        return str(failed)
    finally:
        sys.stdout.flush()
        os.dup2(answer, 1)
    return ""


def _make_directory(cwd: Path, checkout: bool) -> None:
    """An empty directory, or a checkout in which ``make setup`` has been done."""
    if not checkout:
        cwd.mkdir()
        return
    shutil.copytree(documentation.ROOT, cwd, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    (cwd / ".venv").symlink_to(sys.prefix)


def _enter_root(root: Path, needed: Sequence[Path]) -> None:
    """Make a root directory with all that is in this one, but EMPTY, and go there.

    :param needed: is there, too, though it should be in one of EMPTY
    """
    root.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    _mirror(Path("/"), root, ("dev", *EMPTY))
    (root / "dev").mkdir()
    _mirror(Path("/dev"), root / "dev", ("log",))
    for name in EMPTY:
        (root / name).mkdir()
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root / name)
    for path in needed:
        if path.parts[1] in EMPTY:
            at = root.joinpath(*path.parts[1:])
            at.mkdir(parents=True, exist_ok=True)
            _mount("--rbind", path, at)
    os.chroot(root)


def _mirror(source: Path, at: Path, but: Sequence[str]) -> None:
    """Let all that is in one directory, ``but`` some names, be in another, too."""
    for entry in source.iterdir():
        if entry.name in but or entry.is_socket():
            continue
        if entry.is_symlink():
            (at / entry.name).symlink_to(entry.readlink())
            continue
        if entry.is_dir():
            (at / entry.name).mkdir()
        else:
            (at / entry.name).touch()
        _mount("--rbind", entry, at / entry.name)


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


@contextmanager
def _system_log() -> Iterator[None]:
    """A log daemon, as machines have one, that forgets all it is told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")

        def read() -> None:
            while log.recv(1 << 16):
                pass

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield
        finally:
            log.shutdown(socket.SHUT_RD)
            reader.join()


@contextmanager
def _hosts(names: Sequence[str], top: Path, directory: Path) -> Iterator[Path | None]:
    """Let hosts serve ``top`` while the context lasts; give the certificate of their authority."""
    if not names:
        yield None
        return
    directory.mkdir()
    networks.add_addresses(_ADDRESS)
    addresses: dict[str, Sequence[str]] = {name: [_ADDRESS] for name in names}
    networks.name_hosts(addresses | {"localhost": ["127.0.0.1"]}, directory)
    authority = certificates.Authority(directory / "authority")
    certificate = authority.issue("hosts", ", ".join(f"DNS:{name}" for name in names))
    site = nginx.Site(
        _SITE.format(address=_ADDRESS, host=" ".join(names), certificate=certificate, top=top)
    )
    with nginx.running(directory / "nginx", {"hosts": site}):
        yield authority.bundle
