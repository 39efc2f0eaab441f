"""Common reader of all dialects: decoding without exceptions, and detection of incomplete answers."""

from typing import Any

import pytest

from l0.dialects.base_reader import BaseReader
from l0.model.failure import Cause, Failure


class Plain(BaseReader):
    """A dialect in which every event is text."""

    def apply(self, event: dict[str, Any]) -> None:
        self.add_text(event.get("text"), first_choice=True)

    def incomplete_cause(self) -> Cause | None:
        return self.cause_without_end()


def reader(content_type: str = "text/event-stream", build: Any = dict) -> Plain:
    return Plain(build, content_type)


def test_reader_decodes_json():
    made = reader()
    assert made.decode(b'{"a": [1, null]}') == {"a": [1, None]}
    assert (made.failure, made.stopped) == (None, False)


@pytest.mark.parametrize("data", [b"{", b"[DONE", b'{"a": "\xff"}', b"not json", b"[" * 100_000])
def test_invalid_json_is_a_failure_with_the_sdk_error(data):
    made = reader()
    assert made.decode(data) is None
    assert made.failure is not None
    assert made.failure.cause is Cause.MALFORMED
    assert isinstance(made.failure.error, ValueError | RecursionError)
    assert made.stopped


@pytest.mark.parametrize(("data", "oddity"), [(b"", "event_without_data"), (b"null", "null_event")])
def test_empty_events_are_anomalies_not_failures(data, oddity):
    made = reader()
    assert made.decode(data) is None
    assert made.failure is None
    assert made.metadata().anomalies == (oddity,)


def test_reader_keeps_the_first_failure():
    made, first = reader(), Failure(cause=Cause.MALFORMED, message="first")
    made.fail(first)
    made.fail(Failure(cause=Cause.OUT_OF_ORDER, message="second"))
    assert made.failure is first


def test_invalid_event_shape_is_a_failure():
    def refuse(value: Any) -> Any:
        raise TypeError("not that")

    made = reader(build=refuse)
    assert made.construct({}) is None
    assert made.failure is not None
    assert made.failure.cause is Cause.MALFORMED
    assert isinstance(made.failure.error, TypeError)


def test_anomaly_is_recorded_once():
    made = reader()
    for what in ("b", "a", "b"):
        made.note_anomaly(what)
    assert made.metadata().anomalies == ("b", "a")


def test_reader_counts_content_pieces_and_characters():
    made = reader()
    made.add_text("abc", first_choice=True)
    made.add_text("", first_choice=True)
    made.add_text(None)
    made.add_text("de")
    made.add_text({"tool": 1})
    assert (made.content, made.chars, made.text) == (3, 5, ["abc"])


@pytest.mark.parametrize(
    ("content_type", "events", "content", "expected"),
    [
        ("text/event-stream", 0, 0, Cause.EMPTY),
        ("Text/Event-Stream; charset=utf-8", 0, 0, Cause.EMPTY),
        ("", 0, 0, Cause.EMPTY),
        ("text/html", 0, 0, Cause.NOT_A_STREAM),
        ("application/json", 0, 0, Cause.NOT_A_STREAM),
        ("application/json", 3, 2, Cause.TRUNCATED),  # some servers send the wrong content type
        ("text/event-stream", 3, 0, Cause.EMPTY),
        ("text/event-stream", 3, 1, Cause.TRUNCATED),
    ],
)
def test_cause_of_an_answer_without_its_end(content_type, events, content, expected):
    made = reader(content_type)
    made.events, made.content = events, content
    assert made.cause_without_end() is expected


def test_reader_accepts_sdk_objects():
    class Chunk:
        def to_dict(self, mode: str, warnings: bool) -> dict[str, Any]:
            assert (mode, warnings) == ("python", False)
            return {"text": "hi"}

    made = reader()
    made.observe_object(Chunk())
    made.observe_object("something else")
    assert (made.events, made.text) == (1, ["hi"])
