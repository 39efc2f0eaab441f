"""A tape becomes an entry without secrets, or none."""

from typing import Literal

import pytest

from l0.pytest_plugin.cassette_tape import CassetteTape
from l0.recording.redaction import Redaction

KEY = "canary-key-11223344"


def tape() -> CassetteTape:
    return CassetteTape("POST", f"https://me:{KEY}@h/v1?x=1", (("authorization", f"Bearer {KEY}"),), b"")


def entry(of: CassetteTape, redaction: Redaction | None = None):
    redaction = redaction or Redaction()
    of.learn(redaction)
    return of.entry(redaction)


def test_request_without_an_answer_is_no_entry() -> None:
    assert entry(tape()) is None


def test_request_whose_client_gave_up_before_an_answer_is_an_entry() -> None:
    recorded = tape()
    recorded.end("gave_up")
    made = entry(recorded)
    assert made is not None
    assert (made.answer.status, made.answer.end) == (None, "gave_up")


@pytest.mark.parametrize("stopped", ["closed", "gave_up"])
@pytest.mark.parametrize(
    ("last", "end"),
    [
        (b"data: [DONE]\n\n", "eof"),
        (b'event: message_stop\ndata: {"type": "message_stop"}\n\n', "eof"),
        (b'data: {"type":"response.completed","response":{"id":"r"}}\n\n', "eof"),
        (b'data: {"choices": []}\n\n', None),
    ],
)
def test_answer_that_was_closed_after_its_terminal_event_is_complete(
    last: bytes, end: str | None, stopped: Literal["closed", "gave_up"]
) -> None:
    recorded = tape()
    recorded.head(200, ())
    recorded.read(last)
    recorded.end(stopped)
    recorded.end("eof")
    made = entry(recorded)
    assert made is not None
    assert made.answer.end == (end or stopped)


def test_secrets_leave_every_text_and_headers_of_the_moment_are_left_out() -> None:
    recorded = tape()
    recorded.head(401, (("set-cookie", "a=b"), ("date", "now"), ("content-length", "9"), ("x-echo", KEY)))
    recorded.read(KEY[:5].encode())
    recorded.read(KEY[5:].encode())
    recorded.end("error", ValueError(f"key {KEY}"))
    made = entry(recorded)
    assert made is not None
    assert KEY not in str(made)
    assert [name for name, _ in made.answer.headers] == ["content-length", "x-echo"]
    assert sum(len(part) for _, part in made.answer.reads) == len(KEY)
    assert made.request.url == "https://h/v1?x=1"


def test_length_is_left_out_if_the_users_function_changes_it() -> None:
    recorded = tape()
    recorded.head(200, (("content-length", "5"),))
    recorded.read(b"Maria")
    made = entry(recorded, Redaction(lambda text: text.replace("Maria", "M")))
    assert made is not None
    assert made.answer.headers == ()
