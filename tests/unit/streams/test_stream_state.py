"""The metadata and the time to the first token of an answer that is, or was, under way."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest
from streams_kit import DRIVERS, QUICK, Source

from l0 import Event, EventType, Retry, l0, register_adapter
from l0.streams.adapters import ADAPTERS
from l0.types import ResponseMetadata


def complete(events: list[Any]) -> Any:
    """Return the metadata in the last event."""
    assert events[-1].type is EventType.COMPLETE
    return events[-1].data


def nothing(stream: Any, events: list[Any]) -> bool:
    return False


@pytest.mark.parametrize("driver", DRIVERS)
def test_plain_text_has_no_metadata_but_a_first_token(driver: str) -> None:
    events, _, stream = DRIVERS[driver]([Source(["a ", "b"])], nothing)
    assert complete(events) == stream.state.metadata == ResponseMetadata()
    assert 0 < stream.state.time_to_first_token <= stream.state.duration


def test_time_to_the_first_token_is_taken_as_it_arrives_even_if_it_is_held() -> None:
    """Empty items, and events without content, are no token."""
    around: list[float] = []

    def source() -> Iterator[Any]:
        yield ""
        yield Event(EventType.PROGRESS, "", 1)
        around.append(perf_counter())
        yield "a"
        around.append(perf_counter())
        yield "b"

    before = perf_counter()
    stream = l0.run_sync(source)
    after = perf_counter()
    assert stream.state.time_to_first_token is None
    assert stream.read() == "ab"
    first = stream.state.time_to_first_token
    assert first is not None
    assert around[0] - after <= first <= around[1] - before


@pytest.mark.parametrize("driver", DRIVERS)
def test_resumed_answer_keeps_its_first_token(driver: str) -> None:
    seen: list[float] = []

    def use(stream: Any, events: list[Any]) -> bool:
        seen.append(stream.state.time_to_first_token)
        return False

    broken = ConnectionResetError("gone")
    source = Source(["a", "b", broken], ["a", "b", "c"])
    events, error, _ = DRIVERS[driver]([source], use, resume="exact", retry=QUICK)
    assert (error, source.made, "".join(event.text for event in events)) == (None, 2, "abc")
    assert len(set(seen)) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_restarted_answer_has_a_first_token_of_its_own(driver: str) -> None:
    seen: list[float] = []

    def use(stream: Any, events: list[Any]) -> bool:
        seen.append(stream.state.time_to_first_token)
        return False

    source = Source(["a", ConnectionResetError("gone")], ["b"])
    _, error, _ = DRIVERS[driver]([source], use, resume="restart", retry=QUICK)
    assert error is None
    assert seen[0] < seen[-1]


@pytest.mark.parametrize("driver", DRIVERS)
def test_failed_and_untouched_streams_have_none(driver: str) -> None:
    _, error, stream = DRIVERS[driver]([Source([ConnectionResetError("gone")])], nothing, retry=Retry(max_retries=0))
    assert error is not None
    assert stream.state.time_to_first_token is None
    assert stream.state.metadata == ResponseMetadata()


def test_stream_of_another_stream_keeps_its_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decoder:
        has_pending = False

        def decode(self, item: Any) -> list[Event]:
            return [Event(EventType.TOKEN, item.decode())]

        def is_complete(self) -> bool | None:
            return None

        def metadata(self) -> ResponseMetadata:
            return ResponseMetadata(model="lines-1", finish_reasons=("stop",), output_tokens=3)

    class Lines:
        name = "lines of the test"

        def recognizes(self, item: object) -> bool:
            return isinstance(item, bytearray)

        def decoder(self) -> Decoder:
            return Decoder()

    monkeypatch.setattr(ADAPTERS, "_registered", ADAPTERS._registered)
    register_adapter(Lines())
    lines = [bytearray(b"a"), bytearray(b"b")]
    events = list(l0.run_sync(lambda: l0.run_sync(lambda: iter(lines))))
    metadata = complete(events)
    assert (metadata.model, metadata.finish_reasons, metadata.output_tokens) == ("lines-1", ("stop",), 3)
