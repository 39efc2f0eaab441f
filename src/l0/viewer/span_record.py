"""Spans and gauges as received, independent of the encoding. Times are Unix milliseconds, durations milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event of a span."""

    time: float
    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """One span. Ids are in hexadecimal; ``parent_id`` is ``None`` for the first span of a trace.

    ``kind``: OTLP's number. ``scope``: the name of the instrumentation. ``failed``: its status is an error.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: int
    scope: str
    service: str
    start: float
    duration: float
    failed: bool
    status_message: str
    attributes: Attributes
    resource: Attributes
    events: tuple[RecordedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeRecord:
    """The last value of a gauge that the viewer shows. ``instance``: the process that reported it."""

    name: str
    service: str
    instance: str
    attributes: Attributes
    value: float
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """The usable content of one request. ``rejected``: the number of spans without valid ids."""

    spans: tuple[SpanRecord, ...] = ()
    gauges: tuple[GaugeRecord, ...] = ()
    rejected: int = 0
