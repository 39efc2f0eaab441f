"""What of an answer is compared: the text of an SDK's object, the fields of a model, the thing itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from l0.orchestration.reading import text_of

Parse = Callable[[Any], Any]


async def comparable(answer: Any, parse: Parse | None) -> tuple[Any, Any]:
    """An answer as its user gets it, and as it is compared. ``parse``: makes an object of it first; may be async."""
    text = text_of(answer)
    value = answer if text is None else text
    if parse is not None:
        value = parse(value)
        if inspect.isawaitable(value):
            value = await value
    dump = getattr(value, "model_dump", None)
    return value, dump() if callable(dump) else value


def rebuilt(value: Any, originals: list[Any]) -> Any:
    """A structure that was put together from several, as the model that all of them are instances of."""
    kinds = {type(original) for original in originals}
    if len(kinds) == 1 and isinstance(value, Mapping):
        validate = getattr(kinds.pop(), "model_validate", None)
        if callable(validate):
            return validate(value)
    return value
