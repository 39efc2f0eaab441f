"""Describe one inference call of the user. The provider package fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from .policy import Policy

AttributeValue = str | bool | int | float | tuple[str, ...] | tuple[int, ...]


class RetrySafety(StrEnum):
    """The point of an attempt after which its request must not be sent again, because the server could repeat a side
    effect. `Policy.replay` can change it."""

    ALWAYS = "always"
    """There is none: the user's policy allows every retry."""
    SAFE = "safe"
    """A retry only costs tokens."""
    UNTIL_SEEN = "until_seen"
    """The provider stores the answer (``store``): safe while nobody has seen a part of it, or its id."""
    UNTIL_EFFECT = "until_effect"
    """An event shows the effect: the start of a stored conversation or background response, or of a server tool."""
    UNTIL_ACCEPTED = "until_accepted"
    """The effect may begin once the provider accepts the request: server tools that no event announces."""

    @property
    def in_parallel(self) -> bool:
        """Return True if two requests may run side by side: only the one whose answer is seen has an effect."""
        return self in (RetrySafety.ALWAYS, RetrySafety.SAFE, RetrySafety.UNTIL_SEEN)

    @property
    def once_seen(self) -> bool:
        """Return True if a retry is safe even after the user has seen a part of the answer."""
        return self in (RetrySafety.ALWAYS, RetrySafety.SAFE)


class Outcome(StrEnum):
    """The outcome of a call from the user's point of view."""

    OK = "ok"
    """The first request was answered completely."""
    RECOVERED_RETRY = "recovered_retry"
    """A retry was answered completely, after a failure that the user did not notice."""
    RECOVERED_FALLBACK = "recovered_fallback"
    """Another model or client served the call."""
    RECOVERED_RESUME = "recovered_resume"
    """The answer broke after its first content, and a further request continued it to its end."""
    RECOVERED_HEDGE = "recovered_hedge"
    """The second of two concurrent requests was faster, and was answered completely."""
    FAILED = "failed"
    """The user got an exception."""
    CANCELLED = "cancelled"
    """The user closed the stream or cancelled the call before the answer was complete."""


class TerminalRule(NamedTuple):
    """The treatment of a stream without its terminal event. ``origin``: of the client that the stream comes from.

    ``strict``: if True, it is an error; if False, it is accepted with a warning; if ``None``, it is not checked.
    """

    origin: str
    strict: bool | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One call of an SDK method, which may take several requests.

    ``retry_safety``: that of the request itself; `effective_retry_safety` respects the policy. ``max_retries``: the
    limit set by the client and the call; ``default_retries``: the SDK's default for it. Both are 0 if the body can be
    read only once. ``strict``: as in `TerminalRule`, for the primary. ``fallback_rules``: those of the fallbacks, in
    order. ``resumable``: no parameter of the request forbids resuming a broken answer.
    ``attributes``: request parameters for the span, by their conventional names. ``body``: the request's JSON, by
    reference, for observers whose user opted in to capturing content. ``capture``: the client's own settings ask for
    content on the span. ``tracer_provider``: the client's own provider for its spans. ``shadow``: a policy that only
    observes. ``unresumable_legs``: fallbacks that cannot continue the answer of another leg. ``trace_id``, ``span_id``:
    of the call's span, in hexadecimal digits; set for the application's observers, empty without a tracer. ``context``:
    the user's own values, which a call of the explicit API was given.
    """

    operation: str
    provider: str
    model: str
    dialect: str
    streaming: bool
    origin: str
    host: str
    port: int
    retry_safety: RetrySafety
    max_retries: int
    policy: Policy
    strict: bool | None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] = field(default_factory=dict, repr=False)
    capture: bool = False
    tracer_provider: object = field(default=None, repr=False)
    resumable: bool = True
    shadow: Policy | None = None
    default_retries: int = 0
    unresumable_legs: frozenset[int] = frozenset()
    fallback_rules: tuple[TerminalRule, ...] = ()
    trace_id: str = ""
    span_id: str = ""
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def terminal_rule(self, leg: int) -> TerminalRule:
        """Return the rule of one leg. A source of the explicit API is not known in advance: all legs have one rule."""
        return self.fallback_rules[leg - 1] if leg and self.fallback_rules else TerminalRule(self.origin, self.strict)

    @property
    def continues_elsewhere(self) -> bool:
        """Return True if a fallback may continue, or restart, an answer of which the user has seen a part."""
        return self.policy.resume in ("splice", "restart")

    @property
    def effective_retry_safety(self) -> RetrySafety:
        """Return the retry safety by the request and the policy."""
        if self.policy.replay == "safe":
            return self.retry_safety
        return RetrySafety.ALWAYS if self.policy.replay == "always" else RetrySafety.UNTIL_ACCEPTED

    @property
    def retry_limit(self) -> int:
        """Return the SDK's limit of retries. Frameworks set a client's to 0: a policy that asks for retries wins."""
        return self.max_retries or (self.default_retries if self.policy.asks_for_retries else 0)
