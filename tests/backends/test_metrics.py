"""Prometheus, read back through its HTTP API: sums equal the provider's own ledger, exactly."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from evidence import Evidence
from load import MODEL, ROUNDS, hedged
from servers import wait_for
from stack import Stack

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from dashboards.promql import PROVIDER, label, series

from l0.slo.burn import Count, budget_left
from l0.slo.objective import DEFAULTS
from l0.telemetry import names

DURATION = series(names.CURRENT.duration)
FAILED = f'{label(names.OUTCOME)}="failed"'
CAUSES = {
    "status 429": "rate_limit",
    "status 500": "server_error",
    "status 503": "unavailable",
    "status 529": "overloaded",
    "in-band-error": "server_error",
    "in-band-error of messages": "overloaded",
    "html": "not_a_stream",
    "json-error": "not_a_stream",
    "cut": "incomplete_read",
    "reset": "reset",
    "malformed": "malformed",
    "reorder": "out_of_order",
    "refuse": "connection",
}
"""The provider's faults, each with the cause that counts it."""
SPENDS = {
    "capacity": ("status 429", "status 529", "in-band-error of messages"),
    "availability": ("status 500", "status 503", "in-band-error", "html", "json-error", "refuse"),
    "truncation": ("cut", "reset", "malformed", "reorder", "empty", "clean-end"),
}
"""The provider's faults, each with the objective whose budget it spends."""
HEDGES = ROUNDS
"""Second requests beside a slow one, one in each of the load's rounds."""
WHOLE = 1
"""The one answer in one piece, at openai: streams only can stand still or break off."""
ACCEPTED = ROUNDS
"""Streams without their end that the load's policy accepts; others are empty or truncated, as it fell."""


def whole(sums: dict[tuple[str, ...], float]) -> Counter[tuple[str, ...]]:
    """Counts, which must be whole numbers."""
    assert all(value == int(value) for value in sums.values())
    return Counter({key: int(value) for key, value in sums.items() if value})


@pytest.fixture(scope="module", autouse=True)
def arrived(stack: Stack) -> None:
    """The last export has come through."""
    attempts, calls = stack.did.attempts(), stack.did.calls()
    wait_for(
        "the last metrics are in Prometheus",
        lambda: (
            whole(stack.prometheus.sums(series(names.ATTEMPTS), PROVIDER)) == attempts
            and whole(stack.prometheus.sums(f"{DURATION}_count", PROVIDER)) == calls
        ),
    )


def test_attempts_are_the_requests(stack: Stack) -> None:
    assert whole(stack.prometheus.sums(series(names.ATTEMPTS), PROVIDER)) == stack.did.attempts()


def test_calls_are_the_calls(stack: Stack) -> None:
    assert whole(stack.prometheus.sums(f"{DURATION}_count", PROVIDER)) == stack.did.calls()
    assert sum(stack.did.calls().values()) == len(stack.did.traces)


def test_retry_count_is_attempts_minus_calls(stack: Stack) -> None:
    expected = stack.did.attempts() - stack.did.calls() - Counter({("openai",): HEDGES})
    assert whole(stack.prometheus.sums(series(names.RETRIES), PROVIDER)) == expected
    assert whole(stack.prometheus.sums(f"{series(names.BACKOFF)}_count", PROVIDER)) == expected


def test_failed_calls_are_those_that_the_users_saw_fail(stack: Stack) -> None:
    failed = stack.prometheus.total(f'{DURATION}_count{{{label(names.ERROR_TYPE)}!=""}}')
    assert failed == Counter(stack.did.verdicts.values())["error"] > 0


def test_cause_counts_match_the_faults_of_the_provider(stack: Stack) -> None:
    found = stack.prometheus.sums(f"{series(names.ATTEMPTS)}{{{FAILED}}}", label(names.CAUSE))
    did = stack.did.faults()
    expected = Counter({"empty": did.pop("empty")})
    ends = did.pop("clean-end") - ACCEPTED
    for kind, count in did.items():
        if kind in CAUSES:
            expected[CAUSES[kind]] += count
    counted = Counter({cause: count for (cause,), count in whole(found).items()})
    assert counted - expected == Counter(truncated=counted["truncated"], empty=ends - counted["truncated"])


