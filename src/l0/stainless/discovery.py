"""`l0.instrument()`: find the provider packages by entry point, and patch and restore their SDKs."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from operator import attrgetter
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from l0.model.option_names import refuses_unknown_options
from l0.model.policy_error import PolicyError
from l0.shared_state.forks import renew_in_child
from l0.shared_state.late_settings import LATE_SETTINGS
from l0.telemetry.otlp_request import check_endpoint

from .installed import entry_points_of, version_of
from .late_imports import late_imports
from .post_imports import importable, take_all
from .sdk_instrumentor import PATCHING, SdkInstrumentor, place_of

if TYPE_CHECKING:
    from l0.model.function_observer import EventFunction
    from l0.model.policy import Policy
    from l0.model.ports import Observer
    from l0.recording.recording_options import RecordingOptions

GROUP = "opentelemetry_instrumentor"
PREFIX = "l0_"
"""The group of the entry points of provider packages, and the beginning of their names."""
_BUILT_IN = {
    "l0_anthropic": "l0_anthropic:AnthropicInstrumentor",
    "l0_bedrock": "l0_bedrock:BedrockInstrumentor",
    "l0_cerebras": "l0_compatible.declared_sdks:CerebrasInstrumentor",
    "l0_fireworks": "l0_compatible.declared_sdks:FireworksInstrumentor",
    "l0_google_genai": "l0_google_genai:GoogleGenAIInstrumentor",
    "l0_groq": "l0_compatible.declared_sdks:GroqInstrumentor",
    "l0_litellm": "l0_litellm:LitellmInstrumentor",
    "l0_openai": "l0_openai:OpenAIInstrumentor",
    "l0_together": "l0_compatible.declared_sdks:TogetherInstrumentor",
}
"""The provider packages of this distribution."""


class _PatchLock:
    """The lock that lets one thread at a time patch and restore."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Create a new lock. In a forked child, a thread that exists only in the parent may hold the old one."""
        self.lock = threading.RLock()


_PATCH_LOCK = _PatchLock()


def providers() -> dict[str, str]:
    """Return the modules and classes of all provider packages, built-in and third-party, sorted by name.

    The built-in ones are found without the distribution's metadata, which frozen, vendored and zipped copies lack.
    """
    found = {name: place for name, place in _BUILT_IN.items() if importable(place.partition(":")[0])}
    found |= entry_points_of(GROUP, PREFIX, _BUILT_IN)
    return dict(sorted(found.items()))


def instrumentors() -> list[Any]:
    """Return one instrumentor per SDK: the one that patches it, else the one of its provider package."""
    return load_providers()[0]


def load_providers() -> tuple[list[Any], list[str]]:
    """Return the `instrumentors`, and the problems of provider packages that cannot be used.

    A class that patches an SDK is in use, even if no entry point names it.
    """
    found: dict[str, tuple[Any, str]] = {}
    problems = []
    for name, place in providers().items():
        kind = None
        try:
            kind = _load(place)
            instrumentor = kind()
        except Exception as error:  # a defect of one package must not stop a program that does not use it
            from l0.model.errors import class_and_text

            defect = f"{class_and_text(error)} at {_place_in_package(error, place, kind)}"
            problems.append(f"l0 ignores {describe_entry_point(name)}: {defect}")
            continue
        sdk_name = instrumentor.sdk_name
        if sdk_name in found:
            used = f"{describe_entry_point(name)} is for the same SDK, {sdk_name}"
            problems.append(f"l0 ignores {describe_entry_point(found[sdk_name][1])}: {used}")
        found[sdk_name] = instrumentor, name
    loaded = {sdk_name: instrumentor for sdk_name, (instrumentor, _) in found.items()}
    in_use = {
        sdk_name: instrumentor
        for sdk_name, instrumentor in list(PATCHING.items())  # another thread may patch meanwhile
        if sdk_name not in loaded or not instrumentor.is_copy_of(loaded[sdk_name])
    }
    return [*(loaded | in_use).values()], problems


def _place_in_package(error: Exception, place: str, kind: type | None) -> str:
    """Return the place of a provider package's defect: its class, else the innermost line that is not of L0."""
    if kind is not None:
        return place_of(kind)
    import traceback

    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in ("l0", "importlib"):
            return f"{frame.f_code.co_filename}:{line}"
    module = sys.modules.get(place.partition(":")[0])
    return getattr(module, "__file__", None) or f"the entry point's value, {place}"


