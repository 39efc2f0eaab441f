"""Log probabilities, through the real SDK."""

from typing import Any

import openai
import pytest
from installed import needs_chat_helpers, needs_responses

from l0.simulator.server import Simulator

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TOKENS = ["It", " rains", "."]


@pytest.fixture(autouse=True)
def rain(sim: Simulator) -> None:
    sim.on(reply="text 'It rains.'")


def shown(entries: Any) -> list[tuple[str, float, int]]:
    return [(each.token, each.logprob, len(each.top_logprobs)) for each in entries]


@needs_chat_helpers
def test_chat(client: openai.OpenAI) -> None:
    choice = client.chat.completions.create(**ASKED, logprobs=True, top_logprobs=2).choices[0]
    assert choice.logprobs is not None
    expected = shown(choice.logprobs.content)
    assert [token for token, _, _ in expected] == TOKENS
    assert all(-2 <= logprob <= 0 and top == 2 for _, logprob, top in expected)
    first = choice.logprobs.content[0]  # type: ignore[index]
    assert (first.top_logprobs[0].token, first.bytes) == ("It", [73, 116])
    assert first.top_logprobs[1].logprob < first.logprob
    with client.chat.completions.stream(**ASKED, logprobs=True, top_logprobs=2) as stream:
        streamed = stream.get_final_completion().choices[0].logprobs
    assert streamed is not None
    assert shown(streamed.content) == expected
    assert client.chat.completions.create(**ASKED).choices[0].logprobs is None
    assert client.chat.completions.create(**ASKED, logprobs=True).choices[0].logprobs.content[0].top_logprobs == []


def test_completions(client: openai.OpenAI) -> None:
    found = client.completions.create(model="m", prompt="hi", logprobs=2).choices[0].logprobs
    assert found is not None
    assert (found.tokens, found.text_offset) == (TOKENS, [0, 2, 8])
    assert [len(top) for top in found.top_logprobs or []] == [2, 2, 2]
    chunks = [
        chunk.choices[0].logprobs
        for chunk in client.completions.create(model="m", prompt="hi", logprobs=2, stream=True)
    ]
    assert [(each.tokens, each.text_offset) for each in chunks if each] == [
        (["It"], [0]),
        ([" rains"], [2]),
        (["."], [8]),
    ]


@needs_responses
def test_responses(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "m",
        "input": "hi",
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 1,
    }
    answer = client.responses.create(**asked)
    expected = shown(answer.output[0].content[0].logprobs)  # type: ignore[union-attr]
    assert [token for token, _, _ in expected] == TOKENS
    events = list(client.responses.create(**asked, stream=True))
    deltas = [shown(event.logprobs)[0] for event in events if event.type == "response.output_text.delta"]
    assert deltas == expected
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_invalid_number_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid 'top_logprobs': expected a whole number from 0 to 20"):
        client.chat.completions.create(**ASKED, logprobs=True, top_logprobs=21)
