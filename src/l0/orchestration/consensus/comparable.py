"""Convert answers for comparison: the text or tool calls of an SDK's object, the fields of a model, or the value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from l0.streams.stream_events import ToolCall

from ..stream_reading import text_of, tool_calls_of

Parse = Callable[[Any], Any]


async def comparable(answer: Any, parse: Parse | None) -> tuple[Any, Any]:
    """Return an answer as the user gets it, and as it is compared. ``parse``: converts it first; may be async.

    An answer of tool calls alone is compared by their names and arguments, since their ids always differ.
    """
    text = text_of(answer)
    if text is None and parse is None and (calls := tool_calls_of(answer)):
        return answer, [_comparable_call(call) for call in calls]
    value = answer if text is None else text
    if parse is not None:
        value = parse(value)
        if inspect.isawaitable(value):
            value = await value
    dump = getattr(value, "model_dump", None)
    return value, dump() if callable(dump) else value


def _comparable_call(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.raw if call.arguments is None else call.arguments}


def rebuilt(value: Any, originals: list[Any]) -> Any:
    """Convert a merged structure back to the pydantic model that all originals are instances of, if there is one."""
    kinds = {type(original) for original in originals}
    if len(kinds) == 1 and isinstance(value, Mapping):
        validate = getattr(kinds.pop(), "model_validate", None)
        if callable(validate):
            return validate(value)
    return value
