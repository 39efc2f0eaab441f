"""Check the `Host` header of requests.

A web page can point its own host name at 127.0.0.1 and so reach local servers (DNS rebinding). Its requests still carry
that name, so other names are rejected.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def serves(header: str | None, bound: str, host_names: Collection[str] = ()) -> bool:
    """Return True if a server bound to `bound` may answer this `Host` header.

    Loopback names, the bound host and `host_names` are allowed. A server on all interfaces was opened on purpose and
    answers all.
    """
    if header is None or _unspecified(bound):
        return True
    try:
        name = (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in (bound.lower(), "localhost") or name.endswith(".localhost") or _loopback(name):
        return True
    return any(name == allowed.lower().rstrip(".") for allowed in host_names if allowed)


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
