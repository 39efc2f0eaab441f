"""Limits and conversions that both OTLP encodings share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from l0.model.text_safety import well_formed
from l0.telemetry import names

from .span_record import GaugeRecord, RecordedEvent, SpanRecord

MAX_TEXT = 262_144
"""Characters that are kept of one string. The rest is cut off."""
MAX_DEPTH = 16
"""Levels of lists and objects that are kept of one attribute."""
CUT = "…"
"""Stands for what was cut off: the rest of a long string, or a value that is nested too deeply."""
FAILED_STATUS = 2
"""OTLP's status code of an error."""
SERVICE = "service.name"
INSTANCE = "service.instance.id"
SHOWN_GAUGES = frozenset({names.SLO_BUDGET.name, names.SLO_BURN_RATE.name})
_MAX_JAVASCRIPT_INT = 2**53 - 1
_MAX_NANOSECONDS = 2**64 - 1
_LAST_KIND = 5
"""OTLP's highest number of a kind of span."""


class OtlpError(Exception):
    """A body that is not OTLP. The message says what is wrong with it."""


def text(value: str) -> str:
    """Return a string that every encoder accepts, cut to `MAX_TEXT`."""
    return well_formed(value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + CUT)


def integer(value: int) -> int | str:
    """Return the integer, as text if JavaScript cannot hold it."""
    return value if -_MAX_JAVASCRIPT_INT <= value <= _MAX_JAVASCRIPT_INT else str(value)


def real(value: float) -> float | str:
    """Return the number, as text if JSON cannot hold it."""
    return value if isfinite(value) else str(value)


def span_record(
    *,
    ids: tuple[bytes, bytes, bytes],
    name: str,
    kind: int,
    times: tuple[int, int],
    status: tuple[int, str],
    attributes: Mapping[str, Any],
    events: tuple[RecordedEvent, ...],
    scope: str,
    resource: Mapping[str, Any],
) -> SpanRecord | None:
    """Return the span; ``None`` if an id is not valid. ``ids``: of the trace, the span and its parent. ``times``: start
    and end in Unix nanoseconds."""
    trace_id, span_id, parent_id = ids
    if len(trace_id) != 16 or len(span_id) != 8 or not any(trace_id) or not any(span_id):
        return None
    start, end = (min(max(at, 0), _MAX_NANOSECONDS) for at in times)
    return SpanRecord(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_id=parent_id.hex() if len(parent_id) == 8 and any(parent_id) else None,
        name=text(name),
        kind=kind if 0 <= kind <= _LAST_KIND else 0,
        scope=scope,
        service=service_of(resource),
        start=unix_milliseconds(start),
        duration=max(0, end - start) / 1e6,
        failed=status[0] == FAILED_STATUS,
        status_message=text(status[1]),
        attributes=attributes,
        resource=resource,
        events=events,
    )


def gauge_records(
    name: str, resource: Mapping[str, Any], attributes: Mapping[str, Any], value: float, time: int
) -> Iterator[GaugeRecord]:
    """Yield one data point of a gauge, unless its value is not a number. ``time``: Unix nanoseconds."""
    if not isfinite(value):
        return
    yield GaugeRecord(
        name=name,
        service=service_of(resource),
        instance=str(resource.get(INSTANCE, "")),
        attributes=attributes,
        value=value,
        time=unix_milliseconds(time),
    )


def service_of(resource: Mapping[str, Any]) -> str:
    """Return the name of the service that a resource describes."""
    return str(resource.get(SERVICE, "unknown_service"))


def unix_milliseconds(nanoseconds: int) -> float:
    """Return a time in Unix milliseconds, exact to the microsecond: a float cannot hold its nanoseconds."""
    return min(max(nanoseconds, 0), _MAX_NANOSECONDS) // 1_000 / 1_000
