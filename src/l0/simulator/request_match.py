"""Match requests by their content."""

import re
from dataclasses import dataclass

from .conversation import Conversation

TextMatch = str | re.Pattern[str]
"""A text that must be contained, or a regular expression that must be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMatch:
    """The conditions on a request. None applies to every request.

    `prompt`: the last user message. Without `tool_result` or `turn`, it does not match requests that bring tool
    results, because an agent would then get the same tool call again and never end. `tool_result`: the tool results
    since the last answer. `system`: the system prompt. `model`: the model. `turn`: the number of the answer that is
    requested, 1 for the first.
    """

    prompt: TextMatch | None = None
    tool_result: TextMatch | None = None
    system: TextMatch | None = None
    model: TextMatch | None = None
    turn: int | None = None

    def __post_init__(self) -> None:
        if self.turn is not None and self.turn < 1:
            raise ValueError(f"turn: {self.turn!r} given, allowed is 1 or more")

    def matches(self, conversation: Conversation, model: str) -> bool:
        """Return True if a request meets all conditions."""
        if self.tool_result is not None and not conversation.has_tool_results:
            return False
        if self.prompt is not None and self.tool_result is None and self.turn is None and conversation.has_tool_results:
            return False
        return self.turn in (None, conversation.turn) and all(
            condition is None or _is_in(condition, text)
            for condition, text in (
                (self.prompt, conversation.user),
                (self.tool_result, conversation.tool_results),
                (self.system, conversation.system),
                (self.model, model),
            )
        )


def _is_in(condition: TextMatch, text: str) -> bool:
    return condition in text if isinstance(condition, str) else condition.search(text) is not None
