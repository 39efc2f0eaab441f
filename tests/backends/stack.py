"""Provide one route from the program to the back ends, after a load went through it."""

from __future__ import annotations

from dataclasses import dataclass

from backends import Collector, Jaeger, Prometheus
from evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One way from the program to the back ends, after a load went through it. ``span_metrics``: the Collector makes
    metrics of spans; ``sampled``: it keeps only eventful traces; ``exemplars``: the way keeps them."""

    name: str
    jaeger: Jaeger
    prometheus: Prometheus
    collector: Collector
    did: Evidence
    span_metrics: bool
    sampled: bool
    exemplars: bool
