"""What the tests of non-public addresses do inside a network of their own."""

from __future__ import annotations

import errno
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hostile_server as hostile
import komparu
import networks
from hostile_server import Answer, Peer, Request, Server

CONTENT = b"what is not for everyone" * 9

PUBLIC4 = "93.184.215.14"
PUBLIC6 = "2606:2800:21f:cb07::1"

PRIVATE: dict[str, tuple[str, str | None]] = {
    # What stands in the URL, and the address of this network that it leads to, if any.
    "loopback": ("127.0.0.1", "127.0.0.1"),
    "loopback, another one": ("127.200.3.4", "127.200.3.4"),
    "this network": ("0.0.0.0", "127.0.0.1"),
    "this network, another one": ("0.1.2.3", None),
    "private 10": ("10.1.2.3", "10.1.2.3"),
    "private 172.16": ("172.16.0.1", "172.16.0.1"),
    "private 172.31": ("172.31.255.254", "172.31.255.254"),
    "private 192.168": ("192.168.1.1", "192.168.1.1"),
    "link-local": ("169.254.169.254", "169.254.169.254"),
    "shared": ("100.64.0.1", "100.64.0.1"),
    "shared, the last": ("100.127.255.254", "100.127.255.254"),
    "benchmarks": ("198.18.0.1", "198.18.0.1"),
    "benchmarks, the last": ("198.19.255.254", "198.19.255.254"),
    "protocols": ("192.0.0.8", "192.0.0.8"),
    "documentation": ("203.0.113.7", "203.0.113.7"),
    "multicast": ("224.0.0.1", None),
    "multicast, scoped": ("239.255.255.250", None),
    "reserved": ("240.0.0.1", None),
    "broadcast": ("255.255.255.255", None),
    "one number": ("2130706433", "127.0.0.1"),
    "hexadecimal": ("0x7f.0x0.0x0.0x1", "127.0.0.1"),
    "octal": ("0177.0.0.01", "127.0.0.1"),
    "short": ("127.1", "127.0.0.1"),
    "credentials before it": (f"{PUBLIC4}@127.0.0.1", "127.0.0.1"),
    "escapes": ("%31%32%37.0.0.1", "127.0.0.1"),
    "IPv6 loopback": ("[::1]", "::1"),
    "IPv6 unspecified": ("[::]", "::1"),
    "IPv6 link-local": ("[fe80::5%25lo]", None),
    "IPv6 link-local, without a zone": ("[fe80::5]", None),
    "IPv6 unique local": ("[fc00::5]", "fc00::5"),
    "IPv6 unique local, fd": ("[fd12:3456::5]", "fd12:3456::5"),
    "IPv6 multicast": ("[ff02::1]", None),
    "IPv6 documentation": ("[2001:db8::5]", "2001:db8::5"),
    "IPv6 site-local": ("[fec0::5]", "fec0::5"),
    "mapped loopback": ("[::ffff:127.0.0.1]", "127.0.0.1"),
    "mapped loopback, in hexadecimal": ("[::ffff:7f00:1]", "127.0.0.1"),
    "mapped private": ("[::ffff:10.1.2.3]", "10.1.2.3"),
    "compatible": ("[::127.0.0.1]", None),
    "translated": ("[::ffff:0:127.0.0.1]", "::ffff:0:7f00:1"),
    "NAT64 of loopback": ("[64:ff9b::127.0.0.1]", "64:ff9b::7f00:1"),
    "NAT64 of private": ("[64:ff9b::10.1.2.3]", "64:ff9b::a01:203"),
    "NAT64 of link-local": ("[64:ff9b::169.254.169.254]", "64:ff9b::a9fe:a9fe"),
    "NAT64 of local networks": ("[64:ff9b:1::5db8:d70e]", "64:ff9b:1::5db8:d70e"),
    "6to4 of loopback": ("[2002:7f00:1::5]", "2002:7f00:1::5"),
    "6to4 of private": ("[2002:c0a8:101::5]", "2002:c0a8:101::5"),
    "6to4 of shared": ("[2002:6440:1::5]", "2002:6440:1::5"),
    "Teredo": ("[2001:0:4136:e378::5]", "2001:0:4136:e378::5"),
}

# Forms of a public address that are public ones.
STILL_PUBLIC = {
    "IPv4": (PUBLIC4, PUBLIC4),
    "IPv6": (f"[{PUBLIC6}]", PUBLIC6),
    "mapped": (f"[::ffff:{PUBLIC4}]", PUBLIC4),
    "NAT64": (f"[64:ff9b::{PUBLIC4}]", "64:ff9b::5db8:d70e"),
    "6to4": ("[2002:5db8:d70e::5]", "2002:5db8:d70e::5"),
}

