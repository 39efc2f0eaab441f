"""The span attributes of a request that all providers share; only the fields of the body differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from l0.model.call import AttributeValue
from l0.telemetry import names

Parameter = tuple[str, str, Callable[[float], float]]
"""A field of the body, its span attribute, and the type of the attribute's value."""


def request_attributes(
    settings: Mapping[str, Any], parameters: Iterable[Parameter], stop: object, *, stream: bool
) -> dict[str, AttributeValue]:
    """Return the numbers among ``settings``, the stop sequences, and whether the answer is streamed.

    Of two fields with the same attribute the first one counts. ``stop``: one sequence or a list of them.
    """
    attributes: dict[str, AttributeValue] = {}
    for field, name, kind in parameters:
        value = settings.get(field)
        if isinstance(value, int | float) and not isinstance(value, bool):
            attributes.setdefault(name, kind(value))
    if isinstance(stop, str):
        attributes[names.REQUEST_STOP_SEQUENCES] = (stop,)
    elif isinstance(stop, list | tuple) and all(isinstance(one, str) for one in stop):
        attributes[names.REQUEST_STOP_SEQUENCES] = tuple(stop)
    if stream:
        attributes[names.REQUEST_STREAM] = True
    return attributes
