"""The keys of ``Policy.truncation``: base URLs, origins and hosts, in one spelling."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"": None, "http": 80, "https": 443}
"""By scheme. A key without a scheme holds for both."""


def truncation_key(given: object) -> str | None:
    """Return a key as `matching_keys` spells it: ``scheme://host:port/path``, of which all but the host may be missing.

    The default port of the scheme and slashes at the end are left out. ``None``: the key never matches a base URL.
    """
    scheme, divider, rest = given.strip().rpartition("://") if isinstance(given, str) else ("", "", "")
    scheme = scheme.lower()
    url = _split(rest)
    if url is None or scheme not in _DEFAULT_PORTS or bool(divider) != bool(scheme):
        return None
    host, port = _host(url), url.port
    if not scheme and port in (80, 443):
        scheme, divider = ("http" if port == 80 else "https"), "://"
    number = f":{port}" if port and port != _DEFAULT_PORTS[scheme] else ""
    return f"{scheme}{divider}{host}{number}{url.path.rstrip('/')}"


def matching_keys(base_url: str) -> Iterator[str]:
    """Yield the keys that hold for a client's base URL, without its default port; the most specific one first."""
    scheme, _, rest = base_url.rpartition("://")
    address, slash, path = rest.rstrip("/").partition("/")
    url = _split(address)
    host = _host(url) if url is not None else address
    for below in dict.fromkeys((slash + path, "")):
        yield f"{scheme}://{address}{below}"
        yield address + below
        yield host + below


def _split(address: str) -> SplitResult | None:
    """Return the parts of an address without a scheme; ``None`` if it has no host, or more than a base URL has."""
    try:
        url = urlsplit(f"//{address}")
        more = url.port == 0 or url.username is not None or url.query or url.fragment
    except ValueError:  # a port that is not a number, a bracket that is not closed
        return None
    unclear = not url.hostname or any(character.isspace() or character in "?#" for character in address)
    return None if more or unclear else url


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    return f"[{host}]" if ":" in host else host
