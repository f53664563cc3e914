"""What a URL is fetched with: its options, the environment's proxies, whom to trust."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from komparu import _core
from komparu._errors import ConfigError
from komparu._options import NOT_GIVEN, Options, check
from komparu._types import Source


def http_options(name: str, source: Source | None, options: Options) -> _core.HttpOptions:
    """Return what one URL is fetched with: what its Source says, else what the call does.

    :param name: of the argument, for messages
    :raises ConfigError: when an option cannot be used
    """

    def option(key: str) -> Any:
        value = NOT_GIVEN if source is None else getattr(source, key)
        return getattr(options, key) if value is NOT_GIVEN else check(key, value)

    headers = option("headers") or {}
    verify = option("verify_ssl")
    return _core.HttpOptions(
        headers=[(_encoded(name, key), _encoded(name, value)) for key, value in headers.items()],
        timeout=option("timeout") or 0.0,
        follow_redirects=option("follow_redirects"),
        verify_tls=verify is not False,
        ca_file=os.fsencode(_bundle(verify)),
        proxies=_proxies(option("proxy")),
        allow_private_redirects=options.allow_private_redirects,
        block_private=options.block_private,
    )


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigError(f"{name}: headers must be of ISO 8859-1") from None


def _bundle(verify: bool | str) -> str:
    """Return the certificates to trust: the argument's, SSL_CERT_FILE's, the system's, certifi's.

    :raises ConfigError: when there is no such file
    """
    if isinstance(verify, str):
        if not Path(verify).is_file():
            raise ConfigError(f"verify_ssl: no such file: {verify}")
        return verify
    if not verify:
        return ""
    named = os.environ.get("SSL_CERT_FILE")
    if named:
        return named
    import ssl  # not before it is needed: it takes as long as all the rest

    for known in (ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES):
        if known is not None and Path(known).is_file():
            return known
    try:
        import certifi
    except ImportError:
        return ""  # what libcurl was built with
    return str(certifi.where())


# Of Debian, Fedora, openSUSE, Alpine and macOS.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def _proxies(proxy: str | None) -> tuple[bytes, bytes, bytes]:
    """Return the proxies for http and for https, and the hosts that are reached without."""
    if proxy is not None:
        return os.fsencode(proxy), os.fsencode(proxy), b""
    import urllib.request

    named = urllib.request.getproxies_environment()
    for_all = named.get("all", "")
    return (
        os.fsencode(named.get("http", for_all)),
        os.fsencode(named.get("https", for_all)),
        os.fsencode(named.get("no", "")),
    )
