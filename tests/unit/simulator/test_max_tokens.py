"""The limit for the tokens of an answer, in all dialects."""

from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from installed import needs_responses

from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.server import Simulator

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CALLS = (SimulatedToolCall(name="look", arguments='{"city": "Rome"}'), SimulatedToolCall(name="wait"))
texts = st.text(alphabet="ab ,.\n", max_size=30)


@given(
    st.builds(Answer, text=texts, reasoning=texts, refusal=texts, tool_calls=st.sampled_from([(), CALLS, CALLS[:1]])),
    st.integers(min_value=1, max_value=40),
)
def test_limited_answer_is_a_beginning(answer: Answer, most: int) -> None:
    limited = answer.limited(most)
    assert limited.output_tokens() <= most
    assert (limited == answer) == (answer.output_tokens() <= most)
    assert limited == answer or limited.stop == "length"
    for name in ("text", "reasoning", "refusal"):
        assert getattr(answer, name).startswith(getattr(limited, name))
    for ours, theirs in zip(limited.tool_calls, answer.tool_calls, strict=False):
        assert ours.name == theirs.name
        assert theirs.arguments.startswith(ours.arguments)


def test_limit_of_filler_and_of_further_choices() -> None:
    assert Answer(tokens=100).limited(7) == Answer(tokens=7, stop="length")
    limited = Answer(text="a b c", alternatives=("d e f",)).limited(2)
    assert (limited.text, limited.alternatives) == ("a b", ("d e",))
    assert Answer(text="a b c").limited(None).stop == "stop"


def test_chat_and_completions(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on(reply="text 'one two three four'")
    for name in ("max_tokens", "max_completion_tokens"):
        choice = client.chat.completions.create(**ASKED, **{name: 2}).choices[0]
        assert (choice.message.content, choice.finish_reason) == ("one two", "length")
    chunks = list(
        client.chat.completions.create(**ASKED, max_tokens=2, stream=True, stream_options={"include_usage": True})
    )
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 2
    completion = client.completions.create(model="m", prompt="hi", max_tokens=3)
    assert (completion.choices[0].text, completion.choices[0].finish_reason) == ("one two three", "length")
    assert client.chat.completions.create(**ASKED, max_tokens=4).choices[0].finish_reason == "stop"


@needs_responses
def test_responses_and_stored_responses(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on(reply="text 'one two three four'")
    answer = client.responses.create(model="m", input="hi", max_output_tokens=2)
    assert (answer.output_text, answer.status, answer.max_output_tokens) == ("one two", "incomplete", 2)
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert client.responses.retrieve(answer.id).output_text == "one two"


def test_messages(claude: anthropic.Anthropic, sim: Simulator) -> None:
    sim.on(reply="text 'one two three four'")
    message = claude.messages.create(**ASKED, max_tokens=2)
    assert (message.content[0].text, message.stop_reason, message.usage.output_tokens) == ("one two", "max_tokens", 2)


@pytest.mark.parametrize("value", [0, -1, True, "9", 1.5])
def test_invalid_limits_are_refused(client: openai.OpenAI, value: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid 'max_tokens': expected a whole number from 1"):
        client.chat.completions.create(**ASKED, max_tokens=value)
