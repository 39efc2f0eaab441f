"""Answers that break after a part was delivered: what reaches the consumer is one contiguous answer, or it raises."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams_kit import CALL, DRIVERS, QUICK, Source

from l0 import EventType, Retry, StreamInterrupted, l0
from l0.dialects.overlap import MIN_OVERLAP

BROKEN = ConnectionResetError("gone")


def nothing(stream: Any, events: list[Any]) -> bool:
    return False


def text(events: list[Any]) -> str:
    return "".join(event.text for event in events if event.is_token)


def cut(answer: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(answer), *(place % (len(answer) + 1) for place in places)})
    return [answer[start:end] for start, end in pairwise(bounds)]


@pytest.mark.parametrize("driver", DRIVERS)
@given(
    answer=st.text("ab ", min_size=2, max_size=20),
    cuts=st.lists(st.lists(st.integers(0, 40), max_size=5), min_size=2, max_size=4),
    breaks=st.lists(st.integers(0, 40), min_size=3, max_size=3),
)
def test_exact_however_the_answer_is_cut_and_breaks(
    driver: str, answer: str, cuts: list[list[int]], breaks: list[int]
) -> None:
    whole = [cut(answer, places) for places in cuts]
    scripts: list[list[Any]] = [
        [*pieces[: at % (len(pieces) + 1)], BROKEN] for pieces, at in zip(whole[:-1], breaks, strict=False)
    ]
    events, error, stream = DRIVERS[driver]([Source(*scripts, whole[-1])], nothing, resume="exact", retry=QUICK)
    assert error is None
    assert text(events) == answer == stream.state.content


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("second", [["ax", "c"], ["a"], ["b"]], ids=str)
def test_exact_raises_at_the_first_difference(driver: str, second: list[str]) -> None:
    events, error, stream = DRIVERS[driver]([Source(["a", "b", BROKEN], second)], nothing, resume="exact", retry=QUICK)
    assert isinstance(error, StreamInterrupted)
    assert error.reason in ("diverged", "truncated")
    assert text(events) == error.partial_text == "ab"
    assert not stream.state.completed


@pytest.mark.parametrize("driver", DRIVERS)
def test_splice_hands_the_text_so_far_to_the_source(driver: str) -> None:
    first = "The tide comes in "
    rest = "and goes out."
    asked: list[str] = []

    def sync_source(said: str) -> Any:
        asked.append(said)
        return Source([first, BROKEN] if not said else [said[-MIN_OVERLAP:], rest]).plain()

    def async_source(said: str) -> Any:
        asked.append(said)
        return Source([first, BROKEN] if not said else [said[-MIN_OVERLAP:], rest]).aplain()

    class Asked:
        plain, aplain = staticmethod(sync_source), staticmethod(async_source)

    events, error, stream = DRIVERS[driver]([Asked()], nothing, resume="splice", retry=QUICK)  # type: ignore[list-item]
    assert (error, asked) == (None, ["", first])
    assert text(events) == first + rest == stream.state.content


@pytest.mark.parametrize("driver", DRIVERS)
def test_restart_event_precedes_the_new_answer(driver: str) -> None:
    events, error, stream = DRIVERS[driver](
        [Source(["a", "b", BROKEN], ["x", BROKEN], ["c", "d"])], nothing, resume="restart", retry=QUICK
    )
    assert error is None
    assert [event.text or event.type.value for event in events] == [
        *("a", "b", "restart", "x", "restart", "c", "d", "complete")
    ]
    assert (stream.state.content, stream.state.restarts, stream.state.tokens) == ("cd", 2, 2)


@pytest.mark.parametrize("resume", ["exact", "restart"])
def test_a_source_that_is_asked_for_the_whole_answer_is_given_no_text(resume: str) -> None:
    asked: list[str] = []

    def source(said: str) -> Any:
        asked.append(said)
        return Source(["a", BROKEN] if len(asked) == 1 else ["ab"]).plain()

    with l0.run_sync(source, resume=resume, retry=QUICK) as stream:  # type: ignore[arg-type]
        assert stream.read() == "ab"
    assert asked == ["", ""]


@pytest.mark.parametrize("resume", ["exact", "restart"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_no_resume_after_a_tool_call(driver: str, resume: str) -> None:
    source = Source(["a", CALL, BROKEN], ["a"])
    events, error, _ = DRIVERS[driver]([source], nothing, resume=resume, retry=QUICK)
    assert isinstance(error, ConnectionResetError)
    assert source.made == 1
    assert [event.type for event in events] == [EventType.TOKEN, EventType.TOOL_CALL]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_stream_that_is_no_function_is_asked_once(driver: str) -> None:
    class Once:
        made = 0

        def __init__(self) -> None:
            self.plain, self.aplain = iter(["a", BROKEN]), _raising()

    _, error, stream = DRIVERS[driver]([Once()], nothing, resume="restart", retry=QUICK)  # type: ignore[list-item]
    assert isinstance(error, ConnectionResetError | TypeError)
    assert stream.state.attempts == 1


def test_a_stream_that_is_no_function_is_the_reason_for_no_retry(caplog: pytest.LogCaptureFixture) -> None:
    class Unreachable:
        def __iter__(self) -> Any:
            raise BROKEN

    with pytest.raises(ConnectionResetError), l0.run_sync(Unreachable(), retry=QUICK) as stream:
        stream.read()
    assert "no further attempt: the source can be read only once" in caplog.text


async def _raising() -> Any:
    yield "a"
    raise BROKEN


def test_a_whole_text_is_an_answer() -> None:
    with l0.run_sync(lambda: "all of it") as stream:
        assert stream.read() == "all of it"


@pytest.mark.parametrize("driver", DRIVERS)
def test_restart_falls_back_after_the_first_word(driver: str) -> None:
    first, second = Source(["a", BROKEN]), Source(["b", "c"])
    retry = Retry(max_retries=1, base_delay=0.0)
    events, error, stream = DRIVERS[driver]([first, second], nothing, resume="restart", retry=retry)
    assert error is None
    assert [event.text or event.type.value for event in events] == [
        *("a", "restart", "a", "restart", "b", "c", "complete")
    ]
    assert (stream.state.content, stream.state.leg, stream.state.restarts) == ("bc", 1, 2)


class Asked:
    """A source that takes the text so far, and one that takes none."""

    def __init__(self, first: str, rest: list[str]) -> None:
        self.first, self.rest = first, rest
        self.said: list[str] = []

    def plain(self, said: str) -> Any:
        self.said.append(said)
        return Source([self.first, BROKEN] if not said else self.rest).plain()

    def aplain(self, said: str) -> Any:
        self.said.append(said)
        return Source([self.first, BROKEN] if not said else self.rest).aplain()


@pytest.mark.parametrize("driver", DRIVERS)
def test_splice_falls_back_after_the_first_word_without_the_overlap(driver: str) -> None:
    first, rest = "The tide comes in ", "and goes out."
    primary, plain = Asked(first, [BROKEN]), Source(["never asked"])  # type: ignore[list-item]
    second = Asked(first, [first[-MIN_OVERLAP:], rest])
    retry = Retry(max_retries=0)
    events, error, stream = DRIVERS[driver]([primary, plain, second], nothing, resume="splice", retry=retry)  # type: ignore[list-item]
    assert (error, primary.said, plain.made, second.said) == (None, [""], 0, [first])
    assert text(events) == first + rest == stream.state.content
    assert stream.state.leg == 2


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("resume", ["off", "exact"])
def test_other_answers_do_not_fall_back_after_the_first_word(driver: str, resume: Any) -> None:
    second = Source(["ab"])
    retry = Retry(max_retries=0)
    _, error, _ = DRIVERS[driver]([Source(["a", BROKEN]), second], nothing, resume=resume, retry=retry)
    assert isinstance(error, ConnectionResetError)
    assert second.made == 0


@pytest.mark.parametrize("mode", ["exact", "restart"])
def test_raw_items_are_not_delivered_twice(mode: Any) -> None:
    source = Source(["one ", "two ", BROKEN], ["one ", "two ", "three "])
    stream = l0.run_sync(source.plain, resume=mode, retry=QUICK)
    items: list[str] = []
    with pytest.raises(StreamInterrupted):
        items.extend(stream.raw())
    assert source.made == 1
    again = Source([BROKEN], ["one ", "two "])
    assert list(l0.run_sync(again.plain, resume=mode, retry=QUICK).raw()) == ["one ", "two "]
