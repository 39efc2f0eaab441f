"""Reading of streams: text, closing, errors, and rejected objects."""

import asyncio

import pytest
from orchestration_tasks import run

from l0.model.errors import StreamInterrupted
from l0.orchestration.stream_reading import read, text_of
from l0.orchestration.tasks import answer
from l0.streams.run import run as l0_run
from l0.streams.stream_events import Event, EventType, UnknownStreamError


class Source:
    """An async iterator that records its closing."""

    def __init__(self, *items, error=None):
        self._items = iter(items)
        self._error = error
        self.closed = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        for item in self._items:
            return item
        raise self._error or StopAsyncIteration

    async def aclose(self):
        self.closed += 1


class Manager:
    """Context manager as an SDK's helper returns it: entering it returns a stream."""

    def __init__(self, source):
        self.source = source
        self.left = False

    async def __aenter__(self):
        return self.source

    async def __aexit__(self, *_):
        self.left = True


def test_read_joins_text_and_closes_the_stream():
    source = Source("one ", "two")
    assert run(read(source)) == "one two"
    assert source.closed == 1


@pytest.mark.parametrize("error", [ConnectionError("gone"), asyncio.CancelledError()])
def test_read_closes_the_stream_after_an_error(error):
    source = Source("one ", error=error)
    with pytest.raises(type(error)):
        run(read(source))
    assert source.closed == 1


def test_read_enters_and_exits_a_stream_helper():
    manager = Manager(Source("text"))
    assert run(answer(lambda: manager)) == "text"
    assert manager.left


def test_restart_event_discards_the_text_before_it():
    events = [Event(EventType.TOKEN, "void"), Event(EventType.RESTART), Event(EventType.TOKEN, "text")]
    assert run(read(Source(*events, Event(EventType.COMPLETE)))) == "text"


def test_error_event_is_raised_with_partial_text():
    with pytest.raises(StreamInterrupted, match="overloaded") as raised:
        run(read(Source(Event(EventType.TOKEN, "half"), Event(EventType.ERROR, "overloaded"))))
    assert (raised.value.partial_text, raised.value.reason) == ("half", "in_band_error")


def test_read_l0_stream():
    async def words():
        yield "one "
        yield "two"

    assert run(answer({"stream": words})) == "one two"
    assert run(answer(lambda: l0_run(words))) == "one two"
    assert run(answer(lambda: {"stream": words})) == "one two"


def test_aborted_l0_stream_is_an_error():
    async def main():
        async def words():
            yield "one "
            stream.abort()
            yield "two"

        stream = await l0_run(words)
        await read(stream)

    with pytest.raises(StreamInterrupted, match="aborted"):
        run(main())


def test_sync_stream_is_rejected_and_closed():
    closed = []

    def words():
        try:
            yield "one"
        finally:
            closed.append(True)

    def begun():
        made = words()
        next(made)
        return made

    with pytest.raises(TypeError, match="a sync stream"):
        run(answer(begun))
    assert closed == [True]


def test_unknown_stream_item_is_named():
    with pytest.raises(UnknownStreamError, match="Source"):
        run(read(Source(Source())))


@pytest.mark.parametrize("value", ["text", 5, None, {"a": 1}, [1]])
def test_text_of_other_values_is_none(value):
    assert run(answer(lambda: value)) == value
    assert text_of(value) is None
