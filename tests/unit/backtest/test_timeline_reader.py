"""Recorded bytes become the timeline that the engine would see."""

import gzip
from math import inf
from typing import Any

import pytest
from makers import make_call, make_failure

from l0.backtest.attempt_timeline import AttemptTimeline, Gap
from l0.backtest.timeline_reader import UnreadableAttemptError, timeline_of
from l0.model.failure import Cause
from l0.recording.recording import RecordedAttempt, RecordedRead

ROLE = b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
WORD = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
STOP = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = [ROLE, WORD, WORD, STOP, USAGE, DONE]


def attempt(*reads: bytes, **fields: Any) -> RecordedAttempt:
    """An attempt that was sent 2 s after the start of its call, with a read each second."""
    defaults: dict[str, Any] = {
        "number": 1,
        "leg": 0,
        "hedge": False,
        "started": 2.0,
        "request": {},
        "status": 200,
        "response_headers": [("Content-Type", "text/event-stream")],
        "head_at": 2.5,
        "ended": None,
        "ending": "eof",
        "failure": None,
        "reads": [RecordedRead(at=3.0 + place, data=data) for place, data in enumerate(reads)],
    }
    return RecordedAttempt(**defaults | fields)


def read(recorded: RecordedAttempt, ended: float = 20.0, **call: Any) -> AttemptTimeline:
    return timeline_of(make_call(**call), recorded, ended, "evidence")


def test_complete_answer_has_the_times_of_its_reads() -> None:
    found = read(attempt(*WHOLE))
    assert (found.opened_at, found.early, found.content, found.chars) == (0.5, ((1.0, 1),), (2.0, 3.0), (5, 10))
    assert found.gaps == (Gap(1.0, 2.0), Gap(3.0, 3.0))
    assert found.read_gaps == (Gap(0.5, 0.5), Gap(1.0, 1.0))
    assert (found.complete_at, found.ends_at, found.tokens) == (4.0, 6.0, (7, 2))
    assert (found.missing, found.failure, found.cut_short) == (None, None, False)


def test_time_of_a_slow_program_is_no_gap() -> None:
    """The limits of a policy do not count it either."""
    ats, begins = (3.0, 5.0, 9.0, 9.5), (2.5, 4.5, 8.0, 9.0)  # pauses of 1.5 s, 3 s and none
    reads = [
        RecordedRead(at=at, data=data, began=began)
        for at, began, data in zip(ats, begins, [ROLE, WORD, WORD, DONE], strict=True)
    ]
    found = read(attempt(reads=reads))
    assert found.content == (3.0, 7.0)
    assert found.gaps == (Gap(1.0, 6.0),)
    assert found.read_gaps == (Gap(0.5, 0.5), Gap(1.0, 6.0))


def test_body_that_ends_early_is_truncated() -> None:
    assert read(attempt(ROLE, WORD, ended=9.0)).missing is Cause.TRUNCATED
    failed = attempt(ROLE, WORD, ended=9.0, failure=make_failure(Cause.TRUNCATED))
    found = read(failed)
    assert (found.missing, found.failure, found.ends_at) == (Cause.TRUNCATED, None, 7.0)


def test_broken_connection_is_the_recorded_failure() -> None:
    failure = make_failure(Cause.RESET, error=ConnectionError())
    found = read(attempt(ROLE, WORD, ended=9.0, ending="error", failure=failure))
    assert (found.failure, found.ends_at, found.cut_short) == (failure, 7.0, False)


@pytest.mark.parametrize(
    "fields",
    [
        {"failure": make_failure(Cause.FIRST_CONTENT_TIMEOUT), "ending": "closed"},
        {"failure": make_failure(Cause.STALLED), "ending": "closed"},
        {"failure": make_failure(Cause.GUARDRAIL_VIOLATION), "ending": "closed"},
        {"ending": "closed"},
        {"ending": "lost"},
        {"ending": None},
    ],
    ids=["deadline", "stall", "rule", "user", "race", "end of the recording"],
)
def test_attempt_that_l0_or_the_user_ended_is_cut_short(fields: dict[str, Any]) -> None:
    found = read(attempt(ROLE, WORD, ended=9.0, **fields))
    assert (found.cut_short, found.failure, found.missing, found.ends_at) == (True, None, None, 7.0)


def test_attempt_that_l0_ended_before_its_headers_is_cut_short() -> None:
    failure = make_failure(Cause.NO_HEADERS)
    found = read(attempt(status=None, head_at=None, ended=7.0, ending="closed", failure=failure))
    assert (found.cut_short, found.opened_at, found.first_content_or_end) == (True, inf, 5.0)


def test_transport_timeout_is_a_failure() -> None:
    failure = make_failure(Cause.NO_HEADERS, error=TimeoutError())
    found = read(attempt(status=None, head_at=None, ended=7.0, ending="error", failure=failure))
    assert (found.cut_short, found.failure) == (False, failure)


def test_refusal_never_opens_a_stream() -> None:
    failure = make_failure(Cause.UNAVAILABLE, status=503)
    found = read(attempt(status=503, ended=3.0, ending="error", failure=failure))
    assert (found.opened_at, found.failure, found.ends_at) == (inf, failure, 1.0)


def test_error_within_the_answer_is_a_failure() -> None:
    error = b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    found = read(attempt(ROLE, WORD, error, ended=9.0))
    assert found.failure is not None
    assert found.failure.cause is Cause.SERVER_ERROR
    assert found.ends_at == 3.0


def test_answer_in_one_piece_ends_with_its_attempt() -> None:
    found = read(attempt(b"{}", ended=9.0), streaming=False)
    assert (found.ends_at, found.failure, found.cut_short) == (7.0, None, False)


def test_compressed_body_is_decoded() -> None:
    headers = [("content-type", "text/event-stream"), ("content-encoding", "gzip")]
    packed = gzip.compress(b"".join(WHOLE))
    found = read(attempt(packed[:40], packed[40:], response_headers=headers))
    assert found.chars == (10,)
    with pytest.raises(UnreadableAttemptError, match="attempt 1"):
        read(attempt(b"no gzip", response_headers=headers))
    unknown = [("content-type", "text/event-stream"), ("content-encoding", "rot13")]
    with pytest.raises(UnreadableAttemptError, match="rot13"):
        read(attempt(b"cnpxrq", response_headers=unknown))


@pytest.mark.parametrize("dialect", ["chat", "completions", "responses", "messages"])
def test_every_dialect_has_a_reader(dialect: str) -> None:
    found = read(attempt(b"data: {}\n\n", ended=9.0), dialect=dialect)
    assert found.ends_at > 0
