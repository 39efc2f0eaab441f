"""Whole answers that their users read on their own: their spans tell what others tell."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from journeys_kit import MESSAGING, Spans, async_claude, claude, origin

import l0
from l0.simulator.answers import Answer
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.stainless import sdk_responses

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [{"type": "text", "text": "Hi there"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 2},
}
TOLD = {
    "gen_ai.response.id": "msg_1",
    "gen_ai.response.model": "claude-test",
    "gen_ai.response.finish_reasons": ("end_turn",),
    "gen_ai.usage.input_tokens": 9,
    "gen_ai.usage.output_tokens": 2,
}
PLAIN = json.dumps(ANSWER).encode()
READ: dict[str, Callable[[Any], Any]] = {
    "read": lambda response: response.read(),
    "json": lambda response: response.json(),
    "parse": lambda response: response.parse(),
    "bytes": lambda response: list(response.iter_bytes(3)),
    "lines": lambda response: list(response.iter_lines()),
}


def told(spans: Spans) -> dict[str, Any]:
    """Return the attributes of the span of the only answer."""
    attributes = spans.only.attributes or {}
    assert attributes["l0.outcome"] == "ok"
    return {name: attributes[name] for name in TOLD if name in attributes}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_span_of_a_user_read_body_has_the_usual_attributes(
    sim: Simulator, spans: Spans, packed: bool, read: str
) -> None:
    headers = {"content-type": "application/json"} | ({"content-encoding": "gzip"} if packed else {})
    with origin(gzip.compress(PLAIN) if packed else PLAIN, headers) as url:
        client = claude(sim, base_url=url.removesuffix("/v1"))
        with client.messages.with_streaming_response.create(**MESSAGING) as response:
            READ[read](response)
    assert told(spans) == TOLD


def test_span_of_a_user_read_body_has_the_usual_attributes_async(sim: Simulator, spans: Spans) -> None:
    async def read(url: str) -> Any:
        async with (
            async_claude(sim, base_url=url.removesuffix("/v1")) as client,
            client.messages.with_streaming_response.create(**MESSAGING) as response,
        ):
            return await response.json()

    with origin(PLAIN, {"content-type": "application/json"}) as url:
        assert asyncio.run(read(url)) == ANSWER
    assert told(spans) == TOLD


@pytest.mark.parametrize("content", [b"{", b"[1]", b""], ids=["no JSON", "another shape", "nothing"])
def test_what_is_no_answer_is_its_users_to_judge(sim: Simulator, spans: Spans, content: bytes) -> None:
    with origin(content, {"content-type": "application/json"}) as url:
        client = claude(sim, base_url=url.removesuffix("/v1"))
        with client.messages.with_streaming_response.create(**MESSAGING) as response:
            assert response.read() == content
    assert told(spans) == {}


def test_user_read_body_is_not_kept_without_observers(sim: Simulator) -> None:
    l0.instrument()
    with origin(PLAIN, {"content-type": "application/json"}) as url:
        client = claude(sim, base_url=url.removesuffix("/v1"))
        with client.messages.with_streaming_response.create(**MESSAGING) as response:
            assert response.http_response.stream.body_parts is None
            assert response.read() == PLAIN


def test_of_a_long_answer_nothing_is_kept(sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_responses, "_MAX_PARSED_BYTES", len(PLAIN) - 1)
    with origin(PLAIN, {"content-type": "application/json"}) as url:
        client = claude(sim, base_url=url.removesuffix("/v1"))
        with client.messages.with_streaming_response.create(**MESSAGING) as response:
            assert response.read() == PLAIN
            assert response.http_response.stream.body_parts is None
    assert told(spans) == {}


RULE = l0.Guardrails.pattern_rule("secret", severity="fatal")
UNCHECKED = {
    "guardrails": (l0.Policy(guardrails=RULE), "Policy.guardrails to this"),
    "drift and hold": (l0.Policy(drift=True, hold="verified"), "Policy.drift and Policy.hold to this"),
    "hold": (l0.Policy(hold="message"), "Policy.hold to this"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["complete", "streamed"])
@pytest.mark.parametrize("case", UNCHECKED)
def test_rules_that_cannot_check_a_user_read_body_are_named_at_its_line(
    sim: Simulator, case: str, stream: bool
) -> None:
    policy, message = UNCHECKED[case]
    l0.instrument(policy)
    options: Any = {**MESSAGING, "stream": stream}
    with (
        claude(sim).messages.with_streaming_response.create(**options) as response,
        pytest.warns(RuntimeWarning, match=message) as caught,
    ):
        assert list(response.iter_bytes())
    assert [warning.filename for warning in caught] == [__file__]


def test_rules_that_cannot_check_a_user_read_body_are_named_async(sim: Simulator) -> None:
    l0.instrument(l0.Policy(guardrails=RULE))

    async def read() -> Any:
        async with (
            async_claude(sim) as client,
            client.messages.with_streaming_response.create(**MESSAGING) as response,
        ):
            return await response.json()

    with pytest.warns(RuntimeWarning, match=r"Policy\.guardrails") as caught:
        assert asyncio.run(read())["role"] == "assistant"
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("policy", [None, l0.Policy(structured=True)], ids=["none", "no schema in the request"])
def test_user_read_body_without_rules_causes_no_warning(sim: Simulator, policy: l0.Policy | None) -> None:
    l0.instrument(policy)
    with claude(sim).messages.with_streaming_response.create(**MESSAGING) as response:
        assert response.read()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_stream_that_the_sdk_parses_is_checked_without_a_warning(sim: Simulator, packed: bool) -> None:
    options: Any = {**MESSAGING, "stream": True}
    sim.script(Reply(answer=Answer(text="a secret")))
    with claude(sim).messages.with_streaming_response.create(**options) as response:
        body = response.read()
    l0.instrument(l0.Policy(guardrails=RULE))
    headers = {"content-type": "text/event-stream"} | ({"content-encoding": "gzip"} if packed else {})
    with (
        origin(gzip.compress(body) if packed else body, headers) as url,
        claude(sim, base_url=url.removesuffix("/v1")).messages.with_streaming_response.create(**options) as response,
        pytest.raises(l0.StreamInterrupted, match="pattern"),
    ):
        list(response.parse())
