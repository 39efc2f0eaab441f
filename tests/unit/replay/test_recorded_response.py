"""A recorded attempt becomes a response with its bytes, its pauses and its break."""

from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
from makers import make_failure

from l0.model.failure import Cause
from l0.recording.body_decoding import DamagedBodyError, body_decoder
from l0.recording.recording import RecordedAttempt, RecordedRead
from l0.replay.recorded_response import recorded_response
from l0.simulator.steps import End, Pause, Send, SimulatedResponse

EVENTS = (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))


def attempt(**changed: Any) -> RecordedAttempt:
    usual: dict[str, Any] = {
        "number": 1,
        "leg": 0,
        "hedge": False,
        "started": 1.0,
        "request": {},
        "status": 200,
        "response_headers": EVENTS,
        "head_at": 1.5,
        "ended": 3.0,
        "ending": "eof",
        "failure": None,
        "reads": [RecordedRead(at=1.75, data=b"one"), RecordedRead(at=2.75, data=b"two")],
    }
    return RecordedAttempt(**usual | changed)


def steps(response: SimulatedResponse) -> list[Any]:
    return list(response.steps)


def still() -> float:
    """Return the time of a server that needs none."""
    return 0.0


@pytest.mark.parametrize(
    ("cause", "ends"),
    [
        (Cause.INCOMPLETE_READ, [End.FIN]),
        (Cause.RESET, [End.RST]),
        (Cause.READ_TIMEOUT, [Pause(7.0), End.FIN]),
        (Cause.MALFORMED, []),
    ],
)
def test_a_whole_answer_that_broke_has_a_head_and_a_body_that_breaks(cause: Cause, ends: list[Any]) -> None:
    broken = attempt(
        status=None, response_headers=[], head_at=None, ending="error", reads=[], failure=make_failure(cause)
    )
    response = recorded_response(broken, inf, still)
    assert (response.status, response.headers) == (200, {"content-type": "application/json"})
    assert response.length != 1  # more than is sent
    assert steps(response) == [Send(b"{"), *ends]


@pytest.mark.parametrize(("speed", "factor"), [(1.0, 1.0), (2.0, 0.5)])
def test_the_waits_are_those_of_the_recording(speed: float, factor: float) -> None:
    response = recorded_response(attempt(), speed, still)
    assert response.delay == 0.5 * factor
    assert steps(response) == [Pause(0.25 * factor), Send(b"one"), Pause(1.25 * factor), Send(b"two")]


def test_a_late_read_does_not_delay_the_next_ones() -> None:
    times: Iterator[float] = iter([10.0, 10.0, 11.0])
    response = recorded_response(attempt(), 1.0, lambda: next(times))
    assert steps(response) == [Pause(0.25), Send(b"one"), Pause(0.25), Send(b"two")]


def test_without_waits_only_the_bytes_are_left() -> None:
    response = recorded_response(attempt(), inf, still)
    assert response.delay == 0
    assert steps(response) == [Send(b"one"), Send(b"two")]


ENDINGS = [
    ("error", Cause.RESET, [Pause(0.25), End.RST]),
    ("error", Cause.INCOMPLETE_READ, [Pause(0.25), End.FIN]),
    ("error", Cause.READ_TIMEOUT, [Pause(5.25), End.FIN]),
    ("closed", Cause.STALLED, [Pause(5.25), End.FIN]),
    ("closed", Cause.GUARDRAIL_VIOLATION, [Pause(5.25), End.FIN]),
    ("closed", None, [Pause(5.25), End.FIN]),
    ("lost", None, [Pause(5.25), End.FIN]),
    (None, None, [Pause(5.25), End.FIN]),
    ("eof", Cause.TRUNCATED, []),
]


@pytest.mark.parametrize(("ending", "cause", "expected"), ENDINGS)
def test_the_end_is_that_of_the_recording(ending: str | None, cause: Cause | None, expected: list[Any]) -> None:
    failure = None if cause is None else make_failure(cause)
    found = steps(recorded_response(attempt(ending=ending, failure=failure), 1.0, still))
    assert found[4:] == expected


@pytest.mark.parametrize("ending", ["closed", "error"])
def test_a_damaged_body_that_was_recorded_decoded_is_damaged_again(ending: str) -> None:
    response = recorded_response(attempt(ending=ending, failure=make_failure(Cause.CORRUPT)), inf, still)
    assert response.headers["content-encoding"] == "gzip"
    *sent, damage, end = steps(response)
    decode = body_decoder("gzip")
    assert b"".join(decode(one.data) for one in sent) == b"onetwo"
    with pytest.raises(DamagedBodyError):
        decode(damage.data)
    assert end is End.COMPLETE


def test_a_damaged_body_of_format_1_is_served_as_it_came() -> None:
    headers = [*EVENTS, ("content-encoding", "gzip")]
    failed = attempt(ending="error", failure=make_failure(Cause.CORRUPT), response_headers=headers)
    assert steps(recorded_response(failed, inf, still)) == [Send(b"one"), Send(b"two"), End.COMPLETE]


def test_a_recording_that_ends_within_an_answer_closes_the_connection() -> None:
    found = steps(recorded_response(attempt(ending=None, ended=None), 1.0, still))
    assert found[4:] == [End.FIN]


def test_a_silence_that_a_client_ended_is_not_shortened() -> None:
    found = steps(recorded_response(attempt(ending="error", failure=make_failure(Cause.READ_TIMEOUT)), inf, still))
    assert found == [Send(b"one"), Send(b"two"), Pause(5.25), End.FIN]


@pytest.mark.parametrize(("cause", "end"), [(Cause.CONNECTION, End.RST), (Cause.UNKNOWN, End.FIN)])
def test_an_attempt_without_an_answer_has_no_head(cause: Cause, end: End) -> None:
    lost = attempt(
        status=None, head_at=None, response_headers=(), reads=[], ending="error", failure=make_failure(cause)
    )
    response = recorded_response(lost, 1.0, still)
    assert (response.status, response.delay, steps(response)) == (0, 0.0, [Pause(2.0), end])


def test_headers_are_kept_but_for_the_framing_and_what_was_removed() -> None:
    headers = [*EVENTS, ("set-cookie", "[removed]"), ("via", "a"), ("via", "b"), ("content-encoding", "gzip")]
    response = recorded_response(attempt(response_headers=headers), 1.0)
    assert response.headers == {"content-type": "text/event-stream", "via": "a, b", "content-encoding": "gzip"}
    assert response.length is None


@pytest.mark.parametrize(("ending", "announced", "length"), [("eof", "6", 6), ("eof", "9", 6), ("error", "9", 9)])
def test_an_announced_length_stays_true_to_the_ending(ending: str, announced: str, length: int) -> None:
    response = recorded_response(attempt(ending=ending, response_headers=[("content-length", announced)]), 1.0)
    assert response.length == length


def test_an_empty_read_sends_nothing() -> None:
    response = recorded_response(attempt(reads=[RecordedRead(at=1.5, data=b"")]), 1.0, still)
    assert steps(response) == []
