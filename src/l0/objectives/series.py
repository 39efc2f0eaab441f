"""The names of the SLO series as Prometheus has them: what OpenTelemetry's names become, and what the rules record."""

from __future__ import annotations

from .burn import duration

EVENTS = "l0_slo_events_total"
SLO = "l0_slo"
LAYER = "l0_slo_layer"
GOOD = "l0_slo_good"
PROVIDER = "gen_ai_provider_name"
MODEL = "gen_ai_request_model"
BY = (SLO, LAYER, PROVIDER)
"""Labels that the rules keep: alerts are per provider."""

TARGET = "l0_slo_objective:ratio"
MIN_EVENTS = "l0_slo_min_events:count"
BUDGET = "provider:l0_slo_error_budget:remaining"
WINDOW = "l0_slo_window"
"""Label of `TARGET`: the window over which the objective's budget is counted."""


def events(seconds: int) -> str:
    """Events of a window, recorded."""
    return f"provider:l0_slo_events:increase{duration(seconds)}"


def errors(seconds: int) -> str:
    """Bad events of a window, recorded."""
    return f"provider:l0_slo_errors:increase{duration(seconds)}"


def burn(seconds: int) -> str:
    """The burn rate over a window, recorded."""
    return f"provider:l0_slo_burn:rate{duration(seconds)}"


def select(metric: str, **labels: str) -> str:
    """``metric{label="value"}``."""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{metric}{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
