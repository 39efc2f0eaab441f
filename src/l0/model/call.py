"""One inference call of the user. The provider package describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from .policy import Policy

AttributeValue = str | bool | int | float | tuple[str, ...] | tuple[int, ...]


class RetrySafety(StrEnum):
    """The point of an attempt after which L0 must not send its request again, because the server could repeat a side
    effect. `Policy.replay` can move this point."""

    ALWAYS = "always"
    """There is no such point: the user's policy allows every retry."""
    SAFE = "safe"
    """A retry only costs tokens."""
    UNTIL_SEEN = "until_seen"
    """The provider stores the answer (``store``). A retry is safe until the user has seen a part of it, or its id."""
    UNTIL_EFFECT = "until_effect"
    """A retry is safe until an event shows the effect: the start of a stored conversation, of a background response or
    of a server tool."""
    UNTIL_ACCEPTED = "until_accepted"
    """A retry is safe until the provider accepts the request: it may then run server tools that no event announces."""

    @property
    def in_parallel(self) -> bool:
        """Return True if two requests may run in parallel: an answer that the user does not see has no effect."""
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
    """The answer broke after a part of it was delivered, and a further request continued it to its end."""
    RECOVERED_HEDGE = "recovered_hedge"
    """The second of two concurrent requests was faster, and was answered completely."""
    FAILED = "failed"
    """The user got an exception."""
    CANCELLED = "cancelled"
    """The user closed the stream or cancelled the call before the answer was complete."""


class TerminalRule(NamedTuple):
    """The treatment of a stream that ends without its terminal event.

    ``origin``: that of the client that sent the request. ``strict``: True makes such an end an error; False accepts the
    answer with a warning; ``None`` accepts it without one.
    """

    origin: str
    strict: bool | None


class LegEndpoint(NamedTuple):
    """The server that a request goes to. ``provider``: its name in the OpenTelemetry conventions. ``model``: the model
    that the request names, if the policy does not state it."""

    provider: str
    host: str
    port: int
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One call of an SDK method, which may take several requests.

    ``retry_safety``: that of the request itself; `effective_retry_safety` respects the policy. ``max_retries``: the
    limit set by the client and the call; ``default_retries``: the SDK's default for it. ``read_once``: what of the
    request can be read only once, as a text for messages; then both limits are 0. Else empty. ``strict``: as in
    `TerminalRule`, for the primary. ``fallback_rules``: the terminal rules of the fallbacks, in order.
    ``fallback_endpoints``: their servers; empty if all requests go to that of the call. In the explicit API, each is
    known only when the source has sent a request. ``skipped_fallbacks``: the reason why each fallback that cannot serve
    the call was left out of its policy.
    ``resumable``: no parameter of the request forbids resuming a broken answer.
    ``attributes``: request parameters for the span, by their names in the OpenTelemetry conventions. ``body``: the
    request's JSON, by reference, for observers whose user opted in to capturing content. ``capture``: the client's own
    settings ask for content on the span. ``tracer_provider``: the client's own; ``None`` if it has none. ``shadow``: a
    policy that only observes. ``unresumable_legs``: fallbacks that cannot continue the answer of another leg.
    ``trace_id``, ``span_id``: those of the call's span, in hexadecimal digits; set for the application's observers,
    empty without a tracer. ``context``: the values that the user passed to a call of the explicit API. ``began_at``:
    the time of its first event, for a call that is described only later; ``None`` for a call that begins now.
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
    read_once: str = ""
    unresumable_legs: frozenset[int] = frozenset()
    fallback_rules: tuple[TerminalRule, ...] = ()
    fallback_endpoints: Sequence[LegEndpoint] = ()
    skipped_fallbacks: tuple[str, ...] = ()
    trace_id: str = ""
    span_id: str = ""
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    began_at: float | None = None

    def terminal_rule(self, leg: int) -> TerminalRule:
        """Return the rule of one leg. In the explicit API all legs have one rule, because their sources are not known
        in advance."""
        return self.fallback_rules[leg - 1] if leg and self.fallback_rules else TerminalRule(self.origin, self.strict)

    def endpoint(self, leg: int) -> LegEndpoint:
        """Return the server of one leg."""
        if leg and self.fallback_endpoints:
            return self.fallback_endpoints[leg - 1]
        return LegEndpoint(self.provider, self.host, self.port)

    def model_of(self, leg: int) -> str:
        """Return the model that a request of one leg names."""
        legs = self.policy.legs
        return self.endpoint(leg).model or (legs[leg - 1].model if 0 < leg <= len(legs) else None) or self.model

    def leg_name(self, leg: int) -> str:
        """Return the model of a fallback, and its server if that is not the primary's: by its provider, or by its host
        if the provider is the same."""
        model, (provider, host, port, _) = self.model_of(leg), self.endpoint(leg)
        if not host:  # a source that is no SDK
            return model
        if provider != self.provider:
            return f"{model} at {provider}"
        if host != self.host:
            return f"{model} at {host}"
        return model if port == self.port else f"{model} at {host}:{port}"

    @property
    def continues_elsewhere(self) -> bool:
        """Return True if a fallback may continue or restart an answer that the user has seen in part."""
        return self.policy.resume in ("splice", "restart")

    @property
    def effective_retry_safety(self) -> RetrySafety:
        """Return the retry safety of the request, as changed by `Policy.replay`."""
        if self.policy.replay == "safe":
            return self.retry_safety
        return RetrySafety.ALWAYS if self.policy.replay == "always" else RetrySafety.UNTIL_ACCEPTED

    @property
    def retry_limit(self) -> int:
        """Return the maximum number of retries under the SDK's rules. A policy that needs retries overrides a client's
        limit of 0, because frameworks often set that limit."""
        return self.max_retries or (self.default_retries if self.policy.asks_for_retries else 0)
