"""Carry the current trace context to another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, propagate


def carried_context() -> dict[str, str]:
    """Return the current context as headers, in the formats of the process's propagators."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


@contextmanager
def remote_context(carrier: Mapping[str, str]) -> Iterator[None]:
    """Make the context of `carried_context` the current one for a block."""
    token = context.attach(propagate.extract(carrier))
    try:
        yield
    finally:
        context.detach(token)
