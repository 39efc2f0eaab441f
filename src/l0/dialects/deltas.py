"""The vocabulary of answers: everything that an event of a stream, or a complete answer, can state in any dialect.

Each dialect translates its events to these values in one function. It accepts JSON as well as SDK objects, since it
reads both through `field`. The explicit API, complete answers, captured content and schema checks consume the values;
they know no dialect. The readers of the wire do the same inline, for speed: `tests/traffic/test_one_reading.py`
compares them.

``place`` is where a tool call stands in the answer: its index, or the key by which its dialect knows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from l0.model.tolerant_reading import items_in


def field(thing: Any, name: str) -> Any:
    """Return a field of a JSON object or SDK object; ``None`` if the object has no such field."""
    if type(thing) is dict or isinstance(thing, Mapping):  # the check of an abstract type takes ten times as long
        return thing.get(name)
    return getattr(thing, name, None)


def json_or_sdk_objects_in(value: object) -> Iterator[Any]:
    """Yield the items of a list that are JSON objects or SDK objects; nothing if the value is not a list."""
    items = items_in(value)
    return (each for each in items if type(each) is dict or isinstance(each, Mapping) or hasattr(each, "__dict__"))


@dataclass(frozen=True, slots=True)
class StartDelta:
    """Identity of the answer. ``extra``: span attributes that only one provider has."""

    response_id: str | None
    model: str | None
    extra: Mapping[str, str] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChoiceDelta:
    """A choice exists, and the event states nothing else about it."""

    choice: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next fragment of a choice's text. ``complete``: the whole text of a content part, which the Responses API
    repeats when the part ends."""

    text: str
    choice: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next fragment of the model's reasoning."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """The next fragment of a refusal. ``complete``: the whole refusal, which the Responses API repeats at its end."""

    text: str
    choice: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A call of the user's tool starts at ``place``; in chat, which sends one per fragment, it also continues.

    ``arguments``: the next fragment, JSON or text. ``free_text``: the input of the tool is text, not JSON.
    """

    place: Any
    id: str
    name: str
    arguments: str
    choice: int = 0
    free_text: bool = False


@dataclass(frozen=True, slots=True)
class ToolArgumentsDelta:
    """The next fragment of the arguments of the call at ``place``, in a dialect whose calls start with an event of
    their own. Ignored if no such call has started."""

    place: Any
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    """The call at ``place`` is complete. ``call``: the whole call, if the event repeats it."""

    place: Any
    call: ToolCallDelta | None = None


@dataclass(frozen=True, slots=True)
class OpenCallsDropped:
    """The provider drops the tool calls that are not complete, because another model continues the answer."""


@dataclass(frozen=True, slots=True)
class ItemStart:
    """Something starts that is neither text nor a call of the user's tool: reasoning, a tool of the server."""


@dataclass(frozen=True, slots=True)
class CompleteItem:
    """Something complete that is not text: an image, an item of a server's tool. ``value``: a JSON object or SDK
    object. ``index``: its number in the answer."""

    value: Any
    choice: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """The next fragment of audio, or of its transcript. ``value``: a JSON object or SDK object; ``data``: base64."""

    value: Any
    data: str = ""
    transcript: str = ""
    choice: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """A preview of an image that is being drawn. ``number``: counts from 0."""

    value: Any
    index: int
    number: int


@dataclass(frozen=True, slots=True)
class FileCitation:
    """An annotation of the text that names a file. ``value``: a JSON object or SDK object."""

    value: Any
    index: int


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """Token counts, by the names of `ResponseMetadata`. They replace earlier counts of the same name, but a later 0
    replaces only ``output_tokens``. ``extra``: span attributes that only one provider has."""

    counts: Mapping[str, int]
    extra: Mapping[str, str] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinishDelta:
    """The finish reason of a choice. ``ends``: the reason proves that the choice is complete. ``alone``: no content of
    the choice came with it, as it would if each event stated a reason."""

    reason: str
    choice: int = 0
    ends: bool = True
    alone: bool = True


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """The terminal event: the answer is complete."""


@dataclass(frozen=True, slots=True)
class AnswerError:
    """The provider reports that the answer failed. ``code``: its error code or type."""

    message: str
    code: str | None


Delta = (
    StartDelta
    | ChoiceDelta
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | ToolArgumentsDelta
    | ToolCallEnd
    | OpenCallsDropped
    | ItemStart
    | CompleteItem
    | AudioDelta
    | ImagePreview
    | FileCitation
    | UsageDelta
    | FinishDelta
    | AnswerEnd
    | AnswerError
)
