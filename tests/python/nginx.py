"""A real nginx on loopback addresses, with a configuration, ports and logs of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
import support

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"

_CONTROL = "control"

# What the log holds of a request, by the names that Request has for it.
_VARIABLES = {
    "method": "$request_method",
    "uri": "$request_uri",
    "protocol": "$server_protocol",
    "status": "$status",
    "sent": "$body_bytes_sent",
    "connection": "$connection",
    "server": "$server_addr:$server_port",
    "range": "$http_range",
    "authorization": "$http_authorization",
    "proxy_authorization": "$http_proxy_authorization",
    "test_header": "$http_x_test",
    "accept_encoding": "$http_accept_encoding",
}

_CONFIGURATION = """
daemon off;
worker_processes 1;
{user}
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
    log_format requests escape=json '{log}';
    access_log access.log requests;
    default_type application/octet-stream;
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    sendfile on;
    absolute_redirect off;
    {http}
    {servers}
}}
"""


@dataclass(frozen=True)
class Site:
    """One server of an nginx, which has a port for itself on both hosts.

    :ivar configuration: what is in its block; ``@name@`` stands for the host and port of a site
    :ivar listen: more words for its listen directives, such as ``ssl http2``
    """

    configuration: str
    listen: str = ""


@dataclass(frozen=True)
class Request:
    """One line of the log. What a request did not have is empty."""

    method: str
    uri: str
    protocol: str
    status: int
    sent: int
    connection: int
    server: str
    range: str
    authorization: str
    proxy_authorization: str
    test_header: str
    accept_encoding: str


class Nginx:
    """One that runs."""

    def __init__(self, directory: Path, sites: Mapping[str, Site], ports: Mapping[str, int]):
        self._log = directory / "access.log"
        self._sites = sites
        self._ports = ports
        self._seen = 0

    def place(self, site: str = "main", host: str = HOST) -> str:
        """Return the host and port of a site."""
        return f"{host}:{self._ports[site]}"

    def url(self, path: str, site: str = "main", host: str = HOST, user: str = "") -> str:
        """Return a URL, perhaps with credentials in it."""
        scheme = "https" if "ssl" in self._sites[site].listen.split() else "http"
        return f"{scheme}://{user + '@' if user else ''}{self.place(site, host)}{path}"

    def forget(self) -> None:
        """Leave what the log holds so far out of what log() returns."""
        self._settle()
        self._seen = self._log.stat().st_size

    def log(self, start: str = "/") -> list[Request]:
        """Return the requests whose answers have been sent, of those whose URIs start so."""
        self._settle()
        with self._log.open("rb") as file:
            file.seek(self._seen)
            lines = file.read().split(b"\n")[:-1]
        requests = [_parsed(line) for line in lines]
        return [request for request in requests if request.uri.startswith(start)]

    def await_log(self, start: str, count: int) -> list[Request]:
        """Return requests as log() does once there are so many: clients may have gone early."""
        support.wait_until(lambda: len(self.log(start)) >= count, f"{count} lines of {start}")
        requests = self.log(start)
        assert len(requests) == count
        return requests

    def _settle(self) -> None:
        """Wait until nginx, which does one thing after the other, has logged what it has done."""
        connection = HTTPConnection(HOST, self._ports[_CONTROL], timeout=support.LIVENESS)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            assert connection.getresponse().status == 204


def _parsed(line: bytes) -> Request:
    values: dict[str, Any] = json.loads(line)
    numbers = {name: int(values[name]) for name in ("status", "sent", "connection")}
    return Request(**{**values, **numbers})


@contextmanager
def running(directory: Path, sites: Mapping[str, Site], http: str = "") -> Iterator[Nginx]:
    """An nginx with these sites, while the context lasts; relative paths are in ``directory``."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("there is no nginx")
    (directory / "temp").mkdir(parents=True)
    sites = {**sites, _CONTROL: Site("access_log off; location / { return 204; }")}
    with ExitStack() as sockets:
        listening = {name: _listen(sockets) for name in sites}
        ports = {name: pair[0].getsockname()[1] for name, pair in listening.items()}
        (directory / "nginx.conf").write_text(_configuration(sites, ports, http))
        descriptors = [one.fileno() for pair in listening.values() for one in pair]
        process = subprocess.Popen(
            [program, "-p", str(directory), "-c", "nginx.conf", "-e", "error.log"],
            stdin=subprocess.DEVNULL,
            # As a new nginx takes over from an old one: nobody else can get the ports meanwhile.
            env={**os.environ, "NGINX": "".join(f"{number};" for number in descriptors)},
            pass_fds=descriptors,
        )
    try:
        server = Nginx(directory, sites, ports)
        try:
            server.forget()
        except (OSError, HTTPException) as error:
            messages = (directory / "error.log").read_text()
            raise RuntimeError(f"nginx has not started: {messages}") from error
        yield server
    finally:
        process.terminate()
        assert process.wait(support.LIVENESS) == 0


def _listen(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Two sockets, one on each host, with the same port."""
    while True:
        first = stack.enter_context(socket.create_server((HOST, 0), backlog=511))
        with contextlib.suppress(OSError):  # somebody has that port
            return first, stack.enter_context(
                socket.create_server((OTHER_HOST, first.getsockname()[1]), backlog=511)
            )


def _configuration(sites: Mapping[str, Site], ports: Mapping[str, int], http: str) -> str:
    servers = "".join(
        "server {\n"
        + "".join(f"listen {host}:{ports[name]} {site.listen};\n" for host in (HOST, OTHER_HOST))
        + f"{site.configuration}\n}}\n"
        for name, site in sites.items()
    )
    log = json.dumps(_VARIABLES)
    # Another user could not read what tests make.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    text = _CONFIGURATION.format(user=user, log=log, http=http, servers=servers)
    for name, port in ports.items():
        text = text.replace(f"@{name}@", f"{HOST}:{port}")
    return text


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away those that the environment of the tests may name."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
