"""Answers in one piece that are no answer: a page of a proxy, an empty body, half a JSON, with status 200."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from types import NoneType
from typing import Any

import anthropic
import openai
import pytest
from installed import needs_responses, transport_of
from journeys_kit import (
    CHATTING,
    MESSAGING,
    RESPONDING,
    async_chat_client,
    async_claude,
    chat_client,
    claude,
    sync_and_async,
)

import l0
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

FAULTS = {
    "a page": Fault.html(),
    "nothing": Fault.empty(),
    "half a JSON": Fault.clean_end(),
    "nothing, as JSON": Fault.status(200, {"content-type": "application/json"}, b""),
}
ERRORS = (openai.APIConnectionError, anthropic.APIConnectionError, ValueError)
CALLS: dict[str, tuple[bool, Callable[[Any], Any]]] = {
    "chat": (True, lambda client: client.chat.completions.create(**CHATTING)),
    "chat, raw": (True, lambda client: client.chat.completions.with_raw_response.create(**CHATTING)),
    "responses": (True, lambda client: client.responses.create(**RESPONDING)),
    "responses, stored": (True, lambda client: client.responses.create(**RESPONDING | {"store": True})),
    "messages": (False, lambda client: client.messages.create(**MESSAGING)),
    "messages, raw": (False, lambda client: client.messages.with_raw_response.create(**MESSAGING)),
}
cases = pytest.mark.parametrize(
    ("ours", "call", "fault"),
    [
        pytest.param(*CALLS[call], fault, id=f"{name}-{call}")
        for call in CALLS
        for name, fault in FAULTS.items()
        if not (name == "nothing" and call.endswith("raw"))  # who reads a raw response may want its headers only
    ],
)


def made(sim: Simulator, sync: bool, ours: bool, call: Callable[[Any], Any]) -> Any:
    """Return the answer of a call, parsed if it is raw."""

    async def acall() -> Any:
        async with async_chat_client(sim) if ours else async_claude(sim) as client:
            answer = parsed(await call(client))
            return await answer if isawaitable(answer) else answer

    return parsed(call(chat_client(sim) if ours else claude(sim))) if sync else asyncio.run(acall())


def parsed(answer: Any) -> Any:
    return answer.parse() if hasattr(answer, "http_response") else answer


@sync_and_async
@cases
def test_whole_answer_that_is_none_is_retried(
    sim: Simulator, sync: bool, ours: bool, call: Callable[[Any], Any], fault: Fault
) -> None:
    whole = made(sim, sync, ours, call)
    sim.reset()
    l0.instrument()
    sim.script(fault)
    assert type(made(sim, sync, ours, call)) is type(whole)
    assert [request.headers["x-stainless-retry-count"] for request in sim.requests] == ["0", "1"]


@sync_and_async
@cases
def test_whole_answer_that_is_none_every_time_is_an_error(
    sim: Simulator, sync: bool, ours: bool, call: Callable[[Any], Any], fault: Fault
) -> None:
    l0.instrument()
    sim.script(*[fault] * 3)
    with pytest.raises(ERRORS):
        made(sim, sync, ours, call)
    assert len(sim.requests) == 3


@needs_responses
def test_whole_answer_with_an_effect_is_not_retried(sim: Simulator) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0)))
    sim.script(Fault.html())
    with pytest.raises(openai.APIConnectionError):
        chat_client(sim).responses.create(**RESPONDING, conversation="conv_1")
    assert len(sim.requests) == 1


RULES: tuple[l0.Policy | None, ...] = (None, l0.Policy(guardrails="recommended", retry=l0.Retry(base_delay=0)))
FORMS: dict[str, Any] = {"text": str, "bytes": bytes, "response": transport_of(openai).Response, "nothing": NoneType}


def posted(sim: Simulator, sync: bool, form: Any) -> Any:
    """Return the answer to a chat in a form that is not the SDK's model."""

    async def acall() -> Any:
        async with async_chat_client(sim) as client:
            return await client.post("/chat/completions", cast_to=form, body=CHATTING)

    return asyncio.run(acall()) if not sync else chat_client(sim).post("/chat/completions", cast_to=form, body=CHATTING)


@sync_and_async
@pytest.mark.parametrize("policy", RULES, ids=["", "guardrails"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.filterwarnings("ignore:l0 does not apply:RuntimeWarning")
def test_whole_answer_in_the_form_that_the_user_chose(
    sim: Simulator, sync: bool, form: Any, policy: l0.Policy | None
) -> None:
    l0.instrument(policy)
    assert isinstance(posted(sim, sync, form), form)
    assert len(sim.requests) == 1


@sync_and_async
@pytest.mark.parametrize("form", [str, bytes, transport_of(openai).Response], ids=["text", "bytes", "response"])
def test_rules_read_each_form_of_a_whole_answer(sim: Simulator, sync: bool, form: Any) -> None:
    l0.instrument(RULES[1])
    sim.script(Reply(answer=Answer(text="")))
    assert isinstance(posted(sim, sync, form), form)
    assert len(sim.requests) == 2


@sync_and_async
def test_rules_that_cannot_read_a_discarded_answer_warn(sim: Simulator, sync: bool) -> None:
    l0.instrument(RULES[1])
    sim.script(Reply(answer=Answer(text="")))
    with pytest.warns(RuntimeWarning, match=r"Policy.guardrails .* discards its body \(cast_to=NoneType"):
        assert posted(sim, sync, NoneType) is None
    assert len(sim.requests) == 1


@sync_and_async
@pytest.mark.parametrize("form", [str, bytes, transport_of(openai).Response], ids=["text", "bytes", "response"])
def test_error_as_a_whole_answer_is_found_in_each_form(sim: Simulator, sync: bool, form: Any) -> None:
    l0.instrument()
    error = b'{"error": {"message": "m", "type": "server_error"}}'
    sim.script(Fault.status(200, {"content-type": "application/json"}, error))
    assert isinstance(posted(sim, sync, form), form)
    assert len(sim.requests) == 2
