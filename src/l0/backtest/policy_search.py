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
"""Shares of the recorded attempts whose first content comes within a limit of the grid."""
_HEDGE_SHARES = (0.5, 0.9, 0.95, 0.99)
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
        """Failures, the 95th percentile of the first token in s, and extra requests per call: less is better."""
        first = self.result.first_token_s[1]
        return 1 - self.result.success.value, inf if first is None else first.value, self.result.extra_requests.value


def grid(traffic: RecordedTraffic, base: Policy) -> Sequence[tuple[str, Policy]]:
    """Return the named policies of the grid: ``base`` with other limits of the first token, hedges and retries."""
    waits = sorted(
        1000 * attempt.timeline.first_content
        for call in traffic.calls
        for attempt in call.attempts
        if call.call.streaming and attempt.timeline.content
    )
    limits = [None, *_at(waits, _TIMEOUT_SHARES, SHORTEST_LIMIT_MS)]
    hedges = [None, *_at(waits, _HEDGE_SHARES, SHORTEST_HEDGE_MS)]
    found: list[tuple[str, Policy]] = []
    for limit, hedge, retries in product(limits, hedges, _RETRIES):
        timeout = base.timeout or Timeout(initial_token=None, inter_token=None)
        policy = replace(
            base,
            timeout=replace(timeout, initial_token=limit),
            hedge=False if hedge is None else Hedge(after=hedge),
            retry=replace(base.retry or RETRY_DEFAULTS, max_retries=retries),
        )
        first, beside = (f"{one:,.0f} ms" if one is not None else "none" for one in (limit, hedge))
        found.append((f"first token within {first}, hedge after {beside}, {retries} retries", policy))
    return found


def _at(ordered: Sequence[float], shares: Sequence[float], shortest: float) -> Sequence[float]:
    """Return the values at these shares, each once, to two digits."""
    found = (ordered[int(share * (len(ordered) - 1))] for share in shares) if ordered else ()
    return list(dict.fromkeys(max(float(f"{value:.2g}"), shortest) for value in found))


def search(traffic: RecordedTraffic, base: Policy, *, seed: int = 0, workers: int | Workers = 1) -> Sequence[Candidate]:
    """Return the policies of the grid that no other one beats: fewer failures, earlier tokens, fewer requests.

    A policy with more than 5 % of unknown calls is not compared. ``seed``, ``workers``: as of `backtest`.
    """
    check_testable(base)
    policies = grid(traffic, base)
    results = results_of(traffic, policies, seed=seed, workers=workers)
    tried = [Candidate(policy=policy, result=one) for (_, policy), one in zip(policies, results, strict=True)]
    known = [one for one in tried if one.result.share(Verdict.UNKNOWN).value <= MOST_UNKNOWN]
    return pareto_front(known)


def pareto_front(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the candidates that no other one beats, the one with the fewest failures first."""
    front: list[Candidate] = []
    for one in sorted(candidates, key=lambda candidate: candidate.costs):
        if not any(all(mine <= its for mine, its in zip(best.costs, one.costs, strict=True)) for best in front):
            front.append(one)
    return front
