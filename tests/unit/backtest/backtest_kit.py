"""RecordedTraffic that is made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from makers import make_call

from l0.backtest.attempt_timeline import AttemptTimeline, longest_so_far
from l0.backtest.call_result import CallResult, Verdict
from l0.backtest.recorded_traffic import OwnAttempt, RecordedTraffic, TrafficCall
from l0.backtest.workers import run_policies
from l0.model.failure import Cause, Failure
from l0.model.policy import Hedge, Policy, Retry

HOUR = 3600.0
MIXED_POLICIES = {
    "retries": Policy(retry=Retry(max_retries=2)),
    "hedge": Policy(hedge=Hedge(after=700)),
    "hedge by quantile": Policy(hedge=True),
    "budget and breaker": Policy(budget=True, breaker=True, retry=Retry()),
    "adaptive": Policy(adaptive=True, hold="message"),
}
"""Policies with and without shared state."""


def answer(*content: float, opened_at: float = 0.1, ends_at: float | None = None, **fields: Any) -> AttemptTimeline:
    """An attempt with content at these times. It ends a tenth of a second after the last one."""
    end = (content[-1] if content else opened_at) + 0.1 if ends_at is None else ends_at
    return AttemptTimeline(
        opened_at=opened_at,
        content=content,
        chars=[10 * (place + 1) for place in range(len(content))],
        gaps=longest_so_far([*content, end]),
        read_gaps=longest_so_far([opened_at, *content, end]),
        ends_at=end,
        **fields,
    )


def refused(ends_at: float = 0.2, cause: Cause = Cause.UNAVAILABLE) -> AttemptTimeline:
    """An attempt that the provider refused."""
    return AttemptTimeline(ends_at=ends_at, failure=Failure(cause=cause, status=503, sdk_retries=True))


def broken(*content: float, ends_at: float) -> AttemptTimeline:
    """An answer whose connection broke."""
    return answer(*content, ends_at=ends_at, failure=Failure(cause=Cause.RESET, sdk_retries=True))


def cut(ends_at: float) -> AttemptTimeline:
    """An attempt that L0 ended before it brought content."""
    return answer(ends_at=ends_at, cut_short=True)


def traffic(*calls: Sequence[AttemptTimeline], spacing: float = 1.0, **call: Any) -> RecordedTraffic:
    """Calls in one hour, each with its attempts."""
    made = [
        TrafficCall(
            number=number,
            started_unix=1000 * HOUR + number * spacing,
            call=make_call(**call),
            attempts=[
                OwnAttempt(leg=0, hedge=False, resume=None, started=0.0, timeline=timeline) for timeline in attempts
            ],
            recorded=CallResult(id=f"call-{number}", verdict=Verdict.WHOLE),
            base_url="https://api.example.com/v1",
            prompt_bytes=100,
            terminal_event_seen=True,
        )
        for number, attempts in enumerate(calls)
    ]
    return RecordedTraffic(made)


def mixed_traffic() -> RecordedTraffic:
    """96 calls of two models, with every kind of attempt."""
    shapes = [[answer(0.5, 1.0)], [answer(3.0)], [refused()], [broken(0.4, ends_at=0.9)], [cut(1.0)], [answer(0.8)]]
    models = [traffic(*shapes * 8, model=model).calls for model in ("gpt-4o", "gpt-4o-mini")]
    calls = [call for pair in zip(*models, strict=True) for call in pair]
    return RecordedTraffic([replace(call, number=number) for number, call in enumerate(calls)])


def run_policy(made: RecordedTraffic, policy: Policy, seed: int = 0) -> Sequence[CallResult]:
    """The results of all calls under a policy."""
    return run_policies(made, [policy], seed=seed)[0]


def result(made: RecordedTraffic, policy: Policy, place: int = 0, seed: int = 0) -> CallResult:
    """The result of one call under a policy."""
    return run_policy(made, policy, seed)[place]
