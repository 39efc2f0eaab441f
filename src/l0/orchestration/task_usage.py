"""Count the calls, requests and tokens of tasks, as far as the providers report them, including cancelled tasks."""

from __future__ import annotations

from dataclasses import dataclass

from l0.model.call import Call
from l0.model.call_events import CallEnded, CallEvent
from l0.model.ports import CallObserver, Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Usage of one or several tasks: calls, their requests, tokens if the provider reports them, characters received.

    L0 counts calls through instrumented clients, and streams that run through ``l0.run(...)``, also spelled
    ``l0(...)``. A provider reports tokens at the end of an answer, so a cancelled answer has only ``characters``.
    """

    calls: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            characters=self.characters + other.characters,
        )


class UsageObserver(Observer):
    """An observer that adds up the usage of all calls of one task."""

    def __init__(self) -> None:
        self.usage = Usage()

    def observe(self, call: Call) -> CallObserver:  # noqa: ARG002 - all calls count
        """Return an observer for one more call."""
        return _CallUsageObserver(self)


class _CallUsageObserver(CallObserver):
    """Observer of one call. It adds the usage of the call when the call ends."""

    __slots__ = ("_usage_observer",)

    def __init__(self, usage_observer: UsageObserver) -> None:
        self._usage_observer = usage_observer

    def notify(self, event: CallEvent) -> None:
        if not isinstance(event, CallEnded):
            return
        metadata = event.metadata
        self._usage_observer.usage += Usage(
            calls=1,
            requests=event.attempts,
            input_tokens=(metadata.input_tokens or 0) if metadata is not None else 0,
            output_tokens=(metadata.output_tokens or 0) if metadata is not None else 0,
            characters=len(event.text),
        )
