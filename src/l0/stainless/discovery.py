"""`l0.instrument()`: finds the providers' packages by entry point, and switches them on and off."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

from opentelemetry.instrumentation.dependencies import DependencyConflictError

from l0.config import CONFIG
from l0.model.policy import Policy
from l0.model.ports import Observer
from l0.runtime.watchdog import WATCHDOG
from l0.shared_state.forks import renew_in_child
from l0.telemetry.otlp import setup

from .post_imports import importable
from .stainless_instrumentor import UNSUPPORTED

_GROUP = "opentelemetry_instrumentor"
_PREFIX = "l0_"
_SHIPPED = (
    EntryPoint("l0_anthropic", "l0_anthropic:AnthropicInstrumentor", _GROUP),
    EntryPoint("l0_openai", "l0_openai:OpenAIInstrumentor", _GROUP),
)
"""The provider packages of this distribution."""
_log = logging.getLogger("l0")


class _Switching:
    """One thread at a time patches and restores."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """In a forked child, another thread of the parent's may hold the lock."""
        self.lock = threading.RLock()


_SWITCHING = _Switching()


def providers() -> list[EntryPoint]:
    """Return all provider packages, ours and other people's, by name.

    Ours are known without metadata of the distribution, which frozen, vendored and zipped copies lack.
    """
    found = {point.name: point for point in _SHIPPED if importable(point.module)}
    found |= {point.name: point for point in entry_points(group=_GROUP) if point.name.startswith(_PREFIX)}
    return [found[name] for name in sorted(found)]


def installed_version(name: str) -> str | None:
    """Return the version of an SDK, ``""`` if it is not known before the import, ``None`` if there is no such SDK."""
    try:
        return version(name)
    except PackageNotFoundError:  # not installed, or a copy without metadata
        found = getattr(sys.modules.get(name), "__version__", "")
        return str(found) if importable(name) else None


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
    (`l0.model.ports.Observer`), beside spans and metrics. ``direct``, for experts: under asyncio, streams are read
    straight from their connections (`patching.direct`), which saves 40 % of what is left of their CPU, and rests on
    private names of the transport; ``None``: as ``L0_DIRECT`` in the environment says, else no.

    SDKs that are not installed are passed over, with a `RuntimeWarning` if there is none at all; one of a version
    outside the supported range is left alone, with one warning. Raises `l0.PolicyError` for a policy that is none, and
    `ImportError` where ``otlp`` lacks its extra.
    """
    CONFIG.set_default(policy)
    CONFIG.add_observers(observers)
    CONFIG.set_direct(direct)
    if otlp:
        setup(otlp)
    with _SWITCHING.lock:
        instrumentors = [point.load()() for point in providers()]
        if not [one for one in instrumentors if _switch_on(one)]:
            warnings.warn(_nothing(instrumentors), RuntimeWarning, stacklevel=2)


def _nothing(instrumentors: Sequence[Any]) -> str:
    """Return why nothing is patched."""
    if not instrumentors:
        return (
            "l0 patches nothing: its provider packages (l0_openai, l0_anthropic) are missing. "
            "A frozen program must include them, with PyInstaller by --hidden-import."
        )
    names = ", ".join(one.sdk_name for one in instrumentors)
    return f"l0 patches nothing: no supported SDK is installed, looked for {names} (see: l0 doctor)"


def instrument_sdk(name: str) -> bool:
    """Patch the one SDK whose import name is ``name``. Whether its calls now go through the engine."""
    with _SWITCHING.lock:
        for point in providers():
            instrumentor = point.load()()
            if getattr(instrumentor, "sdk_name", None) == name:
                return _switch_on(instrumentor)
    return False


def _switch_on(instrumentor: Any) -> bool:
    """Return whether the SDK is there, and patched now or when it is imported."""
    if instrumentor.is_instrumented_by_opentelemetry:
        getattr(instrumentor, "catch_up", lambda: None)()  # it may have been imported anew, behind the hooks' back
        return True
    installed = installed_version(instrumentor.sdk_name)
    if installed is None:
        return False
    try:
        # Without metadata the version is checked when the SDK is imported.
        instrumentor.instrument(
            raise_exception_on_conflict=True, skip_dep_check=not _has_metadata(instrumentor.sdk_name)
        )
    except DependencyConflictError:
        _log.warning(UNSUPPORTED, instrumentor.sdk_name, installed, instrumentor.sdk_name, instrumentor.supported)
    return True


def _has_metadata(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def uninstrument() -> None:
    """Restore the SDKs' own functions. Streams that are being read are read to their end."""
    with _SWITCHING.lock:
        for point in providers():
            instrumentor = point.load()()
            if instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.uninstrument()
    CONFIG.set_default(None)
    CONFIG.add_observers(())
    CONFIG.set_direct(None)
    WATCHDOG.stop()
