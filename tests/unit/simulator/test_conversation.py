"""The parts of a conversation, in the formats of all dialects."""

from typing import Any

import pytest

from l0.simulator.conversation import Conversation, conversations
from l0.simulator.script_grammar import in_conversations


def says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


CALL = says("assistant", None, tool_calls=[{"id": "c"}])
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "18 degrees"}]}
CASES: dict[str, tuple[Any, Conversation]] = {
    "text": ("hi", Conversation(user="hi", newest="hi")),
    "one message": ([says("user", "hi")], Conversation(user="hi", newest="hi")),
    "system": (
        [says("system", "be brief"), says("user", [{"type": "text", "text": "hi"}])],
        Conversation(system="be brief", user="hi", newest="hi"),
    ),
    "second turn": (
        [says("user", "a"), says("assistant", "b"), says("user", "c"), says("user", "d")],
        Conversation(user="d", newest="c\nd", turn=2),
    ),
    "tool results of chat": (
        [says("user", "a"), CALL, says("tool", "18 degrees"), says("tool", "rain")],
        Conversation(
            user="a", newest="18 degrees\nrain", tool_results="18 degrees\nrain", has_tool_results=True, turn=2
        ),
    ),
    "tool results of messages": (
        [says("user", "a"), says("assistant", []), says("user", [RESULT, {"type": "text", "text": "so?"}])],
        Conversation(user="so?", newest="18 degrees\nso?", tool_results="18 degrees", has_tool_results=True, turn=2),
    ),
    "tool results of Responses": (
        [
            says("user", "a"),
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "name": "f"},
            {"type": "function_call_output", "output": "18 degrees"},
        ],
        Conversation(user="a", newest="18 degrees", tool_results="18 degrees", has_tool_results=True, turn=2),
    ),
    "prefilled": ([says("user", "a"), says("assistant", "b")], Conversation(user="a", newest="a")),
    "empty result": (
        [says("user", "a"), CALL, says("tool", "")],
        Conversation(user="a", has_tool_results=True, turn=2),
    ),
    "nonsense": ([3, None, {"role": []}, {"role": "user"}], Conversation()),
    "nothing": (None, Conversation()),
}


@pytest.mark.parametrize("name", CASES)
def test_conversation_is_read(name: str) -> None:
    messages, expected = CASES[name]
    assert conversations(messages) == (expected,)


def test_system_text_and_stored_answers_are_added() -> None:
    assert conversations([says("user", "a")], "be brief", answers_before=2) == (
        Conversation(system="be brief", user="a", newest="a", turn=3),
    )


def test_request_to_continue_has_the_conversation_before_the_broken_answer() -> None:
    before = [says("user", "a"), says("assistant", "b"), says("user", "c")]
    resumed = [*before, says("assistant", "d"), says("user", "Continue exactly where you stopped.")]
    assert conversations(resumed)[1:] == conversations(before)


OLD, NEW = "[[simulate: cut]]", "[[simulate: empty]]"


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([says("user", OLD)], "cut"),
        ([says("user", OLD), says("assistant", "b"), says("user", "c")], None),
        ([says("user", OLD), says("assistant", "b"), says("user", NEW)], "empty"),
        ([says("user", OLD), CALL, says("tool", "18 degrees")], None),
        ([says("user", OLD), CALL, says("tool", NEW)], "empty"),
        ([says("user", "a"), says("assistant", OLD), says("user", "c")], None),
        ([says("system", OLD), says("user", "a"), says("assistant", "b"), says("user", "c")], "cut"),
        ([says("system", OLD), says("user", NEW)], "empty"),
        ([says("user", OLD), says("assistant", "b")], "cut"),
        ([says("user", OLD), says("assistant", "b"), says("user", "Please continue.")], "cut"),
        ([says("user", OLD), says("assistant", "b"), says("user", f"Please continue. {NEW}")], "empty"),
    ],
)
def test_newest_messages_and_system_prompt_hold_the_text(messages: list[Any], found: str | None) -> None:
    assert in_conversations(conversations(messages)) == found
