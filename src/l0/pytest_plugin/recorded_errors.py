"""Convert exceptions of a transport to JSON and back."""

from __future__ import annotations

import sys
from itertools import pairwise
from types import ModuleType
from typing import Any

from .cassette_entry import ErrorChain

_MAX_LINKS = 8
"""Exceptions of a chain that are recorded."""


def describe_error(error: BaseException) -> ErrorChain:
    """Return the JSON of an exception and its causes, the exception itself first."""
    chain: list[dict[str, Any]] = []
    link: BaseException | None = error
    while link is not None and len(chain) < _MAX_LINKS:
        kind = type(link)
        described: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(link)}
        if isinstance(link, OSError) and link.errno is not None:
            described |= {"message": link.strerror, "errno": link.errno}
        chain.append(described)
        link = link.__cause__ or link.__context__  # httpcore hides the system's error behind `from None`
    return tuple(chain)


def make_error(chain: ErrorChain, transport: ModuleType) -> Exception:
    """Return an exception with its causes, as the given transport (httpx or httpx2) raises it.

    Exceptions whose class this process has not imported are left out; the outermost becomes a `ReadError` instead.
    """
    made = [_make(item, transport) for item in chain]
    first: Exception = made[0] or transport.ReadError(chain[0]["message"])
    links = [first, *(link for link in made[1:] if link is not None)]
    for outer, inner in pairwise(links):
        outer.__cause__ = inner
    return first


def _make(item: dict[str, Any], transport: ModuleType) -> Exception | None:
    module, _, name = item["type"].rpartition(".")
    root = module.partition(".")[0]
    found: ModuleType | None
    if root in ("httpx", "httpx2"):
        found = transport
    elif root in ("httpcore", "httpcore2"):
        found = sys.modules.get(transport.__name__.replace("httpx", "httpcore"))
    else:
        found = sys.modules.get(module)
    kind = getattr(found, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return None
    try:
        return kind(item["errno"], item["message"]) if "errno" in item else kind(item["message"])
    except TypeError:
        return None
