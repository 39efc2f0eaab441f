"""The result of one call under one policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The answer that the user of the call got."""

    WHOLE = "whole"
    """A complete answer."""
    FAILED = "failed"
    """An exception."""
    SILENT = "silent"
    """An incomplete answer, and no error."""
    UNKNOWN = "unknown"
    """The recordings do not show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The result of one call. Times are seconds since the call; ``None`` if not reached.

    ``first_token_s``: the first delivery of content. ``total_s``: the end. ``requests``: all that were sent.
    ``extra_tokens``: those of the attempts that did not serve the answer. ``reason``: why it failed, or what is
    unknown. ``budget_paid``: extra requests that the retry budget allowed. ``budget_refused``: it refused one.
    """

    id: str
    verdict: Verdict
    first_token_s: float | None = None
    total_s: float | None = None
    requests: int = 0
    extra_tokens: int = 0
    reason: str = ""
    budget_paid: int = 0
    budget_refused: bool = False
