"""A machine of its own for a page: places to write to, and hosts that answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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

_NOT_COPIED = (".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis", "scan.*")

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
        with _hosts(page.hosts, cwd, place / "hosts") as bundle:
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
    for entry in Path("/").iterdir():
        at = root / entry.name
        if entry.is_symlink():
            at.symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in EMPTY:
            at.mkdir()
            _mount("--rbind", entry, at)
    for name in EMPTY:
        (root / name).mkdir()
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root / name)
    for path in needed:
        if path.parts[1] in EMPTY:
            at = root.joinpath(*path.parts[1:])
            at.mkdir(parents=True, exist_ok=True)
            _mount("--rbind", path, at)
    os.chroot(root)


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


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
