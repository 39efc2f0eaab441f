"""Results, events and their parts, enumerations, and the bases of observers: what a program receives from L0.

Use them in annotations and comparisons. What a program calls, builds or catches is in `l0` itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        LegStats,
        ResponseMetadata,
        RuleMatched,
        RuleTimes,
        ShadowDecision,
        StreamStats,
    )
    from .model.failure import Category, Cause, Failure, RetryableErrorType
    from .model.policy import BackoffStrategy, ResumePoint
    from .model.ports import CallObserver, Observer
    from .model.rule import Severity, Violation
    from .orchestration.consensus.outcome import ConsensusResult
    from .orchestration.consensus.settings import ConsensusPreset
    from .orchestration.pipelines import PipelinePreset, PipelineResult
    from .orchestration.races import Race
    from .orchestration.results import Branch, Results, Stats
    from .orchestration.windows.chunks import Chunk
    from .rules.structured.repair import Repaired, Unrepairable
    from .streams.callbacks import Attempt
    from .streams.stream import Stream, SyncStream
    from .streams.stream_events import ToolCall
    from .streams.stream_state import Checkpoint, State
    from .streams.structured_output import Structured, StructuredStream
    from .streams.wrap import Wrapped

__all__ = [
    "Attempt",
    "AttemptEnded",
    "AttemptSpec",
    "AttemptStarted",
    "BackoffStrategy",
    "Branch",
    "BreakerChanged",
    "Call",
    "CallEnded",
    "CallEvent",
    "CallObserver",
    "Category",
    "Cause",
    "Checkpoint",
    "Chunk",
    "ConsensusPreset",
    "ConsensusResult",
    "Failure",
    "LegStats",
    "Observer",
    "Outcome",
    "Payload",
    "PipelinePreset",
    "PipelineResult",
    "Race",
    "Repaired",
    "ResponseMetadata",
    "Results",
    "ResumePoint",
    "RetryableErrorType",
    "RuleMatched",
    "RuleTimes",
    "Severity",
    "ShadowDecision",
    "State",
    "Stats",
    "Stream",
    "StreamStats",
    "Structured",
    "StructuredStream",
    "Summary",
    "SyncStream",
    "ToolCall",
    "Unrepairable",
    "Violation",
    "Wrapped",
]

_HOMES = {
    "Summary": ".console.call_summary",
    "Payload": ".dialects.payload",
    "AttemptSpec": ".model.attempt",
    "Call": ".model.call",
    "Outcome": ".model.call",
    "AttemptEnded": ".model.call_events",
    "AttemptStarted": ".model.call_events",
    "BreakerChanged": ".model.call_events",
    "CallEnded": ".model.call_events",
    "CallEvent": ".model.call_events",
    "LegStats": ".model.call_events",
    "ResponseMetadata": ".model.call_events",
    "RuleMatched": ".model.call_events",
    "RuleTimes": ".model.call_events",
    "ShadowDecision": ".model.call_events",
    "StreamStats": ".model.call_events",
    "Category": ".model.failure",
    "Cause": ".model.failure",
    "Failure": ".model.failure",
    "RetryableErrorType": ".model.failure",
    "BackoffStrategy": ".model.policy",
    "ResumePoint": ".model.policy",
    "CallObserver": ".model.ports",
    "Observer": ".model.ports",
    "Severity": ".model.rule",
    "Violation": ".model.rule",
    "ConsensusResult": ".orchestration.consensus.outcome",
    "ConsensusPreset": ".orchestration.consensus.settings",
    "PipelinePreset": ".orchestration.pipelines",
    "PipelineResult": ".orchestration.pipelines",
    "Race": ".orchestration.races",
    "Branch": ".orchestration.results",
    "Results": ".orchestration.results",
    "Stats": ".orchestration.results",
    "Chunk": ".orchestration.windows.chunks",
    "Repaired": ".rules.structured.repair",
    "Unrepairable": ".rules.structured.repair",
    "Attempt": ".streams.callbacks",
    "Stream": ".streams.stream",
    "SyncStream": ".streams.stream",
    "ToolCall": ".streams.stream_events",
    "Checkpoint": ".streams.stream_state",
    "State": ".streams.stream_state",
    "Structured": ".streams.structured_output",
    "StructuredStream": ".streams.structured_output",
    "Wrapped": ".streams.wrap",
}
"""The modules of the names. A module is imported when its name is used: most programs need only a few of them."""


if not TYPE_CHECKING:  # type checkers would accept any name as one that this function resolves

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            return import_module(".migration", __package__).resolve(name, __name__)
        value = getattr(import_module(_HOMES[name], __package__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
