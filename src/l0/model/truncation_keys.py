"""Normalize the keys of ``Policy.truncation``, which are base URLs, origins and hosts."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"": None, "http": 80, "https": 443}
"""By scheme. A key without a scheme applies to both."""


def truncation_key(key: object) -> str | None:
    """Return a key in the form that `matching_keys` yields: ``scheme://host:port/path``. Only the host is required.

    The result has no default port and no slash at the end. ``None``: the key never matches a base URL.
    """
    scheme, divider, rest = key.strip().rpartition("://") if isinstance(key, str) else ("", "", "")
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
    """Yield the keys that apply to a client's base URL, the most specific first. The URL has no default port."""
    scheme, _, rest = base_url.rpartition("://")
    address, slash, path = rest.rstrip("/").partition("/")
    url = _split(address)
    host = _host(url) if url is not None else address
    for suffix in dict.fromkeys((slash + path, "")):
        yield f"{scheme}://{address}{suffix}"
        yield address + suffix
        yield host + suffix


def _split(address: str) -> SplitResult | None:
    """Return the parts of an address without a scheme.

    ``None`` if it has no host, or a part that base URLs do not have: port 0, a user name, a query or a fragment.
    """
    try:
        url = urlsplit(f"//{address}")
        has_other_parts = url.port == 0 or url.username is not None or url.query or url.fragment
    except ValueError:  # a port that is not a number, a bracket that is not closed
        return None
    malformed = not url.hostname or any(character.isspace() or character in "?#" for character in address)
    return None if has_other_parts or malformed else url


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    return f"[{host}]" if ":" in host else host
