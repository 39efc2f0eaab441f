"""The detail of one call: attempts, events, findings, content, timeline and the other spans of its trace."""

import itertools
from typing import Any

import pytest
from viewer_client import START, ViewerClient, attributes, call, nanoseconds, span

from l0.viewer.api_contract import AttemptOfCall, CallDetail, ListedCall, OtherSpan, ResumedAt, RuleFinding

NUMBERS = itertools.count(1)


def event(name: str, at: float, **values: Any) -> dict[str, Any]:
    named = {key.replace("__", "."): value for key, value in values.items()}
    return {"name": name, "timeUnixNano": str(nanoseconds(at)), "attributes": attributes(named)}


def detail(viewer: ViewerClient, number: int) -> Any:
    return viewer.get(f"/api/calls/{number:032x}/{number:016x}")


def attempt(number: int, of: int, given: dict[str, Any], **how: Any) -> dict[str, Any]:
    return span(number, given, trace=of, parent=of, name=f"attempt {given['l0.attempt.number']}", kind=1, **how)


@pytest.fixture
def eventful(viewer: ViewerClient) -> Any:
    """A call with a failed attempt, a hedge that lost and a fallback, below a span of the application."""
    number, failed, hedge, fallback, root, sibling = (next(NUMBERS) for _ in range(6))
    events = [
        event("l0.retry", 300, l0__attempt__number=3, l0__cause="reset", l0__backoff=0.1),
        event("l0.resume", 310, l0__attempt__number=3, l0__resume__at=41, l0__resume__strategy="exact"),
        event("l0.guardrail.violation", 320, l0__guardrail__rule="json", l0__guardrail__severity="error"),
        event("l0.drift.detection", 330, l0__guardrail__rule="drift.tone", l0__drift__confidence=0.75),
    ]
    of_call = {"l0.attempts": 3, "l0.outcome": "recovered_fallback", "l0.retry.causes": ["reset"]}
    reset = {"l0.attempt.number": 1, "l0.attempt.cause": "reset", "http.response.status_code": 200}
    lost = {"l0.attempt.number": 2, "l0.attempt.hedge": True, "l0.attempt.lost": True}
    answered = {"l0.attempt.number": 3, "l0.attempt.leg": 1, "l0.attempt.model": "gpt-4o-mini", "l0.backoff": 0.1}
    viewer.send(
        attempt(fallback, number, answered, at=300, ms=100),
        attempt(hedge, number, lost, at=100, ms=50),
        attempt(failed, number, reset, at=0, ms=200, error="reset: by peer"),
        call(number, of_call, parent=root, ms=400, events=events),
        span(root, {"http.route": "/chat"}, trace=number, name="GET /chat", kind=2, ms=500),
        span(sibling, {"gen_ai.request.model": "e"}, trace=number, parent=root, name="embeddings e", at=450),
    )
    return detail(viewer, number)


def test_attempts_are_in_order_with_their_fates(eventful: Any) -> None:
    fields = ("number", "leg", "outcome", "cause", "status", "backoff_before", "hedge", "lost", "model")
    found = [tuple(attempt[field] for field in fields) for attempt in eventful["attempts"]]
    assert found == [
        (1, 0, "failed", "reset", 200, None, False, False, "gpt-4o"),
        (2, 0, "cancelled", None, None, None, True, True, "gpt-4o"),
        (3, 1, "ok", None, None, pytest.approx(100.0), False, False, "gpt-4o-mini"),
    ]
    assert [(attempt["start"], attempt["duration"]) for attempt in eventful["attempts"]] == [
        (START, 200.0),
        (START + 100, 50.0),
        (START + 300, 100.0),
    ]


def test_events_become_resume_points_and_findings(eventful: Any) -> None:
    assert eventful["resume_points"] == [{"time": START + 310, "attempt": 3, "at": 41, "strategy": "exact"}]
    assert [(found["rule"], found["drift"], found["confidence"]) for found in eventful["rules"]] == [
        ("json", False, None),
        ("drift.tone", True, 0.75),
    ]
    assert [event["name"] for event in eventful["events"]] == [
        "l0.retry",
        "l0.resume",
        "l0.guardrail.violation",
        "l0.drift.detection",
    ]


def test_other_spans_of_the_trace(eventful: Any) -> None:
    assert [(span["name"], span["call"]) for span in eventful["spans"]] == [
        ("GET /chat", False),
        ("embeddings e", True),
    ]
    assert eventful["parent_id"] == eventful["spans"][0]["span_id"]


