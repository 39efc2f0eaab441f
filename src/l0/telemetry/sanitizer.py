"""Pass values to OpenTelemetry in a form that every exporter can encode.

An exporter encodes a batch at once. One string with a lone surrogate, or one integer of more than 64 bits, makes it
lose the complete batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from l0.model.call import AttributeValue
from l0.model.text_safety import well_formed

_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1


def encodable(attributes: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """Return attributes that can be encoded: the same mapping if nothing in it must change."""
    for value in attributes.values():  # exact type checks: nearly every call passes here without a copy
        kind = type(value)
        if kind is str:
            if not value.isascii():  # type: ignore[union-attr]
                break
        elif kind is int:
            if not _MIN_INT <= value <= _MAX_INT:  # type: ignore[operator]
                break
        elif kind is tuple:
            if not _ascii(value):  # type: ignore[arg-type]
                break
        elif kind is not float and kind is not bool:
            break
    else:
        return attributes
    return {name: plain(value) for name, value in attributes.items()}


def _ascii(texts: tuple[str, ...]) -> bool:
    return all(type(text) is str and text.isascii() for text in texts)


def plain(value: Any) -> Any:
    """Return a value of any shape with well-formed strings and integers of at most 64 bits."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, int) and not _MIN_INT <= value <= _MAX_INT:
        return str(value)
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else [*map(plain, value)]
    if isinstance(value, Mapping):
        return {plain(key): plain(inner) for key, inner in value.items()}
    return value


def start_span(
    tracer: Tracer,
    name: str,
    attributes: Mapping[str, AttributeValue],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    context: Context | None = None,
    at: int | None = None,
) -> Span:
    """Start a span. ``at``: start time in ns of the wall clock; ``None`` for now."""
    return tracer.start_span(
        well_formed(name), context=context, kind=kind, attributes=encodable(attributes), start_time=at
    )


def set_attributes(span: Span, attributes: Mapping[str, AttributeValue]) -> None:
    """Set attributes of a span."""
    span.set_attributes(encodable(attributes))


def add_event(span: Span, name: str, attributes: Mapping[str, AttributeValue], at: int | None = None) -> None:
    """Add an event to a span. ``at``: time in ns of the wall clock; ``None`` for now."""
    span.add_event(name, encodable(attributes), at)


def set_error(span: Span, description: str | None) -> None:
    """Set the status of a span to error, with an optional description."""
    span.set_status(StatusCode.ERROR, None if description is None else well_formed(description))
