"""What the engine tells its observers. Plain values: the spans, the metrics and the recorder are separate listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .call import Outcome
from .failure import Cause, Failure
from .policy import ResumePoint
from .rule import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """A request goes out. ``waited``: seconds of backoff before it.

    ``leg``: 0 for the primary, then the fallbacks in order. ``resume``: how it takes a broken answer up. ``hedge``: it
    goes out beside one that is under way. ``at``: seconds of the monotonic clock, here and below.
    """

    number: int
    leg: int = 0
    resume: str | None = None
    waited: float
    at: float
    hedge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt is over. ``failure``: ``None`` for the one that served the answer. ``lost``: another was quicker."""

    number: int
    failure: Failure | None
    status: int | None
    request_id: str | None
    at: float
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseMetadata:
    """What the provider said about its answer. ``None`` where it did not say; never an estimate.

    ``input_tokens`` includes the cached parts. ``finish_reasons``: one a choice, ``"error"`` where one was expected
    and did not come. ``oddities``: names of what was odd but legitimate. ``other``: a whole answer holds something
    besides text.
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
    other: bool = False
    extra: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMatched:
    """A rule has found something. ``action``: ``"recorded"``, ``"failed"`` (the attempt) or ``"halted"`` (the call).

    ``drift``: it was found by the watch for drift.
    """

    violation: Violation
    action: str
    at: float
    drift: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDecision:
    """What a policy that only looks on would have done.

    ``action``: ``"refuse"`` (a breaker is open), ``"interrupt"`` (a clock ran out), ``"hedge"``, ``"retry"`` or
    ``"resume"`` (after ``seconds``; ``None``: the SDK's own figure), ``"fall_over"``, ``"raise"``. ``cause``: of what.
    """

    action: str
    cause: Cause | None
    seconds: float | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTimes:
    """How often a rule was asked in one call, and the seconds that it took, all attempts together.

    ``streaming``: for its text, as that came. ``final``: for the answer, once it was over.
    """

    count: int
    streaming: float
    final: float

    @property
    def seconds(self) -> float:
        """In both phases."""
        return self.streaming + self.final

    def plus(self, other: RuleTimes | None) -> RuleTimes:
        """Both together."""
        if other is None:
            return self
        return RuleTimes(
            count=self.count + other.count,
            streaming=self.streaming + other.streaming,
            final=self.final + other.final,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """How the answer arrived, in seconds.

    ``first_chunk``, ``last_chunk``: from the call to when they were handed out. ``first_content``: from the request of
    the attempt that served it. Gaps are between reads that brought content, while the engine was reading. ``gaps``: how
    many there were of each size, to within 10 %, smallest first.
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
    held: float
    gaps: tuple[tuple[float, int], ...] = ()


ToolCalls = Sequence[tuple[str, str]]
"""Names and arguments, as JSON, of the user's tools that the model called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call is over, told once, whatever ended it. ``failures``: of every attempt that failed, in order.

    ``rules``: what the rules on its text took, by their names.
    """

    outcome: Outcome
    failure: Failure | None
    failures: tuple[Failure, ...]
    attempts: int
    leg: int
    resume_points: tuple[ResumePoint, ...]
    metadata: ResponseMetadata | None
    pace: StreamStats | None
    text: str = field(repr=False)
    at: float
    rules: Mapping[str, RuleTimes] = field(default_factory=dict)
    calls: ToolCalls = field(default=(), repr=False)


Event = AttemptStarted | AttemptEnded | RuleMatched | ShadowDecision | CallEnded
