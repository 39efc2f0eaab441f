"""What a reader of a stream gets, whoever the provider is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class EventType(StrEnum):
    """What an event says."""

    TOKEN = "token"
    """The next piece of the answer's text."""
    REASONING = "reasoning"
    """The next piece of what the model thinks aloud; no part of the answer."""
    TOOL_CALL = "tool_call"
    """A tool call, whole; ``data`` is a `ToolCall`."""
    MESSAGE = "message"
    """Something whole that is no text of the answer: a refusal in ``text``, a message of an own adapter."""
    DATA = "data"
    """A payload in ``data``: audio, an image, an object."""
    PROGRESS = "progress"
    """How far something has come, in ``data``."""
    RESTART = "restart"
    """What was handed over is void: the answer begins anew. Only where ``resume="restart"`` asked for it."""
    ERROR = "error"
    """Only adapters make it: the answer has failed. The engine acts on it; it reaches nobody."""
    COMPLETE = "complete"
    """The answer is whole. The last event."""


class Event(NamedTuple):
    """One event. ``text`` is empty where there is none."""

    type: EventType
    text: str = ""
    data: Any = None

    @property
    def is_token(self) -> bool:
        """Whether ``text`` is the next piece of the answer."""
        return self.type is EventType.TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool call that the model asks for.

    ``arguments``: parsed; ``None`` where the model wrote something that is no JSON. ``raw``: as the model wrote them.
    """

    id: str
    name: str
    arguments: Any
    raw: str


class UnknownStreamError(TypeError):
    """What a stream factory returned, or what came out of it, is nothing that an adapter knows."""
