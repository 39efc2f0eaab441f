"""The text of a stream's state, and its checkpoints, under a hold: only what the user has."""

from typing import Any

import pytest
from streams_kit import DRIVERS, QUICK, SeveralTexts, Source
from test_content import pieces_read

from l0 import CheckIntervals, EventType, Guardrails, Policy, Retry, StreamInterrupted

SECRET = Guardrails.pattern_rule("zzzz")
WORDS = [f"w{number} " for number in range(40)]
LEAK = [*(f"{number:02} " for number in range(30)), "sk-", "zz", "zz", " and more"]
ONCE = Retry(attempts=0, max_retries=0)
HOLDS = [None, "verified", "message"]


class Record:
    """Compares the state with the delivered text after each event."""

    def __init__(self) -> None:
        self.text = ""
        self.differences: list[tuple[str, str]] = []

    def __call__(self, stream: Any, events: list[Any]) -> bool:
        if events[-1].type is EventType.RESTART:
            self.text = ""
        if events[-1].is_token:
            self.text += events[-1].text
        state = stream.state
        if not self.text.startswith(state.content) and not state.content.startswith(self.text):
            self.differences.append((state.content, self.text))
        return False


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hold", ["verified", "message"])
def test_state_never_shows_text_that_a_rule_rejects(driver: str, hold: Any) -> None:
    record, shown = Record(), []

    def use(stream: Any, events: list[Any]) -> bool:
        shown.append((stream.state.content, stream.state.checkpoint))
        return record(stream, events)

    policy = Policy(hold=hold, guardrails=[SECRET])
    intervals = CheckIntervals(checkpoint=1)
    _, error, stream = DRIVERS[driver]([Source(LEAK)], use, policy=policy, retry=ONCE, check_intervals=intervals)
    assert isinstance(error, StreamInterrupted)
    assert bool(record.text) is (hold == "verified")
    for content, checkpoint in (*shown, (stream.state.content, stream.state.checkpoint)):
        assert "zz" not in content + checkpoint
        assert content.startswith(checkpoint)
    assert stream.state.content == record.text == error.partial_text
    assert record.differences == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hold", ["verified", "message"])
def test_an_attempt_that_is_retried_leaves_no_text(driver: str, hold: Any) -> None:
    shown: list[str] = []
    record = Record()
    _, error, stream = DRIVERS[driver](
        [Source(["a zzzz", " b"], WORDS)],
        record,
        policy=Policy(hold=hold, guardrails=[SECRET], retry=QUICK),
        on_retry=lambda attempt, state: shown.append(state.content),
    )
    assert (error, shown) == (None, [""])
    assert stream.state.content == record.text == "".join(WORDS)
    assert record.differences == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["exact", "restart"])
def test_text_of_a_resumed_answer(driver: str, mode: Any) -> None:
    record = Record()
    contents: list[str] = []

    def use(stream: Any, events: list[Any]) -> bool:
        contents.append(stream.state.content)
        return record(stream, events)

    source = Source([*WORDS[:25], ConnectionResetError("gone")], WORDS)
    _, error, stream = DRIVERS[driver](
        [source], use, policy=Policy(hold="verified", guardrails=[SECRET], retry=QUICK), resume=mode
    )
    assert (error, source.made) == (None, 2)
    assert stream.state.content == record.text == "".join(WORDS)
    assert record.differences == []
    assert stream.state.checkpoint == stream.state.content


@pytest.mark.parametrize("name", ["content", "checkpoint"])
def test_held_text_read_at_every_token_joins_each_piece_once(name: str) -> None:
    pieces = [f"{number} " for number in range(2_000)]
    policy = Policy(hold="verified", guardrails=[SECRET])
    assert pieces_read(name, pieces, policy=policy) <= 5 * len(pieces)


# -- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hold", HOLDS)
def test_checkpoints_come_every_interval_of_delivered_tokens(driver: str, hold: Any) -> None:
    record, points = Record(), []

    def checkpoint(point: Any) -> None:
        points.append((point.tokens, point.text))

    policy = Policy(hold=hold, guardrails=[SECRET]) if hold else Policy(guardrails=[SECRET])
    _, error, _ = DRIVERS[driver]([Source(WORDS)], record, policy=policy, on_checkpoint=checkpoint)
    assert error is None
    assert points == [(count, "".join(WORDS[:count])) for count in (10, 20, 30, 40)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_checkpoints_within_the_events_of_one_item(driver: str) -> None:
    points: list[Any] = []
    source = Source([{"texts": WORDS}])
    _, error, _ = DRIVERS[driver]([source], Record(), adapter=SeveralTexts(), on_checkpoint=points.append)
    assert error is None
    assert [point.tokens for point in points] == [10, 20, 30, 40]


@pytest.mark.parametrize("driver", DRIVERS)
def test_checkpoints_of_a_restarted_answer_begin_anew(driver: str) -> None:
    points: list[Any] = []
    source = Source([*WORDS[:15], ConnectionResetError("gone")], WORDS[:20])
    _, error, _ = DRIVERS[driver]([source], Record(), resume="restart", retry=QUICK, on_checkpoint=points.append)
    assert error is None
    assert [(point.tokens, point.text) for point in points] == [
        (count, "".join(WORDS[:count])) for count in (10, 10, 20)
    ]
