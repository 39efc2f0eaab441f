"""Names of the SLO series in Prometheus: OpenTelemetry's names after conversion, and the recorded series."""

from __future__ import annotations

from .burn import duration

EVENTS = "l0_slo_events_total"
SLO = "l0_slo"
LAYER = "l0_slo_layer"
GOOD = "l0_slo_good"
PROVIDER = "gen_ai_provider_name"
MODEL = "gen_ai_request_model"
BY = (SLO, LAYER, PROVIDER)
"""Labels that the rules keep: there is one alert per objective and provider, over all its models."""

TARGET = "l0_slo_objective:ratio"
MIN_EVENTS = "l0_slo_min_events:count"
BUDGET = "provider:l0_slo_error_budget:remaining"
WINDOW = "l0_slo_window"
"""Label of `TARGET`: the window over which the objective's budget is counted."""

DEFINITION = "l0_slo_definition"
"""Label of `TARGET`: indicator, threshold and target of the objective, for the texts of alerts."""


def events(seconds: int) -> str:
    """Return the recorded series of events in a window."""
    return f"provider:l0_slo_events:increase{duration(seconds)}"


def errors(seconds: int) -> str:
    """Return the recorded series of bad events in a window."""
    return f"provider:l0_slo_errors:increase{duration(seconds)}"


def burn(seconds: int) -> str:
    """Return the recorded series of the burn rate over a window."""
    return f"provider:l0_slo_burn:rate{duration(seconds)}"


def firing(alert: str) -> str:
    """Return the series that Prometheus itself records of each alert that fires, by its labels."""
    return select("ALERTS", alertname=alert, alertstate="firing")


def select(metric: str, **labels: str) -> str:
    """Return a selector: ``metric{label="value"}``."""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{metric}{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
