"""The fence of a stream: whatever an event says, and whatever reading it raises, its object is handed over."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from l0.dialects.resumable_reader import ResumableReader
from l0.model.failure import Cause
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import code_of, count_of, items_in, object_of, objects_in, place_of, text_of
from l0.runtime.observer_notifier import read_metadata


class Surprised(ResumableReader):
    """A dialect whose events cannot be learnt from."""

    def decode_event(self, name: bytes | None, data: bytes) -> Any:
        event = self.decode(data)
        self.apply(event)
        self.events += 1
        return event

    def apply(self, event: dict[str, Any]) -> None:
        raise LookupError(f"a surprise: {event}")

    def states_no_limit(self) -> bool:
        return True

    def event_text(self, event: Any) -> str | None:
        return None

    def with_text(self, event: Any, text: str) -> Any:
        return event

    def empty_text_event(self) -> Any:
        return {}

    def ends(self, event: Any) -> bool:
        return True

    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:
        return event

    def incomplete_cause(self) -> Cause | None:
        return self.cause_without_end()


def reader() -> Surprised:
    return Surprised(lambda event: ("built", event), "text/event-stream")


def test_uninterpretable_event_is_delivered(caplog):
    made = reader()
    with caplog.at_level(logging.DEBUG, logger="l0"):
        assert made.read_event(None, b'{"usage": {"total": 1}}') == ("built", {"usage": {"total": 1}})
    assert (made.failure, made.events) == (None, 1)
    assert made.metadata().anomalies == ("unknown_shape",)
    assert made.usage == {"total": 1}  # what can be read of it still counts
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_the_same_when_an_answer_is_resumed():
    made = reader()
    made.resume(ResumeState(text="", other_events=0, response_id=None, reader_state={}), "exact")
    assert made.read_resumed(None, b"{}") == [("built", {})]


def test_the_same_when_the_sdk_built_the_object():
    class Chunk:
        def to_dict(self, **_: Any) -> dict[str, Any]:
            return {"usage": {"total": 1}}

    made = reader()
    made.observe_object(Chunk())
    assert (made.events, made.usage) == (1, {"total": 1})


def test_what_is_no_json_is_a_failure_as_ever():
    made = reader()
    assert made.read_event(None, b"{") is None
    assert made.failure is not None
    assert made.failure.cause is Cause.MALFORMED


def test_unreadable_metadata_is_none():
    class Mute(Surprised):
        def metadata(self) -> Any:
            raise ValueError("nothing to say")

    assert read_metadata(Mute(dict, "")) is None


NOTHINGS: list[Any] = [None, True, 1.5, [], {}, ["x"], {"a": 1}]


@pytest.mark.parametrize("value", NOTHINGS)
def test_what_is_of_another_kind_is_left_out(value):
    assert text_of(value) is None
    assert count_of(value) is None
    assert place_of(value) is None
    assert code_of(value) is None


def test_what_is_of_the_right_kind_is_taken():
    assert (text_of("x"), count_of(3), place_of(-1), code_of("", 500)) == ("x", 3, -1, "500")
    assert (object_of({"a": 1}), list(objects_in([{}, 7, {"a": 1}])), items_in([1])) == ({"a": 1}, [{}, {"a": 1}], [1])


def test_a_count_that_telemetry_cannot_carry_is_none():
    assert (count_of(2**63 - 1), count_of(2**63), count_of(-1)) == (2**63 - 1, None, None)


def test_a_text_is_no_list():
    assert (list(objects_in("abc")), items_in("abc")) == ([], ())
