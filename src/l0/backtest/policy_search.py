"""Try policies over a grid, and keep those that no other one beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf

from l0.model.durations import SHORTEST_HEDGE_MS, SHORTEST_LIMIT_MS
from l0.model.policy import RETRY_DEFAULTS, Hedge, Policy, Timeout

from .call_result import Verdict
from .policy_backtest import PolicyResult, check_testable, results_of
from .recorded_traffic import RecordedTraffic
from .workers import Workers

_TIMEOUT_SHARES = (0.9, 0.99, 0.999)
"""The limits of the grid: the times within which these shares of the recorded attempts bring their first content."""
_HEDGE_SHARES = (0.5, 0.9, 0.95, 0.99)
"""The delays of hedges in the grid, in the same way."""
_RETRIES = (0, 1, 2, 4)
MOST_UNKNOWN = 0.05
"""Share of unknown calls beyond which a policy is not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One policy of the grid, and its figures."""

    policy: Policy
    result: PolicyResult

    @property
    def costs(self) -> tuple[float, float, float]:
        """Share of failures, 95th percentile of the first token in seconds, extra requests per call: less is better."""
        p95 = self.result.first_token_s[1]
        return 1 - self.result.success.value, inf if p95 is None else p95.value, self.result.extra_requests.value


def grid(traffic: RecordedTraffic, base: Policy) -> Sequence[tuple[str, Policy]]:
    """Return the named policies of the grid: ``base`` with other limits of the first token, hedges and retries."""
    waits_ms = sorted(
        1000 * attempt.timeline.first_content
        for call in traffic.calls
        for attempt in call.attempts
        if call.call.streaming and attempt.timeline.content
    )
    limits = [None, *_quantiles(waits_ms, _TIMEOUT_SHARES, SHORTEST_LIMIT_MS)]
    hedges = [None, *_quantiles(waits_ms, _HEDGE_SHARES, SHORTEST_HEDGE_MS)]
    policies: list[tuple[str, Policy]] = []
    for limit, hedge, retries in product(limits, hedges, _RETRIES):
        timeout = base.timeout or Timeout(initial_token=None, inter_token=None)
        policy = replace(
            base,
            timeout=replace(timeout, initial_token=limit),
            hedge=False if hedge is None else Hedge(after=hedge),
            retry=replace(base.retry or RETRY_DEFAULTS, max_retries=retries),
        )
        first, second = (f"{time_ms:,.0f} ms" if time_ms is not None else "none" for time_ms in (limit, hedge))
        policies.append((f"first token within {first}, hedge after {second}, {retries} retries", policy))
    return policies


def _quantiles(ordered: Sequence[float], shares: Sequence[float], shortest: float) -> Sequence[float]:
    """Return the different quantiles at these shares, rounded to two digits, and at least ``shortest``."""
    values = (ordered[int(share * (len(ordered) - 1))] for share in shares) if ordered else ()
    return list(dict.fromkeys(max(float(f"{value:.2g}"), shortest) for value in values))


def search(traffic: RecordedTraffic, base: Policy, *, seed: int = 0, workers: int | Workers = 1) -> Sequence[Candidate]:
    """Return the policies of the grid that no other one beats in all of failures, first tokens and requests.

    A policy with more than 5 % of unknown calls is not compared. ``seed``, ``workers``: as of `backtest`.
    """
    check_testable(base)
    policies = grid(traffic, base)
    results = results_of(traffic, policies, seed=seed, workers=workers)
    candidates = [Candidate(policy=policy, result=one) for (_, policy), one in zip(policies, results, strict=True)]
    return pareto_front([one for one in candidates if one.result.share(Verdict.UNKNOWN).value <= MOST_UNKNOWN])


def pareto_front(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the candidates that no other one beats, the one with the fewest failures first."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: each.costs):
        if not any(_beats(best, candidate) for best in front):
            front.append(candidate)
    return front


def _beats(one: Candidate, other: Candidate) -> bool:
    """Return True if no cost of ``one`` is higher."""
    return all(cost <= other_cost for cost, other_cost in zip(one.costs, other.costs, strict=True))
