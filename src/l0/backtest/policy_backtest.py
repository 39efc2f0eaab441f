"""Run recorded calls under policies, and compare the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from l0.model.policy import OrderMode, Policy
from l0.model.policy_error import PolicyError
from l0.recording.recording import RecordingPath
from l0.shared_state.budget import COST, REFUND

from .call_result import CallResult, Verdict
from .intervals import Estimate, mean, quantile, share
from .recorded_traffic import RecordedTraffic
from .workers import Workers, run_policies

QUANTILES = (0.50, 0.95, 0.99)


@dataclass(frozen=True)
class PolicyResult:
    """The results of all calls under one policy, in the order of the calls.

    `share` is of all calls. All other figures are of the calls whose result is known, and times only of those with a
    complete answer. ``has_budget``: the policy has a retry budget.
    """

    name: str
    calls: Sequence[CallResult]
    has_budget: bool = False

    def share(self, verdict: Verdict) -> Estimate:
        """Return the share of the calls with this verdict."""
        return share(sum(call.verdict is verdict for call in self.calls), len(self.calls))

    @property
    def success(self) -> Estimate:
        """The share of complete answers among the calls whose result is known."""
        return share(sum(call.verdict is Verdict.WHOLE for call in self.known), len(self.known))

    @cached_property
    def known(self) -> Sequence[CallResult]:
        """The calls whose result is known."""
        return [call for call in self.calls if call.verdict is not Verdict.UNKNOWN]

    @cached_property
    def first_token_s(self) -> Sequence[Estimate | None]:
        """The quantiles of the time to the first token, in seconds."""
        return _quantiles([call.first_token_s for call in self.known if call.verdict is Verdict.WHOLE])

    @cached_property
    def total_s(self) -> Sequence[Estimate | None]:
        """The quantiles of the time to the end of the answer, in seconds."""
        return _quantiles([call.total_s for call in self.known if call.verdict is Verdict.WHOLE])

    @property
    def extra_requests(self) -> Estimate:
        """The requests beyond the first, per call."""
        return mean([max(call.requests - 1, 0) for call in self.known])

    @property
    def extra_tokens(self) -> Estimate:
        """The tokens of attempts that did not serve the answer, per call."""
        return mean([call.extra_tokens for call in self.known])

    @property
    def budget_spent(self) -> Estimate | None:
        """The extra requests that the retry budget allowed, as a share of those that the successful calls earned.

        ``None`` without a budget. Above 1 in a short recording, because a full budget allows five requests before any
        are earned.
        """
        earned = self.success.value * REFUND / COST
        if not self.has_budget or not earned:
            return None
        return Estimate(*(max(value, 0.0) / earned for value in mean([call.budget_paid for call in self.known])))

    @property
    def budget_refusals(self) -> Estimate | None:
        """The share of the known calls to which the retry budget refused a request; ``None`` without a budget."""
        return share(sum(call.budget_refused for call in self.known), len(self.known)) if self.has_budget else None

    @property
    def unknown_reasons(self) -> Mapping[str, int]:
        """The reasons of unknown results, the most frequent first."""
        return dict(Counter(call.reason for call in self.calls if call.verdict is Verdict.UNKNOWN).most_common())

    def changed(self, base: PolicyResult) -> Sequence[tuple[CallResult, CallResult]]:
        """Return the calls whose verdict or number of requests differs: their results under ``base``, and here."""
        pairs = zip(base.calls, self.calls, strict=True)
        return [pair for pair in pairs if (pair[0].verdict, pair[0].requests) != (pair[1].verdict, pair[1].requests)]


def _quantiles(times_s: Sequence[float | None]) -> Sequence[Estimate | None]:
    ordered = sorted(time_s for time_s in times_s if time_s is not None)
    return [quantile(ordered, probability) for probability in QUANTILES]


def backtest(
    recording: RecordingPath | RecordedTraffic,
    policies: Mapping[str, Policy],
    *,
    seed: int = 0,
    workers: int | Workers = 1,
) -> Sequence[PolicyResult]:
    """Return what the users got (``"recorded"``), and what they would have got under each policy.

    ``recording``: a file, a folder or several of them, or `RecordedTraffic` that was loaded before. ``seed``: of the
    random choice of attempts and of jitter. ``workers``: a number of processes, or `RayWorkers`; the results are the
    same. Raises `PolicyError` for a policy that cannot be tested, and `RecordingError` if there is no recording.
    """
    for policy in policies.values():
        check_testable(policy)
    loaded = {recording.order: recording} if isinstance(recording, RecordedTraffic) else {}
    by_order: dict[OrderMode, list[tuple[str, Policy]]] = {}
    for name, policy in policies.items():
        by_order.setdefault(policy.order, []).append((name, policy))
    results: dict[str, PolicyResult] = {}
    recorded: PolicyResult | None = None
    for order, named in by_order.items():
        if order not in loaded:
            path = recording.path if isinstance(recording, RecordedTraffic) else recording
            loaded[order] = _load(path, order)
        recorded = recorded or recorded_result(loaded[order])
        results.update((one.name, one) for one in results_of(loaded[order], named, seed=seed, workers=workers))
    return [] if recorded is None else [recorded, *(results[name] for name in policies)]


def recorded_result(traffic: RecordedTraffic) -> PolicyResult:
    """Return what the users got."""
    return PolicyResult("recorded", [call.recorded for call in traffic.calls])


def results_of(
    traffic: RecordedTraffic, policies: Sequence[tuple[str, Policy]], *, seed: int, workers: int | Workers
) -> Sequence[PolicyResult]:
    """Return the result of each policy. All policies must have the `Policy.order` of the traffic."""
    results = run_policies(traffic, [policy for _, policy in policies], seed=seed, workers=workers)
    return [PolicyResult(name, calls, policy.budget) for (name, policy), calls in zip(policies, results, strict=True)]


def _load(path: RecordingPath | None, order: OrderMode) -> RecordedTraffic:
    if path is None:
        raise PolicyError("Policy.order", order, "the order with which the traffic was read")
    return RecordedTraffic.load(path, order)


def check_testable(policy: Policy) -> None:
    """Raise `PolicyError` if a policy has rules: the texts of answers are not evaluated again."""
    for name in ("guardrails", "drift", "structured"):
        value = getattr(policy, name)
        if value and value != "none":
            raise PolicyError(f"Policy.{name}", value, "none: a backtest does not evaluate rules")
