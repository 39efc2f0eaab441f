"""`l0.instrument()`: finds the providers' packages by entry point, and switches them on and off."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

from opentelemetry.instrumentation.dependencies import DependencyConflictError

from l0.drivers.watchdog import WATCHDOG
from l0.telemetry.otlp import setup
from l0.values.policy import Policy
from l0.values.ports import Observer

from .switchboard import SWITCHBOARD

_GROUP = "opentelemetry_instrumentor"
_PREFIX = "l0_"
_log = logging.getLogger("l0")


def providers() -> list[EntryPoint]:
    """All provider packages that are installed, ours and other people's, by name."""
    found = [point for point in entry_points(group=_GROUP) if point.name.startswith(_PREFIX)]
    return sorted(found, key=lambda point: point.name)


def instrument(
    policy: Policy | None = None,
    *,
    otlp: str | bool = False,
    observers: Sequence[Observer] = (),
    direct: bool | None = None,
) -> None:
    """Make the LLM SDKs of this process reliable and visible. Safe to call again; the last policy counts.

    ``policy``: what the engine may do; ``None``: the SDK's own behaviour, made truthful. ``otlp``: an OTLP/HTTP
    endpoint (``"http://localhost:4318"``) to export to, or ``True`` for the ``OTEL_*`` environment; where the
    application has OpenTelemetry providers of its own, those are used. ``observers``: your own sinks of events
    (`l0.values.ports.Observer`), beside spans and metrics. ``direct``, for experts: under asyncio, streams are read
    straight from their connections (`patching.direct`), which saves 40 % of what is left of their CPU, and rests on
    private names of the transport; ``None``: as ``L0_DIRECT`` in the environment says, else no.

    SDKs that are not installed are passed over; one of a version outside the supported range is left alone, with one
    warning. Raises `l0.PolicyError` for a policy that is none, and `ImportError` where ``otlp`` lacks its extra.
    """
    SWITCHBOARD.set_default(policy)
    SWITCHBOARD.add_observers(observers)
    SWITCHBOARD.set_direct(direct)
    if otlp:
        setup(otlp)
    for point in providers():
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            _switch_on(instrumentor)


def instrument_sdk(name: str) -> bool:
    """Patch the one SDK whose import name is ``name``. Whether its calls now go through the engine."""
    for point in providers():
        instrumentor = point.load()()
        if getattr(instrumentor, "sdk_name", None) == name:
            if not instrumentor.is_instrumented_by_opentelemetry:
                _switch_on(instrumentor)
            return bool(instrumentor.is_instrumented_by_opentelemetry)
    return False


def _switch_on(instrumentor: Any) -> None:
    try:
        installed = version(instrumentor.sdk_name)
    except PackageNotFoundError:
        return
    try:
        instrumentor.instrument(raise_exception_on_conflict=True)
    except DependencyConflictError:
        _log.warning(
            "l0 leaves %s %s alone: supported are %s %s",
            instrumentor.sdk_name,
            installed,
            instrumentor.sdk_name,
            instrumentor.supported,
        )


def uninstrument() -> None:
    """Restore the SDKs' own functions. Streams that are being read are read to their end."""
    for point in providers():
        instrumentor = point.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
    SWITCHBOARD.set_default(None)
    SWITCHBOARD.add_observers(())
    SWITCHBOARD.set_direct(None)
    WATCHDOG.stop()
