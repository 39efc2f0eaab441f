"""Define the policy: all settings of the engine that a user may change. Creating a value validates its fields."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, fields
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, TypeVar, get_args

from l0.migration import RetryAliases

from .async_functions import is_async
from .callback_check import check_callback, takes
from .caller_warning import warn_caller
from .durations import LONGEST_BACKOFF_S, LONGEST_DELAY_S, SHORTEST_HEDGE_MS, SHORTEST_LIMIT_MS, milliseconds, seconds
from .failure import Failure, RetryableErrorType
from .option_names import refuses_unknown_options
from .policy_error import PolicyError as PolicyError  # noqa: PLC0414 - users import it from here
from .privacy import shown
from .rule import Rule, Violation
from .truncation_keys import matching_keys, truncation_key
from .verified_hold import check_verified_hold

_E = TypeVar("_E", bound=StrEnum)
Mode = Literal["active", "shadow", "off"]
TruncationMode = Literal["strict", "warn", "off"]
OrderMode = Literal["evidence", "strict", "off"]
ResumeMode = Literal["off", "exact", "prefill", "splice", "restart"]
HoldMode = Literal["first_content", "verified", "message"]
ReplayMode = Literal["safe", "always", "never"]
GuardrailsPreset = Literal["none", "minimal", "recommended", "strict", "json_only", "markdown_only", "latex_only"]
_STRUCTURED_EXTRA = "pip install 'l0-otel[structured]'"
TRUNCATION_MODES: tuple[TruncationMode, ...] = ("strict", "warn", "off")


class BackoffStrategy(StrEnum):
    """The growth of the delay from one retry to the next."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    FULL_JITTER = "full_jitter"
    FIXED_JITTER = "fixed_jitter"


def _check_count(field: str, value: object, minimum: int = 0) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise PolicyError(field, value, f"a whole number, {minimum} or more")


def _check_limit(settings: object, name: str, shortest_ms: float = SHORTEST_LIMIT_MS) -> None:
    """Check a field that is a time limit, and store it in milliseconds."""
    field = f"{type(settings).__name__}.{name}"
    object.__setattr__(settings, name, milliseconds(field, getattr(settings, name), shortest=shortest_ms))


