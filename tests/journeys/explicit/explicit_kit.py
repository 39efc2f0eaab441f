"""Sources of the explicit API over real SDKs: every shape that a factory may return, sync and async."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from installed import needs_chat_helpers, needs_responses

from l0.simulator.server import Simulator

HELLO: list[Any] = [{"role": "user", "content": "hi"}]
CHATTING: dict[str, Any] = {"model": "gpt-4o", "messages": HELLO}
RESPONDING: dict[str, Any] = {"model": "gpt-4o", "input": "hi", "store": False}
MESSAGING: dict[str, Any] = {"model": "claude-test", "max_tokens": 4096, "messages": HELLO}


def chat(client: Any) -> Any:
    return client.chat.completions.create(**CHATTING, stream=True)


def chat_helper(client: Any) -> Any:
    return client.chat.completions.stream(**CHATTING)


def chat_whole(client: Any) -> Any:
    return client.chat.completions.create(**CHATTING)


def completions(client: Any) -> Any:
    return client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi", stream=True)


def responses(client: Any) -> Any:
    return client.responses.create(**RESPONDING, stream=True)


def responses_helper(client: Any) -> Any:
    return client.responses.stream(**RESPONDING)


def responses_whole(client: Any) -> Any:
    return client.responses.create(**RESPONDING)


def messages(client: Any) -> Any:
    return client.messages.create(**MESSAGING, stream=True)


def messages_helper(client: Any) -> Any:
    return client.messages.stream(**MESSAGING)


def messages_whole(client: Any) -> Any:
    return client.messages.create(**MESSAGING)


Ask = Callable[[Any], Any]
OPENAI: tuple[Ask, ...] = (chat, chat_helper, chat_whole, completions, responses, responses_helper, responses_whole)
NEEDS = {
    chat_helper: needs_chat_helpers,
    responses: needs_responses,
    responses_helper: needs_responses,
    responses_whole: needs_responses,
}
"""Ways to ask that old SDKs do not have."""
ANTHROPIC: tuple[Ask, ...] = (messages, messages_helper, messages_whole)


def asks(*ways: Ask) -> pytest.MarkDecorator:
    """A test for each of these ways to ask."""
    params = [pytest.param(way, id=way.__name__, marks=[NEEDS[way]] if way in NEEDS else []) for way in ways]
    return pytest.mark.parametrize("ask", params)


def async_client(sim: Simulator, ask: Ask, **options: Any) -> Any:
    if ask in ANTHROPIC:
        return anthropic.AsyncAnthropic(api_key="k", base_url=sim.anthropic, **options)
    return openai.AsyncOpenAI(api_key="k", base_url=sim.openai, **options)


def client(sim: Simulator, ask: Ask, **options: Any) -> Any:
    if ask in ANTHROPIC:
        return anthropic.Anthropic(api_key="k", base_url=sim.anthropic, **options)
    return openai.OpenAI(api_key="k", base_url=sim.openai, **options)