def test_values_have_the_fields_of_the_contract(viewer: ViewerClient, eventful: Any) -> None:
    assert set(eventful) == set(CallDetail.__annotations__)
    assert {frozenset(one) for one in eventful["attempts"]} == {frozenset(AttemptOfCall.__annotations__)}
    assert {frozenset(one) for one in eventful["spans"]} == {frozenset(OtherSpan.__annotations__)}
    assert {frozenset(one) for one in eventful["rules"]} == {frozenset(RuleFinding.__annotations__)}
    assert {frozenset(one) for one in eventful["resume_points"]} == {frozenset(ResumedAt.__annotations__)}
    assert set(viewer.get("/api/calls")["calls"][0]) == set(ListedCall.__annotations__)


@pytest.mark.parametrize(("outcome", "fate"), [("ok", "ok"), ("failed", "failed"), ("cancelled", "cancelled")])
def test_call_without_attempt_spans_has_one_attempt(viewer: ViewerClient, outcome: str, fate: str) -> None:
    viewer.send(call(number := next(NUMBERS), {"l0.outcome": outcome, "l0.cause": "reset"}, ms=70))
    (only,) = detail(viewer, number)["attempts"]
    assert (only["number"], only["start"], only["duration"], only["outcome"]) == (1, START, 70.0, fate)
    assert only["cause"] == ("reset" if outcome == "failed" else None)


def test_messages_of_attempts_and_the_reason_of_the_end(viewer: ViewerClient, eventful: Any) -> None:
    assert [attempt["message"] for attempt in eventful["attempts"]] == ["reset: by peer", "", ""]
    assert (eventful["stop_reason"], eventful["policy_field"]) == (None, None)
    stopped = {
        "l0.stop.reason": "all retries are used (Retry.max_retries=2)",
        "l0.stop.policy_field": "Retry.max_retries",
    }
    viewer.send(call(number := next(NUMBERS), {"l0.outcome": "failed", "l0.cause": "reset"} | stopped))
    found = detail(viewer, number)
    assert (found["stop_reason"], found["policy_field"]) == tuple(stopped.values())


@pytest.mark.parametrize(
    ("outcome", "second_attempt", "expected"),
    [
        ("ok", "absent", 40.0),
        ("recovered_retry", "answered", 240.0),
        ("recovered_resume", "answered", None),
        ("failed", "failed", None),
    ],
)
def test_first_content_is_that_of_the_attempt_that_served(
    viewer: ViewerClient, outcome: str, second_attempt: str, expected: float | None
) -> None:
    number, first, second = (next(NUMBERS) for _ in range(3))
    viewer.send(call(number, {"l0.outcome": outcome, "l0.time_to_first_content": 0.04}, ms=400))
    if second_attempt != "absent":
        cause = {"l0.attempt.cause": "reset"} if second_attempt == "failed" else {}
        viewer.send(
            attempt(first, number, {"l0.attempt.number": 1, "l0.attempt.cause": "reset"}),
            attempt(second, number, {"l0.attempt.number": 2} | cause, at=200),
        )
    assert detail(viewer, number)["first_content"] == (pytest.approx(expected) if expected is not None else None)


def test_time_in_the_program(viewer: ViewerClient) -> None:
    viewer.send(call(slow := next(NUMBERS), {"l0.program_time": 5.2}), call(quick := next(NUMBERS), {}))
    assert [detail(viewer, made)["in_program"] for made in (slow, quick)] == [5_200.0, None]


def test_timeline(viewer: ViewerClient) -> None:
    viewer.send(call(number := next(NUMBERS), {"l0.timeline": [3, 0, 4], "l0.timeline.bucket": 0.05}))
    assert detail(viewer, number)["timeline"] == {"bucket_ms": 50.0, "tokens": [3, 0, 4]}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"l0.timeline": [1]},
        {"l0.timeline": "x", "l0.timeline.bucket": 0.05},
        {"l0.timeline": [1], "l0.timeline.bucket": 1e306},
    ],
)
def test_no_timeline_without_both_attributes(viewer: ViewerClient, given: dict[str, Any]) -> None:
    viewer.send(call(number := next(NUMBERS), given))
    assert detail(viewer, number)["timeline"] is None


def test_captured_content_is_apart_from_the_attributes(viewer: ViewerClient) -> None:
    given = {"gen_ai.input.messages": '[{"role": "user"}]', "gen_ai.output.messages": "cut off [", "other": 1}
    viewer.send(call(number := next(NUMBERS), given))
    found = detail(viewer, number)
    assert found["content"] == {
        "input_messages": [{"role": "user"}],
        "output_messages": "cut off [",
        "system_instructions": None,
        "tool_definitions": None,
    }
    assert found["attributes"].keys() & given.keys() == {"other"}


def test_unknown_call_is_not_found(viewer: ViewerClient) -> None:
    answer = viewer.request("GET", f"/api/calls/{999:032x}/{999:016x}")
    assert answer.status == 404
    assert "not kept" in answer.json["error"]
