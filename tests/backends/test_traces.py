"""Jaeger, read back through its query API: every call is one trace with the attempts that the provider saw."""

from __future__ import annotations

from typing import Any

import pytest
from load import ROUNDS, SECRET, hedged
from servers import wait_for
from stack import Stack

from l0.telemetry import names

Spans = dict[str, list[dict[str, Any]]]


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def of_kind(spans: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [span for span in spans if tags(span)["span.kind"] == kind]


def parent(span: dict[str, Any]) -> str:
    return next((reference["spanID"] for reference in span["references"]), "")


def call_of(spans: list[dict[str, Any]]) -> dict[str, Any]:
    (call,) = of_kind(spans, "client")
    return call


def expected(stack: Stack) -> dict[str, int]:
    """Traces that must arrive, and whose calls they are."""
    whole = {trace: number for number, trace in stack.did.traces.items()}
    if not stack.sampled:
        return whole
    eventful = {number for number, made in stack.did.requests.items() if len(made) > 1}
    eventful |= {number for number, verdict in stack.did.verdicts.items() if verdict == "error"}
    eventful |= {number for number in stack.did.traces if number >= 400_000}  # those that stand still
    return {trace: number for trace, number in whole.items() if number in eventful}


@pytest.fixture(scope="module")
def traces(stack: Stack) -> Spans:
    wanted = set(expected(stack))
    wait_for("the traces are in Jaeger", lambda: set(stack.jaeger.traces(stack.did.service)) >= wanted)
    return stack.jaeger.traces(stack.did.service)


def test_the_traces_are_those_of_the_calls(stack: Stack, traces: Spans) -> None:
    assert set(traces) == set(expected(stack))
    assert len(traces) > 50


def test_each_has_one_inference_span_below_the_applications(stack: Stack, traces: Spans) -> None:
    for trace, number in expected(stack).items():
        call = call_of(traces[trace])
        (request,) = [span for span in traces[trace] if span["operationName"] == "handle request"]
        assert parent(call) == request["spanID"]
        assert tags(request)["app.call"] == number


def test_attempts_are_those_of_the_ledger(stack: Stack, traces: Spans) -> None:
    for trace, number in expected(stack).items():
        made = stack.did.requests[number]
        call = call_of(traces[trace])
        attempts = sorted(of_kind(traces[trace], "internal"), key=lambda span: tags(span).get(names.ATTEMPT_NUMBER, 0))
        attempts = [span for span in attempts if span["operationName"].startswith(names.ATTEMPT_SPAN)]
        assert tags(call)[names.ATTEMPTS_MADE] == len(made)
        assert [span["operationName"] for span in attempts] == (
            [f"{names.ATTEMPT_SPAN} {place}" for place in range(1, len(made) + 1)] if len(made) > 1 else []
        )
        assert all(parent(span) == call["spanID"] for span in attempts)
        for span, (_, answered) in zip(attempts, made, strict=False):
            if answered.startswith("status"):
                assert str(tags(span)[names.HTTP_STATUS]) == answered.split()[1]


def test_retries_and_resumes_are_events_with_their_causes(stack: Stack, traces: Spans) -> None:
    resumed = 0
    for trace, number in expected(stack).items():
        call = call_of(traces[trace])
        told = [{field["key"]: field["value"] for field in log["fields"]} for log in call["logs"]]
        retries = [event for event in told if event["event"] == names.RETRY_EVENT]
        seconds = [event for event in told if event["event"] == names.HEDGE_EVENT]
        assert len(retries) + len(seconds) == len(stack.did.requests[number]) - 1
        assert len(seconds) == hedged(number)
        assert all(event[names.CAUSE] for event in retries)
        resumed += sum(event["event"] == names.RESUME_EVENT for event in told)
    assert resumed == 2 * ROUNDS


def test_what_failed_is_marked(stack: Stack, traces: Spans) -> None:
    for trace, number in expected(stack).items():
        failed = stack.did.verdicts[number] == "error"
        assert (tags(call_of(traces[trace])).get("error") is True) == failed
        assert (tags(call_of(traces[trace]))[names.OUTCOME] == "failed") == failed


def test_collector_redacts_secrets(stack: Stack, traces: Spans) -> None:
    told = str(traces)
    confided = stack.did.traces[200_000] in traces
    assert (SECRET in told) == (confided and not stack.sampled)
    assert names.INPUT_MESSAGES in told
