"""Legacy completions: like chat, except that a choice has its text in ``text``, not in a delta."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .chat import CHAT, ChatReader

COMPLETIONS = replace(CHAT, name="completions")


class CompletionsReader(ChatReader):
    """One streamed legacy completion."""

    def event_text(self, event: Any) -> str | None:
        try:
            text = event["choices"][0].get("text")
            return text if isinstance(text, str) else None
        except (KeyError, IndexError, TypeError, AttributeError):
            return None

    def with_text(self, event: Any, text: str) -> Any:
        event["choices"][0]["text"] = text
        return event

    def empty_text_event(self) -> Any:
        return {
            "id": self.response_id,
            "object": "text_completion",
            "created": self._created,
            "model": self.model,
            "choices": [{"index": 0, "text": "", "finish_reason": None, "logprobs": None}],
        }