def describe_entry_point(name: str) -> str:
    """Describe an entry point, with the distribution that has it."""
    from importlib.metadata import entry_points

    owners = [point.dist for point in entry_points(group=GROUP, name=name) if point.dist is not None]
    return f"the entry point {name}" + "".join(f" of {owner.name} {owner.version}" for owner in owners[:1])


def _load(place: str) -> Any:
    """Import a provider package. Import it again if it was built on an earlier copy of l0.

    Raises `PolicyError` if the class is not an instrumentor of L0.
    """
    module, _, name = place.partition(":")
    kind = attrgetter(name)(import_module(module))
    base = (SdkInstrumentor.__module__, SdkInstrumentor.__qualname__)
    bases = {(b.__module__, b.__qualname__) for b in getattr(kind, "__mro__", ())}
    if base in bases and not issubclass(kind, SdkInstrumentor):
        package = module.partition(".")[0]
        for loaded in [loaded for loaded in list(sys.modules) if loaded.partition(".")[0] == package]:
            del sys.modules[loaded]
        kind = attrgetter(name)(import_module(module))
    if not (isinstance(kind, type) and issubclass(kind, SdkInstrumentor)):
        raise PolicyError(place, kind, "a subclass of OpenAiApiInstrumentor")
    return kind


def installed_version(name: str) -> str | None:
    """Return the version of an SDK; ``""`` if it is unknown before the import, ``None`` if the SDK is missing."""
    found = getattr(sys.modules.get(name), "__version__", None)
    if found is not None:
        return str(found)
    return (version_of(name) or "") if importable(name) else None


@refuses_unknown_options
def instrument(
    policy: Policy | None = None,
    *,
    otlp: str | bool = False,
    observers: Sequence[Observer | EventFunction] | None = None,
    direct: bool | None = None,
    timeline: bool | None = None,
    console: bool | None = None,
    summary: bool | None = None,
    record: str | PathLike[str] | RecordingOptions | bool | None = None,
    record_content: bool | None = None,
    provider_names: Mapping[str, str] | None = None,
    fleet: str | Literal[False] | None = None,
) -> None:
    """Make the LLM SDKs of this process reliable and observable.

    Safe to call again: options that are passed replace those of an earlier call, and the others stay. `uninstrument`
    resets all of them.

    L0 ignores SDKs that are not installed, and warns (`RuntimeWarning`) if it finds none at all. It also warns about an
    SDK that it cannot patch, such as one of an unsupported version, and a provider package that it cannot use.

    Args:
        policy: The behaviour of L0 for a call. Without one, L0 keeps the SDK's retries and timeouts.
        otlp: An OTLP/HTTP endpoint (``"http://localhost:4318"``) to export spans and metrics to, or ``True`` to use the
            ``OTEL_*`` environment variables. L0 keeps OpenTelemetry providers that the application has set. A later
            ``otlp`` that would change the export of this process has no effect except a `RuntimeWarning`.
        observers: Functions of ``(call, event)``, or `l0.types.Observer` objects, that get the events of each call.
        direct: Read streams directly from their connections, if a comparison in memory shows that the result equals
            that of the installed transport. ``None``: the value of ``L0_DIRECT``, else on.
        timeline: Record on each span when the content of a stream arrived, for the strip that ``l0 view`` shows.
            ``None``: the value of ``L0_TIMELINE``, else off.
        console: Write a line per call to stderr, with its attempts, and a summary when the process ends. ``None``: the
            value of ``L0_CONSOLE``, else off.
        summary: Count calls for `l0.summary`. The console counts them as well.
        record: A folder in which to record every call (docs/recording.md), or a `RecordingOptions`; ``False`` for none.
            ``None``: the value of ``L0_RECORD``, else none.
        record_content: Record the bodies of requests as well. ``None``: the value of ``L0_RECORD_CONTENT``, else off.
        provider_names: The ``gen_ai.provider.name`` of calls to a host, such as ``{"localhost:8000": "vllm"}``, in
            place of the name that L0 knows. ``None``: the value of ``L0_PROVIDER_NAMES``.
        fleet: The URL of a Redis, such as ``"redis://localhost:6379/0"``, through which processes share retry budgets,
            breakers, first-content times and objectives (docs/fleet.md); ``False`` for none. ``None``: the value of
            ``L0_FLEET``.

    Raises:
        l0.PolicyError: an invalid argument. Nothing has changed.
        ImportError: the extra that ``otlp`` or ``fleet`` needs is not installed. Nothing has changed.
    """
    switches = _valid(direct=direct, timeline=timeline, console=console, summary=summary, record_content=record_content)
    others = (policy, observers, record, provider_names, fleet)
    change = None if not switches and others == (None,) * len(others) else _settings(switches, *others)
    check_endpoint(otlp)
    if otlp:
        with late_imports():
            from l0.telemetry.otlp import setup
        setup(otlp)
    if change is not None:
        change()
    for message in _patch_all():
        warnings.warn(message, RuntimeWarning, stacklevel=3)  # past the decorator


