"""The events that the engine sends to its observers (spans, metrics, a recorder), as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .attempt import AttemptSpec
from .call import Outcome
from .failure import Cause, Failure
from .former_names import former_name
from .policy import ResumePoint
from .rule import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """A request is about to be sent. ``at``: seconds of the monotonic clock, in this and all other events."""

    attempt: AttemptSpec
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt ended. ``failure``: ``None`` if it served the answer. ``lost``: it was not used, because a parallel
    request was faster, or it failed beside one.

    ``status``: the HTTP status of the response; ``None`` if there was none. ``action``: the decision after a failure:
    ``"retry"`` or ``"resume"`` (``wait_s`` seconds later), ``"fallback"`` (to the next fallback) or ``"raise"``;
    ``None`` without a failure, and for requests that ran in parallel. ``stop_reason``: the reason, with its limit, why
    L0 sends no further request to the same model and client; empty if L0 sends one, or if the failure explains itself.
    ``budget_refused``: the reason is that the retry budget is used up.
    """

    number: int
    failure: Failure | None
    status: int | None
    request_id: str | None
    at: float
    lost: bool = False
    action: str | None = None
    wait_s: float = 0.0
    stop_reason: str = ""
    budget_refused: bool = False

    stop = former_name("stop", "stop_reason")
    refused = former_name("refused", "budget_refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseMetadata:
    """The metadata that the provider sent with its answer. ``None``: not sent. Values are never estimated; only a
    missing finish reason becomes ``"error"``.

    ``input_tokens`` includes the cached tokens. ``finish_reasons``: one per choice. ``anomalies``: names of unusual but
    accepted properties of the answer. ``extra``: span attributes that only one provider has, by name.
    ``has_other_content``: a complete answer contains something besides text.
    """

    response_id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    anomalies: tuple[str, ...] = ()
    has_other_content: bool = False
    extra: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    other = former_name("other", "has_other_content")

    @property
    def finish_reason(self) -> str:
        """Return the finish reason of the first choice; empty if there is none."""
        return self.finish_reasons[0] if self.finish_reasons else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMatched:
    """A rule matched. ``action``: ``"recorded"``, ``"failed"`` (the attempt), ``"halted"`` (the call) or ``"shadowed"``
    (it would have failed or halted, in shadow mode).

    ``drift``: True for a drift rule, False for a guardrail.
    """

    violation: Violation
    action: str
    at: float
    drift: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDecision:
    """A decision that a policy in shadow mode would have made.

    ``action``: ``"refuse"`` (a breaker is open), ``"interrupt"`` (a deadline passed), ``"hedge"``, ``"retry"`` or
    ``"resume"`` (after ``wait_s`` seconds; ``None``: the SDK's own delay), ``"fallback"``, ``"raise"``. ``cause``: the
    cause of the failure that led to the decision; ``None`` if no failure did.
    """

    action: str
    cause: Cause | None
    wait_s: float | None
    at: float

    seconds = former_name("seconds", "wait_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTimes:
    """The number of evaluations of one rule in one call, and their duration in seconds, over all attempts.

    ``streaming``: seconds spent while text arrived. ``final``: seconds spent on the finished answer.
    """

    count: int
    streaming: float
    final: float

    @property
    def seconds(self) -> float:
        """Return the seconds spent in both phases."""
        return self.streaming + self.final

    def plus(self, other: RuleTimes | None) -> RuleTimes:
        """Return the sum of these times and ``other``; ``None`` adds nothing."""
        if other is None:
            return self
        return RuleTimes(
            count=self.count + other.count,
            streaming=self.streaming + other.streaming,
            final=self.final + other.final,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStats:
    """The stalls and the gaps of one leg of a streamed answer, as in `StreamStats`."""

    leg: int
    stalls: int
    gap_max: float
    gaps: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """The timing of a streamed answer. Times are in seconds.

    ``first_chunk``, ``last_chunk``: time from the start of the call to their delivery. ``first_content``: time from the
    request of the attempt that served the answer. ``duration``: time from the start of the call to its end.
    ``chunks``: the number of objects delivered to the user. ``stalls``: how often no content arrived for 10 s while
    reading; ``stalls_of_last``: those of the last attempt. ``wire_bytes``: the number of bytes read.

    A gap is the time between two reads that returned content, or between the last of them and the failure of the
    attempt, while the engine was reading. ``gaps``: pairs of gap size and count, smallest first; sizes are accurate to
    10 %. ``jitter``: the standard deviation of the gaps. ``smoothness``: 100 * (1 - ``jitter`` / their mean), at least
    0; 100 means that all gaps are equal.

    ``program_s``: how long the program took between reads, from the first content on.
    ``held_s``: how long L0 held back content that had arrived: the longer time of the first objects and the last.
    ``timeline``: the number of content deltas in each ``timeline_bucket`` seconds from the start of the call; empty
    unless the timeline is switched on. ``legs``: the stalls and gaps by leg; empty if one leg had all of them.
    """

    chunks: int
    first_chunk: float | None
    last_chunk: float | None
    first_content: float | None
    duration: float
    stalls: int
    gap_max: float
    gap_p50: float
    gap_p95: float
    gap_p99: float
    jitter: float
    smoothness: float
    wire_bytes: int
    held_s: float
    stalls_of_last: int = 0
    program_s: float = 0.0
    gaps: tuple[tuple[float, int], ...] = ()
    timeline: tuple[int, ...] = ()
    timeline_bucket: float = 0.0
    legs: tuple[LegStats, ...] = ()

    held = former_name("held", "held_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged:
    """This call changed a circuit breaker to ``state``: ``"open"``, ``"half_open"`` or ``"closed"``."""

    provider: str
    model: str
    state: str
    at: float


ToolCalls = Sequence[tuple[str, str]]
"""The tool calls of an answer: pairs of tool name and arguments as JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call ended. Sent exactly once, for every outcome. ``failures``: one per failed attempt, in order.

    ``leg``: that of the last attempt. ``text``: the text of the first choice that the user received. ``rules``: the
    evaluation times of the rules, by rule name. ``stop_reason``: the reason why a failed call made no further attempt,
    with its limit; empty if the failure explains itself. ``policy_field``: the field of the policy that decided, such
    as ``"Retry.max_retries"``; empty if none did. ``wasted_tokens``: the input and output tokens that the provider
    reported for attempts that did not serve the answer; ``None`` if it reported none. ``tokens_by_leg``: by leg, the
    metadata with the tokens of its attempts; empty if only the last leg reported tokens. ``recorded_as``: the id of the
    call in the recording, for ``l0 explain``; empty if it is not recorded.
    """

    outcome: Outcome
    failure: Failure | None
    failures: tuple[Failure, ...]
    attempts: int
    leg: int
    resume_points: tuple[ResumePoint, ...]
    metadata: ResponseMetadata | None
    stream_stats: StreamStats | None
    text: str = field(repr=False)
    at: float
    rules: Mapping[str, RuleTimes] = field(default_factory=dict)
    tool_calls: ToolCalls = field(default=(), repr=False)
    stop_reason: str = ""
    policy_field: str = ""
    wasted_tokens: int | None = None
    tokens_by_leg: Mapping[int, ResponseMetadata] = field(default_factory=dict, repr=False)
    recorded_as: str = ""

    pace = former_name("pace", "stream_stats")
    calls = former_name("calls", "tool_calls")
    stop = former_name("stop", "stop_reason")


CallEvent = AttemptStarted | AttemptEnded | RuleMatched | ShadowDecision | BreakerChanged | CallEnded
