"""L0 makes streaming LLM calls reliable and observable with one line.

    import l0
    l0.instrument()  # patches openai, anthropic and the other supported SDKs that are installed

After that, use the SDKs as before. `help(l0.NAME)` describes a name of this list.

Start and stop
    instrument, uninstrument    patch the installed SDKs, and restore them
    policy                      apply other settings within a block
    summary                     count the calls of this process
    flush_recording             write what has been recorded so far

Policies
    Policy                      what L0 does for a call, from these parts:
    Retry, Timeout, Fallback, Hedge, Hold, CheckIntervals, ErrorTypeDelays

Rules
    Guardrails, Drift           check the text of an answer
    repair_json                 repair JSON that a model wrote

Errors
    StreamInterrupted           an answer broke; it has the part that you received
    PolicyError                 an option or its value is not allowed
    UnknownStreamError          the explicit API cannot read this source

The explicit API, for any source of text
    l0, run, run_sync, wrap     read a source with retries, fallbacks and rules
    structured, structured_array, structured_object, structured_stream
                                request a value that fits a schema
    Event, EventType            the items of a stream
    register_adapter            teach L0 another kind of source

Orchestration
    race, parallel, sequential, batched, Pool
                                run several calls
    Pipeline, Step, choose, fork
                                run calls one after another, on branches
    Consensus                   compare the answers of several calls
    Window, Restore             read a long document in parts
    NoAnswerError, InvalidAnswerError, ConsensusError

Modules
    slo                         service level objectives
    testing                     a simulated provider for tests
    types                       results, events and enumerations, for annotations
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False  # type checkers take it for True. Importing `typing` would take most of the time of this import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from . import slo as slo
    from . import testing as testing
    from . import types as types
    from .config import flush_recording as flush_recording
    from .config import policy as policy
    from .config import summary as summary
    from .model.errors import StreamInterrupted as StreamInterrupted
    from .model.policy import CheckIntervals as CheckIntervals
    from .model.policy import ErrorTypeDelays as ErrorTypeDelays
    from .model.policy import Fallback as Fallback
    from .model.policy import Hedge as Hedge
    from .model.policy import Hold as Hold
    from .model.policy import Policy as Policy
    from .model.policy import PolicyError as PolicyError
    from .model.policy import Retry as Retry
    from .model.policy import Timeout as Timeout
    from .orchestration.consensus.consensus import Consensus as Consensus
    from .orchestration.consensus.outcome import ConsensusError as ConsensusError
    from .orchestration.fan_out import batched as batched
    from .orchestration.fan_out import parallel as parallel
    from .orchestration.fan_out import sequential as sequential
    from .orchestration.pipelines import Pipeline as Pipeline
    from .orchestration.pipelines import Step as Step
    from .orchestration.pipelines import choose as choose
    from .orchestration.pipelines import fork as fork
    from .orchestration.pools import Pool as Pool
    from .orchestration.races import InvalidAnswerError as InvalidAnswerError
    from .orchestration.races import NoAnswerError as NoAnswerError
    from .orchestration.races import race as race
    from .orchestration.windows.context_retry import Restore as Restore
    from .orchestration.windows.window import Window as Window
    from .rules.drift.drift_rule import Drift as Drift
    from .rules.guardrails.catalogue import Guardrails as Guardrails
    from .rules.structured.repair import repair_json as repair_json
    from .stainless.discovery import instrument as instrument
    from .stainless.discovery import uninstrument as uninstrument
    from .streams.adapters import register_adapter as register_adapter
    from .streams.front_door import l0 as l0
    from .streams.run import run as run
    from .streams.run import run_sync as run_sync
    from .streams.stream_events import Event as Event
    from .streams.stream_events import EventType as EventType
    from .streams.stream_events import UnknownStreamError as UnknownStreamError
    from .streams.structured_output import structured as structured
    from .streams.structured_output import structured_array as structured_array
    from .streams.structured_output import structured_object as structured_object
    from .streams.structured_output import structured_stream as structured_stream
    from .streams.wrap import wrap as wrap

_GROUPS: Mapping[str, Mapping[str, str]] = {
    "Start and stop": {
        "instrument": ".stainless.discovery",
        "uninstrument": ".stainless.discovery",
        "policy": ".config",
        "summary": ".config",
        "flush_recording": ".config",
    },
    "Policies": {
        "Policy": ".model.policy",
        "Retry": ".model.policy",
        "Timeout": ".model.policy",
        "Fallback": ".model.policy",
        "Hedge": ".model.policy",
        "Hold": ".model.policy",
        "CheckIntervals": ".model.policy",
        "ErrorTypeDelays": ".model.policy",
    },
    "Rules": {
        "Guardrails": ".rules.guardrails.catalogue",
        "Drift": ".rules.drift.drift_rule",
        "repair_json": ".rules.structured.repair",
    },
    "Errors": {
        "StreamInterrupted": ".model.errors",
        "PolicyError": ".model.policy",
        "UnknownStreamError": ".streams.stream_events",
    },
    "The explicit API": {
        "l0": ".streams.front_door",
        "run": ".streams.run",
        "run_sync": ".streams.run",
        "wrap": ".streams.wrap",
        "structured": ".streams.structured_output",
        "structured_array": ".streams.structured_output",
        "structured_object": ".streams.structured_output",
        "structured_stream": ".streams.structured_output",
        "Event": ".streams.stream_events",
        "EventType": ".streams.stream_events",
        "register_adapter": ".streams.adapters",
    },
    "Orchestration": {
        "race": ".orchestration.races",
        "parallel": ".orchestration.fan_out",
        "sequential": ".orchestration.fan_out",
        "batched": ".orchestration.fan_out",
        "Pool": ".orchestration.pools",
        "Pipeline": ".orchestration.pipelines",
        "Step": ".orchestration.pipelines",
        "choose": ".orchestration.pipelines",
        "fork": ".orchestration.pipelines",
        "Consensus": ".orchestration.consensus.consensus",
        "Window": ".orchestration.windows.window",
        "Restore": ".orchestration.windows.context_retry",
        "NoAnswerError": ".orchestration.races",
        "InvalidAnswerError": ".orchestration.races",
        "ConsensusError": ".orchestration.consensus.outcome",
    },
    "Modules": {"slo": ".", "testing": ".", "types": "."},
}
"""The public names by topic, with their modules; "." marks a module of this package. Names resolve when they are used,
so that `import l0` is fast."""

_HOMES = {name: home for names in _GROUPS.values() for name, home in names.items()}

_RENAMED = {"Seam": "ResumePoint"}
"""Former names with their new ones. They work for one release, with a `DeprecationWarning`."""


class _CallableModule(ModuleType):
    """A module that can be called like its function `l0`.

    ``import l0`` and ``from l0 import l0`` bind the same name in a program, so the later one replaces the earlier. So
    that both work in either order, the module can be called, and the function has the module's names.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.l0(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        """Return the parameters of the function, which editors and `inspect` show."""
        from inspect import signature

        return signature(self.l0)

    def __reduce__(self) -> tuple[Any, ...]:
        """Import the module again in the process that unpickles it."""
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _CallableModule


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("l0-otel")
    except PackageNotFoundError:  # a frozen, zipped or vendored copy without metadata
        return "unknown"


