"""Make the span of a fan-out, whose spans go where those of its calls go."""

from __future__ import annotations

from l0.config import CONFIG
from l0.telemetry.fan_out_spans import FanOutSpan


def fan_out_span(kind: str) -> FanOutSpan:
    """Return the span of a fan-out, as `FanOutSpan`."""
    return FanOutSpan(kind, CONFIG.own_observers.of_others)
