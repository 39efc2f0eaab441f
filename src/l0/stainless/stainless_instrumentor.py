"""Provide the base class of the provider packages' instrumentors: an OpenTelemetry instrumentor for one SDK."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from abc import abstractmethod
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it opts out
from packaging.specifiers import SpecifierSet

from l0.config import CONFIG
from l0.model.policy_from_environment import read_environment
from l0.runtime.rule_runner import check_rules
from l0.shared_state.forks import renew_in_child
from l0.telemetry.breaker_metrics import BreakerObserver
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.metrics import MetricObserver
from l0.telemetry.otlp import setup_for_launcher
from l0.telemetry.slo_metrics import SloObserver
from l0.telemetry.spans import SpanObserver

from .post_imports import after_import, forget, importable, take_others
from .sdk import Sdk
from .sdk_patches import SdkPatches
from .stainless_call_adapter import Provider

_log = logging.getLogger("l0")
REPLACED = (
    "l0 was imported a second time: this copy replaces the patches of the first. Policies, exception classes and "
    "wrapped clients of the first copy do not work with this one, so import them again"
)


class StainlessInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # BaseInstrumentor is untyped
    """An instrumentor that patches one SDK, now or when it is imported.

    A subclass sets the SDK's import name and supported versions, and returns its `Provider`. ``refusal``: the reason
    why the installed SDK cannot be patched; ``None`` if there is none.
    """

    sdk_name: str
    supported: str
    refusal: str | None = None

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

    def _check_dependency_conflicts(self) -> Any:
        """Report a missing SDK only. `catch_up` warns about an unsupported version, which OpenTelemetry only logs."""
        return None if importable(self.sdk_name) else super()._check_dependency_conflicts()

    def _instrument(self, **kwargs: Any) -> None:
        """Patch the SDK. Accepts OpenTelemetry's ``tracer_provider``, ``meter_provider`` and ``logger_provider``.

        ``warn``: False if the caller reports the ``refusal``.
        """
        if self.remove_earlier_copies():
            _warn(REPLACED)
        setup_for_launcher()
        meters = kwargs.get("meter_provider")
        shared_state = CONFIG.shared_state
        observable = SloObserver(shared_state.slos, meters), BreakerObserver(shared_state.breakers, meters)
        spans = SpanObserver(kwargs.get("tracer_provider"), logger_provider=kwargs.get("logger_provider"))
        CONFIG.set_observers((spans, MetricObserver(meters), *observable), self.sdk_name)
        CONFIG.set_environment(read_environment(os.environ, check_rules))
        CONFIG.instrumented.add(self.sdk_name)
        CALL_LOG.sdks.add(self.sdk_name)
        with self._guard:
            self._wanted = True
        after_import(self.sdk_name, self._imported)
        if self.sdk_name in sys.modules:
            import_module(self.sdk_name)  # waits for an import in progress in another thread
        self.catch_up()
        if self.refusal is not None and kwargs.get("warn", True):
            _warn(self.refusal)

    def remove_earlier_copies(self) -> bool:
        """Remove the patches of this SDK by copies of l0 that were imported earlier. Return True if there were any."""
        earlier = take_others(self.sdk_name, self._imported)
        for callback in earlier:  # a method of that copy's instrumentor
            callback.__self__.uninstrument()  # type: ignore[attr-defined]
        return bool(earlier)

    def _imported(self) -> None:
        known = self.refusal
        self.catch_up()
        if self.refusal is not None and self.refusal != known:
            _warn(self.refusal)

    def catch_up(self) -> None:
        """Patch the SDK if it is imported and not patched yet, after its first or a later import. Set ``refusal``."""
        with self._guard:
            base = sys.modules.get(f"{self.sdk_name}._base_client")
            if not self._wanted or (self.patches is not None and self.patches.sdk.base is base):
                return
            try:
                self.refusal = self._unsupported()
                if self.refusal is not None or base is None:
                    return
                sdk = Sdk(self.sdk_name)
                patches = SdkPatches(sdk, self.provider(sdk))
                patches.apply()
            except Exception as error:
                self.refusal = f"l0 does not patch {self.sdk_name}: its private parts are not as expected ({error!r})"
                return
            if self.patches is not None:
                self._previous_patches.append(self.patches)  # the application may still use the replaced modules
            self.patches = patches

    def _unsupported(self) -> str | None:
        """Return the reason if the version of the SDK is known and not supported."""
        found = self._version()
        if found is None or SpecifierSet(self.supported, prereleases=True).contains(found):
            return None
        return f"l0 does not patch {self.sdk_name} {found}: supported are {self.sdk_name} {self.supported}"

    def _version(self) -> str | None:
        """Return the version of the imported SDK, or before the import of the installed one; ``None`` if unknown."""
        found = getattr(sys.modules.get(self.sdk_name), "__version__", None)
        if found is not None:
            return str(found)
        try:
            return version(self.sdk_name)
        except PackageNotFoundError:
            return None

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        CONFIG.instrumented.discard(self.sdk_name)
        with self._guard:
            self._wanted = False
            self.refusal = None
            forget(self.sdk_name)
            for patches in [*self._previous_patches, self.patches]:
                if patches is not None:
                    patches.undo()
            self._previous_patches.clear()
            self.patches = None


def _warn(message: str) -> None:
    """Log, and warn at the line that called OpenTelemetry's ``instrument()`` or that imported the SDK.

    Raises nothing, even if a filter turns warnings into errors: the program must start.
    """
    _log.warning("%s", message)
    with suppress(Warning):
        warnings.warn(message, RuntimeWarning, stacklevel=4)
