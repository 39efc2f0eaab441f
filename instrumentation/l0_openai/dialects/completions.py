"""Legacy completions: ``text`` in place of a delta, else as chat."""

from __future__ import annotations

from typing import Any

from .chat import ChatReader


class CompletionsReader(ChatReader):
    """One streamed legacy completion."""

    def learn(self, event: dict[str, Any]) -> None:
        try:
            if self.model is None:
                self.response_id, self.model = event.get("id"), event.get("model")
            for choice in event["choices"]:
                self.said(choice.get("text"), answer=not choice.get("index"))
                reason = choice.get("finish_reason")
                if reason:
                    self._finished(choice.get("index") or 0, reason)
            usage = event.get("usage")
            if usage:
                self.usage = usage
        except (KeyError, TypeError, AttributeError):
            self.odd("unknown_shape")
