"""Decide whether to retry a failed attempt, and after which delay. Every input is an argument; the only user code
called is `Retry.should_retry`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from inspect import iscoroutine

from l0.model.call import Call, RetrySafety
from l0.model.error_types import error_type_delay
from l0.model.errors import raised
from l0.model.failure import RETRY_REASONS, RULE_CAUSES, Category, Cause, Failure
from l0.model.policy import BackoffStrategy, Retry

from .signals import EarlyRelease
from .stop_reasons import NO_STOP, Stop, StopReason

_log = logging.getLogger("l0")

LONGEST_SERVER_WAIT = 60.0
"""Seconds. If a server asks for a longer wait, the call falls back to the next leg or fails at once."""
LONGEST_SDK_WAIT = 120.0
"""The same for calls without a policy: the limit of openai's SDK. Anthropic's has none, and would sleep for hours."""
SHORTEST_SERVER_WAIT = 0.1
"""Seconds. A shorter wait does not relieve an overloaded server, so retries after it count against the retry budget."""

_COUNTS_AS_ATTEMPT = (Category.MODEL, Category.CONTENT)
"""Categories whose retries count against `Retry.attempts`, in addition to `Retry.max_retries`."""
_RETRIED_WITHOUT_POLICY = (Category.NETWORK, Category.TRANSIENT, Category.MODEL, Category.CONTENT, Category.PROVIDER)
_RETRIED_WITHOUT_DELAY = frozenset(
    {
        Cause.RESET,
        Cause.INCOMPLETE_READ,
        Cause.CORRUPT,
        Cause.TRUNCATED,
        Cause.EMPTY,
        Cause.NOT_A_STREAM,
        Cause.MALFORMED,
        Cause.OUT_OF_ORDER,
        Cause.READ_TIMEOUT,
        Cause.FIRST_CONTENT_TIMEOUT,
    }
)
"""Causes during an answer that do not indicate an overloaded provider. Without a `Retry`, the first retry has no
delay."""
NO_ANSWER = frozenset({Cause.NOT_A_STREAM, Cause.MALFORMED, Cause.EMPTY})
"""Causes of a response with a success status that is not an answer. The SDKs do not check for this."""
_EARLY_RELEASES: Mapping[EarlyRelease, StopReason] = {
    "seconds": StopReason.RELEASED_BY_TIME,
    "frames": StopReason.RELEASED_BY_COUNT,
    "accepted": StopReason.ACCEPTED,
}
ANSWERED = NO_ANSWER.union(RULE_CAUSES)
"""Causes that L0 finds in a complete answer. The SDKs have retry rules for failed requests only, so L0's own rules
apply to these."""
_NEVER_RETRIED = (Category.FATAL, Category.INTERNAL)
_RETRIED_BY_DEFAULT = (408, 409, 429)
"""Statuses below 500 that the SDKs retry. They retry others only for a reason: the server's ``x-should-retry: true``, a
user's option, or credentials that they have renewed."""
_FAILS_EVERYWHERE = frozenset(
    {Cause.BAD_REQUEST, Cause.TOTAL_TIMEOUT, Cause.DIVERGED, Cause.INTERNAL, Cause.LOCAL, Cause.UNKNOWN}
)
"""Causes after which another model or provider cannot succeed either, if the primary fails with them."""


