"""Deltas add up to metadata and tool calls; dialects translate odd shapes to deltas."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from l0.dialects import answer_fold
from l0.dialects.answer_fold import AnswerFold, complete_answer
from l0.dialects.chat import CHAT
from l0.dialects.completions import COMPLETIONS
from l0.dialects.deltas import (
    AnswerEnd,
    AnswerError,
    AudioDelta,
    ChoiceDelta,
    CompleteItem,
    Delta,
    FinishDelta,
    OpenCallsDropped,
    ReasoningDelta,
    RefusalDelta,
    StartDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallDelta,
    ToolCallEnd,
    UsageDelta,
)
from l0.dialects.messages import MESSAGES
from l0.dialects.responses import RESPONSES
from l0.dialects.tool_arguments import breaks_off
from l0.dialects.wire_dialect import WireDialect


def as_object(value: Any) -> Any:
    """JSON as an SDK's objects."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(each) for name, each in value.items()})
    return [as_object(each) for each in value] if isinstance(value, list) else value


def folded(*deltas: Delta, dialect: WireDialect = CHAT) -> AnswerFold:
    fold = AnswerFold(dialect)
    for delta in deltas:
        fold.add(delta)
    return fold


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, None),
        ({"output_tokens": 3}, None),
        ({"input_tokens": 1, "cache_write_tokens": 2}, 3),
        ({"input_tokens": 0}, 0),
        ({"input_tokens": 1, "cache_read_tokens": 4, "cache_write_tokens": 2}, 7),
    ],
    ids=str,
)
def test_input_tokens_include_cached_tokens(counts: dict[str, int], expected: int | None) -> None:
    assert folded(UsageDelta(counts), dialect=MESSAGES).metadata().input_tokens == expected
    assert folded(UsageDelta(counts), dialect=CHAT).metadata().input_tokens == counts.get("input_tokens")


def test_later_counts_replace_earlier_ones() -> None:
    found = folded(UsageDelta({"input_tokens": 5, "output_tokens": 1}), UsageDelta({"output_tokens": 9})).metadata()
    assert (found.input_tokens, found.output_tokens) == (5, 9)


def test_answer_is_complete_when_every_choice_has_its_finish_reason() -> None:
    assert not folded().complete()
    assert not folded(TextDelta("a"), ChoiceDelta(1), FinishDelta("stop")).complete()
    assert folded(TextDelta("a"), ChoiceDelta(1), FinishDelta("stop"), FinishDelta("stop", 1)).complete()
    assert not folded(FinishDelta("failed", ends=False)).complete()
    assert folded(AnswerEnd()).complete()
    assert folded(ChoiceDelta(0), FinishDelta("stop", 1)).metadata().finish_reasons == ("error", "stop")


def test_tool_call_is_put_together_from_pieces() -> None:
    fold = folded(
        ToolArgumentsDelta(7, "ignored: no call started here"),
        ToolCallDelta(0, "", "", '{"a"'),
        ToolCallDelta(0, "id", "name", ": 1"),
        ToolArgumentsDelta(0, "}"),
        ToolCallEnd(7),
    )
    assert fold.open_calls == {0: ToolCallDelta(0, "id", "name", '{"a": 1}')}
    fold.add(ToolCallEnd(0))
    assert (fold.open_calls, fold.calls) == ({}, [ToolCallDelta(0, "id", "name", '{"a": 1}')])
    fold.add(ToolCallEnd(1, ToolCallDelta(1, "x", "whole", "{}")))
    assert fold.calls[-1].name == "whole"


BROKEN = ToolCallDelta("a", "1", "f", '{"a"')


@pytest.mark.parametrize(
    ("dialect", "more", "breaks_off"),
    [
        (CHAT, [FinishDelta("stop")], True),
        (CHAT, [FinishDelta("tool_calls")], True),
        (CHAT, [FinishDelta("length")], False),
        (CHAT, [ToolCallDelta("b", "2", "g", "{}"), FinishDelta("stop")], True),
        (CHAT, [ToolCallDelta("a", "", "", ":1}"), FinishDelta("stop")], False),
        (MESSAGES, [ToolCallEnd("a"), FinishDelta("tool_use")], True),
        (MESSAGES, [ToolCallEnd("a"), FinishDelta("max_tokens")], False),
        (MESSAGES, [ToolCallEnd("a"), ToolArgumentsDelta("a", ":1}"), FinishDelta("tool_use")], False),
        (MESSAGES, [ToolCallEnd("a"), ToolCallDelta("a", "2", "g", "{}"), FinishDelta("tool_use")], True),
        (MESSAGES, [OpenCallsDropped(), FinishDelta("end_turn")], False),
        (RESPONSES, [ToolCallEnd("a", BROKEN), FinishDelta("completed")], True),
        (RESPONSES, [ToolCallEnd("a", BROKEN), FinishDelta("incomplete")], False),
        (RESPONSES, [ToolCallEnd("a", BROKEN), FinishDelta("failed", ends=False)], False),
    ],
    ids=lambda value: value.name if isinstance(value, WireDialect) else str(value),
)
def test_tool_call_breaks_off_if_the_model_ended_the_answer(
    dialect: WireDialect, more: list[Delta], breaks_off: bool
) -> None:
    assert folded(BROKEN, *more, dialect=dialect).breaks_off is breaks_off
    free = folded(replace(BROKEN, free_text=True), FinishDelta("stop"), dialect=CHAT)
    assert (free.breaks_off, free.calls[0].arguments) == (False, BROKEN.arguments)