def _check_delay(settings: object, name: str, longest_s: float) -> None:
    """Check a field that is a delay, and store it in seconds."""
    field = f"{type(settings).__name__}.{name}"
    object.__setattr__(settings, name, seconds(field, getattr(settings, name), longest=longest_s))


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _check_choice(field: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PolicyError(field, value, "one of " + ", ".join(allowed))


def _choice(field: str, value: object, kind: type[_E]) -> _E:
    try:
        return kind(str(value).replace("-", "_"))
    except ValueError:
        raise PolicyError(field, value, "one of " + ", ".join(kind)) from None


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Time limits of one call, in **milliseconds**; ``None`` means no limit.

    A ``timedelta`` is converted to milliseconds. L0 warns about a number below 100, which is probably meant in seconds.
    L0 checks limits only while it sends a request or reads. The time that a program takes between two reads counts only
    towards ``total``.

    ``initial_token``: time from the request of a stream's attempt to its first content. Only ``total`` limits calls
    that do not stream.
    ``inter_token``: time between two pieces of content; pings do not count.
    ``liveness``: time between two reads of any bytes, pings included.
    ``total``: time from the user's call to the end of the answer, retries and reading included.
    """

    initial_token: float | None = 5000
    inter_token: float | None = 10000
    liveness: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for name in ("initial_token", "inter_token", "liveness", "total"):
            _check_limit(self, name)

    if TYPE_CHECKING:  # a `timedelta` is accepted, and read as a number

        def __init__(
            self,
            *,
            initial_token: float | timedelta | None = ...,
            inter_token: float | timedelta | None = ...,
            liveness: float | timedelta | None = ...,
            total: float | timedelta | None = ...,
        ) -> None: ...


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTypeDelays:
    """The base delay of a retry for each type of network failure, in **seconds**, or a ``timedelta``.

    `l0.model.error_types` maps causes to types. ``ssl_error`` has no effect, because L0 never retries a
    certificate error.
    """

    connection_dropped: float = 1.0
    fetch_error: float = 0.5
    econnreset: float = 1.0
    econnrefused: float = 2.0
    sse_aborted: float = 0.5
    no_bytes: float = 0.5
    partial_chunks: float = 0.5
    runtime_killed: float = 2.0
    background_throttle: float = 5.0
    dns_error: float = 3.0
    ssl_error: float = 0.0
    timeout: float = 1.0
    unknown: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_delay(self, field.name, LONGEST_BACKOFF_S)

    if TYPE_CHECKING:  # a `timedelta` is accepted, and read as a number

        def __init__(
            self,
            *,
            connection_dropped: float | timedelta = ...,
            fetch_error: float | timedelta = ...,
            econnreset: float | timedelta = ...,
            econnrefused: float | timedelta = ...,
            sse_aborted: float | timedelta = ...,
            no_bytes: float | timedelta = ...,
            partial_chunks: float | timedelta = ...,
            runtime_killed: float | timedelta = ...,
            background_throttle: float | timedelta = ...,
            dns_error: float | timedelta = ...,
            ssl_error: float | timedelta = ...,
            timeout: float | timedelta = ...,
            unknown: float | timedelta = ...,
        ) -> None: ...


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(RetryAliases):
    """The rules for retries. Delays are in **seconds**, or a ``timedelta``.

    ``max_retries``: maximum number of all retries of the primary, and again of each fallback, in place of the client's
    own limit (frameworks set it to 0).
    ``attempts``: maximum number of those retries that follow a failure of the model or its content.
    ``base_delay``, ``max_delay``, ``strategy``: the first delay, the longest one, and how delays grow. If the server
    sends a longer ``Retry-After``, L0 waits that long instead; above 60 s, or if the wait would pass ``Timeout.total``,
    it uses the next fallback or raises.
    ``retry_on``: the types of failures that L0 may retry.
    ``should_retry``: a function of the `Failure`. It can only veto a retry, by returning a false value. Sync calls
    ignore an async function.
    ``error_type_delays``: base delays by type of network failure: an `ErrorTypeDelays`, or a mapping from its field
    names to seconds. If it is set, ``network_max_delay`` replaces ``max_delay`` for network failures.
    """

    attempts: int = 3
    max_retries: int = 6
    base_delay: float = 1.0
    max_delay: float = 10.0
    network_max_delay: float = 30.0
    strategy: BackoffStrategy = BackoffStrategy.FIXED_JITTER
    retry_on: Sequence[RetryableErrorType] = tuple(RetryableErrorType)
    should_retry: Callable[[Failure], bool | Awaitable[bool]] | None = None
    error_type_delays: ErrorTypeDelays | Mapping[str, float] | None = None

    @property
    def asks_async(self) -> bool:
        """True if ``should_retry`` is async, so that only the driver of async calls can call it."""
        return is_async(self.should_retry)

    def __post_init__(self) -> None:
        _check_count("Retry.attempts", self.attempts)
        _check_count("Retry.max_retries", self.max_retries)
        _check_delay(self, "base_delay", LONGEST_BACKOFF_S)
        _check_delay(self, "max_delay", LONGEST_DELAY_S)
        _check_delay(self, "network_max_delay", LONGEST_DELAY_S)
        object.__setattr__(self, "strategy", _choice("Retry.strategy", self.strategy, BackoffStrategy))
        if not _is_list(self.retry_on):
            raise PolicyError("Retry.retry_on", self.retry_on, "a list of " + ", ".join(RetryableErrorType))
        types = tuple(_choice("Retry.retry_on", each, RetryableErrorType) for each in self.retry_on)
        object.__setattr__(self, "retry_on", types)
        if self.should_retry is not None and not (callable(self.should_retry) and takes(self.should_retry, 1)):
            raise PolicyError("Retry.should_retry", self.should_retry, "a function of a Failure, or None")
        object.__setattr__(self, "error_type_delays", _as_error_type_delays(self.error_type_delays))

    if TYPE_CHECKING:  # a `timedelta` and the names of enumerations are accepted, and read as numbers and members

        def __init__(
            self,
            *,
            attempts: int = ...,
            max_retries: int = ...,
            base_delay: float | timedelta = ...,
            max_delay: float | timedelta = ...,
            network_max_delay: float | timedelta = ...,
            strategy: BackoffStrategy | str = ...,
            retry_on: Sequence[RetryableErrorType | str] = ...,
            should_retry: Callable[[Failure], bool | Awaitable[bool]] | None = ...,
            error_type_delays: ErrorTypeDelays | Mapping[str, float | timedelta] | None = ...,
        ) -> None: ...

    @property
    def backoff(self) -> BackoffStrategy:
        """Return the strategy. This is its name in the ``RETRY_DEFAULTS`` of L0 for Python."""
        return self.strategy


def _as_error_type_delays(value: object) -> ErrorTypeDelays | None:
    if value is None or isinstance(value, ErrorTypeDelays):
        return value
    names = [field.name for field in fields(ErrorTypeDelays)]
    if not isinstance(value, Mapping) or not set(value) <= set(names):
        allowed = f"ErrorTypeDelays, a mapping of {', '.join(names)} to seconds, or None"
        raise PolicyError("Retry.error_type_delays", value, allowed)
    return ErrorTypeDelays(**value)


RETRY_DEFAULTS = Retry()
ENCLOSED_RETRY = Retry(attempts=0, max_retries=0)
"""For calls that are single attempts of a call of the explicit API, which retries them. Compare it by identity: an
equal `Retry` of the user is a limit that the user has set."""
ERROR_TYPE_DELAY_DEFAULTS = ErrorTypeDelays()


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The rule for what L0 holds back from the user, and until when.

    ``until="first_content"``: hold events without content until content arrives, or until there are ``frames`` of them,
    or until ``seconds`` after the first one. Released in this way, they do not prevent a retry, which continues without
    them.
    ``until="verified"``: release text only after the next ``window`` characters have arrived and passed the rules, so
    that no rule can match text that the user already has. ``window=None``: as many characters as the rule with the
    longest span needs, or 256. If the call fails, nothing of what is still held is released.
    ``until="message"``: hold the complete answer, so that L0 can retry after any failure without the user noticing. If
    the call fails, nothing of the answer is released.
    """

    until: HoldMode = "first_content"
    frames: int = 64
    seconds: float = 2.0
    window: int | None = None

    def __post_init__(self) -> None:
        _check_choice("Hold.until", self.until, get_args(HoldMode))
        if self.window is not None:
            _check_count("Hold.window", self.window, minimum=1)
        _check_count("Hold.frames", self.frames)
        _check_delay(self, "seconds", LONGEST_BACKOFF_S)

    if TYPE_CHECKING:  # a `timedelta` is accepted, and read as a number

        def __init__(
            self,
            *,
            until: HoldMode = ...,
            frames: int = ...,
            seconds: float | timedelta = ...,
            window: int | None = ...,
        ) -> None: ...


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIntervals:
    """The intervals at which rules check the text of a stream, in content deltas of the provider.

    Rules check all text, however long the interval is. With a longer interval, L0 finds a violation later.
    ``checkpoint``: how often the explicit API records its position in the answer.
    """

    guardrails: int = 5
    drift: int = 10
    checkpoint: int = 10

    def __post_init__(self) -> None:
        for name in ("guardrails", "drift", "checkpoint"):
            _check_count(f"CheckIntervals.{name}", getattr(self, name), minimum=1)


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The target of a call if the primary fails: another ``model``, another ``client`` of the same SDK, or both.

    Another client gets the request's body, but no header, query parameter or key of the call. Calls that it cannot
    serve, of another SDK or of the other kind (sync, async), skip the fallback, and L0 logs one warning. In the policy
    of ``l0.wrap(client, policy=...)``, such a call raises `PolicyError`. Without a client, the fallback applies to the
    calls of every SDK.
    """

    model: str | None = None
    client: Any = None

    def __repr__(self) -> str:
        return f"Fallback(model={self.model!r}, client={shown(self.client)})"

    def __post_init__(self) -> None:
        if self.model is None and self.client is None:
            raise PolicyError("Fallback", self, "a model, a client, or both")
        if self.model is not None and (not isinstance(self.model, str) or not self.model):
            raise PolicyError("Fallback.model", self.model, "the name of a model, or None")
        if self.client is not None and (isinstance(self.client, type) or not hasattr(self.client, "base_url")):
            raise PolicyError("Fallback.client", self.client, "a client of the same SDK, or None")


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """A second request in parallel with a slow one. L0 uses the answer whose content arrives first.

    Each of them has its own ``Timeout.initial_token`` and ``liveness``: if one is late or fails, the other goes on.

    ``after``: **milliseconds** from the first request to the second, or a ``timedelta``. ``None``: the 95th percentile
    of the times to first content in the last 200 calls to the same provider and model with a prompt of this size. Below
    20 samples there is no hedge.
    """

    after: float | None = None

    def __post_init__(self) -> None:
        _check_limit(self, "after", SHORTEST_HEDGE_MS)

    if TYPE_CHECKING:  # a `timedelta` is accepted, and read as a number

        def __init__(self, *, after: float | timedelta | None = ...) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """The point at which an answer was resumed or restarted.

    ``strategy``: the value of `Policy.resume`; ``"exact"`` also if L0 repeats an answer without content so far.
    ``at``: the number of characters that the user had received by then; with ``hold="verified"``, an answer that
    continues also counts those still held. ``attempt``: the number of the new attempt.
    """

    strategy: ResumeMode
    at: int
    attempt: int


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The behaviour of L0 for a call. ``Policy()`` is the default: L0 keeps the SDK's retries and timeouts, and
    reports every failure. Raises `PolicyError` for a value that is not allowed.

    ``budget``, ``breaker`` and ``adaptive`` apply to all calls to one provider and model together.

    Args:
        timeout: The time limits. ``None``: those of the SDK.
        retry: The rules for retries. ``None``: those of the SDK. A client's ``max_retries=0`` does not turn retries off
            if ``retry``, ``resume``, ``structured`` or a ``hold`` beyond the first content needs them.
        truncation: What to do if a stream ends without its terminal event. ``"strict"``: treat it as an error;
            ``"warn"``: accept the answer, and report it as perhaps truncated; ``"off"``: accept it. A mapping sets one
            of these by base URL (``"https://api.example.com/v1"``), origin or host. ``None``: strict if the base URL is
            known to send terminal events for the model. For a fallback, its own base URL and model count.
        order: When events out of order are an error. ``"evidence"``: only on proof, such as a final text that differs
            from its deltas, or another answer in the middle; ``"strict"``: also if numbers or blocks are out of order;
            ``"off"``: never. The span counts what is not an error.
        hold: When L0 releases content to the user: a `Hold`, or its mode.
        fallback: The models or clients to try, in this order, if the primary fails.
        resume: What to do if an answer breaks after L0 has delivered a part of it. ``"off"``: raise; ``"exact"``: send
            the request again, skip the delivered part, and raise at the first difference; ``"prefill"``: let the model
            continue its own text, if the provider supports that; ``"splice"``: ask the model to continue;
            ``"restart"``: start again and notify the reader, in the explicit API only; elsewhere raise.
        replay: The requests that L0 may retry once the provider has accepted them. ``"safe"``: those without side
            effects, and others until the effect (a conversation, a background response, a server tool) may have begun;
            ``"always"``: all; ``"never"``: none.
        on_resume: A function that gets each `ResumePoint`.
        budget: Limit retries to a share of the traffic.
        breaker: Stop sending calls while too many of them fail.
        adaptive: If there is a fallback, wait for first content no longer than usual: at most twice the 99th percentile
            of the last 200 calls, but at least 2 s.
        hedge: If a stream's first content is late, send a second request and use the faster one: a `Hedge`, or
            ``True``. Only for requests that are safe to retry. ``create()`` then returns at the first content, not at
            the headers.
        mode: ``"shadow"`` tests a policy: L0 serves calls as if there were no policy, and records on spans and in
            metrics what the policy would have done. ``"off"``: calls of an instrumented SDK pass through as if L0 were
            not there. In a ``policy=`` of the explicit API, ``"off"`` raises `PolicyError`.
        guardrails: The rules on the text, made by ``l0.Guardrails``, or the name of a preset.
        drift: An ``l0.Drift``, or ``True`` for the default one.
        structured: If the request asks for JSON (``response_format``, ``text.format``, ``output_config``), hold the
            answer until it is complete and valid; otherwise the attempt fails. With it, or with ``hold="message"``, L0
            also retries an answer that the SDK's own ``parse()`` rejects.
        check_intervals: How often guardrails and drift detectors run.
        on_violation: A function that gets every violation, also one that is only recorded.
        on_seam: The former name of ``on_resume``.
    """

    timeout: Timeout | None = None
    retry: Retry | None = None
    truncation: TruncationMode | Mapping[str, TruncationMode] | None = None
    order: OrderMode = "evidence"
    hold: Hold | HoldMode = Hold()
    fallback: Fallback | Sequence[Fallback] = ()
    resume: ResumeMode = "off"
    replay: ReplayMode = "safe"
    on_resume: Callable[[ResumePoint], None] | None = None
    budget: bool = False
    breaker: bool = False
    adaptive: bool = False
    hedge: Hedge | bool = False
    mode: Mode = "active"
    guardrails: Rule | Sequence[Rule] | GuardrailsPreset = ()
    drift: Rule | bool = False
    structured: bool = False
    check_intervals: CheckIntervals = CheckIntervals()
    on_violation: Callable[[Violation], None] | None = None
    on_seam: InitVar[Callable[[ResumePoint], None] | None] = None
    """The former name of ``on_resume``: accepted for one release, with a `DeprecationWarning`."""

    def __post_init__(self, on_seam: Callable[[ResumePoint], None] | None) -> None:
        if on_seam is not None:
            warn_caller("Policy.on_seam is now Policy.on_resume", DeprecationWarning)
            object.__setattr__(self, "on_resume", on_seam)
        if isinstance(self.hold, str):
            object.__setattr__(self, "hold", Hold(until=self.hold))
        legs = (self.fallback,) if isinstance(self.fallback, Fallback) else self.fallback
        if not _is_list(legs) or not all(isinstance(leg, Fallback) for leg in legs):
            raise PolicyError("Policy.fallback", self.fallback, "an l0.Fallback, or a list of them")
        object.__setattr__(self, "fallback", tuple(legs))
        if self.hedge is True:
            object.__setattr__(self, "hedge", Hedge())
        elif self.hedge is not False:
            _check_type("Policy.hedge", self.hedge, Hedge, else_="True or False")
        _check_rules(self)
        for name in ("budget", "breaker", "adaptive", "structured"):
            if not isinstance(getattr(self, name), bool):
                fixed = "; its size is fixed: one more request per ten successful calls" if name == "budget" else ""
                raise PolicyError(f"Policy.{name}", getattr(self, name), f"True or False{fixed}")
        _check_choice("Policy.mode", self.mode, get_args(Mode))
        _check_choice("Policy.order", self.order, get_args(OrderMode))
        _check_choice("Policy.resume", self.resume, get_args(ResumeMode))
        _check_choice("Policy.replay", self.replay, get_args(ReplayMode))
        if self.structured and not _importable("jsonschema"):
            raise PolicyError("Policy.structured", True, f"False, or True after {_STRUCTURED_EXTRA}")
        check_callback("Policy.on_resume", self.on_resume, "an l0.types.ResumePoint")
        _check_type("Policy.timeout", self.timeout, Timeout, optional=True)
        _check_type("Policy.retry", self.retry, Retry, optional=True)
        _check_type("Policy.hold", self.hold, Hold)
        _check_truncation(self.truncation)
        if isinstance(self.truncation, Mapping):
            modes = {_normalized_key(key, self.truncation): mode for key, mode in self.truncation.items()}
            object.__setattr__(self, "truncation", modes)
        if self.holding.until == "verified":
            check_verified_hold(self.holding.window, self.guardrails, self.drift)  # type: ignore[arg-type]  # a name or a tuple

    @classmethod
    def interactive(cls, **fields: Any) -> Policy:
        """Return a policy for a person who waits: first content within 5 s, gaps up to 10 s, up to three quick retries.

        It holds only what precedes the first content. ``fields``, here and in the other presets, replace its own,
        each as a whole: ``Policy.interactive(truncation="strict")``.
        """
        retry = Retry(attempts=2, max_retries=3, base_delay=0.5, max_delay=4.0)
        return cls(**{"timeout": Timeout(), "retry": retry, **fields})

    @classmethod
    def reasoning(cls, **fields: Any) -> Policy:
        """Return a policy for models that reason first: 2 min to the first content, gaps up to 1 min.

        It holds only what precedes the first content.
        """
        limits = Timeout(initial_token=120_000, inter_token=60_000)
        return cls(**{"timeout": limits, "retry": Retry(attempts=2), **fields})

    @classmethod
    def batch(cls, **fields: Any) -> Policy:
        """Return a policy for batch jobs: 5 min to the first content, gaps up to 2 min, up to 12 retries.

        It holds only what precedes the first content.
        """
        limits = Timeout(initial_token=300_000, inter_token=120_000)
        retry = Retry(attempts=5, max_retries=12, base_delay=2.0, max_delay=60.0)
        return cls(**{"timeout": limits, "retry": retry, **fields})

    @classmethod
    def agent(cls, **fields: Any) -> Policy:
        """Return a policy for agents, which act on complete answers: 2 min to the first content, gaps up to 1 min.

        It holds complete answers, so L0 can retry after any failure, and no agent acts on a part of a tool call.
        """
        limits = Timeout(initial_token=120_000, inter_token=60_000)
        return cls(**{"timeout": limits, "retry": Retry(), "hold": "message", **fields})

    @property
    def asks_for_retries(self) -> bool:
        """Return True if a field asks for retries. Then a client's ``max_retries=0`` does not turn them off."""
        holds_content = self.holding.until != "first_content"
        return self.retry is not None or self.resume != "off" or holds_content or self.structured

    @property
    def retries_refused_answers(self) -> bool:
        """Return True if L0 retries an answer that the SDK's own ``parse()`` rejects."""
        return self.structured or self.holding.until == "message"

    @property
    def legs(self) -> tuple[Fallback, ...]:
        """Return the fallbacks, in order."""
        return self.fallback  # type: ignore[return-value]  # `__post_init__` made it a tuple

    @property
    def holding(self) -> Hold:
        """Return the hold settings."""
        return self.hold  # type: ignore[return-value]  # `__post_init__` made a mode a Hold

    def truncation_at(self, base_url: str) -> TruncationMode | None:
        """Return the truncation mode for a client's base URL; ``None`` if the policy leaves it to the default rule."""
        modes = self.truncation
        if modes is None or isinstance(modes, str):
            return modes
        return next((modes[key] for key in matching_keys(base_url) if key in modes), None)


def _check_type(field: str, value: object, kind: type, *, optional: bool = False, else_: str = "None") -> None:
    if isinstance(value, kind) or (optional and value is None):
        return
    allowed = f", or {else_}" if optional or else_ != "None" else ""
    raise PolicyError(field, value, f"a {kind.__name__}{allowed}")


def _importable(module: str) -> bool:
    """Return True if a module of an optional dependency is installed."""
    return module in sys.modules or find_spec(module) is not None


def is_rule(value: object) -> bool:
    """Return True for a rule. Its attributes decide, because this package must not import the classes of rules."""
    return not isinstance(value, type) and all(hasattr(value, name) for name in ("name", "severity", "span", "check"))


def preset_or_list(rules: Sequence[object]) -> str:
    """Return the allowed presets for a `PolicyError`; for a preset or a list within a list, the way to write it
    there."""
    presets = get_args(GuardrailsPreset)
    if any(map(_is_list, rules)):
        return "a list in a list as *rules, such as *Guardrails.recommended()"
    listed = next((rule for rule in rules if len(rules) > 1 and rule in presets), None)
    return f"one of {', '.join(presets)}" if listed is None else f"a preset in a list as *Guardrails.{listed}()"


def _check_rules(policy: Policy) -> None:
    """Check the fields that concern rules, and store guardrails as a tuple."""
    guardrails = policy.guardrails
    if isinstance(guardrails, str):
        _check_choice("Policy.guardrails", guardrails, get_args(GuardrailsPreset))
    else:
        rules = guardrails if _is_list(guardrails) else (guardrails,)
        if not all(is_rule(rule) for rule in rules):
            raise PolicyError(
                "Policy.guardrails", guardrails, f"rules made by l0.Guardrails, or {preset_or_list(rules)}"
            )
        object.__setattr__(policy, "guardrails", tuple(rules))
    if not isinstance(policy.drift, bool) and not is_rule(policy.drift):
        raise PolicyError("Policy.drift", policy.drift, "an l0.Drift, True or False")
    _check_type("Policy.check_intervals", policy.check_intervals, CheckIntervals)
    check_callback("Policy.on_violation", policy.on_violation, "a Violation")


def _check_truncation(value: object) -> None:
    modes = value.values() if isinstance(value, Mapping) else () if value is None else (value,)
    for mode in modes:
        if mode not in TRUNCATION_MODES:
            choices = ", ".join(TRUNCATION_MODES)
            allowed = f"one of {choices}; a mapping of base URL, origin or host to these; or None"
            raise PolicyError("Policy.truncation", value, allowed)


def _normalized_key(given: object, mapping: object) -> str:
    key = truncation_key(given)
    if key is None:
        allowed = "base URLs, origins or hosts, such as 'https://api.example.com/v1', 'localhost:8080' or 'example.com'"
        raise PolicyError("Policy.truncation", mapping, f"a mapping of {allowed}; {shown(given)} never matches")
    return key
