"""Read the parts of a conversation that decide which answer it gets, in OpenAI's formats and in Anthropic's.

The servers of generateContent and Converse convert their messages first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from .continuation import text_to_continue

_SYSTEM = ("system", "developer")
_TOOL = ("tool", "function")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The parts of a conversation.

    `system`: all system texts. `user`: the last user message. `newest`: the text of the messages since the last answer,
    without system messages: what the request is about, so a user message or tool results. `tool_results`: the text of
    the tool results among these. `has_tool_results`: there are some; their text may be empty. `turn`: the number of the
    answer that is requested, from 1.
    """

    system: str = ""
    user: str = ""
    newest: str = ""
    tool_results: str = ""
    has_tool_results: bool = False
    turn: int = 1


class _Entry(NamedTuple):
    kind: Literal["system", "user", "assistant", "tool"]
    text: str


def conversations(messages: Any, system: Any = None, answers_before: int = 0) -> tuple[Conversation, ...]:
    """Return the conversation of a request. If the request is to continue a broken answer, also return the conversation
    before that answer.

    `answers_before`: the number of answers that are not part of the messages, but are stored on the server.
    """
    entries = list(_entries(messages))
    while entries and entries[-1].kind == "assistant":
        del entries[-1]  # a prefill: the requested answer continues it
    found = [_conversation(entries, text_in(system), answers_before)]
    if text_to_continue(messages):
        found.append(_conversation(_before_last_answer(entries), text_in(system), answers_before))
    return tuple(found)


def text_in(value: Any) -> str:
    """Return all text of a prompt, at any nesting: messages, parts, plain strings."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(filter(None, (text_in(value.get(key)) for key in ("content", "text", "input_text", "output"))))
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_in, value)))
    return ""


def _conversation(entries: Sequence[_Entry], system: str, answers_before: int) -> Conversation:
    newest = entries[_end_of_last_answer(entries) :]
    tool_results = [entry.text for entry in newest if entry.kind == "tool"]
    # Adjacent assistant entries, such as a text and a function call, are one answer.
    by_assistant = [entry.kind == "assistant" for entry in entries if entry.kind != "system"]
    starts = zip(by_assistant, [False, *by_assistant], strict=False)
    answers = sum(is_assistant and not before for is_assistant, before in starts)
    return Conversation(
        system="\n".join(filter(None, (system, *(entry.text for entry in entries if entry.kind == "system")))),
        user=next((entry.text for entry in reversed(entries) if entry.kind == "user"), ""),
        newest="\n".join(entry.text for entry in newest if entry.kind != "system" and entry.text),
        tool_results="\n".join(tool_results),
        has_tool_results=bool(tool_results),
        turn=answers_before + answers + 1,
    )


def _end_of_last_answer(entries: Sequence[_Entry]) -> int:
    """Return the index after the last answer; 0 if there is none."""
    return max((index for index, entry in enumerate(entries, 1) if entry.kind == "assistant"), default=0)


def _before_last_answer(entries: Sequence[_Entry]) -> Sequence[_Entry]:
    start = _end_of_last_answer(entries)
    while start and entries[start - 1].kind == "assistant":
        start -= 1
    return entries[:start]


def _entries(messages: Any) -> Iterator[_Entry]:
    """Yield the messages by kind. A user message of Anthropic's Messages API can hold both tool results and text."""
    if isinstance(messages, str):
        yield _Entry("user", messages)
    for item in messages if isinstance(messages, list) else []:
        if not isinstance(item, Mapping):
            yield _Entry("user", text_in(item))
            continue
        role, kind = item.get("role"), item.get("type")
        if role in _TOOL or (isinstance(kind, str) and kind.endswith("_output")):
            yield _Entry("tool", text_in(item))
        elif role in _SYSTEM:
            yield _Entry("system", text_in(item))
        elif role == "assistant" or (role is None and kind not in (None, "message")):  # such as a function call
            yield _Entry("assistant", text_in(item))
        else:
            yield from _of_user(item.get("content"))


def _of_user(content: Any) -> Iterator[_Entry]:
    parts = content if isinstance(content, list) else [content]
    results = [part for part in parts if isinstance(part, Mapping) and part.get("type") == "tool_result"]
    yield from (_Entry("tool", text_in(part)) for part in results)
    if len(results) < len(parts):
        yield _Entry("user", text_in([part for part in parts if part not in results]))