def _settings(
    switches: Mapping[str, bool],
    policy: Policy | None,
    observers: Sequence[Observer | EventFunction] | None,
    record: str | PathLike[str] | RecordingOptions | bool | None,
    provider_names: Mapping[str, str] | None,
    fleet: str | Literal[False] | None,
) -> Callable[[], None]:
    """Return the function that changes the settings. Raises `PolicyError` for a value that is not allowed."""
    with late_imports():
        from l0.config import CONFIG, check_fleet, check_observers, check_policy, check_provider_names
        from l0.recording.recording_options import recording_options
    recording = recording_options(record)
    if observers is not None:
        check_observers(observers)
    check_policy(policy)
    check_provider_names(provider_names)
    check_fleet(fleet)

    def change() -> None:
        if policy is not None:
            CONFIG.set_default(policy)
        if observers is not None:
            CONFIG.add_observers(observers)
        if recording is not None:
            CONFIG.set_record(recording)
        if provider_names is not None:
            CONFIG.set_provider_names(provider_names)
        if fleet is not None:
            CONFIG.set_fleet(fleet)
        CONFIG.set_switches(switches)

    return change


def _patch_all() -> list[str]:
    """Patch every SDK. Return the problems to warn of."""
    with _PATCH_LOCK.lock:
        available, problems = load_providers()
        replaced = {instrumentor.replace_others(): None for instrumentor in available}
        installed = [instrumentor for instrumentor in available if _patch(instrumentor)]
    refusals = [instrumentor.refusal for instrumentor in installed if instrumentor.refusal is not None]
    warned = [warning for warning in replaced if warning is not None]
    return problems + warned + (refusals if installed else [_no_sdk_message(available)])


def _valid(**switches: object) -> dict[str, bool]:
    """Return the switches that are not ``None``. Raises `PolicyError` for a value that is no bool."""
    switched: dict[str, bool] = {}
    for name, on in switches.items():
        if isinstance(on, bool):
            switched[name] = on
        elif on is not None:
            unset = f"None for the value of L0_{name.upper()}" if name != "summary" else "None"
            raise PolicyError(name, on, f"True, False, or {unset}")
    return switched


def _no_sdk_message(available: Sequence[Any]) -> str:
    """Return the warning that explains why nothing is patched."""
    if not available:
        return (
            "l0 patches nothing: its provider packages (l0_openai, l0_anthropic) are missing. "
            "A frozen program must include them, with PyInstaller by --hidden-import."
        )
    names = ", ".join(instrumentor.sdk_name for instrumentor in available)
    return f"l0 patches nothing: no supported SDK is installed, searched for {names} (see: l0 doctor)"


def instrument_sdk(name: str) -> str | None:
    """Patch the SDK whose import name is ``name``. Return the reason if its calls do not go through the engine."""
    with _PATCH_LOCK.lock:
        available, problems = load_providers()
        for instrumentor in available:
            if instrumentor.sdk_name == name and _patch(instrumentor):
                refusal: str | None = instrumentor.refusal
                return refusal
    return "; ".join([f"l0 supports no SDK named {name}", *problems])


def _patch(instrumentor: Any) -> bool:
    """Patch the SDK now or when it is imported. Return False if it is not installed."""
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.catch_up()  # the SDK may have been imported again without a call of `_imported`
    elif not importable(instrumentor.sdk_name):
        return False
    else:
        instrumentor.instrument(skip_dep_check=True, warn=False)
    return True


def uninstrument() -> None:
    """Restore the SDKs' own functions, also those that an earlier copy of l0 patched, and forget all settings.

    Open streams stay readable. OpenTelemetry providers that ``otlp`` has set stay set.
    """
    with _PATCH_LOCK.lock:
        for instrumentor in [*PATCHING.values(), *(callback.__self__ for callback in take_all())]:  # type: ignore[attr-defined]
            if instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.uninstrument()
    LATE_SETTINGS.reset()