class Phase(Enum):
    """The part of an attempt in which it failed: before its headers, before the commit point, or after it."""

    OPENING = "opening"
    HOLDING = "holding"
    RELAYING = "relaying"


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The decision to retry after ``seconds``; ``None`` leaves the delay to the SDK.

    ``by_server``: the server requested this wait, and it is longer than the backoff would be.
    """

    seconds: float | None
    by_server: bool = False


@dataclass(frozen=True, slots=True)
class AttemptProgress:
    """The progress of a failed attempt.

    ``accepted``, ``early_release``: as in `signals.Failed`. ``resumable``: the answer can be resumed where it broke.
    """

    phase: Phase
    accepted: bool = False
    resumable: bool = False
    early_release: EarlyRelease | None = None


def repeatable(call: Call, progress: AttemptProgress) -> bool:
    """Return True if sending the request again is safe after this much progress.

    While the user has only events without content, any policy allows it: the events are not delivered again.
    """
    safety = call.effective_retry_safety
    if progress.phase is Phase.RELAYING:
        resumable = call.resumable and progress.resumable
        if call.policy.resume != "off" or not resumable:
            return resumable
        return progress.early_release is not None and (not progress.accepted or safety is RetrySafety.ALWAYS)
    if progress.accepted:
        return safety is RetrySafety.ALWAYS
    return progress.phase is Phase.OPENING or safety is not RetrySafety.UNTIL_ACCEPTED


def can_fall_back(call: Call, leg: int, failure: Failure, progress: AttemptProgress) -> bool:
    """Return True if, after a failure of ``leg``, another model or provider may succeed with the same request.

    A bad request of the primary (leg 0) is bad everywhere. One of a fallback shows only that this fallback does not
    accept the request, such as a parameter that its model does not know. After the commit point, this requires a policy
    that continues or restarts the answer (`continues_elsewhere`).
    """
    if _halted(failure):
        return False
    if progress.phase is Phase.RELAYING and (failure.typed or not call.continues_elsewhere):
        return False
    hopeless = failure.cause in _FAILS_EVERYWHERE and not (leg and failure.cause is Cause.BAD_REQUEST)
    return repeatable(call, progress) and not hopeless


def retry_decision(
    call: Call, failure: Failure, progress: AttemptProgress, history: Sequence[Failure], rand: Callable[[], float]
) -> RetryAfter | Stop:
    """Return the delay before the next attempt, or the reason to give up on this leg.

    ``history``: the earlier failures on the same leg.
    """
    if _halted(failure):
        return Stop(StopReason.HALTED)
    if _is_hopeless(call, failure, progress.phase):
        return NO_STOP
    if not repeatable(call, progress) or (progress.phase is Phase.RELAYING and failure.typed):
        return Stop(_not_repeatable(call, progress))
    retry = call.policy.retry
    if call.retry_limit == 0:
        off = StopReason.RETRIES_OFF if retry is None else StopReason.RETRIES_USED
        return Stop(StopReason.READ_ONCE if call.read_once else off)
    reason = _retries_used(call, history) if retry is None else _ruled_out(retry, failure, history)
    if reason is not None:
        return Stop(reason)
    longest_s = _longest_wait(call, progress.phase)
    if (failure.retry_after or 0.0) > longest_s:
        return Stop(StopReason.SERVER_WAIT, longest_s)
    return (
        _sdk_delay(failure, progress.phase, history) if retry is None else _policy_delay(retry, failure, history, rand)
    )


def attempt_limit(call: Call, failures: Sequence[Failure], stop: Stop) -> int | None:
    """Return the maximum number of attempts if all further ones failed as the last of ``failures`` did.

    ``None`` if no retry follows such a failure (``stop``), if fallbacks or a hedge add further requests, and before the
    first failure.
    """
    retry = call.policy.retry
    if stop.reason in (StopReason.HOPELESS, StopReason.HALTED) or not failures:
        return None
    if call.policy.legs or call.policy.hedge:
        return None
    if retry is None or call.retry_limit == 0:
        return call.retry_limit + 1
    *history, failure = failures
    retries_left = retry.max_retries - len(history)
    if _counts_as_attempt(failure):
        retries_left = min(retries_left, retry.attempts - sum(map(_counts_as_attempt, history)))
    return len(failures) + max(retries_left, 0)


def _halted(failure: Failure) -> bool:
    """Return True if a rule of severity fatal ended the call."""
    return failure.cause in RULE_CAUSES and failure.category is Category.FATAL


def _is_hopeless(call: Call, failure: Failure, phase: Phase) -> bool:
    """Return True if a retry cannot succeed, or if the server or the SDK's retry rules exclude it."""
    if failure.cause is Cause.QUOTA:
        return True
    if call.policy.retry is None:
        request_failed = phase is Phase.OPENING and failure.cause not in ANSWERED
        return not failure.sdk_retries if request_failed else failure.category not in _RETRIED_WITHOUT_POLICY
    if phase is not Phase.OPENING or failure.status is None:
        return failure.category in _NEVER_RETRIED
    by_default = failure.status >= 500 or failure.status in _RETRIED_BY_DEFAULT
    return not failure.sdk_retries or (by_default and failure.category in _NEVER_RETRIED)


def _longest_wait(call: Call, phase: Phase) -> float:
    """Return how long L0 waits at most if the server requests it, in seconds.

    Without a policy, a request that failed waits as the SDK does, unless a fallback can answer at once.
    """
    as_the_sdk = call.policy.retry is None and phase is Phase.OPENING and not call.policy.legs
    return LONGEST_SDK_WAIT if as_the_sdk else LONGEST_SERVER_WAIT


def _not_repeatable(call: Call, progress: AttemptProgress) -> StopReason:
    if progress.phase is not Phase.RELAYING:
        return StopReason.ACCEPTED
    if progress.early_release is not None:
        return StopReason.ACCEPTED if progress.accepted else _EARLY_RELEASES[progress.early_release]
    return StopReason.DELIVERED if call.policy.resume == "off" else StopReason.NOT_RESUMABLE


