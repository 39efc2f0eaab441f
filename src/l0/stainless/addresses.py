"""The parts of a client's base URL. They are remembered: each call needs them, and takes microseconds to read one."""

from __future__ import annotations

from typing import Any, NamedTuple

MAX_ADDRESSES = 256
"""Maximum number of remembered URLs. It bounds the memory of a program that makes a new client for every call."""


class Address(NamedTuple):
    """Parts of a base URL. ``base``: the origin and the path. ``port``: of the scheme if the URL has none.

    ``source``: host, port and path as the URL states them, which identify a source of streams.
    """

    host: str
    port: int
    origin: str
    base: str
    source: str


_ADDRESSES: dict[int, tuple[Any, Address]] = {}
"""By the id of the URL, which is kept alive. Not by the URL: to hash it takes as long as to read its parts. URLs are
immutable."""


def address_of(url: Any) -> Address:
    """Return the parts of a URL of httpx or httpx2."""
    known = _ADDRESSES.get(id(url))
    if known is not None and known[0] is url:
        return known[1]
    origin, path = f"{url.scheme}://{url.netloc.decode()}", url.raw_path.decode()
    port = url.port or (80 if url.scheme == "http" else 443)
    address = Address(url.host, port, origin, origin + path, f"{url.host}:{url.port}{path}")
    if len(_ADDRESSES) >= MAX_ADDRESSES:
        _ADDRESSES.clear()
    _ADDRESSES[id(url)] = url, address
    return address