REACHED = {address for _, address in PRIVATE.values() if address is not None}

# Names of /etc/hosts.
NAMED = {f"name{number}.test": address for number, address in enumerate(sorted(REACHED))}


@dataclass(frozen=True)
class Outcome:
    """What came of one comparison."""

    equal: bool | None  # None: an error
    number: int | None
    message: str
    connections: int  # to the server where it leads
    bytes_received: int
    requests: int

    @property
    def refused(self) -> bool:
        """Whether the address was, before anything was sent to it."""
        reached = (self.connections, self.bytes_received, self.requests)
        return self.number == errno.EACCES and "not public" in self.message and reached == (0, 0, 0)


def compared(
    url: str, file: Path, *servers: Server, timeout: float = 30, **options: Any
) -> Outcome:
    """Compare, and see what has reached the servers meanwhile."""

    def reached() -> tuple[int, int, int]:
        for server in servers:
            server.settle()
        return (
            sum(server.connections for server in servers),
            sum(server.bytes_received for server in servers),
            sum(len(server.requests) for server in servers),
        )

    before = reached()
    equal: bool | None = None
    number, message = None, ""
    try:
        equal = komparu.compare(url, file, timeout=timeout, **options)
    except komparu.SourceReadError as error:
        number, message = error.errno, str(error)
    return Outcome(equal, number, message, *(b - a for a, b in zip(before, reached(), strict=True)))


@contextmanager
def place(names: dict[str, Sequence[str]] | None = None) -> Iterator[Path]:
    """This network with every address that is used, and a file of CONTENT."""
    public = {address for _, address in STILL_PUBLIC.values()}
    own = {x for x in REACHED | public if x != "::1" and not x.startswith("127.")}
    networks.add_addresses(*sorted(own))
    with tempfile.TemporaryDirectory() as directory:
        networks.name_hosts(names or {}, Path(directory))
        file = Path(directory) / "content"
        file.write_bytes(CONTENT)
        yield file


def everywhere() -> Server:
    """A server of CONTENT on every address that is not public."""
    return Server(hostile.honest(CONTENT), sorted(REACHED))


def leads(port: int) -> Answer:
    """Redirects /x to the host x."""
    return lambda peer, request: hostile.redirect(f"http://{request.target[1:]}:{port}/")(
        peer, request
    )


Outcomes = dict[str, Outcome]


def redirected(public: str, **configured: bool) -> Outcomes:
    """A redirect from a public address to each that is not, written out and as a name's."""
    with (
        place({name: [address] for name, address in NAMED.items()}) as file,
        everywhere() as inner,
        Server(leads(inner.port), [public]) as outer,
    ):
        komparu.configure(**configured)
        hosts = {name: host for name, (host, _) in PRIVATE.items()}
        hosts |= {f"a name for {address}": name for name, address in NAMED.items()}
        return {name: compared(outer.url(f"/{host}"), file, inner) for name, host in hosts.items()}


def redirected_to_public() -> Outcomes:
    addresses = sorted({address for _, address in STILL_PUBLIC.values()})
    with (
        place() as file,
        Server(hostile.honest(CONTENT), addresses) as inner,
        Server(leads(inner.port), [PUBLIC4]) as outer,
    ):
        return {
            name: compared(outer.url(f"/{host}"), file, inner)
            for name, (host, _) in STILL_PUBLIC.items()
        }


def first_hops(**configured: bool) -> Outcomes:
    """The first URL itself leads to each, written out and as a name's."""
    with (
        place({name: [address] for name, address in NAMED.items()}) as file,
        everywhere() as inner,
    ):
        komparu.configure(**configured)
        hosts = {name: host for name, (host, _) in PRIVATE.items()}
        hosts |= {f"a name for {address}": name for name, address in NAMED.items()}
        return {
            name: compared(f"http://{host}:{inner.port}/", file, inner)
            for name, host in hosts.items()
        }


