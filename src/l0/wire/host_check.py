"""Check the `Host` header of requests.

A web page can point its host name at 127.0.0.1 and so send requests to local servers (DNS rebinding). The ``Host``
header of these requests is the name of the page, so a server must reject names that are not its own.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def serves(header: str | None, bound: str, host_names: Collection[str] = ()) -> bool:
    """Return True if a server that listens on the host ``bound`` may answer a request with this `Host` header.

    Loopback names, ``bound`` and ``host_names`` are allowed. A server that listens on all interfaces answers every
    name, because its user has opened it to others on purpose.
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
