"""L0: one line makes streaming LLM calls reliable and visible.

``import l0; l0.instrument()`` patches the openai and anthropic SDKs in place. Names resolve lazily, so that importing
`l0` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import slo
    from .drift.rule import Drift
    from .guardrails.catalogue import Guardrails
    from .orchestration.consensus.consensus import Consensus
    from .orchestration.consensus.outcome import ConsensusError, ConsensusResult
    from .orchestration.consensus.settings import ConsensusPreset
    from .orchestration.pipelines import Pipeline, PipelinePreset, PipelineResult, Step, choose, fork
    from .orchestration.pools import Pool
    from .orchestration.racing import InvalidAnswerError, NoAnswerError, Race, race
    from .orchestration.results import Branch, Results
    from .orchestration.running import batched, parallel, sequential
    from .orchestration.windows.chunks import Chunk
    from .orchestration.windows.restoring import Restore
    from .orchestration.windows.window import Window
    from .patching.discovery import instrument, uninstrument
    from .patching.switchboard import policy
    from .streams.adapters import register_adapter
    from .streams.callbacks import Attempt
    from .streams.entry import l0
    from .streams.events import Event, EventType, ToolCall, UnknownStreamError
    from .streams.running import run, run_sync
    from .streams.state import Checkpoint, State
    from .streams.stream import Stream, SyncStream
    from .streams.wrapping import wrap
    from .values.errors import StreamInterrupted
    from .values.policy import (
        ERROR_TYPE_DELAY_DEFAULTS,
        RETRY_DEFAULTS,
        CheckIntervals,
        ErrorTypeDelays,
        Fallback,
        Hedge,
        Hold,
        Policy,
        PolicyError,
        Retry,
        Seam,
        Timeout,
    )

__all__ = [
    "ERROR_TYPE_DELAY_DEFAULTS",
    "RETRY_DEFAULTS",
    "Attempt",
    "Branch",
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
    "Fallback",
    "Guardrails",
    "Hedge",
    "Hold",
    "InvalidAnswerError",
    "NoAnswerError",
    "Pipeline",
    "PipelinePreset",
    "PipelineResult",
    "Policy",
    "PolicyError",
    "Pool",
    "Race",
    "Restore",
    "Results",
    "Retry",
    "Seam",
    "State",
    "Step",
    "Stream",
    "StreamInterrupted",
    "SyncStream",
    "Timeout",
    "ToolCall",
    "UnknownStreamError",
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
    "run",
    "run_sync",
    "sequential",
    "slo",
    "uninstrument",
    "wrap",
]

_HOMES = {
    "slo": ".",
    "Consensus": ".orchestration.consensus.consensus",
    "ConsensusError": ".orchestration.consensus.outcome",
    "ConsensusResult": ".orchestration.consensus.outcome",
    "ConsensusPreset": ".orchestration.consensus.settings",
    "Drift": ".drift.rule",
    "Pipeline": ".orchestration.pipelines",
    "PipelinePreset": ".orchestration.pipelines",
    "PipelineResult": ".orchestration.pipelines",
    "Step": ".orchestration.pipelines",
    "choose": ".orchestration.pipelines",
    "fork": ".orchestration.pipelines",
    "Pool": ".orchestration.pools",
    "InvalidAnswerError": ".orchestration.racing",
    "NoAnswerError": ".orchestration.racing",
    "Race": ".orchestration.racing",
    "race": ".orchestration.racing",
    "Branch": ".orchestration.results",
    "Results": ".orchestration.results",
    "batched": ".orchestration.running",
    "parallel": ".orchestration.running",
    "sequential": ".orchestration.running",
    "Chunk": ".orchestration.windows.chunks",
    "Restore": ".orchestration.windows.restoring",
    "Window": ".orchestration.windows.window",
    "l0": ".streams.entry",
    "run": ".streams.running",
    "run_sync": ".streams.running",
    "wrap": ".streams.wrapping",
    "register_adapter": ".streams.adapters",
    "Event": ".streams.events",
    "EventType": ".streams.events",
    "ToolCall": ".streams.events",
    "UnknownStreamError": ".streams.events",
    "Stream": ".streams.stream",
    "SyncStream": ".streams.stream",
    "State": ".streams.state",
    "Attempt": ".streams.callbacks",
    "Checkpoint": ".streams.state",
    "instrument": ".patching.discovery",
    "uninstrument": ".patching.discovery",
    "policy": ".patching.switchboard",
    "StreamInterrupted": ".values.errors",
    "ERROR_TYPE_DELAY_DEFAULTS": ".values.policy",
    "RETRY_DEFAULTS": ".values.policy",
    "CheckIntervals": ".values.policy",
    "ErrorTypeDelays": ".values.policy",
    "Fallback": ".values.policy",
    "Guardrails": ".guardrails.catalogue",
    "Hedge": ".values.policy",
    "Hold": ".values.policy",
    "Policy": ".values.policy",
    "PolicyError": ".values.policy",
    "Retry": ".values.policy",
    "Seam": ".values.policy",
    "Timeout": ".values.policy",
}


if not TYPE_CHECKING:  # type checkers would take every name for one that this function knows

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'l0' has no attribute {name!r}")
        # What is at home right here is a module itself.
        value = import_module(f".{name}", __name__) if home == "." else getattr(import_module(home, __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
