"""The base of the provider packages' instrumentors: an OpenTelemetry instrumentor for one SDK."""

from __future__ import annotations

import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

from l0.model.policy_error import PolicyError
from l0.shared_state.forks import renew_in_child
from l0.shared_state.late_settings import LATE_SETTINGS
from l0.telemetry.otlp_request import launcher_requests_export

from .installed import version_of
from .late_imports import keep_packages, late_imports
from .post_imports import after_import, forget, importable, take_others
from .version_range import is_version_range, supports

if TYPE_CHECKING:
    from .function_patches import FunctionPatches

REPLACED = (
    "l0 was imported a second time: this copy replaces the patches of the first. Policies, exception classes and "
    "wrapped clients of the first copy do not work with this one, so import them again"
)

_FORMER_NAMES = {"host": "terminal_event_host", "supported": "supported_versions"}
"""Former names of attributes with their new ones. They work for one release, with a `DeprecationWarning`."""

PATCHING: dict[str, SdkInstrumentor] = {}
"""The instrumentor of this copy of l0 that patches an SDK, by the SDK's import name."""


class _Nothing:
    """The value of an attribute that a class does not have."""

    def __repr__(self) -> str:
        return "nothing"


class SdkInstrumentor(ABC):
    """An instrumentor that patches one SDK, now or when it is imported.

    A subclass sets the SDK's import name, the name of its ``distribution`` if that differs, the supported versions, and
    the name of the module whose functions it patches; and it makes the patches. ``refusal``: the reason why the
    installed SDK cannot be patched; ``None`` if there is none.

    It has the methods of OpenTelemetry's `BaseInstrumentor`, and is registered as a subclass of it. It does not inherit
    from it, because `l0.instrument()` would import OpenTelemetry and packaging before any call is made.
    """

    _instance: ClassVar[Self]
    _is_instrumented_by_opentelemetry = False
    sdk_name: str
    distribution: str
    module_name: str
    supported_versions: str
    refusal: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for former, new in _FORMER_NAMES.items():
            if former in vars(cls):
                from l0.model.caller_warning import warn_caller  # no class of this project needs it

                warn_caller(f"{cls.__qualname__}.{former} is now {new}", DeprecationWarning, ("abc",))
                setattr(cls, new, vars(cls)[former])
                delattr(cls, former)
        if "distribution" not in vars(cls) and "sdk_name" in vars(cls):
            cls.distribution = cls.sdk_name

    def __new__(cls) -> Self:
        """Return the only instance, as OpenTelemetry's instrumentors do. Raises `PolicyError` for a bad attribute."""
        _register()
        if "_instance" not in vars(cls):  # a base class has its own
            try:
                cls.check_attributes()
            except PolicyError as error:
                error.add_note(f"the class is at {place_of(cls)}")
                raise
            cls._instance = super().__new__(cls)
        return cls._instance

    def __init__(self) -> None:
        if not hasattr(self, "_guard"):  # there is only one instance: `__init__` may run again
            self.renew()
            renew_in_child(self)
            self._wanted = False
            self._previous_patches: list[FunctionPatches] = []
            self.patches: Any = None
            self._patched_module: Any = None

    def renew(self) -> None:
        """Create a new lock. In a forked child, a thread that exists only in the parent may hold the old one."""
        self._guard = threading.RLock()

    @classmethod
    def check_attributes(cls) -> None:
        """Raise `PolicyError` if an attribute that a subclass must set is missing or cannot be used."""
        check_attribute(cls, "sdk_name", _is_import_name, 'the name by which programs import the SDK, such as "groq"')
        check_attribute(cls, "distribution", is_text, 'the name of the SDK for pip, such as "fireworks-ai"')
        check_attribute(cls, "supported_versions", is_version_range, 'a range of versions, such as ">= 1, < 2"')

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """True from `instrument` to `uninstrument`."""
        return self._is_instrumented_by_opentelemetry

    def instrument(self, **kwargs: Any) -> None:
        """Patch the SDK. OpenTelemetry's code runs only to check if the SDK is installed, and to log a second call."""
        if self._is_instrumented_by_opentelemetry or not kwargs.pop("skip_dep_check", False):
            _opentelemetrys().instrument(self, **kwargs)
            return
        kwargs.pop("raise_exception_on_conflict", None)
        self._instrument(**kwargs)
        self._is_instrumented_by_opentelemetry = True

    def uninstrument(self, **kwargs: Any) -> None:
        """Restore the SDK. OpenTelemetry's code runs only to log a second call."""
        if not self._is_instrumented_by_opentelemetry:
            _opentelemetrys().uninstrument(self, **kwargs)
            return
        self._uninstrument(**kwargs)
        self._is_instrumented_by_opentelemetry = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the supported range of SDK versions, in the form that OpenTelemetry expects."""
        return (f"{self.distribution} {self.supported_versions}",)

    @abstractmethod
    def make_patches(self, module: Any) -> FunctionPatches:
        """Patch the SDK. Raises an exception, and patches nothing, if its private parts are not as expected."""

    def _check_dependency_conflicts(self) -> Any:
        """Report a missing SDK only. `catch_up` warns about an unsupported version, which OpenTelemetry only logs."""
        return None if importable(self.sdk_name) else _opentelemetrys()._check_dependency_conflicts(self)

    def _instrument(self, **kwargs: Any) -> None:
        """Patch the SDK. Accepts OpenTelemetry's ``tracer_provider``, ``meter_provider`` and ``logger_provider``.

        ``warn``: False if the caller reports the ``refusal``.
        """
        replaced = self.replace_others()
        if replaced is not None:
            _warn(replaced)
        if launcher_requests_export():
            with late_imports():
                from l0.telemetry.otlp import setup_for_launcher
            setup_for_launcher()
        given = any(kwargs.get(provider) is not None for provider in ("tracer_provider", "meter_provider"))
        LATE_SETTINGS.set_observers(self.sdk_name, partial(_observers, kwargs, dict(os.environ)), given=given)
        _use_environment()
        LATE_SETTINGS.instrumented.add(self.sdk_name)
        LATE_SETTINGS.seen.add(self.sdk_name.partition(".")[0])
        with self._guard:
            self._wanted = True
        PATCHING[self.sdk_name] = self
        after_import(self.sdk_name, self._imported)
        if self.sdk_name in sys.modules:
            import_module(self.sdk_name)  # waits for an import in progress in another thread
        self.catch_up()
        keep_packages(*(kind.__module__ for kind in type(self).__mro__))
        if self.refusal is not None and kwargs.get("warn", True):
            _warn(self.refusal)

    def replace_others(self) -> str | None:
        """Remove the patches of this SDK by other instrumentors. Return the warning to issue; ``None`` if none patched.

        The others are of copies of l0 that were imported earlier, or of other classes for the same SDK. A class that
        was only defined again, as by a notebook's cell, replaces its former self without a warning.
        """
        callbacks = take_others(self.sdk_name, self._imported)
        others: list[Any] = [callback.__self__ for callback in callbacks]  # type: ignore[attr-defined]
        for other in others:
            other.uninstrument()
        if any(not isinstance(other, SdkInstrumentor) for other in others):
            return REPLACED
        names = ", ".join(_class_name(other) for other in others if not self.is_copy_of(other))
        if not names:
            return None
        return f"{_class_name(self)} replaces the patches of {names}: only one class can patch {self.sdk_name}"

    def is_copy_of(self, other: object) -> bool:
        """Return True if the class of ``other`` has the name of this class, as after a second import of its module."""
        return _class_name(self) == _class_name(other)

    def _imported(self) -> None:
        known = self.refusal
        self.catch_up()
        if self.refusal is not None and self.refusal != known:
            _warn(self.refusal)

    def catch_up(self) -> None:
        """Patch the SDK if it is imported and not patched yet, after its first or a later import, or if another library
        has undone a patch. Set ``refusal``."""
        with self._guard:
            module = sys.modules.get(self.module_name)
            if not self._wanted:
                return
            if self.patches is not None and self._patched_module is module:
                if not self._is_undone():
                    return
                self.patches.undo()
                self.patches = None
            try:
                self.refusal = self._unsupported()
                if self.refusal is not None or module is None:
                    return
                patches = self.make_patches(module)
            except Exception as error:
                self.refusal = f"l0 does not patch {self.sdk_name}: its private parts are not as expected ({error!r})"
                return
            if self.patches is not None:
                self._previous_patches.append(self.patches)  # the application may still use the replaced modules
            self.patches, self._patched_module = patches, module

    def _is_undone(self) -> bool:
        with late_imports():
            from .patch_check import is_undone
        return is_undone(self.patches, self.sdk_name.partition(".")[0])

    def _unsupported(self) -> str | None:
        """Return the reason if the version of the SDK is known and not supported."""
        found = self._version()
        if found is None or supports(self.supported_versions, found):
            return None
        supported = f"{self.distribution} {self.supported_versions}"
        return f"l0 does not patch {self.distribution} {found}: supported are {supported}"

    def _version(self) -> str | None:
        """Return the version of the imported SDK, or of the installed one if none is imported; ``None`` if unknown.

        An imported package without the patched module may be another package of that name. Then the metadata decides.
        """
        found = getattr(sys.modules.get(self.sdk_name), "__version__", None)
        if found is not None and self.module_name in sys.modules:
            return str(found)
        return version_of(self.distribution)

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002
        LATE_SETTINGS.instrumented.discard(self.sdk_name)
        LATE_SETTINGS.drop_observers(self.sdk_name)
        if PATCHING.get(self.sdk_name) is self:
            del PATCHING[self.sdk_name]
        with self._guard:
            self._wanted = False
            self.refusal = None
            forget(self.sdk_name)
            for patches in [*self._previous_patches, self.patches]:
                if patches is not None:
                    patches.undo()
            self._previous_patches.clear()
            self.patches = None


def check_attribute(kind: type, name: str, is_allowed: Callable[[object], bool], allowed: str) -> None:
    """Raise `PolicyError` if an attribute of the class is missing, or has a value that is not allowed."""
    value = getattr(kind, name, _Nothing())
    if not is_allowed(value):
        raise PolicyError(f"{kind.__module__}.{kind.__qualname__}.{name}", value, allowed)


def place_of(kind: type) -> str:
    """Return the file and the line of a class; only its module if its source is not available."""
    import inspect  # only errors need it

    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return kind.__module__


def is_text(value: object) -> bool:
    """Return True for a string that is not empty and has no spaces at its ends."""
    return isinstance(value, str) and value != "" and value == value.strip()


def _is_import_name(value: object) -> bool:
    """Return True for the name of a package or module, such as ``cerebras.cloud.sdk``."""
    return isinstance(value, str) and all(part.isidentifier() for part in value.split("."))


def _class_name(instrumentor: object) -> str:
    kind = type(instrumentor)
    return f"{kind.__module__}.{kind.__qualname__}"


def _observers(providers: Mapping[str, Any], environ: Mapping[str, str]) -> Sequence[Any]:
    """Return the observers of an SDK's calls: spans, metrics, objectives, breakers and the fleet."""
    from l0.config import CONFIG
    from l0.telemetry.breaker_metrics import BreakerObserver
    from l0.telemetry.fleet_metrics import FleetObserver
    from l0.telemetry.metrics import MetricObserver
    from l0.telemetry.slo_metrics import SloObserver
    from l0.telemetry.spans import SpanObserver

    meters = providers.get("meter_provider")
    shared_state = CONFIG.shared_state
    return (
        SpanObserver(
            providers.get("tracer_provider"), logger_provider=providers.get("logger_provider"), environ=environ
        ),
        MetricObserver(meters, environ=environ),
        SloObserver(shared_state.slos, meters),
        BreakerObserver(shared_state.breakers, meters),
        FleetObserver(shared_state, meters),
    )


