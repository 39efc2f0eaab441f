"""Find out which OTLP export is requested, without importing OpenTelemetry."""

from __future__ import annotations

import os
import sys
from types import FrameType

from l0.model.policy_error import PolicyError

_LAUNCHERS = ("opentelemetry.instrumentation.auto_instrumentation", "l0.cli.run.startup")
EXPORTERS = {signal: f"OTEL_{signal.upper()}_EXPORTER" for signal in ("traces", "metrics")}
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


def check_endpoint(endpoint: object) -> str | None:
    """Return the base URL that ``endpoint`` names, if any. Raises `PolicyError`."""
    if isinstance(endpoint, bool):
        return None
    if not isinstance(endpoint, str) or not endpoint.startswith(("http://", "https://")):
        allowed = "the URL of an OTLP/HTTP collector such as 'http://localhost:4318', True, or False"
        raise PolicyError("otlp", endpoint, allowed)
    return endpoint.rstrip("/")


def launcher_requests_export() -> bool:
    """Return True if a launcher started this program, and the environment requests OTLP export."""
    requested = any(os.environ.get(name, "").strip() for name in ENDPOINTS)
    requested = requested or any("otlp" in os.environ.get(name, "") for name in EXPORTERS.values())
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return requested and not disabled and _started_by_launcher()


def _started_by_launcher() -> bool:
    """Return True if a launcher is on the call stack. If not, the program itself calls an instrumentor."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_LAUNCHERS):
            return True
        frame = frame.f_back
    return False
