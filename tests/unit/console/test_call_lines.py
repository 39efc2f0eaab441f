"""The line of a call and the tree under it. The scenarios of tests/journeys show the texts with real SDKs."""

from collections.abc import Sequence
from typing import Any

import pytest
from makers import make_call, make_end, make_failure, make_stats

from l0.console.call_lines import _MAX_NOTES, call_lines
from l0.console.layout import ASCII, ConsoleLayout
from l0.console.line import columns
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, LegEndpoint, Outcome
from l0.model.call_events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    ResponseMetadata,
    ShadowDecision,
)
from l0.model.failure import Cause, Failure
from l0.model.policy import Fallback, Policy

RESET = make_failure(Cause.RESET)


def started(number: int, at: float, **fields: Any) -> AttemptStarted:
    return AttemptStarted(attempt=AttemptSpec(number=number, **fields), at=at)


def over(number: int, at: float, failure: Failure | None = None, **fields: Any) -> AttemptEnded:
    return AttemptEnded(number=number, failure=failure, status=None, request_id=None, at=at, **fields)


RETRIED = (started(1, 0.0), over(1, 0.5, RESET, action="retry", wait_s=0.25), started(2, 0.75), over(2, 2.0))
RECOVERED = make_end(outcome=Outcome.RECOVERED_RETRY, attempts=2, failures=(RESET,))


def texts(events: Sequence[Any], ended: CallEnded, call: Call | None = None, width: int | None = None) -> list[str]:
    layout = ConsoleLayout(width=width, signs=ASCII)
    lines = call_lines(call or make_call(), events, ended, "12:00:00", layout)
    return ["".join(text for text, _ in row) for line in lines for row in line.rows(width)]


def test_healthy_call_is_one_line() -> None:
    metadata = ResponseMetadata(input_tokens=1200, output_tokens=34)
    assert texts((started(1, 0.0), over(1, 2.0)), make_end(metadata=metadata)) == [
        "12:00:00 +   2.00 s  openai chat gpt-4o  first token 1.50 s  tokens 1,200 in, 34 out"
    ]


def test_time_in_the_program_is_shown_if_it_is_notable() -> None:
    """A slow reader makes a fast provider seem slow."""
    slow = make_end(stream_stats=make_stats(program_s=1.25))
    assert texts((started(1, 0.0), over(1, 2.0)), slow) == [
        "12:00:00 +   2.00 s  openai chat gpt-4o  first token 1.50 s  in your program 1.25 s"
    ]
    quick = make_end(stream_stats=make_stats(program_s=0.09))
    assert "program" not in texts((), quick)[0]


def test_slow_recorded_call_shows_its_id() -> None:
    recorded = {"recorded_as": "1a2b3c4d5e6f7a8b"}
    slow = make_end(**recorded)
    assert texts((), slow)[0].endswith("  first token 1.50 s  call 1a2b3c4d")
    quick = make_end(stream_stats=make_stats(duration=0.9), **recorded)
    assert "call 1" not in texts((), quick)[0]
    failure = make_failure(Cause.RESET, request_id="req_1")
    failed = make_end(outcome=Outcome.FAILED, failure=failure, failures=(failure,), **recorded)
    assert texts((), failed)[0].endswith("  request req_1")


def test_retried_call_has_a_tree() -> None:
    assert texts(RETRIED, RECOVERED) == [
        "12:00:00 ~   2.00 s  openai chat gpt-4o  recovered by retry  first token 1.50 s",
        "         |   0.50 s  attempt 1 failed (reset: made for a test); retry in 0.25 s",
        "         `   1.25 s  attempt 2 answered",
    ]


