"""The values of a cassette: a request, and the answer that it got."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Headers = tuple[tuple[str, str], ...]
ErrorChain = tuple[dict[str, Any], ...]
"""An exception and its causes, from the outermost: ``type``, ``message`` and for errors of the system ``errno``."""
End = Literal["eof", "closed", "gave_up", "error"]
"""The end of an answer: complete, closed by the client between two reads, given up by a client that waited (a deadline
of L0 passed, or the task was cancelled), or broken by an exception."""


@dataclass(frozen=True, slots=True)
class CassetteRequest:
    """A request in the form in which requests are compared. ``body``: see `request_body.describe`."""

    method: str
    url: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteAnswer:
    """An answer. Times are in milliseconds since the request was sent.

    ``status``: ``None`` if the connection broke, or the client gave up, before the head (status and headers) arrived.
    """

    status: int | None = None
    headers: Headers = ()
    head_ms: float = 0.0
    reads: tuple[tuple[float, bytes], ...] = ()
    end: End = "eof"
    end_ms: float = 0.0
    error: ErrorChain = ()


@dataclass(frozen=True, slots=True)
class CassetteEntry:
    """One recording."""

    request: CassetteRequest
    answer: CassetteAnswer = field(default_factory=CassetteAnswer)
