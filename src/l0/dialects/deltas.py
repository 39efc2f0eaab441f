"""Deltas: one set of values for everything that an event, or a complete answer, can state in any dialect.

Each dialect has a function that translates its events to deltas. It accepts JSON and SDK objects, because it reads both
with `field`. The explicit API, complete answers, captured content and schema checks use the deltas, so they need no
code per dialect. The wire readers read events without deltas, for speed; `tests/traffic/test_one_reading.py` compares
the two.

``place`` identifies a tool call in the answer: its index, or another key of its dialect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from l0.model.tolerant_reading import items_in


def field(thing: Any, name: str) -> Any:
    """Return a field of a JSON object or SDK object; ``None`` if the object has no such field."""
    # `type` first, because `isinstance` with an abstract class takes ten times as long.
    if type(thing) is dict or isinstance(thing, Mapping):
        return thing.get(name)
    return getattr(thing, name, None)


def json_or_sdk_objects_in(value: object) -> Iterator[Any]:
    """Yield the items of a list that are JSON objects or SDK objects; nothing if the value is not a list."""
    items = items_in(value)
    return (each for each in items if type(each) is dict or isinstance(each, Mapping) or hasattr(each, "__dict__"))


@dataclass(frozen=True, slots=True)
class StartDelta:
    """The id and the model of the answer. ``extra``: span attributes that only one provider has, by name."""

    response_id: str | None
    model: str | None
    extra: Mapping[str, str] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChoiceDelta:
    """A choice exists, and the event states nothing else about it."""

    choice: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next fragment of a choice's text. ``complete``: not a fragment, but the complete text of a content part,
    which the Responses API repeats when the part ends."""

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
    """The next fragment of a refusal. ``complete``: not a fragment, but the complete refusal, which the Responses API
    repeats at its end."""

    text: str
    choice: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A call of a tool of the user starts at ``place``. In chat, where each fragment is a delta of this class, it may
    also continue.

    ``arguments``: the next fragment. ``free_text``: the input of the tool is text, not JSON.
    """

    place: Any
    id: str
    name: str
    arguments: str
    choice: int = 0
    free_text: bool = False


@dataclass(frozen=True, slots=True)
class ToolArgumentsDelta:
    """The next fragment of the arguments of the call at ``place``, in a dialect in which a separate event starts a
    call. Ignored if no such call has started."""

    place: Any
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    """The call at ``place`` is complete. ``call``: the complete call, if the event repeats it."""

    place: Any
    call: ToolCallDelta | None = None


@dataclass(frozen=True, slots=True)
class OpenCallsDropped:
    """The provider abandons the tool calls that are not complete, because another model continues the answer."""


@dataclass(frozen=True, slots=True)
class ItemStart:
    """An item starts that is neither text nor a call of a tool of the user: reasoning, or a call of a server tool."""


@dataclass(frozen=True, slots=True)
class CompleteItem:
    """A complete item that is not text: an image, or a call of a server tool. ``value``: a JSON object or SDK object.
    ``index``: its number in the answer."""

    value: Any
    choice: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """The next fragment of audio, or of its transcript. ``value``: a JSON object or SDK object. ``data``: audio in
    base64.
    ``index``: the number of the output item."""

    value: Any
    data: str = ""
    transcript: str = ""
    choice: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """A preview of an image that the provider is generating. ``value``: a JSON object or SDK object. ``index``: the
    number of the output item. ``number``: that of the preview, from 0."""

    value: Any
    index: int
    number: int


@dataclass(frozen=True, slots=True)
class FileCitation:
    """An annotation of the text that names a file. ``value``: a JSON object or SDK object. ``index``: the number of the
    output item."""

    value: Any
    index: int


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """Token counts, by the names of `ResponseMetadata`. They replace earlier counts of the same name, except that a
    later 0 replaces only ``output_tokens``. ``extra``: span attributes that only one provider has, by name."""

    counts: Mapping[str, int]
    extra: Mapping[str, str] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinishDelta:
    """The finish reason of a choice. ``ends``: the reason proves that the choice is complete. ``alone``: the event has
    no content of the choice. A server that puts a reason into every event sends content with it."""

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
