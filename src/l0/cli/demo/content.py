"""The content of an answer in each API, text and tool calls: of an SDK's object, and of a recorded body."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from .plan import Api


def content_of(api: Api, event: Any) -> str:
    """Return the content of one event, or "" if it has none. Ignore reasoning, and all choices but the first."""
    if api == "chat":
        return _chat(event)
    if api == "completions":
        return "".join(choice.text or "" for choice in event.choices if choice.index == 0)
    return _responses(event) if api == "responses" else _messages(event)


def reports_failure(api: Api, event: Any) -> bool:
    """Return True if an event reports that the answer failed.

    Only the Responses API delivers such an event as an object; for the others the SDK raises.
    """
    return api == "responses" and event.type in ("error", "response.failed")


def content_of_body(api: Api, body: bytes) -> str:
    """Return the content of a recorded body. It is parsed independently of the SDKs and of l0's own parser."""
    lines = body.decode().replace("\r\n", "\n").split("\n")
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    events = (json.loads(text, object_hook=_Lenient) for text in data if text and text != "[DONE]")
    return "".join(content_of(api, event) for event in events)


class _Lenient(SimpleNamespace):
    """A JSON object with attributes. A missing key gives None, like the optional fields of SDK objects."""

    def __init__(self, pairs: dict[str, Any]) -> None:
        super().__init__(**pairs)

    def __getattr__(self, name: str) -> None:
        return None


def _chat(event: Any) -> str:
    parts: list[str] = []
    for choice in event.choices or ():
        if choice.index == 0 and choice.delta is not None:
            parts.append(choice.delta.content or "")
            for call in choice.delta.tool_calls or ():
                if call.function is not None:
                    parts += [call.function.name or "", call.function.arguments or ""]
    return "".join(parts)


def _responses(event: Any) -> str:
    if event.type in ("response.output_text.delta", "response.function_call_arguments.delta"):
        return str(event.delta)
    if event.type == "response.output_item.added" and event.item.type == "function_call":
        return str(event.item.name)
    return ""


def _messages(event: Any) -> str:
    if event.type == "content_block_start" and event.content_block.type == "tool_use":
        return str(event.content_block.name)
    if event.type == "content_block_delta" and event.delta.type in ("text_delta", "input_json_delta"):
        return str(event.delta.text if event.delta.type == "text_delta" else event.delta.partial_json)
    return ""
