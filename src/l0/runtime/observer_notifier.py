"""Notify the observers of one call, in order. An observer that fails cannot disturb the call."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from l0.engine.commands import Command, Finish, Raise, Wait
from l0.engine.machine import Machine
from l0.engine.stop_reasons import NO_STOP, StopReason, describe_stop, policy_field
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.call_events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallEvent,
    ResponseMetadata,
    RuleTimes,
    ToolCalls,
)
from l0.model.failure import Failure
from l0.model.ports import CallObserver, Reader
from l0.model.tolerant_reading import log_unread
from l0.shared_state.termination import FLUSHES, call_collected
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_lines import CallLines, LogLine

from .finalizers import call_when_safe
from .observer_guard import enter_observer, report_observer_failure
from .propagated_headers import PropagatedHeaders
from .stream_stats import StreamStatsRecorder, TimelineRecorder

QUIET = (Outcome.OK, Outcome.CANCELLED)
"""Outcomes without a log line, unless something was missing in the answer."""


class ObserverNotifier:
    """The observers and the log lines of one call. Without observers nothing is measured, and only failures and
    recoveries are logged.

    ``observed``: True if the call has observers. ``timeline``: they also get the times at which content arrived.
    """

    __slots__ = (
        "_began",
        "_call_observers",
        "_head",
        "_leg",
        "_lines",
        "_call_ended",
        "_spent",
        "call",
        "observed",
        "recorded_as",
        "stats",
    )

    def __init__(
        self, call: Call, call_observers: Sequence[CallObserver], began: float, *, timeline: bool = False
    ) -> None:
        self.call = call
        self._call_observers = call_observers
        self._began = began
        self._lines: CallLines | None = None
        self.observed = bool(call_observers)
        self.recorded_as = ""
        """The id of the call in the recording; empty if it is not recorded."""
        self._head: tuple[int | None, str | None] = (None, None)
        """HTTP status and request id of the attempt in progress."""
        self._call_ended = False
        self._leg = 0
        """The leg of the current attempt."""
        self._spent: list[tuple[int, ResponseMetadata]] = []
        """The metadata of attempts that did not serve the answer, each with its leg."""
        recorder = TimelineRecorder if timeline else StreamStatsRecorder
        self.stats = recorder(began) if call_observers else None

    def enter(self, stack: ExitStack) -> PropagatedHeaders:
        """Make the call the current trace context. Return the headers that propagate it."""
        for observer in self._call_observers:
            enter_observer(observer, stack)
        return PropagatedHeaders(self._call_observers)

    def attempt_started(self, attempt: AttemptSpec, at: float) -> None:
        """Report that a request is sent."""
        if self._call_observers:
            self._leg = attempt.leg
            self._emit(AttemptStarted(attempt=attempt, at=at))

    def opened(self, status: int | None, request_id: str | None, started: float) -> None:
        """Report the headers of the attempt that was sent at ``started``."""
        self._head = (status, request_id)
        if self.stats is not None:
            self.stats.opened(started, self._leg)

    def attempt_ended(self, number: int, at: float) -> None:
        """Report the end of an attempt that served the answer, or that its user stopped."""
        head, self._head = self._head, (None, None)
        self._emit(_attempt_ended(number, None, at, head))

    def attempt_failed(self, number: int, failure: Failure, at: float, following: Command, *, resuming: bool) -> None:
        """Report the failure of an attempt, and the command that follows. ``resuming``: it resumes the answer."""
        head, self._head = self._head, (None, None)
        if self.stats is not None:
            self.stats.failed()
        event = _attempt_ended(number, failure, at, head)
        stop = NO_STOP
        if isinstance(following, Wait):
            stop = following.stop or NO_STOP
            fallback = following.stop is not None
            action = "fallback" if fallback else "resume" if resuming else "retry"
            event = replace(event, action=action, wait_s=following.seconds)
        elif isinstance(following, Raise):
            stop = following.stop
            event = replace(event, action="raise")
        if stop is not NO_STOP:
            refused = stop.reason is StopReason.REFUSED
            leg = self._leg if event.action == "raise" else 0
            event = replace(event, stop_reason=describe_stop(stop, self.call, failure, leg), budget_refused=refused)
        self.notify(event)

    def lost(self, number: int, failure: Failure | None, at: float, head: tuple[int | None, str | None]) -> None:
        """Report the end of one of two hedged attempts: it failed, or the other one was faster. ``head``: the HTTP
        status and the request id of its answer."""
        if self._call_observers:
            self._emit(replace(_attempt_ended(number, failure, at, head), lost=True))

    def notify(self, event: CallEvent) -> None:
        """Report a failed attempt, a finding of a rule, a change of a breaker, or a decision of a policy in shadow
        mode."""
        self._emit(event)
        self._log_event(event)

    @property
    def counts_tokens(self) -> bool:
        """True if observers or log lines report the tokens of attempts that fail."""
        return self.observed or CALL_LOG.is_enabled_for(logging.INFO)

    def breaker_changed(self, target: tuple[str, str], state: str, at: float) -> None:
        """Report that a circuit breaker changed to ``state``. ``target``: its provider and model."""
        provider, model = target
        self.notify(BreakerChanged(provider=provider, model=model, state=state, at=at))

    def spent(self, metadata: ResponseMetadata | None) -> None:
        """Record the metadata of an attempt that did not serve the answer, because its tokens were paid for."""
        if metadata is not None:
            self._spent.append((self._leg, metadata))

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
        """Report the end of the call, once. Without observers, only an end that gets a log line."""
        # No function call up to here: logs cost a healthy call nothing.
        quiet = type(command) is Finish and command.outcome in QUIET and not command.anomalies
        if self._call_ended or (quiet and not self._call_observers):
            return
        self._call_ended = True
        failure = command.failure if isinstance(command, Raise) else None
        stop = command.stop if isinstance(command, Raise) else NO_STOP
        anomalies = command.anomalies if isinstance(command, Finish) else ()
        # All tokens of a failed call are wasted, including those of its last attempt.
        spent = [earlier for _, earlier in self._spent]
        wasted = spent if failure is None or metadata is None else [*spent, metadata]
        by_leg = _by_leg(metadata, machine.leg, self._spent) if machine.leg else {}
        metadata = _with_spent(metadata, spent)
        if anomalies:
            metadata = metadata or ResponseMetadata()
            metadata = replace(metadata, anomalies=metadata.anomalies + anomalies)
        event = CallEnded(
            outcome=command.outcome if isinstance(command, Finish) else Outcome.FAILED,
            failure=failure,
            failures=tuple(machine.failures),
            attempts=machine.attempts,
            leg=machine.leg,
            resume_points=tuple(machine.resume_points),
            metadata=metadata,
            stream_stats=self.stats.result(at) if self.stats is not None else None,
            text=text,
            at=at,
            rules=rules,
            tool_calls=calls,
            stop_reason="" if failure is None else describe_stop(stop, self.call, failure, machine.leg),
            policy_field="" if failure is None else policy_field(stop, self.call, failure),
            wasted_tokens=_tokens(wasted) if wasted else None,
            tokens_by_leg=by_leg,
            recorded_as=self.recorded_as,
        )
        self._emit(event)
        if not quiet:
            self._log_event(event)
        if FLUSHES:
            call_collected()

    def _log_event(self, event: CallEvent) -> None:
        enclosed = any(getattr(observer, "enclosed", False) for observer in self._call_observers)
        if enclosed and not isinstance(event, BreakerChanged):
            return  # the enclosing call logs it
        if self._lines is None:
            self._lines = CallLines(self.call, self._began)
        line = self._lines.line(event)
        if line is not None and CALL_LOG.is_enabled_for(line.level):
            call_when_safe(self._write, line)

    def _write(self, line: LogLine) -> None:
        """Write a log line in the call's trace context."""
        with ExitStack() as stack:
            for observer in self._call_observers:
                enter_observer(observer, stack)
            CALL_LOG.write(line)

    def delivered(self, items: list[Any], at: float, held: float, *, with_failure: bool = False) -> None:
        """Report the first objects delivered to the user, or the last. ``held``: the seconds for which their content
        was held back. ``with_failure``: as of `StreamStatsRecorder.delivered`."""
        if self.stats is not None and items:
            self.stats.held_s = max(self.stats.held_s, held)
            self.stats.delivered(len(items), at, with_failure=with_failure)

    def withdrawn(self) -> None:
        """Report that what was delivered so far is dropped, and that nobody has seen it."""
        if self.stats is not None:
            self.stats.withdrawn()

    def _emit(self, event: CallEvent) -> None:
        for observer in self._call_observers:
            try:
                observer.notify(event)
            except Exception:
                report_observer_failure(observer, "notify")


