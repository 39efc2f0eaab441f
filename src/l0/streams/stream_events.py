"""Define the events that a reader of a stream gets, independent of the provider."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from l0.migration import EventAliases, ToolCallAliases


class EventType(StrEnum):
    """The kind of an event."""

    TOKEN = "token"
    """The next piece of the answer's text."""
    REASONING = "reasoning"
    """The next piece of the model's reasoning; not part of the answer."""
    TOOL_CALL = "tool_call"
    """A complete tool call; ``data`` is a `ToolCall`."""
    MESSAGE = "message"
    """A complete message that is not text of the answer: a refusal in ``text``, or a message of a custom adapter."""
    DATA = "data"
    """Content that is not text, in ``data``: a `Payload` (an image, audio, a file), or an item of the provider."""
    PROGRESS = "progress"
    """Progress of a task, in ``data``. Only adapters of your own create it."""
    RESTART = "restart"
    """All events delivered so far are void: the answer starts again. Only sent with ``resume="restart"``."""
    ERROR = "error"
    """A failure of the answer. Only adapters create it; the engine handles it, and the user never receives it."""
    COMPLETE = "complete"
    """The answer is complete. This is the last event; ``data`` is the `ResponseMetadata` of the answer."""


class _EventFields(NamedTuple):
    type: EventType
    text: str = ""
    data: Any = None


class Event(_EventFields, EventAliases):
    """One event. ``text``: empty if the event has none. ``data``: as `EventType` says for the event's ``type``."""

    __slots__ = ()

    @property
    def is_token(self) -> bool:
        """True if ``text`` is the next piece of the answer."""
        return self.type is EventType.TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(ToolCallAliases):
    """A tool call by the model.

    ``arguments``: the parsed arguments; ``None`` if the model's text is not JSON. ``raw``: the model's text.
    """

    id: str
    name: str
    arguments: Any
    raw: str


class UnknownStreamError(TypeError):
    """A stream factory returned an object, or a stream yielded an item, that no adapter recognizes."""