def _retries_used(call: Call, history: Sequence[Failure]) -> StopReason | None:
    return StopReason.RETRIES_USED if len(history) >= call.retry_limit else None


def _ruled_out(retry: Retry, failure: Failure, history: Sequence[Failure]) -> StopReason | None:
    """Return the limit or field of the policy that rules out a retry; ``None`` if none does."""
    if len(history) >= retry.max_retries:
        return StopReason.RETRIES_USED
    if _counts_as_attempt(failure) and sum(map(_counts_as_attempt, history)) >= retry.attempts:
        return StopReason.ATTEMPTS_USED
    if RETRY_REASONS[failure.cause] not in retry.retry_on:
        return StopReason.NOT_RETRIED_ON
    return StopReason.VETOED if _vetoed(retry, failure) else None


def _sdk_delay(failure: Failure, phase: Phase, history: Sequence[Failure]) -> RetryAfter:
    """Return the SDK's own delay, or no delay for the first retry after a failure in `_RETRIED_WITHOUT_DELAY`."""
    answered = phase is not Phase.OPENING or failure.cause in NO_ANSWER
    at_once = answered and not history and failure.cause in _RETRIED_WITHOUT_DELAY
    return RetryAfter(0.0 if at_once else None)


def _policy_delay(retry: Retry, failure: Failure, history: Sequence[Failure], rand: Callable[[], float]) -> RetryAfter:
    backoff_s = delay(retry, len(history) + 1, rand(), error_type_delay(retry, failure))
    return RetryAfter(max(backoff_s, failure.retry_after or 0.0), server_requires_wait(failure, backoff_s))


def _counts_as_attempt(failure: Failure) -> bool:
    """Return True if a retry counts against `Retry.attempts`: also after an exception of a source, since the problem
    may be permanent."""
    return failure.category in _COUNTS_AS_ATTEMPT or failure.cause is Cause.SOURCE_ERROR


def server_requires_wait(failure: Failure, backoff_s: float) -> bool:
    """Return True if the server requested a wait that is longer than ``backoff_s`` and than `SHORTEST_SERVER_WAIT`.

    Only a retry after such a wait is exempt from the retry budget: the wait itself slows retries down. ``Retry-After:
    0``, a date in the past or a few milliseconds would exempt retries that hit a failing server at full speed.
    """
    wait_s = failure.retry_after
    return wait_s is not None and wait_s >= SHORTEST_SERVER_WAIT and wait_s > backoff_s


def _vetoed(retry: Retry, failure: Failure) -> bool:
    """Return True if the user's ``should_retry`` rejects the retry. If it raises, log that and ignore it."""
    if retry.should_retry is None or retry.asks_async:  # the driver calls an async one: the machine cannot wait
        return False
    try:
        allowed = retry.should_retry(failure)
        if not iscoroutine(allowed):
            return not allowed
        allowed.close()  # a plain function that returns a coroutine: `Retry.asks_async` does not detect it
        _log.warning("Retry.should_retry returned a coroutine, which nothing awaits: it is ignored")
        return False
    except Exception:
        _log.warning("Retry.should_retry failed and is ignored: %s", raised())
        return False


def delay(retry: Retry, number: int, chance: float, network_base: float | None = None) -> float:
    """Return the delay, in seconds, before retry ``number`` (from 1). ``chance`` is a random number in [0, 1).

    ``network_base``: the base delay for the type of a network failure, in seconds; it replaces ``retry.base_delay``.
    """
    base, limit = retry.base_delay, retry.max_delay
    if network_base is not None:
        base, limit = network_base, retry.network_max_delay
    doubled = min(base * 2.0 ** min(number - 1, 60), limit)  # a higher exponent could overflow
    return min(_grown(retry.strategy, base, doubled, number, chance), limit)


def _grown(strategy: BackoffStrategy, base: float, doubled: float, number: int, chance: float) -> float:
    match strategy:  # without a default: mypy reports a strategy that has no delay
        case BackoffStrategy.FIXED:
            return base
        case BackoffStrategy.LINEAR:
            return base * number
        case BackoffStrategy.EXPONENTIAL:
            return doubled
        case BackoffStrategy.FULL_JITTER:
            return doubled * chance
        case BackoffStrategy.FIXED_JITTER:  # AWS calls it "equal jitter": half is fixed, half is random
            return doubled * (0.5 + 0.5 * chance)
