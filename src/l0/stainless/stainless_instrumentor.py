"""Provide the base class of the provider packages' instrumentors: an OpenTelemetry instrumentor for one SDK."""

from __future__ import annotations

import logging
import os
import sys
import threading
from abc import abstractmethod
from collections.abc import Collection
from importlib import import_module
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it opts out
from packaging.specifiers import SpecifierSet

from l0.config import CONFIG
from l0.model.policy_from_environment import direct_from_environment, policy_from_environment
from l0.shared_state.forks import renew_in_child
from l0.telemetry.breaker_metrics import BreakerObserver
from l0.telemetry.metrics import MetricObserver
from l0.telemetry.slo_metrics import SloObserver
from l0.telemetry.spans import SpanObserver

from .post_imports import after_import, forget
from .sdk import Sdk
from .sdk_patches import SdkPatches
from .stainless_upstream import Provider

_log = logging.getLogger("l0")
UNSUPPORTED = "l0 does not patch %s %s: supported are %s %s"


class StainlessInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # BaseInstrumentor is untyped
    """An instrumentor that patches one SDK, now or when it is imported.

    A subclass sets the SDK's import name and supported versions, and returns its `Provider`.
    """

    sdk_name: str
    supported: str

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(self, "_guard"):  # OpenTelemetry's instrumentors are singletons: `__init__` may run again
            self.renew()
            renew_in_child(self)
            self._wanted = False
            self._previous_patches: list[SdkPatches] = []
            self.patches: SdkPatches | None = None

    def renew(self) -> None:
        """Create a new lock. In a forked child, a thread that exists only in the parent may hold the old one."""
        self._guard = threading.RLock()

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the supported range of SDK versions, as OpenTelemetry asks for it."""
        return (f"{self.sdk_name} {self.supported}",)

    @abstractmethod
    def provider(self, sdk: Sdk) -> Provider:
        """Return the part that only this provider's package implements."""

    def _instrument(self, **kwargs: Any) -> None:
        """Patch the SDK. Accepts OpenTelemetry's ``tracer_provider``, ``meter_provider`` and ``logger_provider``."""
        meters = kwargs.get("meter_provider")
        shared_state = CONFIG.shared_state
        observable = SloObserver(shared_state.slos, meters), BreakerObserver(shared_state.breakers, meters)
        spans = SpanObserver(kwargs.get("tracer_provider"), logger_provider=kwargs.get("logger_provider"))
        CONFIG.set_observers((spans, MetricObserver(meters), *observable), self.sdk_name)
        CONFIG.set_environment(policy_from_environment(os.environ), direct=direct_from_environment(os.environ))
        with self._guard:
            self._wanted = True
        after_import(self.sdk_name, self.catch_up)
        if self.sdk_name in sys.modules:
            import_module(self.sdk_name)  # waits for an import in progress in another thread
        self.catch_up()

    def catch_up(self) -> None:
        """Patch the SDK if it is imported and not patched yet, after its first or a later import."""
        with self._guard:
            base = sys.modules.get(f"{self.sdk_name}._base_client")
            if not self._wanted or base is None or (self.patches is not None and self.patches.sdk.base is base):
                return
            try:
                sdk = Sdk(self.sdk_name)
                if sdk.version not in SpecifierSet(self.supported, prereleases=True):
                    _log.warning(UNSUPPORTED, self.sdk_name, sdk.version, self.sdk_name, self.supported)
                    return
                patches = SdkPatches(sdk, self.provider(sdk))
                patches.apply()
            except Exception as error:
                _log.warning("l0 does not patch %s: its private parts are not as expected (%r)", self.sdk_name, error)
                return
            if self.patches is not None:
                self._previous_patches.append(self.patches)  # the application may still use the replaced modules
            self.patches = patches

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        with self._guard:
            self._wanted = False
            forget(self.sdk_name)
            for patches in [*self._previous_patches, self.patches]:
                if patches is not None:
                    patches.undo()
            self._previous_patches.clear()
            self.patches = None
