"""Everything that is handed to OpenTelemetry goes through here, in a form that every exporter takes.

An exporter encodes a whole batch at once: one text with a lone surrogate, or one number of more than 64 bits, and all
of the batch is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from l0.model.call import AttributeValue
from l0.model.text_safety import well_formed

_LEAST, _MOST = -(2**63), 2**63 - 1


def encodable(attributes: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """Return attributes that can be encoded; the given ones where they can, which costs a look at each."""
    for value in attributes.values():
        kind = type(value)
        if kind is str:
            if not value.isascii():  # type: ignore[union-attr]
                break
        elif kind is int:
            if not _LEAST <= value <= _MOST:  # type: ignore[operator]
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
    """Return a value, whatever it holds, with its texts well-formed and its numbers within 64 bits."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
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
    """Start a span. ``at``: ns of the wall clock; ``None``: now."""
    return tracer.start_span(
        well_formed(name), context=context, kind=kind, attributes=encodable(attributes), start_time=at
    )


def describe(span: Span, attributes: Mapping[str, AttributeValue]) -> None:
    """Set attributes of a span."""
    span.set_attributes(encodable(attributes))


def note(span: Span, name: str, attributes: Mapping[str, AttributeValue], at: int | None = None) -> None:
    """Add an event to a span."""
    span.add_event(name, encodable(attributes), at)


def fail(span: Span, why: str | None) -> None:
    """Mark a span as failed."""
    span.set_status(StatusCode.ERROR, None if why is None else well_formed(why))