def test_tree_continues_beside_wrapped_rows() -> None:
    assert texts(RETRIED, RECOVERED, width=60) == [
        "12:00:00 ~   2.00 s  openai chat gpt-4o  recovered by retry",
        "         |           first token 1.50 s",
        "         |   0.50 s  attempt 1 failed (reset: made for a",
        "         |           test); retry in 0.25 s",
        "         `   1.25 s  attempt 2 answered",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_rows_fit_into_the_terminal(width: int) -> None:
    call = make_call(model="a-model-with-a-name-longer-than-any-terminal-" * 3)
    assert all(columns(row) <= width for row in texts(RETRIED, RECOVERED, call, width))


def test_wasted_tokens_are_shown() -> None:
    ended = make_end(outcome=Outcome.RECOVERED_RETRY, attempts=2, failures=(RESET,), wasted_tokens=1234)
    assert "1,234 wasted" in texts(RETRIED, ended)[0]


def test_tokens_stay_on_one_row_and_say_what_was_wasted() -> None:
    metadata = ResponseMetadata(input_tokens=1200, output_tokens=34)
    ended = make_end(outcome=Outcome.RECOVERED_RETRY, attempts=2, failures=(RESET,), metadata=metadata, wasted_tokens=9)
    rows = texts(RETRIED, ended, width=80)
    assert rows[1].strip("| ") == "tokens 1,200 in, 34 out; 9 of these 1,234 wasted"


def test_failed_call_names_its_request_id() -> None:
    refused = make_failure(Cause.NOT_FOUND, request_id="req_1\x1b[2J")
    (row,) = texts((), make_end(outcome=Outcome.FAILED, failure=refused, failures=(refused,)))
    assert "  request req_1" in row
    assert row.isprintable()


def test_retry_without_a_wait() -> None:
    events = (RETRIED[0], over(1, 0.5, RESET, action="retry"), *RETRIED[2:])
    assert texts(events, RECOVERED)[1].endswith("; retry at once")


def test_call_without_stream_statistics_lasts_from_its_first_request() -> None:
    ended = make_end(stream_stats=None, at=3.5)
    assert texts((started(1, 1.0), over(1, 3.5)), ended) == ["12:00:00 +   2.50 s  openai chat gpt-4o"]


def test_failed_call_names_its_failure_once() -> None:
    events = (*RETRIED[:3], over(2, 2.0, RESET, action="raise"))
    ended = make_end(outcome=Outcome.FAILED, failure=RESET, failures=(RESET, RESET), attempts=2, stop_reason="enough")
    head, *tree = texts(events, ended)
    assert "failed after 2 attempts: reset; no further attempt: enough" in head
    assert len(tree) == 2


def test_failure_of_no_attempt_is_told_in_full() -> None:
    late = make_failure(Cause.TOTAL_TIMEOUT)
    ended = make_end(outcome=Outcome.FAILED, failure=late, failures=(RESET,), attempts=2)
    assert f"failed after 2 attempts: {late}" in texts(RETRIED, ended)[0]


def test_call_without_a_request() -> None:
    refused = make_failure(Cause.BREAKER_OPEN)
    ended = make_end(outcome=Outcome.FAILED, failure=refused, failures=(refused,), attempts=0, stream_stats=None)
    assert texts((), ended) == [f"12:00:00 x   0.00 s  openai chat gpt-4o  failed without a request: {refused}"]


def test_fallback_is_named_with_its_model() -> None:
    call = make_call(policy=Policy(fallback=Fallback(model="mini")))
    events = (*RETRIED[:2], started(2, 0.75, leg=1), over(2, 2.0))
    ended = make_end(outcome=Outcome.RECOVERED_FALLBACK, leg=1, attempts=2, failures=(RESET,))
    head, *_, last = texts(events, ended, call)
    assert "recovered by fallback 1 (mini)" in head
    assert last.endswith("attempt 2, fallback 1 (mini), answered")


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        (LegEndpoint("groq", "api.groq.com", 443), "gpt-4o at groq"),
        (LegEndpoint("openai", "other.example.com", 443), "gpt-4o at other.example.com"),
        (LegEndpoint("openai", "api.example.com", 8443), "gpt-4o at api.example.com:8443"),
        (LegEndpoint("openai", "api.example.com", 443), "gpt-4o"),
    ],
)
def test_fallback_to_another_server_is_named_with_it(endpoint: LegEndpoint, name: str) -> None:
    call = make_call(policy=Policy(fallback=Fallback(model="gpt-4o")), fallback_endpoints=(endpoint,))
    events = (*RETRIED[:2], started(2, 0.75, leg=1), over(2, 2.0))
    ended = make_end(outcome=Outcome.RECOVERED_FALLBACK, leg=1, attempts=2, failures=(RESET,))
    head, *_, last = texts(events, ended, call)
    assert f"recovered by fallback 1 ({name})" in head
    assert last.endswith(f"attempt 2, fallback 1 ({name}), answered")


def test_lost_hedge_and_unfinished_attempt() -> None:
    events = (started(1, 0.0), started(2, 0.5, hedge=True), over(2, 1.0, lost=True))
    _, *tree = texts(events, make_end(attempts=2, at=2.0))
    assert tree == [
        "         |   0.50 s  attempt 2, the parallel request, was slower, and is closed",
        "         `   2.00 s  attempt 1 was not finished",
    ]


def test_a_call_cancelled_before_its_first_retry_shows_the_failed_attempt() -> None:
    ended = make_end(outcome=Outcome.CANCELLED, failures=(RESET,), stream_stats=None, at=0.6)
    assert texts(RETRIED[:2], ended) == [
        "12:00:00 -   0.60 s  openai chat gpt-4o  cancelled",
        "         `   0.50 s  attempt 1 failed (reset: made for a test); retry in 0.25 s",
    ]


def test_notes_are_bounded() -> None:
    notes = [ShadowDecision(action="retry", cause=Cause.RESET, wait_s=None, at=0.0)] * (_MAX_NOTES + 30)
    rows = texts(notes, make_end())
    assert len(rows) <= _MAX_NOTES + 3
    assert rows[-1].endswith(" more")


def test_names_cannot_control_the_terminal() -> None:
    call = make_call(model="x\x1b[2J\n12:00:00 fake")
    (row,) = texts((), make_end(stream_stats=make_stats(first_chunk=None)), call)
    assert row.isprintable()


def test_nothing_of_the_answer_is_shown() -> None:
    ended = make_end(text="SECRET", tool_calls=(("tool", "SECRET"),))
    assert "SECRET" not in "".join(texts((started(1, 0.0), over(1, 2.0)), ended))
