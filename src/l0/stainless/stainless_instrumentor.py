"""The instrumentor that both providers' packages are: OpenTelemetry's, on top of one seam."""

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
UNSUPPORTED = "l0 leaves %s %s alone: supported are %s %s"


class StainlessInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # BaseInstrumentor is untyped
    """Patches one SDK, now or when it is imported. Subclasses name it, and bring what only they know."""

    sdk_name: str
    supported: str

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(self, "_guard"):  # OpenTelemetry makes a singleton of every instrumentor class
            self.renew()
            renew_in_child(self)
            self._wanted = False
            self._resume_state: list[SdkPatches] = []
            self.seam: SdkPatches | None = None

    def renew(self) -> None:
        """In a forked child, another thread of the parent's may hold the lock."""
        self._guard = threading.RLock()

    def instrumentation_dependencies(self) -> Collection[str]:
        """The range of SDK versions that is supported."""
        return (f"{self.sdk_name} {self.supported}",)

    @abstractmethod
    def provider(self, sdk: Sdk) -> Provider:
        """What only this provider's package knows."""

    def _instrument(self, **kwargs: Any) -> None:
        """Takes ``tracer_provider``, ``meter_provider``, ``logger_provider``, as OpenTelemetry's instrumentors do."""
        meters = kwargs.get("meter_provider")
        shared_state = CONFIG.shared_state
        read = SloObserver(shared_state.slos, meters), BreakerObserver(shared_state.breakers, meters)
        spans = SpanObserver(kwargs.get("tracer_provider"), logger_provider=kwargs.get("logger_provider"))
        CONFIG.set_observers((spans, MetricObserver(meters), *read), self.sdk_name)
        CONFIG.set_environment(policy_from_environment(os.environ), direct=direct_from_environment(os.environ))
        with self._guard:
            self._wanted = True
        after_import(self.sdk_name, self.catch_up)
        if self.sdk_name in sys.modules:
            import_module(self.sdk_name)  # waits for another thread that is importing it just now
        self.catch_up()

    def catch_up(self) -> None:
        """Patch the SDK if it is imported and not patched yet: after its first import, or when it is imported again."""
        with self._guard:
            base = sys.modules.get(f"{self.sdk_name}._base_client")
            if not self._wanted or base is None or (self.seam is not None and self.seam.sdk.base is base):
                return
            try:
                sdk = Sdk(self.sdk_name)
                if sdk.version not in SpecifierSet(self.supported, prereleases=True):
                    _log.warning(UNSUPPORTED, self.sdk_name, sdk.version, self.sdk_name, self.supported)
                    return
                seam = SdkPatches(sdk, self.provider(sdk))
                seam.apply()
            except Exception as error:
                _log.warning("l0 leaves %s alone: its insides are not as expected (%r)", self.sdk_name, error)
                return
            if self.seam is not None:
                self._resume_state.append(self.seam)  # of modules that somebody may still hold
            self.seam = seam

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        with self._guard:
            self._wanted = False
            forget(self.sdk_name)
            for seam in [*self._resume_state, self.seam]:
                if seam is not None:
                    seam.undo()
            self._resume_state.clear()
            self.seam = None
