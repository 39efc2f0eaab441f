"""Run recorded calls under one policy, in jobs that share nothing: their results are the same wherever they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from l0.model.policy import Hedge, Policy
from l0.shared_state.breaker import Breakers
from l0.shared_state.keyed import Target
from l0.shared_state.shared import SharedState
from l0.shared_state.slo_tracker import target_of

from .call_result import CallResult
from .recorded_traffic import RecordedTraffic
from .simulated_call import SimulatedCall, call_under
from .virtual_time import VirtualClock, run_alone, run_in_order

_SLICE = 2000
"""The calls in one job, if calls share no state. A job of this size takes about a fifth of a second."""


class Job(NamedTuple):
    """Calls to run under a policy. ``places``: their indices in the traffic. ``seed``: as of `backtest`."""

    policy: Policy
    places: Sequence[int]
    seed: int


def jobs_of(traffic: RecordedTraffic, policy: Policy, seed: int) -> Sequence[Job]:
    """Return jobs that run all calls under a policy. Calls that share state are in one job."""
    number = len(traffic.calls)
    if not _shares_state(policy):
        slices = [range(first, min(first + _SLICE, number)) for first in range(0, number, _SLICE)]
        return [Job(policy, places, seed) for places in slices]
    groups: dict[Target | None, list[int]] = {}
    for place, call in enumerate(traffic.calls):
        # With a fallback, all calls are in one group: its target may be the primary of other calls.
        target = None if policy.fallback else target_of(call.call, 0)
        groups.setdefault(target, []).append(place)
    return [Job(policy, places, seed) for places in groups.values()]


def run_job(traffic: RecordedTraffic, job: Job) -> Sequence[CallResult]:
    """Return the results of the calls of a job, in their order."""
    policy = replace(job.policy, mode="active", on_resume=None)
    clock = VirtualClock()
    shared = None
    if policy.hedge or _shares_state(policy):
        shared = SharedState()
        shared.breakers = Breakers(clock)
    calls = [traffic.calls[place] for place in job.places]
    tasks = (SimulatedCall(call, call_under(call, policy), traffic.pool, shared, job.seed) for call in calls)
    if not _shares_state(policy):
        return [run_alone(task) for task in tasks]
    ended = dict(run_in_order(tasks, clock))
    return [ended[place] for place in range(len(calls))]


def _shares_state(policy: Policy) -> bool:
    """Return True if the result of a call depends on the calls before it."""
    by_quantile = isinstance(policy.hedge, Hedge) and policy.hedge.after is None
    return policy.budget or policy.breaker or policy.adaptive or by_quantile