if TYPE_CHECKING:
    __version__: str
else:  # type checkers would accept any name as one that this function resolves

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return _version()
        if name == "__all__":
            return _exported(sys._getframe(1).f_globals.get("__name__"))
        home = _HOMES.get(name)
        if home is None:
            return _former(name)
        value = import_module(f".{name}", __name__) if home == "." else getattr(import_module(home, __name__), name)
        globals()[name] = value
        return value


def _exported(module: str | None) -> list[str]:
    """Return `__all__` for the module that reads it. pydoc gets none: `help(l0)` would print the help of each name."""
    if module == "pydoc":
        raise AttributeError("module 'l0' has no attribute '__all__'")
    return list(_HOMES)


def _former(name: str) -> Any:
    """Return what a name of an earlier version, or of L0 for Python, stands for."""
    from .migration import ALIASES, resolve

    new = _RENAMED.get(name, name)
    if not name.startswith("_") and name not in ALIASES:
        types = import_module(".types", __name__)
        if new in types.__all__:
            from warnings import warn

            warn(f"{__name__}.{name} is now {__name__}.types.{new}", DeprecationWarning, stacklevel=3)
            return getattr(types, new)
    return resolve(name)


def __dir__() -> list[str]:
    """Return the public names, and the attributes of every module, but not what this file imports."""
    return [*_HOMES, "__version__", *(name for name in globals() if name.startswith("__"))]
