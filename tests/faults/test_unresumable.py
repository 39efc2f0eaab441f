"""Answers with more than text are never resumed, whatever the policy. The user gets a part and an error."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from faults_kit import Stage, sync_and_async
from resume_kit import (
    CHAT_API,
    COMPLETIONS_API,
    LINES,
    MESSAGES_API,
    POEM,
    RESPONSES_API,
    Api,
    broken,
    interrupted,
    play,
    resuming,
)

import l0
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.sse_writer import block, split

pytestmark = pytest.mark.usefixtures("on")

TOOL = Answer(
    tool_calls=(SimulatedToolCall(name="weather", arguments='{"city": "Oslo", "days": 3, "unit": "celsius"}'),)
)
SAYS_AND_CALLS = Answer(text="Let me look.", tool_calls=TOOL.tool_calls)
THINKS = Answer(reasoning="Well, let me think about that for a while.", text=POEM)
REFUSES = Answer(refusal="No, I am sorry, but I will not do that for you today.")
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
_NUMBER = re.compile(rb',"sequence_number":\d+')


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call that breaks after ``at`` events of ``answer``, before it is whole."""

    name: str
    api: Api
    answer: Answer = LINES
    request: dict[str, Any] = field(default_factory=dict)
    at: int = 14

    def __str__(self) -> str:
        return f"{self.api.name}-{self.name}"


CASES = [
    Case(name="tool call", api=CHAT_API, answer=TOOL, at=8),
    Case(name="text and tool call", api=CHAT_API, answer=SAYS_AND_CALLS, at=12),
    Case(name="reasoning", api=CHAT_API, answer=THINKS),
    Case(name="refusal", api=CHAT_API, answer=REFUSES, at=8),
    Case(name="json schema", api=CHAT_API, request={"response_format": {"type": "json_schema", "json_schema": {}}}),
    Case(name="json object", api=CHAT_API, request={"response_format": {"type": "json_object"}}),
    Case(name="two choices", api=CHAT_API, request={"n": 2}),
    Case(name="logprobs", api=CHAT_API, request={"logprobs": True}),
    Case(
        name="audio",
        api=CHAT_API,
        request={"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    ),
    Case(name="stored", api=CHAT_API, request={"store": True}),
    Case(name="web search", api=CHAT_API, request={"web_search_options": {}}),
    Case(name="two choices", api=COMPLETIONS_API, request={"n": 2}),
    Case(name="two prompts", api=COMPLETIONS_API, request={"prompt": ["one", "two"]}),
    Case(name="logprobs", api=COMPLETIONS_API, request={"logprobs": 2}),
    Case(name="logprobs of what was chosen", api=COMPLETIONS_API, request={"logprobs": 0}),
    Case(name="tool call", api=RESPONSES_API, answer=TOOL, at=8),
    Case(name="text and tool call", api=RESPONSES_API, answer=SAYS_AND_CALLS, at=16),
    Case(name="reasoning", api=RESPONSES_API, answer=THINKS, at=26),
    Case(name="refusal", api=RESPONSES_API, answer=REFUSES, at=8),
    Case(
        name="json schema",
        api=RESPONSES_API,
        request={"text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}},
    ),
    Case(name="logprobs", api=RESPONSES_API, request={"top_logprobs": 2, "include": ["message.output_text.logprobs"]}),
    Case(name="web search", api=RESPONSES_API, request={"tools": [{"type": "web_search"}]}),
    Case(name="conversation", api=RESPONSES_API, request={"conversation": "conv_1"}),
    Case(name="tool call", api=MESSAGES_API, answer=TOOL, at=8),
    Case(name="text and tool call", api=MESSAGES_API, answer=SAYS_AND_CALLS, at=11),
    Case(name="thinking", api=MESSAGES_API, answer=THINKS, at=22),
    Case(
        name="json schema",
        api=MESSAGES_API,
        request={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    Case(
        name="web search",
        api=MESSAGES_API,
        request={"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    ),
    Case(name="container", api=MESSAGES_API, request={"extra_body": {"container": "c_1"}}),
]


@sync_and_async
@pytest.mark.parametrize("case", CASES, ids=str)
def test_answer_with_more_than_text_is_never_resumed(stage: Stage, case: Case, sync: bool) -> None:
    for mode in ("exact", "prefill", "splice"):
        resume_points: list[l0.types.ResumePoint] = []
        policy = resuming(mode, on_resume=resume_points.append)
        reply = broken(case.answer, Fault.cut(at_event=case.at))
        got = play(stage, case.api, reply, Reply(answer=case.answer), sync=sync, policy=policy, **case.request)
        assert isinstance(got.error, l0.StreamInterrupted), mode
        assert got.error.reason == "incomplete_read"
        assert got.events
        assert len(got.requests) == 1, mode
        assert resume_points == []
        assert got.span["l0.outcome"] == "failed"
        assert "l0.resume.strategy" not in got.span


CITATIONS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "messages": (
        "content_block_delta",
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {
                "type": "citations_delta",
                "citation": {
                    "type": "char_location",
                    "cited_text": "a",
                    "document_index": 0,
                    "document_title": None,
                    "start_char_index": 0,
                    "end_char_index": 1,
                },
            },
        },
    ),
    "chat": (
        None,
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"annotations": [{"type": "url_citation", "url_citation": {}}]}}],
        },
    ),
    "responses": (
        "response.output_text.annotation.added",
        {
            "type": "response.output_text.annotation.added",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "annotation_index": 0,
            "annotation": {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "a", "url": "b"},
        },
    ),
}


@sync_and_async
@pytest.mark.parametrize("mode", ["exact", "prefill", "splice"])
@pytest.mark.parametrize("api", [MESSAGES_API, CHAT_API, RESPONSES_API], ids=lambda api: api.name)
def test_answer_with_citations_is_never_resumed(stage: Stage, api: Api, mode: str, sync: bool) -> None:
    """They point at places in the text, which a second answer may move."""
    asked = SimulatedRequest(model="m", stream=True, store=False, usage=False)
    healthy = b"".join(_NUMBER.sub(b"", each) for each in api.dialect.events(LINES, asked, AnswerIdentity.of(0, 0)))
    name, cited = CITATIONS[api.name]
    head = b"".join(list(split(healthy))[:12]) + block(cited, name)
    got = play(stage, api, RecordedBody(content=head), RecordedBody(content=healthy), sync=sync, policy=resuming(mode))
    assert interrupted(got, "truncated") is None
    assert len(got.requests) == 1
