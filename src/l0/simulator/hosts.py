"""Whom a request may name as its host.

A web page can point a name of its own at 127.0.0.1 and so talk to whatever listens there (DNS rebinding); its requests
still carry that name.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit


def serves(header: str | None, bound: str) -> bool:
    """Return whether a `Host` header may be answered by a server that is bound to `bound`.

    Loopback and the bound host may; a server that listens to every interface was opened on purpose, and serves all.
    """
    if header is None or _unspecified(bound):
        return True
    try:
        name = (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return False
    return name == bound.lower() or name == "localhost" or name.endswith(".localhost") or _loopback(name)


def _loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _unspecified(bound: str) -> bool:
    try:
        return not bound or ip_address(bound).is_unspecified
    except ValueError:
        return False
