"""Notify the observers of one call, in order. An observer that fails cannot disturb the call."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from l0.engine.commands import Command, Finish, Raise
from l0.engine.machine import Machine
from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, Event, ResponseMetadata, RuleTimes, ToolCalls
from l0.model.errors import raised
from l0.model.failure import Failure
from l0.model.ports import CallObserver, Reader
from l0.model.tolerant_reading import unread

from .stream_stats import StreamStatsRecorder

_log = logging.getLogger("l0")


class ObserverNotifier:
    """The observers of one call. If there are none, nothing is measured.

    ``observed``: True if the call has observers.
    """

    __slots__ = ("_over", "_spent", "_status", "_call_observers", "observed", "stats")

    def __init__(self, call_observers: Sequence[CallObserver], began: float) -> None:
        self._call_observers = call_observers
        self.observed = bool(call_observers)
        self._status: tuple[int | None, str | None] = (None, None)
        self._over = False
        self._spent: list[ResponseMetadata] = []
        self.stats = StreamStatsRecorder(began) if call_observers else None

    def enter(self, stack: ExitStack) -> dict[str, str]:
        """Make the call the current context. Return the headers that propagate it."""
        headers: dict[str, str] = {}
        for observer in self._call_observers:
            try:
                stack.enter_context(observer.active())
                headers.update(observer.headers())
            except Exception:
                _log.warning("an observer failed and is ignored for this call: %s", raised())
        return headers

    def attempt_started(self, attempt: AttemptSpec, at: float) -> None:
        """Report that a request is sent."""
        if self._call_observers:
            self._emit(AttemptStarted(attempt=attempt, at=at))

    def opened(self, status: int | None, request_id: str | None, started: float) -> None:
        """Report the headers of the attempt that was sent at ``started``."""
        self._status = (status, request_id)
        if self.stats is not None:
            self.stats.opened(started)

    def attempt_ended(self, number: int, failure: Failure | None, at: float) -> None:
        """Report the end of an attempt."""
        if not self._call_observers:
            return
        status, request_id = self._status
        if failure is not None:
            status = failure.status if failure.status is not None else status
            request_id = failure.request_id or request_id
        self._status = (None, None)
        self._emit(AttemptEnded(number=number, failure=failure, status=status, request_id=request_id, at=at))

    def lost(self, number: int, failure: Failure | None, at: float) -> None:
        """Report the end of a contender that did not win: it failed, or the other one was faster."""
        if self._call_observers:
            status, request_id = (failure.status, failure.request_id) if failure is not None else (None, None)
            self._emit(
                AttemptEnded(number=number, failure=failure, status=status, request_id=request_id, at=at, lost=True)
            )

    def notify(self, event: Event) -> None:
        """Report a finding of a rule, or a decision of a policy in shadow mode."""
        self._emit(event)

    def spent(self, metadata: ResponseMetadata | None) -> None:
        """Record the metadata of an attempt that did not serve the answer, as its tokens were paid for."""
        if metadata is not None:
            self._spent.append(metadata)

    def ended(
        self,
        command: Command,
        machine: Machine,
        at: float,
        metadata: ResponseMetadata | None,
        text: str,
        calls: ToolCalls,
        rules: Mapping[str, RuleTimes],
    ) -> None:
        """Report the end of the call, once."""
        if self._over or not self._call_observers:
            return
        self._over = True
        metadata = _with_spent(metadata, self._spent)
        anomalies = command.anomalies if isinstance(command, Finish) else ()
        self._emit(
            CallEnded(
                outcome=command.outcome if isinstance(command, Finish) else Outcome.FAILED,
                failure=command.failure if isinstance(command, Raise) else None,
                failures=tuple(machine.failures),
                attempts=machine.attempts,
                leg=machine.leg,
                resume_points=tuple(machine.resume_points),
                metadata=replace(metadata, anomalies=metadata.anomalies + anomalies)
                if anomalies and metadata is not None
                else metadata,
                pace=self.stats.result(at) if self.stats is not None else None,
                text=text,
                at=at,
                rules=rules,
                calls=calls,
            )
        )

    def delivered(self, items: list[Any], at: float, held: float) -> None:
        """Report the first objects delivered to the user, or the last. ``held``: the seconds for which they were held
        back."""
        if self.stats is not None and items:
            self.stats.held = held
            self.stats.delivered(len(items), at)

    def _emit(self, event: Event) -> None:
        for observer in self._call_observers:
            try:
                observer.notify(event)
            except Exception:
                _log.warning("an observer failed at %s and is ignored: %s", type(event).__name__, raised())


def read_metadata(reader: Reader) -> ResponseMetadata | None:
    """Return the provider's metadata on its answer; ``None`` if it cannot be read."""
    try:
        return reader.metadata()
    except Exception:
        unread("the metadata of an answer")
        return None


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def _with_spent(metadata: ResponseMetadata | None, spent: list[ResponseMetadata]) -> ResponseMetadata | None:
    """Return the metadata of the answer, with the tokens of all attempts for which the provider reported them."""
    if not spent:
        return metadata
    metadata = metadata or ResponseMetadata()
    totals = {}
    for name in _TOKENS:
        stated = [count for one in (*spent, metadata) if (count := getattr(one, name)) is not None]
        totals[name] = sum(stated) if stated else None
    return replace(metadata, **totals)  # type: ignore[arg-type]  # all of them are counts