def _use_environment() -> None:
    """Apply the settings of the environment. If it has none, the module of settings need not be imported yet."""
    own = any(name.startswith("L0_") for name in os.environ)
    if LATE_SETTINGS.loaded is None and not own and not _content_switch_is_set():
        return
    with late_imports():
        from l0.config import CONFIG
        from l0.model.policy_from_environment import read_environment
    CONFIG.set_environment(read_environment(os.environ))


def _content_switch_is_set() -> bool:
    """Return True if the variable that controls the capture of content is set, whatever its value."""
    if not any(name.startswith("OTEL_") for name in os.environ):
        return False
    from l0.telemetry.names import CONTENT_SWITCH

    return bool(os.environ.get(CONTENT_SWITCH, "").strip())


def _opentelemetrys() -> Any:
    """Return OpenTelemetry's `BaseInstrumentor`. Its methods need only the methods and fields that we have."""
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it opts out

    _register()
    return BaseInstrumentor


def _register() -> None:
    """Register as a subclass of `BaseInstrumentor`, if a program has imported that."""
    module = sys.modules.get("opentelemetry.instrumentation.instrumentor")
    if module is not None:
        module.BaseInstrumentor.register(SdkInstrumentor)


def _warn(message: str) -> None:
    """Log, and warn at the line that called OpenTelemetry's ``instrument()`` or that imported the SDK.

    Raises nothing, even if a filter turns warnings into errors: the program must start.
    """
    import logging  # few programs have anything to warn of, and it takes 4 ms

    logging.getLogger("l0").warning("%s", message)
    with late_imports():
        from l0.model.caller_warning import warn_caller
    with suppress(Warning):
        warn_caller(message, skipped_packages=("importlib", "opentelemetry"))
