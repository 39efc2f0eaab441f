"""L0 makes streaming LLM calls reliable and observable with one line.

``import l0; l0.instrument()`` patches the openai and anthropic SDKs in place. Names resolve lazily, so that importing
`l0` is fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False  # what type checkers take for True; typing would be most of the time of this import
if TYPE_CHECKING:
    from typing import Any

    from . import slo
    from .config import policy, summary
    from .console.call_summary import Summary
    from .dialects.payload import Payload
    from .model.attempt import AttemptSpec
    from .model.call import Call, Outcome
    from .model.call_events import (
        AttemptEnded,
        AttemptStarted,
        BreakerChanged,
        CallEnded,
        CallEvent,
        ResponseMetadata,
        RuleMatched,
        RuleTimes,
        ShadowDecision,
        StreamStats,
    )
    from .model.errors import StreamInterrupted
    from .model.failure import Category, Cause, Failure
    from .model.policy import (
        ERROR_TYPE_DELAY_DEFAULTS,
        RETRY_DEFAULTS,
        CheckIntervals,
        ErrorTypeDelays,
        Fallback,
        Hedge,
        Hold,
        Policy,
        PolicyError,
        ResumePoint,
        Retry,
        Timeout,
    )
    from .model.ports import CallObserver, Observer
    from .model.rule import Severity, Violation
    from .orchestration.consensus.consensus import Consensus
    from .orchestration.consensus.outcome import ConsensusError, ConsensusResult
    from .orchestration.consensus.settings import ConsensusPreset
    from .orchestration.fan_out import batched, parallel, sequential
    from .orchestration.pipelines import Pipeline, PipelinePreset, PipelineResult, Step, choose, fork
    from .orchestration.pools import Pool
    from .orchestration.races import InvalidAnswerError, NoAnswerError, Race, race
    from .orchestration.results import Branch, Results
    from .orchestration.windows.chunks import Chunk
    from .orchestration.windows.context_retry import Restore
    from .orchestration.windows.window import Window
    from .rules.drift.drift_rule import Drift
    from .rules.guardrails.catalogue import Guardrails
    from .rules.structured.repair import Repaired, Unrepairable, repair_json
    from .stainless.discovery import instrument, uninstrument
    from .streams.adapters import register_adapter
    from .streams.callbacks import Attempt
    from .streams.front_door import l0
    from .streams.run import run, run_sync
    from .streams.stream import Stream, SyncStream
    from .streams.stream_events import Event, EventType, ToolCall, UnknownStreamError
    from .streams.stream_state import Checkpoint, State
    from .streams.structured_output import structured, structured_array, structured_object, structured_stream
    from .streams.wrap import wrap

__all__ = [
    "ERROR_TYPE_DELAY_DEFAULTS",
    "RETRY_DEFAULTS",
    "Attempt",
    "AttemptEnded",
    "AttemptSpec",
    "AttemptStarted",
    "Branch",
    "BreakerChanged",
    "Call",
    "CallEnded",
    "CallEvent",
    "CallObserver",
    "Category",
    "Cause",
    "CheckIntervals",
    "Checkpoint",
    "Chunk",
    "Consensus",
    "ConsensusError",
    "ConsensusPreset",
    "ConsensusResult",
    "Drift",
    "ErrorTypeDelays",
    "Event",
    "EventType",
    "Failure",
    "Fallback",
    "Guardrails",
    "Hedge",
    "Hold",
    "InvalidAnswerError",
    "NoAnswerError",
    "Observer",
    "Outcome",
    "Payload",
    "Pipeline",
    "PipelinePreset",
    "PipelineResult",
    "Policy",
    "PolicyError",
    "Pool",
    "Race",
    "Repaired",
    "ResponseMetadata",
    "Restore",
    "Results",
    "ResumePoint",
    "Retry",
    "RuleMatched",
    "RuleTimes",
    "Severity",
    "ShadowDecision",
    "State",
    "Step",
    "Stream",
    "StreamInterrupted",
    "StreamStats",
    "Summary",
    "SyncStream",
    "Timeout",
    "ToolCall",
    "UnknownStreamError",
    "Unrepairable",
    "Violation",
    "Window",
    "batched",
    "choose",
    "fork",
    "instrument",
    "l0",
    "parallel",
    "policy",
    "race",
    "register_adapter",
    "repair_json",
    "run",
    "run_sync",
    "sequential",
    "slo",
    "structured",
    "structured_array",
    "structured_object",
    "structured_stream",
    "summary",
    "uninstrument",
    "wrap",
]

_MODULES = {
    "slo": ".",
    "Consensus": ".orchestration.consensus.consensus",
    "ConsensusError": ".orchestration.consensus.outcome",
    "ConsensusResult": ".orchestration.consensus.outcome",
    "ConsensusPreset": ".orchestration.consensus.settings",
    "Drift": ".rules.drift.drift_rule",
    "Pipeline": ".orchestration.pipelines",
    "PipelinePreset": ".orchestration.pipelines",
    "PipelineResult": ".orchestration.pipelines",
    "Step": ".orchestration.pipelines",
    "choose": ".orchestration.pipelines",
    "fork": ".orchestration.pipelines",
    "Pool": ".orchestration.pools",
    "InvalidAnswerError": ".orchestration.races",
    "NoAnswerError": ".orchestration.races",
    "Race": ".orchestration.races",
    "race": ".orchestration.races",
    "Branch": ".orchestration.results",
    "Results": ".orchestration.results",
    "batched": ".orchestration.fan_out",
    "parallel": ".orchestration.fan_out",
    "sequential": ".orchestration.fan_out",
    "Chunk": ".orchestration.windows.chunks",
    "Restore": ".orchestration.windows.context_retry",
    "Window": ".orchestration.windows.window",
    "l0": ".streams.front_door",
    "run": ".streams.run",
    "run_sync": ".streams.run",
    "wrap": ".streams.wrap",
    "register_adapter": ".streams.adapters",
    "Event": ".streams.stream_events",
    "EventType": ".streams.stream_events",
    "ToolCall": ".streams.stream_events",
    "Payload": ".dialects.payload",
    "UnknownStreamError": ".streams.stream_events",
    "Stream": ".streams.stream",
    "SyncStream": ".streams.stream",
    "State": ".streams.stream_state",
    "structured": ".streams.structured_output",
    "structured_array": ".streams.structured_output",
    "structured_object": ".streams.structured_output",
    "structured_stream": ".streams.structured_output",
    "Attempt": ".streams.callbacks",
    "Checkpoint": ".streams.stream_state",
    "instrument": ".stainless.discovery",
    "uninstrument": ".stainless.discovery",
    "policy": ".config",
    "summary": ".config",
    "Summary": ".console.call_summary",
    "ResponseMetadata": ".model.call_events",
    "Call": ".model.call",
    "Outcome": ".model.call",
    "AttemptSpec": ".model.attempt",
    "AttemptEnded": ".model.call_events",
    "AttemptStarted": ".model.call_events",
    "BreakerChanged": ".model.call_events",
    "CallEnded": ".model.call_events",
    "CallEvent": ".model.call_events",
    "RuleMatched": ".model.call_events",
    "RuleTimes": ".model.call_events",
    "ShadowDecision": ".model.call_events",
    "StreamStats": ".model.call_events",
    "Category": ".model.failure",
    "Cause": ".model.failure",
    "Failure": ".model.failure",
    "CallObserver": ".model.ports",
    "Observer": ".model.ports",
    "Severity": ".model.rule",
    "Violation": ".model.rule",
    "StreamInterrupted": ".model.errors",
    "ERROR_TYPE_DELAY_DEFAULTS": ".model.policy",
    "RETRY_DEFAULTS": ".model.policy",
    "CheckIntervals": ".model.policy",
    "ErrorTypeDelays": ".model.policy",
    "Fallback": ".model.policy",
    "Guardrails": ".rules.guardrails.catalogue",
    "Repaired": ".rules.structured.repair",
    "Unrepairable": ".rules.structured.repair",
    "repair_json": ".rules.structured.repair",
    "Hedge": ".model.policy",
    "Hold": ".model.policy",
    "Policy": ".model.policy",
    "PolicyError": ".model.policy",
    "Retry": ".model.policy",
    "ResumePoint": ".model.policy",
    "Timeout": ".model.policy",
}

_RENAMED = {"Seam": "ResumePoint"}
"""Former names with their new ones. They work for one release, with a `DeprecationWarning`."""


class _CallableModule(ModuleType):
    """A module that can be called like its function `l0`.

    ``import l0`` and ``from l0 import l0`` bind the same name in a program, and the later one wins: either must do what
    the other one does.
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
        if name in _RENAMED:
            from warnings import warn

            warn(f"{__name__}.{name} is now {__name__}.{_RENAMED[name]}", DeprecationWarning, stacklevel=2)
            return __getattr__(_RENAMED[name])
        module = _MODULES.get(name)
        if module is None:
            return import_module(".migration", __name__).resolve(name)
        # "." marks a submodule of this package; all other names are attributes of a module.
        value = import_module(f".{name}", __name__) if module == "." else getattr(import_module(module, __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the public names and the imported submodules, without what this file uses."""
    kept = (
        name
        for name, value in globals().items()
        if name.startswith("__") or (isinstance(value, ModuleType) and value.__name__ == f"{__name__}.{name}")
    )
    return sorted({*kept, *__all__, "__version__"})