def test_calls_that_break_off_are_judged_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    monkeypatch.setattr(answer_fold, "breaks_off", lambda text: judged.append(text) or breaks_off(text))
    calls = [ToolCallDelta(number, str(number), "f", '{"a"') for number in range(100)]
    assert folded(*calls, FinishDelta("stop")).breaks_off
    assert len(judged) <= 2 * len(calls)


def test_early_end_of_a_tool_call_leaves_it_open() -> None:
    fold = folded(BROKEN, ToolCallEnd("a"), dialect=MESSAGES)
    assert fold.calls == []
    for delta in (ToolArgumentsDelta("a", ": 1}"), FinishDelta("tool_use")):
        fold.add(delta)
    assert [call.arguments for call in fold.calls] == ['{"a": 1}']


@pytest.mark.parametrize(
    ("given", "certain"),
    [
        ([TextDelta("a"), FinishDelta("stop")], True),
        ([TextDelta("a"), FinishDelta("stop", alone=False)], False),
        ([TextDelta("a"), FinishDelta("stop"), TextDelta("b")], False),
        ([TextDelta("a"), FinishDelta("stop"), ToolCallDelta("a", "1", "f", "{}")], False),
        ([TextDelta("a"), FinishDelta("stop"), UsageDelta({})], True),
        ([TextDelta("a"), TextDelta("b", 1), FinishDelta("stop")], False),
        ([TextDelta("a"), FinishDelta("stop", alone=False), AnswerEnd()], True),
        ([], False),
    ],
    ids=str,
)
def test_answer_is_certainly_complete_if_its_end_came_last(given: list[Delta], certain: bool) -> None:
    assert folded(*given).certainly_complete() is certain


def test_only_sequential_calls_end_at_the_next() -> None:
    started = ToolCallDelta(0, "", "a", ""), ToolCallDelta(1, "", "b", "")
    assert [call.name for call in folded(*started, dialect=CHAT).calls] == ["a"]
    assert folded(*started, dialect=RESPONSES).calls == []


MINIMAL: dict[str, Any] = {"id": "1", "model": "m"}
START = StartDelta("1", "m")
CASES: list[tuple[WireDialect, dict[str, Any], list[Delta]]] = [
    (
        CHAT,
        MINIMAL | {"choices": [{"index": 0, "delta": {"reasoning": "hm", "refusal": "no"}}]},
        [START, ReasoningDelta("hm"), RefusalDelta("no")],
    ),
    (
        CHAT,
        MINIMAL | {"choices": [{"delta": {"tool_calls": [{"id": "c", "custom": {"name": "n", "input": "free"}}]}}]},
        [START, ToolCallDelta((0, 0), "c", "n", "free", free_text=True)],
    ),
    (
        CHAT,
        MINIMAL | {"choices": [{"index": 1, "delta": {"audio": "sound"}, "finish_reason": "error"}]},
        [
            START,
            AudioDelta("sound", choice=1),
            FinishDelta("error", 1, alone=False),
            AnswerError("the provider ended the answer with an error", None),
        ],
    ),
    (COMPLETIONS, MINIMAL | {"choices": [{"index": 0, "text": "a"}]}, [START, TextDelta("a")]),
    (
        RESPONSES,
        {"type": "response.output_item.done", "output_index": 2, "item": {"type": "web_search_call"}},
        [CompleteItem({"type": "web_search_call"}, index=2)],
    ),
    (
        RESPONSES,
        {
            "type": "response.output_item.done",
            "output_index": 2,
            "item": {"type": "custom_tool_call", "id": "u", "call_id": "c", "name": "n", "input": "free"},
        },
        [ToolCallEnd(2, ToolCallDelta(2, "c", "n", "free", free_text=True))],
    ),
    (
        MESSAGES,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "name": "web_search"}},
        [CompleteItem({"type": "server_tool_use", "name": "web_search"})],
    ),
    (
        MESSAGES,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "first piece"}},
        [TextDelta("first piece")],
    ),
]


@pytest.mark.parametrize(("dialect", "event", "expected"), CASES, ids=lambda value: getattr(value, "name", None))
def test_event_means_the_same_as_json_and_as_object(
    dialect: WireDialect, event: dict[str, Any], expected: list[Delta]
) -> None:
    assert dialect.deltas(event) == expected
    plain = [
        replace(one, value=as_object(one.value)) if isinstance(one, CompleteItem | AudioDelta) else one
        for one in expected
    ]
    assert dialect.deltas(as_object(event)) == plain


@pytest.mark.parametrize("odd", [None, 5, "text", [], [None, 3, "x", []], {}, {"type": 3}, True], ids=repr)
@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS, RESPONSES, MESSAGES], ids=lambda dialect: dialect.name)
def test_fields_of_another_shape_are_left_out(dialect: WireDialect, odd: Any) -> None:
    names = ["id", "model", "choices", "usage", "output", "content", "status", "stop_reason", "error"]
    answer = dict.fromkeys(names, odd)
    found = complete_answer(dialect, answer)
    assert found.text in ("", "text")
    assert json.dumps(found.calls) == "[]"
