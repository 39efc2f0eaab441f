"""Requests for the rest of an answer, as the providers accept or reject them."""

import anthropic
import openai
import pytest

from l0.simulator.answers import Answer
from l0.simulator.continuation import continued, prefilled, text_to_continue
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

ASK = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "Hello! I am"}
REST = " a simulated model. How can I help you today?"
GO_ON = {"role": "user", "content": "Your answer was cut off. Continue it."}


def conversation(*messages: dict[str, object]) -> list[dict[str, object]]:
    return [ASK, *messages]


@pytest.mark.parametrize(
    ("messages", "prefill", "instruction"),
    [
        (conversation(SAID), "Hello! I am", ""),
        (conversation(SAID, GO_ON), "", "Hello! I am"),
        (conversation({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}), "ab", ""),
        (conversation(SAID, ASK), "", ""),
        (conversation(GO_ON), "", ""),
        ([GO_ON], "", ""),
        ([], "", ""),
        (None, "", ""),
    ],
)
def test_continuation_prefix_of_a_conversation(messages: object, prefill: str, instruction: str) -> None:
    assert (prefilled(messages), text_to_continue(messages)) == (prefill, instruction)


def test_continuation_prefix_may_need_a_flag() -> None:
    assert prefilled(conversation(SAID), "prefix") == ""
    assert prefilled(conversation(SAID | {"prefix": True}), "prefix") == "Hello! I am"


def test_continued_answer_is_the_rest() -> None:
    answer = Answer(text="One, two, three.")
    assert continued(answer, "One,", Fault()).text == " two, three."
    assert continued(answer, "One, two", Fault.repeats_overlap(5)).text == ", two, three."
    assert continued(answer, "One", Fault.repeats_overlap(50)).text == answer.text
    for other in (continued(answer, "One,", Fault.starts_over()), continued(answer, "Two", Fault())):
        assert other == answer
    long = Answer(tokens=100)
    assert continued(long, long.text_of(0)[:50], Fault()).text_of(0) == long.text_of(0)[50:]


def test_chat_continues_flagged_messages_and_instructions(client: openai.OpenAI, sim: Simulator) -> None:
    def ask(*messages: dict[str, object]) -> str | None:
        answer = client.chat.completions.create(model="m", messages=conversation(*messages))  # type: ignore[arg-type]
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
def test_older_claude_models_accept_prefill(model: str) -> None:
    assert (
        MESSAGES.read_request({"model": model, "max_tokens": 4096, "messages": conversation(SAID)}).prefix
        == SAID["content"]
    )


def test_messages_continue_an_answer(claude: anthropic.Anthropic) -> None:
    for model, messages in (("claude-haiku-4-5", conversation(SAID)), ("claude-opus-4-6", conversation(SAID, GO_ON))):
        with claude.messages.stream(model=model, max_tokens=4096, messages=messages) as stream:  # type: ignore[arg-type]
            assert stream.get_final_text() == REST


@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-sonnet-4-6-20260101", "claude-opus-5", "claude-haiku-5-1"]
)
def test_newer_claude_models_reject_prefill(claude: anthropic.Anthropic, model: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match="does not support assistant message prefill") as caught:
        claude.messages.create(model=model, max_tokens=4096, messages=conversation(SAID))  # type: ignore[arg-type]
    assert caught.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


def test_prefill_with_thinking_or_trailing_white_space_is_rejected(claude: anthropic.Anthropic) -> None:
    spaced = {"role": "assistant", "content": "Hello "}
    with pytest.raises(anthropic.BadRequestError, match="trailing whitespace"):
        claude.messages.create(model="claude-haiku-4-5", max_tokens=4096, messages=conversation(spaced))  # type: ignore[arg-type]
    with pytest.raises(anthropic.BadRequestError, match="thinking"):
        claude.messages.create(
            model="claude-haiku-4-5",
            max_tokens=4096,
            messages=conversation(SAID),  # type: ignore[arg-type]
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
