"""Destination of the demo's telemetry."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry import metrics, trace

from l0.telemetry.listeners import is_no_op

from ..inputs import InputError

_TIMEOUT_S = 2.0
"""Timeout of the connection to a collector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Destination of spans and metrics.

    ``url``: URL of a reachable collector, or None. ``warning``: reason if the requested collector is not reachable.
    """

    url: str | None = None
    warning: str | None = None

    def flush(self) -> None:
        """Export all pending spans and metrics."""
        for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                flush()

    def __str__(self) -> str:
        if self.url:
            return f"spans and metrics went to {self.url} (OTLP over HTTP)"
        if self.warning:
            return f"not exported: {self.warning}"
        if not is_no_op(trace.get_tracer_provider()):
            return "sent to the OpenTelemetry providers of this process"
        return "not exported: this process has no OpenTelemetry providers (try --otlp http://localhost:4318)"


def destination(url: str | None) -> Destination:
    """Check that a collector listens at ``url``. Raises `InputError` if it is not an HTTP URL."""
    if url is None:
        return Destination()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme not in ("http", "https") or host is None:
        raise InputError(
            f"--otlp: got {url!r}, allowed: the URL of an OTLP/HTTP collector, such as http://localhost:4318"
        )
    try:
        socket.create_connection((host, port), _TIMEOUT_S).close()
    except OSError as error:
        return Destination(warning=f"no collector listens at {url} ({error.strerror or error})")
    return Destination(url=url)
