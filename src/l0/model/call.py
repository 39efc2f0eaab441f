"""What a user asked for: one inference call, as the provider package describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .policy import Policy

AttributeValue = str | bool | int | float | tuple[str, ...]


class Replay(StrEnum):
    """From when on a repeat could do something twice on the server's side."""

    SAFE = "safe"
    """A repeat only costs tokens."""
    UNTIL_CREATED = "until_created"
    """The provider keeps the answer from its first event on (Responses with ``store``)."""
    UNTIL_ACCEPTED = "until_accepted"
    """The provider keeps or does something as soon as it accepts the request (``store``, server tools)."""


class Outcome(StrEnum):
    """How a call ended, as its user saw it."""

    OK = "ok"
    RECOVERED_RETRY = "recovered_retry"
    RECOVERED_FALLBACK = "recovered_fallback"
    RECOVERED_RESUME = "recovered_resume"
    RECOVERED_HEDGE = "recovered_hedge"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One call of an SDK method, whatever number of requests it takes.

    ``max_retries``: what the client and the call allow. ``strict``: a missing terminal event is an error; ``None``:
    it is not looked for at all. ``resumable``: nothing that was asked for forbids to take a broken answer up again.
    ``attributes``: request parameters for the span, by their conventional names. ``body``: the request's JSON, by
    reference, for sinks whose user opted in to capturing content. ``capture``: the client's own settings ask for
    content on the span. ``tracer_provider``: the client's own, where its spans are to go. ``shadow``: a policy that
    only looks on.
    """

    operation: str
    provider: str
    model: str
    dialect: str
    streaming: bool
    origin: str
    host: str
    port: int
    replay: Replay
    max_retries: int
    policy: Policy
    strict: bool | None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] = field(default_factory=dict, repr=False)
    capture: bool = False
    tracer_provider: object = field(default=None, repr=False)
    resumable: bool = True
    shadow: Policy | None = None
