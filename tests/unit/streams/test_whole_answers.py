"""Readers of whole answers show nothing before the end, so that a failure at any point is repeated."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from streams_kit import QUICK, Source

from l0 import EventType, Guardrails, Policy, StreamInterrupted, l0
from l0.types import AttemptStarted

BROKEN = ConnectionResetError("gone")


def read_sync(sources: list[Source], **options: Any) -> str:
    with l0.run_sync(sources[0].plain, fallbacks=[one.plain for one in sources[1:]], **options) as stream:
        return stream.read()


def read_async(sources: list[Source], **options: Any) -> str:
    async def main() -> str:
        fallbacks = [one.aplain for one in sources[1:]]
        async with await l0(sources[0].aplain, fallbacks=fallbacks, **options) as stream:
            return await stream.read()

    return asyncio.run(main())


READERS = {"sync": read_sync, "async": read_async}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("resume", ["off", "restart", "exact"])
@pytest.mark.parametrize("hold", ["first_content", "verified", "message"])
def test_read_retries_an_answer_that_broke_after_its_first_word(reader: str, resume: Any, hold: Any) -> None:
    source = Source(["one ", "two", BROKEN], ["other ", BROKEN], ["whole ", "answer"])
    text = READERS[reader]([source], retry=QUICK, resume=resume, policy=Policy(hold=hold))
    assert (text, source.made) == ("whole answer", 3)


@pytest.mark.parametrize("reader", READERS)
def test_read_falls_back_after_the_first_word(reader: str) -> None:
    first, second = Source(["half", BROKEN]), Source(["whole"])
    assert READERS[reader]([first, second], retry=QUICK) == "whole"
    assert (first.made, second.made) == (1 + QUICK.max_retries, 1)


@pytest.mark.parametrize("reader", READERS)
def test_read_stays_within_the_retries_of_the_policy(reader: str) -> None:
    source = Source(["half", BROKEN])
    with pytest.raises(StreamInterrupted, match="4 characters had arrived") as raised:
        READERS[reader]([source], retry=QUICK)
    assert (raised.value.partial_text, raised.value.attempts) == ("half", 1 + QUICK.max_retries)


@pytest.mark.parametrize("reader", READERS)
def test_read_retries_an_answer_that_a_rule_rejects(reader: str) -> None:
    source = Source(["{", '"a": 1', ", never}"], ["{", "}"])
    assert READERS[reader]([source], retry=QUICK, guardrails=[Guardrails.json_rule()]) == "{}"
    assert source.made == 2


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["on_token", "on_event", "on_tool_call", "on_checkpoint"])
def test_read_does_not_retry_what_a_callback_has_shown(reader: str, name: str) -> None:
    source = Source(["half", BROKEN], ["whole"])
    with pytest.raises(StreamInterrupted):
        READERS[reader]([source], retry=QUICK, **{name: lambda value: None})
    assert source.made == 1


def test_read_after_a_part_was_read_does_not_retry_it() -> None:
    source = Source(["half", "more", BROKEN], ["whole"])
    stream = l0.run_sync(source.plain, retry=QUICK)
    assert next(stream).text == "half"
    with pytest.raises(StreamInterrupted) as raised:
        stream.read()
    assert (raised.value.partial_text, source.made) == ("halfmore", 1)


def test_read_of_a_continued_answer_asks_for_the_rest_alone() -> None:
    asked: list[str] = []

    def source(said: str) -> Any:
        asked.append(said)
        return Source(["the first half ", BROKEN] if not said else ["and the rest"]).plain()

    assert l0.run_sync(source, retry=QUICK, resume="splice").read() == "the first half and the rest"
    assert asked == ["", "the first half "]


@pytest.mark.parametrize("reader", READERS)
def test_state_of_a_retried_answer(reader: str) -> None:
    seen: list[Any] = []
    source = Source(["half", BROKEN], ["whole"])
    READERS[reader]([source], retry=QUICK, on_complete=seen.append, on_retry=seen.append)
    retried, state = seen
    assert retried.failure.reason if hasattr(retried.failure, "reason") else retried.number == 2
    assert (state.content, state.attempts, state.tokens, state.restarts) == ("whole", 2, 1, 0)


class Events(list[Any]):
    """The events of a call, as an observer receives them."""

    def __call__(self, call: Any, event: Any) -> None:
        self.append(event)

    def stats(self) -> Any:
        return self[-1].stream_stats

    @property
    def last_attempt_started(self) -> float:
        """Seconds from the start of the call to the last request."""
        began = self[-1].at - self.stats().duration
        return max(event.at for event in self if isinstance(event, AttemptStarted)) - began


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("spare", [False, True], ids=["retry", "fallback"])
def test_first_chunk_of_a_retried_answer_is_that_of_the_answer_read(reader: str, spare: bool) -> None:
    events, half = Events(), ["half", "more", BROKEN]
    sources = [Source(half), Source(["whole"])] if spare else [Source(half, ["whole"])]
    assert READERS[reader](sources, retry=QUICK, observers=[events]) == "whole"
    assert events.stats().chunks == 2  # the word and the completion
    assert events.stats().first_chunk >= events.last_attempt_started


@pytest.mark.parametrize("reader", READERS)
def test_failed_answer_that_is_read_at_its_end_has_no_first_chunk(reader: str) -> None:
    events = Events()
    with pytest.raises(StreamInterrupted):
        READERS[reader]([Source(["half", BROKEN])], retry=QUICK, observers=[events])
    assert (events.stats().chunks, events.stats().first_chunk, events.stats().last_chunk) == (0, None, None)


def test_first_chunk_of_an_answer_read_in_part_stays() -> None:
    events = Events()
    stream = l0.run_sync(Source(["half", "more", BROKEN]).plain, retry=QUICK, observers=[events])
    next(stream)
    with pytest.raises(StreamInterrupted):
        stream.read()
    assert events.stats().chunks == 2
    assert events.stats().first_chunk is not None


def test_iterating_is_committed_at_the_first_word() -> None:
    source = Source(["half", BROKEN], ["whole"])
    stream = l0.run_sync(source.plain, retry=QUICK)
    with pytest.raises(StreamInterrupted):
        for event in stream:
            assert event.type is EventType.TOKEN
    assert source.made == 1


class Port(BaseModel):
    city: str


async def test_structured_answer_is_retried_after_its_first_word() -> None:
    source = Source(['{"city"', BROKEN], ['{"city": "Oslo"}'])
    found = await l0.structured(Port, source.aplain, retry=QUICK)
    assert (found.value.city, source.made) == ("Oslo", 2)


pytestmark = pytest.mark.anyio