def _attempt_ended(
    number: int, failure: Failure | None, at: float, head: tuple[int | None, str | None]
) -> AttemptEnded:
    """Return the end of an attempt. What its failure states goes before ``head``, which it has if it was answered."""
    status, request_id = head
    if failure is not None:
        status = failure.status if failure.status is not None else status
        request_id = failure.request_id or request_id
    return AttemptEnded(number=number, failure=failure, status=status, request_id=request_id, at=at)


def read_metadata(reader: Reader) -> ResponseMetadata | None:
    """Return the provider's metadata on its answer; ``None`` if it cannot be read."""
    try:
        return reader.metadata()
    except Exception:
        log_unread("the metadata of an answer")
        return None


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def _tokens(metadata: Sequence[ResponseMetadata]) -> int | None:
    """Return the sum of the reported tokens, input and output; ``None`` if none was reported."""
    counts = [
        count for answer in metadata for count in (answer.input_tokens, answer.output_tokens) if count is not None
    ]
    return sum(counts) if counts else None


def _by_leg(
    metadata: ResponseMetadata | None, last: int, spent: Sequence[tuple[int, ResponseMetadata]]
) -> Mapping[int, ResponseMetadata]:
    """Return `CallEnded.tokens_by_leg`. ``last``: the leg of ``metadata``."""
    if all(leg == last for leg, _ in spent):
        return {}
    found: dict[int, ResponseMetadata] = {}
    for leg in sorted({leg for leg, _ in spent} | {last}):
        whole = _with_spent(metadata if leg == last else None, [earlier for at, earlier in spent if at == leg])
        if whole is not None:
            found[leg] = whole
    return found


def _with_spent(metadata: ResponseMetadata | None, spent: list[ResponseMetadata]) -> ResponseMetadata | None:
    """Return the metadata of the answer, with the tokens of all attempts for which the provider reported them."""
    if not spent:
        return metadata
    metadata = metadata or ResponseMetadata()
    totals = {}
    for name in _TOKENS:
        counts = [count for answer in (*spent, metadata) if (count := getattr(answer, name)) is not None]
        totals[name] = sum(counts) if counts else None
    return replace(metadata, **totals)  # type: ignore[arg-type]  # all of them are counts
