"""Certificates of an authority of the tests' own, made with openssl."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

_CONFIGURATION = """
[req]
distinguished_name = name
[name]
[authority]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = anything
[anything]
commonName = supplied
[of_authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[of_server]
basicConstraints = CA:false
subjectAltName = {names}
"""

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_HERE = "IP:127.0.0.1, IP:127.0.0.2, DNS:localhost"


class Authority:
    """An authority in a new directory. ``bundle`` is its own certificate."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl")
        directory.mkdir()
        self._directory = directory
        self.bundle = directory / "authority.pem"
        (directory / "index").touch()
        self._configure(_HERE)
        self._make_self_signed("authority", "of_authority")

    def issue(self, name: str, names: str = _HERE, expired: bool = False) -> str:
        """Issue a certificate; return nginx's directives for it.

        :param names: what it is for, as a subjectAltName
        :param expired: its time ended a day ago, else it began then
        """
        self._configure(names)
        request = f"{name}.request"
        self._openssl(
            "req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", request
        )
        now = datetime.now(timezone.utc)
        first, last = (now + timedelta(days=days) for days in ((-9, -1) if expired else (-1, 9)))
        self._openssl(
            *("ca", "-batch", "-notext", "-name", "authority", "-extensions", "of_server"),
            *("-cert", "authority.pem", "-keyfile", "authority.key"),
            *("-startdate", f"{first:%Y%m%d%H%M%SZ}", "-enddate", f"{last:%Y%m%d%H%M%SZ}"),
            *("-in", request, "-out", f"{name}.pem"),
        )
        return self._directives(name)

    def self_signed(self, name: str) -> str:
        """Make a certificate that nobody has issued; return nginx's directives for it."""
        self._configure(_HERE)
        self._make_self_signed(name, "of_server")
        return self._directives(name)

    def _make_self_signed(self, name: str, extensions: str) -> None:
        self._openssl(
            *("req", "-x509", *_NEW_KEY, "-days", "9", "-extensions", extensions),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )

    def _directives(self, name: str) -> str:
        place = self._directory / name
        return f"ssl_certificate {place}.pem; ssl_certificate_key {place}.key;"

    def _configure(self, names: str) -> None:
        (self._directory / "configuration").write_text(_CONFIGURATION.format(names=names))

    def _openssl(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", command, "-config", "configuration", *arguments],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
