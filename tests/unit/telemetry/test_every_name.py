"""Every attribute, event and metric in `telemetry/names.py` is observed by a test."""

import re
from dataclasses import replace
from pathlib import Path

import anthropic
import pytest
from anthropic._models import FinalRequestOptions

from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, RuleMatched
from l0.model.policy import Fallback, Policy
from l0.model.rule import Severity, Violation
from l0.telemetry import names
from l0.telemetry.metrics import MetricObserver
from l0.telemetry.spans import SpanObserver
from l0_anthropic.describe import describe

TESTS = Path(__file__).resolve().parents[2]
TABLES = {"test_names.py", "test_docs.py", "test_every_name.py"}
"""These read the whole table, and observe nothing."""
CACHE_WRITES = "gen_ai.client.inference.usage.cache_write.input_tokens"
OBSERVED_HERE = {
    "ATTEMPT_LEG", "ATTEMPT_SPAN", "CACHE_WRITE_TOKENS", "DRIFT_CONFIDENCE", "DRIFT_EVENT", "FALLBACKS", "HEDGES",
    "HEDGE_EVENT", "HEDGE_LOST", "REQUEST_REASONING_LEVEL", "REQUEST_TOP_K", "RULE_MESSAGE", "RULE_SEVERITY",
    "VIOLATION_AT",
    CACHE_WRITES,
}  # fmt: skip


def spelled() -> str:
    files = (file for file in TESTS.rglob("*.py") if file.name not in TABLES and "backends" not in file.parts)
    return "\n".join(file.read_text() for file in files)


def table() -> dict[str, str]:
    """Return all names that leave the process, by their constant."""
    found = {name: value for name, value in vars(names).items() if name.isupper() and not name.startswith("_")}
    metrics = {name: value.name for name, value in found.items() if isinstance(value, names.Metric)}
    families = {metric.name: metric.name for metric in (*names.CURRENT.metrics, *names.LATEST.metrics)}
    return {name: value for name, value in found.items() if isinstance(value, str)} | metrics | families


def unobserved(known: dict[str, str], tests: str) -> list[str]:
    """Return the names that no test spells, as a string or by their constant."""
    return [
        value
        for name, value in known.items()
        if not re.search(rf"[\"' ]{re.escape(value)}[\"']|\bnames\.{re.escape(name)}\b", tests)
        and name not in OBSERVED_HERE
    ]


def test_every_name_is_observed_by_a_test() -> None:
    assert unobserved({"NEW": "l0.new"}, "names.NEWER") == ["l0.new"]
    assert unobserved(table(), spelled()) == [], "no test observes these on a span or metric"


@pytest.fixture
def eventful(ended, metadata, overloaded):
    """A call with a rule match, drift, a lost hedge and a fallback."""
    violation = Violation(rule="pattern", message="a secret", severity=Severity.WARNING, at=7)
    drift = replace(violation, rule="drift.repetition", confidence=0.75)
    return [
        AttemptStarted(attempt=AttemptSpec(number=1), at=100.0),
        AttemptStarted(attempt=AttemptSpec(number=2, hedge=True), at=100.1),
        RuleMatched(violation=violation, action="recorded", at=100.2),
        RuleMatched(violation=drift, action="recorded", at=100.2, drift=True),
        AttemptEnded(number=2, failure=None, status=200, request_id="req_2", at=100.3, lost=True),
        AttemptEnded(number=1, failure=overloaded, status=529, request_id="req_1", at=100.4),
        AttemptStarted(attempt=AttemptSpec(number=3, leg=1), at=100.5),
        AttemptEnded(number=3, failure=None, status=200, request_id="req_3", at=102.5),
        replace(
            ended,
            outcome=Outcome.RECOVERED_FALLBACK,
            failures=(overloaded,),
            attempts=3,
            leg=1,
            metadata=replace(metadata, cache_write_tokens=5),
        ),
    ]


def test_rules_hedges_and_fallbacks_on_spans(traces, play, eventful, call):
    policy = Policy(fallback=[Fallback(model="gpt-4o-mini")])
    play(SpanObserver(traces.provider), eventful, replace(call, policy=policy))
    spans = traces.exporter.get_finished_spans()
    (span,) = [span for span in spans if span.parent is None]
    attempts = [span.attributes.get(names.ATTEMPT_LEG) for span in spans if span.name.startswith(names.ATTEMPT_SPAN)]
    assert sorted(attempts, key=str) == [1, None, None]
    models = {span.attributes.get(names.ATTEMPT_LEG): span.attributes.get(names.ATTEMPT_MODEL) for span in spans}
    assert models == {None: None, 1: "gpt-4o-mini"}
    assert span.attributes[names.CACHE_WRITE_TOKENS] == 5
    events = {event.name: dict(event.attributes) for event in span.events}
    assert names.HEDGE_EVENT in events
    matched = events[names.VIOLATION_EVENT]
    assert (matched[names.RULE_SEVERITY], matched[names.VIOLATION_AT]) == ("warning", 7)
    assert names.RULE_MESSAGE in matched
    assert events[names.DRIFT_EVENT][names.DRIFT_CONFIDENCE] == 0.75


def test_hedges_and_fallbacks_in_metrics(metrics, play, eventful):
    play(MetricObserver(metrics.provider), eventful)
    assert metrics.points(names.FALLBACKS.name) == [({names.OUTCOME: "recovered_fallback"}, 1, 1)]
    assert metrics.points(names.HEDGES.name) == [({names.OUTCOME: names.HEDGE_LOST}, 1, 1)]


def test_cache_writes_in_metrics(metrics, play, eventful, monkeypatch):
    monkeypatch.setenv(names.CONVENTIONS_SWITCH, names.CONVENTIONS_LATEST)
    play(MetricObserver(metrics.provider), eventful)
    assert [value for _, value, _ in metrics.points(CACHE_WRITES)] == [5]


def test_attributes_of_an_anthropic_request():
    with anthropic.Anthropic(api_key="k", base_url="http://origin.invalid") as client:
        body = {"model": "m", "max_tokens": 9, "messages": [], "top_k": 4, "output_config": {"effort": "low"}}
        options = FinalRequestOptions.construct(method="post", url="/v1/messages", json_data=body)
        inference = describe(client, options, stream=False)
    assert inference is not None
    assert inference.attributes[names.REQUEST_TOP_K] == 4
    assert inference.attributes[names.REQUEST_REASONING_LEVEL] == "low"
