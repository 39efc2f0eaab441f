"""Describe one inference call of the user. The provider package fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .policy import Policy

AttributeValue = str | bool | int | float | tuple[str, ...]


class Replay(StrEnum):
    """The point from which repeating a request could have an effect twice on the server."""

    SAFE = "safe"
    """Always: a repeat only costs tokens."""
    UNTIL_CREATED = "until_created"
    """Until the first event: from then on the provider stores the answer (Responses with ``store``)."""
    UNTIL_ACCEPTED = "until_accepted"
    """Until acceptance: the provider stores or does something once it accepts the request (``store``, server tools)."""


class Outcome(StrEnum):
    """The outcome of a call from the user's point of view."""

    OK = "ok"
    RECOVERED_RETRY = "recovered_retry"
    RECOVERED_FALLBACK = "recovered_fallback"
    RECOVERED_RESUME = "recovered_resume"
    RECOVERED_HEDGE = "recovered_hedge"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One call of an SDK method, which may take several requests.

    ``max_retries``: the limit set by the client and the call. ``strict``: if True, a missing terminal event is an
    error; if ``None``, it is not checked. ``resumable``: no parameter of the request forbids resuming a broken answer.
    ``attributes``: request parameters for the span, by their conventional names. ``body``: the request's JSON, by
    reference, for observers whose user opted in to capturing content. ``capture``: the client's own settings ask for
    content on the span. ``tracer_provider``: the client's own provider for its spans. ``shadow``: a policy that only
    observes.
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
