"""Try policies over a grid and beside it, and keep those that no other one beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf

from l0.model.durations import SHORTEST_HEDGE_MS, SHORTEST_LIMIT_MS
from l0.model.policy import RETRY_DEFAULTS, Hedge, Policy, Timeout

from .attempt_timeline import AttemptTimeline
from .call_result import Verdict
from .policy_backtest import PolicyResult, check_testable, results_of
from .recorded_traffic import RecordedTraffic
from .workers import Workers

_LIMIT_SHARES = (0.9, 0.99, 0.999)
"""The time limits of the grid: the times within which these shares of the recorded attempts bring their first content,
or have their longest gap."""
_BETWEEN = 3
"""The further limits between the median and the highest of these."""
_LEAST_RATIO = 1.5
"""The ratio of such neighbours, at least: closer limits would cost time, and give similar results."""
_HEDGE_SHARES = (0.5, 0.9, 0.95, 0.99)
"""The delays of hedges in the grid, in the same way."""
_RETRIES = (0, 1, 2, 4)
MOST_UNKNOWN = 0.05
"""Share of unknown calls beyond which a policy is not compared."""
_MOST_REFINED = 5
"""The pairs of a limit of the first token and a hedge with which limits of gaps are tried: those with the fewest
failures. All pairs would cost seven times as much."""


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
    waits_ms = sorted(1000 * timeline.first_content for timeline in _answers(traffic))
    limits = [None, *_limits(waits_ms)]
    hedges = [None, *_quantiles(waits_ms, _HEDGE_SHARES, SHORTEST_HEDGE_MS)]
    return [
        _variant(base, _timeout(base).inter_token, limit, hedge, retries)
        for limit, hedge, retries in product(limits, hedges, _RETRIES)
    ]


def _variant(
    base: Policy, gap: float | None, limit: float | None, hedge: float | None, retries: int
) -> tuple[str, Policy]:
    """Return a policy and its name, which has the limit of gaps only if ``base`` has another."""
    timeout = replace(_timeout(base), initial_token=limit, inter_token=gap)
    policy = replace(
        base,
        timeout=timeout,
        hedge=False if hedge is None else Hedge(after=hedge),
        retry=replace(base.retry or RETRY_DEFAULTS, max_retries=retries),
    )
    gaps = "" if gap == _timeout(base).inter_token else f"gaps within {_ms(gap)}, "
    return f"first token within {_ms(limit)}, {gaps}hedge after {_ms(hedge)}, {retries} retries", policy


def _with_gap_limits(traffic: RecordedTraffic, base: Policy, front: Sequence[Candidate]) -> dict[str, Policy]:
    """Return variants of the first policies of ``front``, with each limit of gaps and each number of retries."""
    settings = [(each.policy.timeout, each.policy.hedge) for each in front]
    waits = dict.fromkeys(
        (timeout.initial_token if timeout else None, hedge.after if isinstance(hedge, Hedge) else None)
        for timeout, hedge in settings
    )
    kept = list(waits)[:_MOST_REFINED]
    combinations = product(gap_limits(traffic, base), kept, _RETRIES)
    return dict(_variant(base, gap, *wait, retries) for gap, wait, retries in combinations)


def gap_limits(traffic: RecordedTraffic, base: Policy) -> Sequence[float | None]:
    """Return the limits of the gap between two pieces of content that differ from that of ``base``, in ms."""
    gaps_ms = sorted(1000 * timeline.gaps[-1].seconds for timeline in _answers(traffic) if timeline.gaps)
    return [limit for limit in (None, *_limits(gaps_ms)) if limit != _timeout(base).inter_token]


def _answers(traffic: RecordedTraffic) -> Iterator[AttemptTimeline]:
    streams = (call for call in traffic.calls if call.call.streaming)
    return (attempt.timeline for call in streams for attempt in call.attempts if attempt.timeline.content)


def _timeout(policy: Policy) -> Timeout:
    return policy.timeout or Timeout(initial_token=None, inter_token=None)


def _ms(time_ms: float | None) -> str:
    return "none" if time_ms is None else f"{time_ms:,.0f} ms"


def _limits(ordered: Sequence[float]) -> Sequence[float]:
    """Return time limits for ``ordered`` times, in ms: quantiles, and values at equal ratios below the highest one.

    If an answer takes either a short or a long time, each quantile is one of these times, but the best limit is
    between them.
    """
    quantiles = _quantiles(ordered, _LIMIT_SHARES, SHORTEST_LIMIT_MS)
    if not quantiles:
        return []
    median, highest = _quantiles(ordered, (0.5,), SHORTEST_LIMIT_MS)[0], quantiles[-1]
    ratio = (highest / median) ** (1 / (_BETWEEN + 1))
    between = [_two_digits(median * ratio**step) for step in range(1, _BETWEEN + 1)] if ratio >= _LEAST_RATIO else []
    return sorted({*between, *quantiles})


def _quantiles(ordered: Sequence[float], shares: Sequence[float], shortest: float) -> Sequence[float]:
    """Return the different quantiles at these shares, rounded to two digits, and at least ``shortest``."""
    values = (ordered[int(share * (len(ordered) - 1))] for share in shares) if ordered else ()
    return list(dict.fromkeys(max(_two_digits(value), shortest) for value in values))


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def search(traffic: RecordedTraffic, base: Policy, *, seed: int = 0, workers: int | Workers = 1) -> Sequence[Candidate]:
    """Return the policies that no other one beats in all of failures, first tokens and requests.

    The grid is tried first, at most 140 policies, then limits of gaps with the best of these, at most 140 more. A
    policy with more than 5 % of unknown calls is not compared. ``seed``, ``workers``: as of `backtest`.
    """
    check_testable(base)

    def candidates(policies: Sequence[tuple[str, Policy]]) -> Sequence[Candidate]:
        results = results_of(traffic, policies, seed=seed, workers=workers)
        tried = [Candidate(policy=policy, result=one) for (_, policy), one in zip(policies, results, strict=True)]
        return [one for one in tried if one.result.share(Verdict.UNKNOWN).value <= MOST_UNKNOWN]

    front = pareto_front(candidates(grid(traffic, base)))
    refined = _with_gap_limits(traffic, base, front)
    return pareto_front([*front, *candidates(list(refined.items()))])


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