def test_each_special_call_is_counted(stack: Stack) -> None:
    assert stack.prometheus.total(series(names.FALLBACKS)) == 2 * ROUNDS
    assert stack.prometheus.total(series(names.RESUMES)) == 2 * ROUNDS
    assert stack.prometheus.total(series(names.STREAM_STALLS)) == ROUNDS
    assert stack.prometheus.total(series(names.HEDGES)) == HEDGES == sum(map(hedged, stack.did.requests))
    assert stack.prometheus.total(series(names.VIOLATIONS)) == ROUNDS
    assert stack.prometheus.total(series(names.DRIFTS)) == ROUNDS
    assert stack.prometheus.total(f'{series(names.TRUNCATIONS)}{{{label(names.KIND)}="accepted"}}') >= ACCEPTED
    assert stack.prometheus.total(series(names.ANOMALIES)) >= ROUNDS


def test_buckets_are_the_conventions_own(stack: Stack) -> None:
    bounds = {float(key[0]) for key in stack.prometheus.sums(f"{DURATION}_bucket", "le")}
    assert bounds == {*names.SECONDS, float("inf")}


def test_span_metrics_count_the_same_calls(stack: Stack) -> None:
    counted = 'l0_spans_calls_total{span_kind="SPAN_KIND_CLIENT"}'
    expected = stack.did.calls() if stack.span_metrics else Counter()  # core components make none
    wait_for("span metrics", lambda: whole(stack.prometheus.sums(counted, PROVIDER)) == expected)
    assert whole(stack.prometheus.sums(counted, PROVIDER)) == expected


def test_exemplars_lead_from_a_bucket_to_its_trace(stack: Stack) -> None:
    found = stack.prometheus.exemplars(f"{DURATION}_bucket", time.time() - 600, time.time() + 60)
    traces = {exemplar["labels"]["trace_id"] for exemplar in found}
    assert bool(traces) == stack.exemplars
    assert traces <= set(stack.did.traces.values())


def test_objectives_count_the_same_in_the_process_and_in_prometheus(stack: Stack) -> None:
    events = stack.prometheus.sums("l0_slo_events_total", "l0_slo", PROVIDER)
    bad = stack.prometheus.sums('l0_slo_events_total{l0_slo_good="false"}', "l0_slo", PROVIDER)
    for objective, (failed, all_of_them) in stack.did.objectives.items():
        assert (bad[objective], events[objective]) == (failed, all_of_them)
    assert {slo for slo, _ in stack.did.objectives} == {objective.name for objective in DEFAULTS}


def counted(did: Evidence, provider: str) -> dict[str, Count]:
    """The objectives' events, from the provider's ledger alone: an attempt that fails at one stage reaches no later."""
    did_to = did.faults(provider)
    failed = sum(did.verdicts[call] == "error" for call in did.of(provider))
    openai = provider == "openai"
    reached = did.attempts()[(provider,)] - (HEDGES if openai else 0)  # those that were given up say nothing
    counts = {"delivered": Count(failed, did.calls()[(provider,)])}
    for name, kinds in SPENDS.items():
        counts[name] = Count(sum(did_to[kind] for kind in kinds), reached)
        reached -= counts[name].bad
        if name == "availability":
            reached -= WHOLE if openai else 0
            counts["stall"] = Count(ROUNDS if openai else 0, reached)
    return counts


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_objective_counts_match_the_ledger(stack: Stack, provider: str) -> None:
    for name, count in counted(stack.did, provider).items():
        assert stack.did.objectives[name, provider] == (count.bad, count.total), name
    assert stack.did.objectives["first-token", provider][0] == 0


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_budgets_are_the_same_in_the_process_in_prometheus_and_from_the_ledger(stack: Stack, provider: str) -> None:
    gauge = f"{series(names.SLO_BUDGET)}_ratio"  # what Prometheus' names make of a gauge whose unit is 1
    told = stack.prometheus.sums(gauge, label(names.SLO), PROVIDER, label(names.REQUEST_MODEL))
    counts = counted(stack.did, provider)
    for objective in DEFAULTS:
        place = objective.name, provider, MODEL
        assert told[place] == pytest.approx(stack.did.budgets[place])
        if objective.name in counts:
            count = counts[objective.name]
            spare = ROUNDS if objective.layer == "attempts" else 0  # all of them served
            left = budget_left(Count(count.bad, count.total - spare), objective)
            assert told[place] == pytest.approx(left)
