"""A request for the rest of an answer, as the providers take it or refuse it."""

import anthropic
import openai
import pytest

from l0.simulator.answers import Answer
from l0.simulator.continuing import continued, instructed, prefilled
from l0.simulator.dialects.messages import MESSAGES
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

ASK = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "Hello! I am"}
REST = " a simulated model. How can I help you today?"
GO_ON = {"role": "user", "content": "Your answer was cut off. Continue it."}


def said(*messages: dict[str, object]) -> list[dict[str, object]]:
    return [ASK, *messages]


@pytest.mark.parametrize(
    ("messages", "prefill", "instruction"),
    [
        (said(SAID), "Hello! I am", ""),
        (said(SAID, GO_ON), "", "Hello! I am"),
        (said({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}), "ab", ""),
        (said(SAID, ASK), "", ""),
        (said(GO_ON), "", ""),
        ([GO_ON], "", ""),
        ([], "", ""),
        (None, "", ""),
    ],
)
def test_what_was_said(messages: object, prefill: str, instruction: str) -> None:
    assert (prefilled(messages), instructed(messages)) == (prefill, instruction)


def test_some_servers_want_a_flag() -> None:
    assert prefilled(said(SAID), "prefix") == ""
    assert prefilled(said(SAID | {"prefix": True}), "prefix") == "Hello! I am"


def test_the_rest_of_an_answer() -> None:
    answer = Answer(text="One, two, three.")
    assert continued(answer, "One,", Fault()).text == " two, three."
    assert continued(answer, "One, two", Fault.repeats_overlap(5)).text == ", two, three."
    assert continued(answer, "One", Fault.repeats_overlap(50)).text == answer.text
    for other in (continued(answer, "One,", Fault.starts_over()), continued(answer, "Two", Fault())):
        assert other == answer
    long = Answer(tokens=100)
    assert continued(long, long.text_of(0)[:50], Fault()).text_of(0) == long.text_of(0)[50:]


def test_chat_goes_on_after_a_flagged_message_or_as_told(client: openai.OpenAI, sim: Simulator) -> None:
    def ask(*messages: dict[str, object]) -> str | None:
        answer = client.chat.completions.create(model="m", messages=said(*messages))  # type: ignore[arg-type]
        return answer.choices[0].message.content

    assert ask(SAID | {"prefix": True}) == REST
    assert ask(SAID, GO_ON) == REST
    assert ask(SAID) == f"{SAID['content']}{REST}"
    sim.script(Reply(fault=Fault.repeats_overlap(4)), Reply(fault=Fault.starts_over()))
    assert ask(SAID, GO_ON) == f"I am{REST}"
    assert ask(SAID, GO_ON) == f"{SAID['content']}{REST}"


@pytest.mark.parametrize(
    "model", ["claude-opus-4-5-20251101", "claude-sonnet-4-20250514", "claude-3-haiku-20240307", "claude-2.1", "c"]
)
def test_older_claude_models_go_on_after_a_last_message_of_theirs(model: str) -> None:
    assert MESSAGES.ask({"model": model, "max_tokens": 9, "messages": said(SAID)}).said == SAID["content"]


def test_messages_go_on(claude: anthropic.Anthropic) -> None:
    for model, messages in (("claude-haiku-4-5", said(SAID)), ("claude-opus-4-6", said(SAID, GO_ON))):
        with claude.messages.stream(model=model, max_tokens=9, messages=messages) as stream:  # type: ignore[arg-type]
            assert stream.get_final_text() == REST


@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-sonnet-4-6-20260101", "claude-opus-5", "claude-haiku-5-1"]
)
def test_newer_claude_models_refuse_it(claude: anthropic.Anthropic, model: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match="does not support assistant message prefill") as caught:
        claude.messages.create(model=model, max_tokens=9, messages=said(SAID))  # type: ignore[arg-type]
    assert caught.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


def test_thinking_and_white_space_at_the_end_are_refused(claude: anthropic.Anthropic) -> None:
    spaced = {"role": "assistant", "content": "Hello "}
    with pytest.raises(anthropic.BadRequestError, match="trailing whitespace"):
        claude.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=said(spaced))  # type: ignore[arg-type]
    with pytest.raises(anthropic.BadRequestError, match="thinking"):
        claude.messages.create(
            model="claude-haiku-4-5",
            max_tokens=9,
            messages=said(SAID),  # type: ignore[arg-type]
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
