"""One call's observers: what they are told, in order, and fenced: none of them can disturb the call."""

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
    """Tells the watchers of one call. With none, it costs a look at an empty list, and nothing is measured."""

    __slots__ = ("_over", "_spent", "_status", "_call_observers", "stats")

    def __init__(self, call_observers: Sequence[CallObserver], began: float) -> None:
        self._call_observers = call_observers
        self._status: tuple[int | None, str | None] = (None, None)
        self._over = False
        self._spent: list[ResponseMetadata] = []
        self.stats = StreamStatsRecorder(began) if call_observers else None

    @property
    def observed(self) -> bool:
        """Whether anybody listens."""
        return bool(self._call_observers)

    def enter(self, stack: ExitStack) -> dict[str, str]:
        """Make the call the current context; the headers that carry it on."""
        headers: dict[str, str] = {}
        for watcher in self._call_observers:
            try:
                stack.enter_context(watcher.active())
                headers.update(watcher.headers())
            except Exception:
                _log.warning("an observer failed and is ignored for this call: %s", raised())
        return headers

    def attempt_started(self, attempt: AttemptSpec, at: float) -> None:
        """A request goes out."""
        if self._call_observers:
            self._emit(
                AttemptStarted(
                    number=attempt.number,
                    leg=attempt.leg,
                    resume=attempt.resume,
                    hedge=attempt.hedge,
                    waited=attempt.waited_s,
                    at=at,
                )
            )

    def opened(self, status: int | None, request_id: str | None, started: float) -> None:
        """The headers of the attempt that was sent at ``started`` are there."""
        self._status = (status, request_id)
        if self.stats is not None:
            self.stats.opened(started)

    def attempt_ended(self, number: int, failure: Failure | None, at: float) -> None:
        """An attempt is over."""
        if not self._call_observers:
            return
        status, request_id = self._status
        if failure is not None:
            status = failure.status if failure.status is not None else status
            request_id = failure.request_id or request_id
        self._status = (None, None)
        self._emit(AttemptEnded(number=number, failure=failure, status=status, request_id=request_id, at=at))

    def lost(self, number: int, failure: Failure | None, at: float) -> None:
        """A contender is over that did not win: it failed, or the other was quicker."""
        if self._call_observers:
            status, request_id = (failure.status, failure.request_id) if failure is not None else (None, None)
            self._emit(
                AttemptEnded(number=number, failure=failure, status=status, request_id=request_id, at=at, lost=True)
            )

    def notify(self, event: Event) -> None:
        """A rule has found something, or a policy that only looks on would have done something."""
        self._emit(event)

    def spent(self, metadata: ResponseMetadata | None) -> None:
        """What an attempt said that did not serve the answer: its tokens were paid for all the same."""
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
        """The call is over; told once, whatever ended it."""
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
        """The first objects are handed to the user, or the last; ``held``: seconds that they were kept back."""
        if self.stats is not None and items:
            self.stats.held = held
            self.stats.delivered(len(items), at)

    def _emit(self, event: Event) -> None:
        for watcher in self._call_observers:
            try:
                watcher.notify(event)
            except Exception:
                _log.warning("an observer failed at %s and is ignored: %s", type(event).__name__, raised())


def facts_of(reader: Reader) -> ResponseMetadata | None:
    """What the provider said of its answer; ``None`` if it cannot be told."""
    try:
        return reader.metadata()
    except Exception:
        unread("the facts of an answer")
        return None


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def _with_spent(metadata: ResponseMetadata | None, spent: list[ResponseMetadata]) -> ResponseMetadata | None:
    """The facts of the answer, with the tokens of all attempts, as far as the provider told them."""
    if not spent:
        return metadata
    metadata = metadata or ResponseMetadata()
    totals = {}
    for name in _TOKENS:
        told = [count for one in (*spent, metadata) if (count := getattr(one, name)) is not None]
        totals[name] = sum(told) if told else None
    return replace(metadata, **totals)  # type: ignore[arg-type]  # all of them are counts