def roundabout() -> Outcomes:
    """Redirects that lead to another address by way of others, or in other words."""
    with (
        place({"inside.test": ["10.1.2.3"]}) as file,
        everywhere() as inner,
    ):
        port = inner.port

        def answer(peer: Peer, request: Request) -> None:
            target = {
                "/again": "/relative",
                "/relative": f"//127.0.0.1:{port}/",
                "/upper": f"HTTP://INSIDE.TEST:{port}/",
                "/spaces": f"  http://127.0.0.1:{port}/",
                "/backslash": f"http:\\\\127.0.0.1:{port}/",
                "/slashes": f"http:///127.0.0.1:{port}/",
                "/fullwidth": f"http://\uff11\uff12\uff17.0.0.1:{port}/",
                "/file": f"file://{file}",
                "/gopher": f"gopher://127.0.0.1:{port}/_GET",
                "/ftp": f"ftp://127.0.0.1:{port}/",
            }[request.target]
            reply = f"HTTP/1.1 307 Go\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
            peer.send(reply.encode())

        paths: tuple[str, ...] = ("again", "relative", "upper", "spaces", "backslash", "slashes")
        paths += ("fullwidth", "file", "gopher", "ftp")
        with Server(answer, [PUBLIC4]) as outer:
            return {path: compared(outer.url(f"/{path}"), file, inner) for path in paths}


def to_itself(**configured: bool) -> Outcome:
    """A private server, first asked itself, that redirects to itself."""
    with place() as file:

        def answer(peer: Peer, request: Request) -> None:
            reply = hostile.redirect("/b") if request.target == "/a" else hostile.honest(CONTENT)
            reply(peer, request)

        with Server(answer, ["10.1.2.3"]) as server:
            komparu.configure(**configured)
            return compared(server.url("/a"), file, server)


# ---- Names whose answers change ------------------------------------------------------------------


@dataclass(frozen=True)
class Changing:
    outcomes: list[Outcome]
    questions: int


def changing_names(private: str, first: str) -> Changing:
    """Redirects to names that are public when first asked for, or ``first`` "private", and the
    other when asked again, and so on."""
    family = socket.AF_INET6 if ":" in private else socket.AF_INET
    public = PUBLIC6 if family == socket.AF_INET6 else PUBLIC4
    order = [public, private] if first == "public" else [private, public]

    def answers(name: str, asked: int, count: int) -> Sequence[str]:
        return [order[count % 2]] if asked == family and name.endswith(".flip.test") else []

    with (
        place() as file,
        networks.NameServer(answers) as names,
        Server(hostile.honest(CONTENT), [private]) as inner,
        Server(leads(inner.port), [public]) as outer,
        Server(hostile.honest(CONTENT), [public], port=inner.port),
    ):
        outcomes = [compared(outer.url(f"/n{n}.flip.test"), file, inner) for n in range(5)]
        return Changing(outcomes, names.asked.total())


def mixed_names() -> Outcomes:
    """Names with a public address, where nobody listens, and another one, where somebody does."""
    private = {"IPv4": "10.1.2.3", "IPv6": "fc00::5"}
    names = {"four.test": [PUBLIC4, private["IPv4"]], "six.test": [PUBLIC6, private["IPv6"]]}
    names |= {"4.rev.test": names["four.test"][::-1], "6.rev.test": names["six.test"][::-1]}

    def answers(name: str, family: int, _: int) -> Sequence[str]:
        kind = {socket.AF_INET: ".", socket.AF_INET6: ":"}[socket.AddressFamily(family)]
        return [address for address in names.get(name, ()) if kind in address]

    with (
        place() as file,
        networks.NameServer(answers),
        Server(hostile.honest(CONTENT), list(private.values())) as inner,
        Server(leads(inner.port), [PUBLIC4]) as outer,
    ):
        return {name: compared(outer.url(f"/{name}"), file, inner) for name in names}


def silent_names() -> tuple[Outcome, float]:
    """A name server that never answers: the outcome, and the seconds until then."""
    with place() as file, networks.NameServer(lambda *_: None):
        begun = time.monotonic()
        outcome = compared("http://nobody.test/", file, timeout=3)
        return outcome, time.monotonic() - begun


# ---- Connections that are there already ----------------------------------------------------------


def reused(**configured: bool) -> tuple[Outcome, Outcome]:
    """A connection is opened by a first hop, and then a redirect leads to the same server by the
    same name. Both outcomes."""
    with (
        place({"inside.test": ["10.1.2.3"]}) as file,
        Server(hostile.honest(CONTENT), ["10.1.2.3"]) as inner,
        Server(leads(inner.port), [PUBLIC4]) as outer,
    ):
        komparu.configure(**configured)
        first = compared(f"http://inside.test:{inner.port}/", file, inner)
        return first, compared(outer.url("/inside.test"), file, inner)


def reused_by_first_hop() -> tuple[Outcome, Outcome]:
    """A connection is opened, and first hops are restricted only then."""
    with (
        place({"inside.test": ["10.1.2.3"]}) as file,
        Server(hostile.honest(CONTENT), ["10.1.2.3"]) as inner,
    ):
        url = f"http://inside.test:{inner.port}/"
        first = compared(url, file, inner)
        komparu.configure(block_private=True)
        return first, compared(url, file, inner)
