"""The state of one call, as both drivers use it, from the first request to the end.

A driver only sends, reads, sleeps and yields. All decisions are made here, without ``await``: the methods that a driver
calls return the machine's next command. `on_read` runs once per chunk and returns the items alone, or an `AttemptOver`,
which has the command as well. A second return value per read would cost more than the check for `AttemptOver`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.engine.machine import PHASES, CallState, IllegalSignal, Machine
from l0.engine.retry import ANSWERED, AttemptProgress, Phase, attempt_limit
from l0.engine.signals import Answered, Begin, Ended, Failed, Opened, Released, Signal, Waited
from l0.engine.stop_reasons import describe_stop
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.call_events import ResponseMetadata, ToolCalls
from l0.model.error_context import ErrorContext
from l0.model.errors import raised
from l0.model.failure import Cause, Failure
from l0.model.policy import ENCLOSED_RETRY, Timeout
from l0.model.ports import CallAdapter, CallObserver, Reader
from l0.model.tolerant_reading import log_unread
from l0.shared_state.shared import SharedState

from .admission import AdmissionControl
from .answer_so_far import AnswerSoFar
from .body_parser import END, BodyParser
from .call_ending import CallEnding
from .connection_use import ConnectionUse
from .deadlines import CallDeadlines
from .exception_classifier import drop_tracebacks
from .failure_notes import note_failures
from .finalizers import LATER, call_when_safe, interrupted, stop
from .observer_notifier import QUIET, ObserverNotifier
from .recorded_silence import RecordedSilence
from .rule_runner import RuleRunner, ending_of_complete, rule_runner_for
from .shadow import ShadowPolicy
from .watchdog import Expired

if TYPE_CHECKING:
    from l0.recording.call_recorder import CallRecorder

_log = logging.getLogger("l0")
_USER, _READING = ConnectionUse.USER, ConnectionUse.READING
_FRAGMENTS_PER_TIME_CHECK = 64
"""Fragments of text that a driver may deliver between two checks of the deadline of the whole call."""
_TIMEOUTS = (Cause.NO_HEADERS, Cause.READ_TIMEOUT, Cause.FIRST_CONTENT_TIMEOUT, Cause.TOTAL_TIMEOUT)
CANCELLED: Command = Finish(Outcome.CANCELLED)
"""The command after the user stopped the call."""


@dataclass(frozen=True, slots=True)
class AttemptOver:
    """The end of an attempt: the items that the user still gets, and the next command."""

    items: list[Any]
    command: Command


class CallRuntime:
    """The state of one call. One thread or task at a time uses it, as with the SDK's streams; any thread may close
    it."""

    __slots__ = (
        "_attempts_ended",
        "aborted",
        "admission",
        "answer",
        "call",
        "complete",
        "connection",
        "deadlines",
        "ending",
        "hedge_won",
        "machine",
        "number",
        "observers",
        "recording",
        "request_id",
        "rule_runner",
        "shadow",
        "started",
        "timed",
        "unseen",
        "call_adapter",
    )

    def __init__(
        self, call: Call, call_adapter: CallAdapter, call_observers: Sequence[CallObserver], shared_state: SharedState
    ) -> None:
        if LATER.waiting:
            LATER.make_progress()
        began = perf_counter()
        self.call = call
        self.call_adapter = call_adapter
        self.ending = CallEnding(call_adapter)
        self.observers = ObserverNotifier(call, call_observers, began, timeline=shared_state.timelines)
        self.admission = AdmissionControl(call, shared_state)
        recorder = shared_state.recorder
        self.recording: CallRecorder | None = None if recorder is None else recorder.record(call, call_observers, began)
        """The recorder of this call; ``None`` if calls are not recorded."""
        self.observers.recorded_as = "" if self.recording is None else self.recording.id
        machine = Machine if self.recording is None else self.recording.machine
        self.machine = machine(call, random.random, call_adapter.backoff, admission=self.admission)
        timeout = call.policy.timeout
        if timeout is None and call.policy.adaptive:
            timeout = Timeout(initial_token=None, inter_token=None)
        self.deadlines = CallDeadlines(timeout, began) if timeout is not None else None
        self.rule_runner = rule_runner_for(call, self.observers.notify, timed=bool(call_observers))
        self.answer = AnswerSoFar(call, call_adapter, self.machine, self.rule_runner)
        self.shadow = None
        if call.shadow is not None and (call_observers or _log.isEnabledFor(logging.DEBUG)):
            self.shadow = ShadowPolicy(call, call.shadow, shared_state, self.observers.notify, began)
        self.connection = _USER
        """The current user of the connection, as described in `connection_use`."""
        self.complete: tuple[Finish, float, ResponseMetadata | None] | None = None
        """The last command, its time and the metadata, once the answer is complete; ``None`` before.

        The call ends when the last items are delivered: the SDK's own helper may still raise an exception for one of
        them, and then the call fails."""
        self.aborted = False
        """True if the user wants no more items, not even those that have arrived."""
        self.unseen = False
        """True if the consumer shows nothing before the answer is complete, so that no item is a commit point."""
        self.started = began
        """The time at which the current attempt was sent."""
        self.number = 1
        """The number of the current attempt."""
        self.request_id: str | None = None
        """The provider's id of the last request that it answered."""
        self.hedge_won = False
        """True if the answer is that of the hedge."""
        self._attempts_ended: dict[int, object] = {}
        """By the number of each reported attempt: an object of the `attempt_ended` that reports it."""
        self.timed = bool(self.deadlines or call_observers or self.shadow or self.admission.learns)
        """True if reads have deadlines or are measured."""

    # -- sending ----------------------------------------------------------------------------------------------------

    def begin(self) -> Command:
        """Return the first command."""
        command = self.machine.step(Begin(self.started))
        if self.admission.breaker_state is not None:
            self._report_breaker(self.started)
        if isinstance(command, Raise):  # a breaker is open
            self._finish(command, self.started, None)
        return command

    def sending(self, attempt: AttemptSpec, context: ExitStack) -> Any:
        """Return the request options of an attempt. Make the context of every observer active in ``context``."""
        if self.ending.outcome is not None:
            self.halt()
        started = perf_counter()
        if not attempt.hedge:
            self.number, self.started, self.hedge_won = attempt.number, started, False
        if self.shadow is not None:
            self.shadow.sent(started)
        headers: Mapping[str, str] = {}
        if self.observers.observed:
            self.observers.attempt_started(attempt, started)
            if self.ending.outcome is not None:  # a signal handler closed the stream since the check above
                self.attempt_ended(None, started, abandoned=True)
                self.halt()
            headers = self.observers.enter(context)
        options = self.call_adapter.options(attempt, headers)
        if self.recording is not None:
            self.recording.sending(attempt, options, self.call_adapter.base_url, started)
        return options

    def _report_resume(self) -> None:
        callback = self.call.policy.on_resume
        if callback is None:
            return
        try:
            callback(self.machine.resume_points[-1])
        except Exception:
            _log.warning("Policy.on_resume failed and is ignored: %s", raised())

    def send_by(self, *, first: bool = True, cause: Cause = Cause.NO_HEADERS) -> float:
        """Return the deadline of the request that is sent now, in seconds of the monotonic clock; ``inf`` for none.

        ``first``, ``cause``: as in `CallDeadlines.sending`.
        """
        if self.deadlines is None:
            return inf
        first = first and self.call.streaming
        return self.deadlines.sending(perf_counter(), self.admission.deadline, first=first, cause=cause)

    def answered(self, answer: Any, *, readable: bool = True) -> Command:
        """Accept an answer that came in one piece, or return the command for its failure.

        ``readable``: False if the caller requested a form without its text, so that there is nothing to check.
        """
        at = perf_counter()
        failure = self.call_adapter.answer_failure(answer)
        if failure is not None:
            return self._fail(failure, at, answered=True).command
        needed = self._reads_answers or self.rule_runner is not None
        metadata, text, calls = self.call_adapter.complete_answer(answer) if needed else (None, "", ())
        if readable and self.rule_runner is not None:
            failure = self.rule_runner.complete_answer(text, calls, ending_of_complete(text, calls, metadata))
            if failure is not None:
                return self._fail(failure, at, answered=True).command
        if readable and self.shadow is not None:
            self.shadow.answered(text, calls, ending_of_complete(text, calls, metadata))
        self.attempt_ended(None, at)
        command = self._step(Answered(at))
        if self.recording is not None:
            self.recording.delivered(1, len(text))
        self._finish(command, at, metadata, text, calls)
        return command

    @property
    def _reads_answers(self) -> bool:
        """True if an observer or the recording needs the text of an answer that came in one piece."""
        return self.observers.observed or self.recording is not None

    def opened(self, status: int | None, request_id: str | None) -> Command:
        """Record that the headers of a stream have arrived."""
        at = perf_counter()
        self.request_id = request_id
        if self.machine.resuming:
            self._report_resume()
        if self.observers.observed:
            self.observers.opened(status, request_id, self.started)
        if self.deadlines is not None:
            self.deadlines.opened(self.started, at, self.admission.deadline)
        if self.shadow is not None:
            self.shadow.opened(self.started, at)
        command = self._step(Opened(at, self.hedge_won, request_id))
        self.answer.before_commit = isinstance(command, Relay) and command.holding
        return command

    def failed_head(self, status: int | None, request_id: str | None) -> None:
        """Record the headers of an attempt that ends now, in a race that nobody has won."""
        self.request_id = request_id
        if self.observers.observed:
            self.observers.opened(status, request_id, self.started)

    def failed(self, error: BaseException, *, opened: bool = False, ended_at: float | None = None) -> Command:
        """Return the next command after an exception raised while sending. Raise it if it is not a failure of the
        request.

        ``opened``: True if the headers had arrived. ``ended_at``: the time at which the attempt ended; ``None``: now.
        """
        failure = self.failure_of(error, self.deadlines, opened=opened, at=ended_at) if self.open else None
        if failure is None and isinstance(error, Expired):
            error = error.__cause__ or error
        if not self.open or (self.call_adapter.client_closed and (failure is None or failure.status is None)):
            self.halt(error)
        rejection = self._rejection() if isinstance(error, Exception) else None
        if rejection is not None:
            return self._fail(rejection, perf_counter(), answered=True).command
        if failure is None:
            self.leave(error)
            raise error
        at = perf_counter()
        ended_at = at if ended_at is None else ended_at
        if failure.policy_field:  # a time limit has expired
            self.admission.first_content(ended_at - self.started)
        if opened and failure.request_id is None:
            failure = replace(failure, request_id=self.request_id)
        return self._fail(failure, at, answered=failure.cause in ANSWERED, ended_at=ended_at).command

    def _rejection(self) -> Failure | None:
        """Run the rules on a complete answer that the SDK's own parser refused. Return the failure if one rejects it.

        The user's exception shows the text that the parser refused, and without rules it decides. A schema agrees with
        the parser, whose exception the user expects.
        """
        if self.rule_runner is None and self.shadow is None:
            return None
        metadata, text, calls = self.call_adapter.complete_answer(None)
        if metadata is None:  # no answer was decoded
            return None
        ending = ending_of_complete(text, calls, metadata)
        if self.shadow is not None:
            self.shadow.refused(text, calls, ending)
        failure = self.rule_runner.complete_answer(text, calls, ending) if self.rule_runner is not None else None
        return None if failure is None or failure.policy_field == "Policy.structured" else failure

    def failure_of(
        self, error: BaseException, deadlines: CallDeadlines | None, *, opened: bool, at: float | None = None
    ) -> Failure | None:
        """Return the failure for an exception of an attempt; ``None`` if it is not a failure of the request.

        ``deadlines``: those of the attempt. ``at``: the time of the exception; ``None``: now.
        """
        at = perf_counter() if at is None else at
        expired = isinstance(error, Expired) or self._ends_silence(error, deadlines, at)
        failure = None if expired else self.call_adapter.failed(error, opened=opened)
        # A timeout of the transport may be due to our deadline, because we reduce it to the time that is left. That
        # of an engine below is due to it as well.
        late = failure is not None and failure.cause in _TIMEOUTS
        if deadlines is None or not (expired or (late and deadlines.passed(at))):
            return failure
        return deadlines.failure(at)

    def backoff_over(self, *, vetoed: bool = False) -> Command:
        """Continue after a backoff. Send nothing if the user has closed the stream or the client meanwhile.

        ``vetoed``: an async ``should_retry`` has rejected the retry.
        """
        if self.aborted:
            return CANCELLED
        if self.ending.stopped:
            self.halt()
        at = perf_counter()
        command = self._step(Waited(at, vetoed))
        if self.admission.breaker_state is not None:
            self._report_breaker(at)
        if isinstance(command, Raise):  # a breaker is open, the time is up, or the retry is rejected
            if self.answer.buffer.holds_after_commit:
                self.answer.drop()
            self._finish(command, at, None)
        return command

    def describe(self, call: Call, failed_below: Callable[[], bool]) -> None:
        """Take the description of the call with the servers that it requests, because an engine below sends a request
        of the current attempt. ``failed_below``: as in `AdmissionControl.describe`."""
        self.call = self.observers.call = call
        self.admission.describe(call, failed_below)
        if self.shadow is not None:
            self.shadow.describe(call, perf_counter())

    # -- hedging ----------------------------------------------------------------------------------------------------

    @property
    def hedge_after(self) -> float | None:
        """Seconds before the current attempt is hedged; ``None`` if it is not."""
        return None if self.machine.hedged else self.admission.hedge_after()

    def parallel_deadlines(self, started: float, skipped_s: float) -> CallDeadlines | None:
        """Return the deadlines of an attempt of a race, sent at ``started``; ``None`` if the call has none.

        ``skipped_s``: as of `CallDeadlines.of_parallel_attempt`.
        """
        if self.deadlines is None:
            return None
        deadlines = self.deadlines.of_parallel_attempt(skipped_s)
        deadlines.sending(started, self.admission.deadline)
        return deadlines

    def use_deadlines(self, deadlines: CallDeadlines | None) -> None:
        """Use these deadlines of the call from now on. The machine counts the same time as passed."""
        self.deadlines = deadlines
        if deadlines is not None:
            self.machine.began = deadlines.began

    # -- reading ----------------------------------------------------------------------------------------------------

    def on_read(self, raw: Any, since: float = 0.0) -> list[Any] | AttemptOver:  # noqa: C901 - calls cost, per read
        """Return the items that the user gets from one read. ``raw`` is `END` if the body is over.

        ``since``: the time at which the read began, if reads are timed.
        """
        self.connection = _USER
        answer = self.answer
        parser = answer.parser
        assert parser is not None
        if self.ending.outcome is not None:
            return self._after_end(raw, parser)
        reader, stats, rule_runner = parser.reader, self.observers.stats, self.rule_runner
        at, late = 0.0, False
        if rule_runner is not None:
            answer.fragments_before_read = len(reader.text)
        if raw is END:
            items: list[Any] = []
        elif self.timed:
            content = reader.content
            items = parser.feed(raw)
            at = perf_counter()
            has_content = reader.content > content
            if self.deadlines is not None:
                late = self.deadlines.read(at, has_content, since)
            try:
                if not content and has_content:
                    self.admission.first_content(at - self.started)
                if self.shadow is not None:
                    self.shadow.read(since, at, reader, content=has_content, started=self.started)
                if stats is not None:
                    stats.read(at, at - since, reader.content - content, raw)
            except Exception:
                log_unread("the time of a read")
        else:
            items = parser.feed(raw)
        if rule_runner is not None and len(reader.text) >= rule_runner.due:
            failure = rule_runner.evaluate(reader)
            if failure is not None:
                return self._reject(failure, at or perf_counter())
        if reader.stopped or raw is END:
            answer.buffer.keep(items)
            return self._over(reader, at or perf_counter())
        if late:
            answer.buffer.keep(items)
            return self.expired()
        if answer.before_commit:
            return self._hold(items, reader, at)
        if answer.buffer.holds_after_commit:
            items = answer.buffer.add_to_window(items, reader, *self._checked_chars(reader))
        if stats is not None and items:
            stats.chunks += len(items)
            stats.last_chunk_at = at
        return items

    def recorded_on_read(self) -> Callable[[Any, float], list[Any] | AttemptOver]:
        """Return `on_read` for one body of a recorded call: it also records what is delivered.

        A closure, because its variables are found faster than attributes of attributes.
        """
        on_read, recording, buffer, parser = self.on_read, self.recording, self.answer.buffer, self.answer.parser
        assert recording is not None
        assert parser is not None
        reader = parser.reader

        def recorded_read(raw: Any, since: float) -> list[Any] | AttemptOver:
            items = on_read(raw, since)
            if items and type(items) is list:
                chars = buffer.released if buffer.holds_after_commit else reader.chars
                if recording.reads:  # do what `delivered` does, without a function call per chunk
                    recording.items += len(items)
                    recording.chars = chars
                else:
                    recording.delivered(len(items), chars)
            return items

        return recorded_read

    def _record_delivery(self, items: list[Any]) -> None:
        """Record that the user gets ``items``, the last ones of an attempt."""
        if self.recording is not None and items:
            parser = self.answer.parser
            self.recording.delivered(len(items), parser.reader.chars if parser is not None else 0)

    def _hold(self, items: list[Any], reader: Reader, at: float) -> list[Any]:
        """Hold new items before the commit point, so that the user never sees a restart. Return those to deliver."""
        buffer = self.answer.buffer
        if buffer.holds_after_commit:
            due = buffer.add_to_window(items, reader, *self._checked_chars(reader))
        else:
            due = buffer.add_before_commit(items, reader)
        if due:
            at = at or perf_counter()
            if not self.unseen:
                self._step(Released(at))
            self.answer.before_commit = False
            if self.observers.observed:
                self.observers.delivered(due, at, buffer.held_s(at))
        return due

    def _checked_chars(self, reader: Reader) -> tuple[int, int]:
        """Return the number of characters received, and how many of them all rules have checked."""
        rule_runner = self.rule_runner
        if rule_runner is not None:
            return rule_runner.chars, rule_runner.checked
        chars = self.answer.count_chars(reader)
        return chars, chars

    def _after_end(self, raw: Any, parser: BodyParser) -> list[Any] | AttemptOver:
        """Return the items that are left for a user who closed the response and reads on. Record nothing.

        If items are held, or rules check them, the rest is read and dropped: otherwise the text would have a gap, or be
        unchecked. A read that fails because of the close still raises, as without l0.
        """
        if raw is END or self.aborted:
            return AttemptOver([], CANCELLED)
        if self.answer.before_commit or self.answer.buffer.holds_after_commit or self.rule_runner is not None:
            return []
        items, reader = parser.feed(raw), parser.reader
        if not reader.stopped:
            return items
        return AttemptOver(items, CANCELLED if reader.failure is None else Raise(reader.failure))

    @property
    def unchecked_fragments(self) -> float:
        """Return the number of text fragments that a driver may deliver before it calls `evaluate_rules`.

        0 before the commit point, while items are held, and if reads are measured or recorded, which `on_read` does.
        """
        answer = self.answer
        if (
            answer.before_commit
            or not self.open
            or answer.buffer.holds_after_commit
            or self.observers.observed
            or self.recording
        ):
            return 0
        return self.fragments_to_next_check

    @property
    def fragments_to_next_check(self) -> float:
        """The number of text fragments until the rules, or the deadline of the whole call, are checked."""
        rule_runner, parser = self.rule_runner, self.answer.parser
        due = inf if rule_runner is None or parser is None else rule_runner.due - len(parser.reader.text)
        return due if self.deadlines is None or self.deadlines.unlimited else min(due, _FRAGMENTS_PER_TIME_CHECK)

    def evaluate_rules(self, item: Any) -> AttemptOver | None:
        """Check the rules and the deadline of the whole call, after ``item``. Return the end of the attempt if one of
        them ends it."""
        rule_runner, parser = self.rule_runner, self.answer.parser
        assert parser is not None
        self.answer.fragments_before_read = len(parser.reader.text) - 1
        if self.deadlines is not None and not self.deadlines.unlimited and self.deadlines.passed_total(perf_counter()):
            self.answer.buffer.keep([item])
            return self.expired()
        failure = rule_runner.evaluate(parser.reader) if rule_runner is not None else None
        return None if failure is None else self._reject(failure, perf_counter())

    def on_read_stopped(self, error: BaseException, since: float) -> list[Any] | AttemptOver:
        """Handle a read that raised: at the end of the body, at a deadline, or because the connection broke."""
        stats, parser = self.observers.stats, self.answer.parser
        if stats is not None and since:
            at = perf_counter()
            stats.read_stopped(at, at - since)
        if parser is not None:
            self.answer.fragments_before_read = len(parser.reader.text)
        if isinstance(error, StopIteration | StopAsyncIteration) and parser is not None:
            return self.on_read(parser.end, since)
        expired = isinstance(error, Expired) or self._ends_silence(error, self.deadlines, perf_counter())
        return self.expired() if expired else self.on_read_error(error)

    def _ends_silence(self, error: BaseException | None, deadlines: CallDeadlines | None, at: float) -> bool:
        """Return True if ``error`` is a recorded silence that one of ``deadlines`` ends. The time then counts as
        passed."""
        if not isinstance(error, RecordedSilence) or deadlines is None or not deadlines.skip(at, error):
            return False
        error.accepted = True
        self.use_deadlines(self.deadlines)
        return True

    def on_read_error(self, error: BaseException) -> AttemptOver:
        """Handle an error of a read. An answer that was already complete stays complete."""
        parsing = self.connection is not _READING  # the read succeeded, but our own parsing failed
        self.connection = _USER
        if not self.open:
            self.halt(error)
        at = perf_counter()
        if isinstance(error, Exception):
            parser = self.answer.parser
            if parser is not None and parser.reader.certainly_complete():
                return self._over(parser.reader, at)
            if self.deadlines is not None and self.deadlines.passed(at):
                return self.expired()  # the transport's own timeout was as short, and fired first
        failure = self.call_adapter.failed(error, opened=True)
        if failure is None and parsing and isinstance(error, Exception):
            failure = Failure(cause=Cause.INTERNAL, detail=repr(error), error=error)
        if not parsing and self.call_adapter.client_closed:
            self.halt(error)
        if failure is None:
            self.leave(error)
            raise error
        return self._fail(failure, at)

    def expired(self) -> AttemptOver:
        """End the attempt, because a deadline has passed."""
        assert self.deadlines is not None
        self.connection = _USER
        if not self.open:
            self.halt()
        at = perf_counter()
        parser = self.answer.parser
        if parser is not None and parser.reader.certainly_complete():
            return self._over(parser.reader, at)
        failure = self.deadlines.failure(at)
        if failure.cause is Cause.FIRST_CONTENT_TIMEOUT:
            self.admission.first_content(at - self.started)
        return self._fail(failure, at)

    def consumed(self, answer: object = None) -> None:
        """End the call after its body was read completely, but not through L0 (a raw response).

        ``answer``: the JSON of the body; ``None`` if it is unknown.
        """
        if self.open and self.machine.state in (CallState.HOLDING, CallState.RELAYING):
            at = perf_counter()
            metadata, text, calls = self.call_adapter.complete_answer(answer) if self._reads_answers else (None, "", ())
            self.attempt_ended(None, at)
            command = self._step(Ended(None, at))
            if self.recording is not None and metadata is not None:
                self.recording.delivered(1, len(text))
            self._finish(command, at, metadata, text, calls)

    def overdue_for_user(self, error: BaseException) -> BaseException:
        """End a call whose user reads the body, because `Timeout.total` has passed. Return the exception to raise:
        ``error``, that of the read, if the call is over already."""
        if self.open and self.deadlines is not None:
            at = perf_counter()
            command = self._fail(self.deadlines.failure(at, Cause.TOTAL_TIMEOUT), at).command
            if isinstance(command, Raise):
                return self.error(command)
        return error

    # -- the end of an attempt --------------------------------------------------------------------------------------

    def _over(self, reader: Reader, at: float) -> AttemptOver:
        """End the attempt after its body is read, complete or not."""
        reader.finish()
        if reader.failure is not None:
            return self._fail(reader.failure, at)
        missing = reader.incomplete_cause()
        rejected = False
        if self.rule_runner is not None and self.machine.counts_as_ended(missing):
            failure = self.rule_runner.finish(reader)
            if failure is not None:
                return self._reject(failure, at)
        elif self.rule_runner is not None:
            rejected = self._drop_rejected(self.rule_runner, reader)
        strategy = self.call.policy.resume
        resume_from = (None, None) if missing is None else self.answer.resume_from(strategy, rejected=rejected)
        progress = self._progress()
        command = self._step(Ended(missing, at, reader.accepted, *resume_from))
        if isinstance(command, Finish):
            if missing is None:
                self.call_adapter.completed()
            self.attempt_ended(None, at)
            if self.shadow is not None:
                self.shadow.complete_answer(reader, at)
        return self._settle(command, at, progress)

    def _reject(self, failure: Failure, at: float) -> AttemptOver:
        """Fail the attempt because of a rule: the user never gets the held items, and the answer is not continued, but
        may be restarted."""
        answer = self.answer
        answer.drop()
        resume_from = answer.resume_from(self.call.policy.resume, rejected=True)
        return self._settle(self._step(Failed(failure, at, answer.accepted, *resume_from)), at, None)

    def _fail(
        self, failure: Failure, at: float, *, answered: bool = False, ended_at: float | None = None
    ) -> AttemptOver:
        """Fail the attempt.

        ``answered``: a complete answer came, so the effects of the request have happened. ``ended_at``: the time at
        which the attempt ended, if that was before ``at``, while another attempt ran beside it.
        """
        parser = self.answer.parser
        reader = parser.reader if parser is not None else None
        if self.recording is not None:
            self.recording.failed(self.number, failure.error)
        rule_runner = self.rule_runner
        rejected = rule_runner is not None and reader is not None and self._drop_rejected(rule_runner, reader)
        accepted = answered and not self.call.effective_retry_safety.in_parallel if reader is None else reader.accepted
        resume_from = self.answer.resume_from(self.call.policy.resume, rejected=rejected)
        progress = self._progress()
        return self._settle(self._step(Failed(failure, at, accepted, *resume_from)), at, progress, ended_at)

    def _drop_rejected(self, rule_runner: RuleRunner, reader: Reader) -> bool:
        """Drop the held items of a broken answer, and return True, if a rule rejects its last text."""
        if rule_runner.evaluate(reader, rest=True) is None:
            return False
        self.answer.drop()
        return True

    def _progress(self) -> AttemptProgress | None:
        """Return the progress of the attempt, for a policy that only observes; ``None`` if there is no such policy."""
        if self.shadow is None:
            return None
        resume_state, early_release = self.answer.resume_from(self.shadow.resume)
        phase = PHASES.get(self.machine.state, Phase.RELAYING)
        return AttemptProgress(phase, self.answer.accepted, resume_state is not None, early_release)

    def _settle(
        self, command: Command, at: float, progress: AttemptProgress | None, ended_at: float | None = None
    ) -> AttemptOver:
        """Drop the held items if ``command`` retries the attempt, or if the user has stopped the call; else return
        them, to be delivered.

        ``progress``: that of a failed attempt, for a policy that only observes. ``ended_at``: as of `_fail`.
        """
        answer = self.answer
        if command is CANCELLED:
            answer.buffer.clear()
            return AttemptOver([], command)
        if isinstance(command, Wait | Raise):
            if self.shadow is not None and progress is not None:
                self.shadow.failed(self.machine.failures[-1], progress, at)
            self.attempt_ended(self.machine.failures[-1], at if ended_at is None else ended_at, command)
        if isinstance(command, Raise) and answer.must_drop_held:
            answer.drop()
        if not isinstance(command, Wait):
            return self._release_last(command, at)
        error = self.machine.failures[-1].error
        if error is not None:  # the history of the call keeps the error, and the call may still take long
            drop_tracebacks(error)
        if self.observers.counts_tokens:
            self.observers.spent(answer.metadata)
        if self.unseen:
            self.observers.withdrawn()
        items = answer.items_before_next()
        self._record_delivery(items)
        answer.forget_attempt()
        if self.rule_runner is not None:
            self.rule_runner.restart()
        return AttemptOver(items, command)

    def _release_last(self, command: Command, at: float) -> AttemptOver:
        """Return the held items, which are the last ones of the call, and report its end."""
        answer, failed = self.answer, isinstance(command, Raise)
        items = answer.buffer.flush()
        self._record_delivery(items)
        metadata = answer.metadata if self.observers.observed else None
        if self.observers.observed:
            self.observers.delivered(items, at, answer.buffer.held_s(at), with_failure=failed)
        if self.unseen and failed:
            self.observers.withdrawn()
        if isinstance(command, Finish) and items:
            self.complete = command, at, metadata
        else:
            self._finish(command, at, metadata)
        return AttemptOver(items, command)

    def attempt_ended(
        self, failure: Failure | None, at: float, following: Command = CANCELLED, *, abandoned: bool = False
    ) -> None:
        """Report the end of the attempt to the shared state, the observers and the log. ``following``: the command
        after a failure.

        The report is made once per attempt, even if a signal handler interrupts it.
        """
        mine = object()
        if self._attempts_ended.setdefault(self.number, mine) is not mine:  # atomic: no signal handler can interrupt it
            return
        self.admission.ended(failure, abandoned=abandoned)
        if self.recording is not None:
            self.recording.attempt_ended(self.number, failure, at)
        if failure is not None:
            self.observers.attempt_failed(self.number, failure, at, following, resuming=self.machine.resuming)
        elif self.observers.observed:
            self.observers.attempt_ended(self.number, at)
        if self.admission.breaker_state is not None:
            self._report_breaker(at)

    def _report_breaker(self, at: float) -> None:
        state, self.admission.breaker_state = self.admission.breaker_state, None
        if state is not None:
            self.observers.breaker_changed(self.admission.target, state, at)

    # -- the end of the call ----------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """True while the call is under way."""
        return self.ending.outcome is None

    def close(self) -> None:
        """End the call because its user stopped or interrupted it. Final; safe to call at any time."""
        if self.open:
            stop(self, later=interrupted())
        self.ending.wake()

    def delivered(self) -> None:
        """End a call with a complete answer, after the user took its last item and asked for more."""
        if self.complete is not None:
            self.close()

    def abort(self) -> None:
        """Close the call, and deliver nothing more, not even items that have arrived."""
        self.aborted = True
        self.close()

    def abandon(self, release: Callable[[], object] | None = None) -> None:
        """Close the call from a finalizer. ``release``: returns the connection."""
        stop(self, later=True, release=release)

    def halt(self, error: BaseException | None = None) -> NoReturn:
        """End the call because its user stopped. Raise what the bare SDK raises if that led to ``error``."""
        self.close()
        raise self.call_adapter.stopped(error)

    def leave(self, error: BaseException) -> None:
        """End the call with an exception that reaches the user unchanged.

        Code in this process raised it, such as a hook, a parser of the SDK or the user's own, so it is not retried. An
        interruption (``KeyboardInterrupt``, the cancellation of a task) is the user's way to stop, and not a failure.
        """
        ended = self.complete is None and self.machine.state not in PHASES
        if not self.open or not isinstance(error, Exception) or ended:
            self.close()
            return
        message = f"{type(error).__name__} was raised by code in your process, not by the provider or the connection"
        note_failures(error, self.call, self.machine)
        failure = Failure(cause=Cause.LOCAL, message=message, error=error)
        if self.complete is None:
            self._fail(failure, perf_counter())
        else:
            self._finish(Raise(failure), *self.complete[1:])

    def driver_done(self) -> None:
        """End the call if it is still open, and drop the references that would keep the response alive."""
        self.close()
        self.answer.parser = None

    def error(self, command: Raise) -> BaseException:
        """Return the exception to raise, with the history of the attempts in its notes."""
        failure, failures = command.failure, self.machine.failures
        enclosed = self.call.policy.retry is ENCLOSED_RETRY
        context = ErrorContext(
            text=self.answer.delivered_text,
            arrived=self.answer.arrived_chars,
            attempts=self.machine.attempts,
            max_attempts=attempt_limit(self.call, failures, command.stop),
            request_id=self.request_id,
            stop="" if enclosed else describe_stop(command.stop, self.call, failure, self.machine.leg),
            enclosed=enclosed,
        )
        error = self.call_adapter.exception(failure, context)
        if len(failures) > 1:
            note_failures(error, self.call, self.machine)
        for skipped in self.call.skipped_fallbacks:
            error.add_note(f"l0: a fallback was skipped: {skipped}")
        return error

    def _step(self, signal: Signal) -> Command:
        """Step the machine. Return `CANCELLED` if another thread or a signal handler closes the call meanwhile.

        Closing steps the machine to its end, so this step may fail, or return a command that no longer applies.
        """
        try:
            command = self.machine.step(signal)
        except (IllegalSignal, KeyError):
            if self.ending.outcome is None:
                raise
        else:
            if self.ending.outcome is None:
                return command
        return CANCELLED

    def _finish(
        self, command: Command, at: float, metadata: ResponseMetadata | None, text: str = "", calls: ToolCalls = ()
    ) -> None:
        outcome = command.outcome if isinstance(command, Finish) else Outcome.FAILED
        quiet = outcome in QUIET and not command.anomalies  # type: ignore[union-attr]  # it is a Finish
        if not self.ending.claim(outcome):
            return
        self.record_end(outcome, command.failure if isinstance(command, Raise) else None, at)
        if self.observers.observed or not quiet:
            answer = self.answer
            call_when_safe(self.report_end, command, at, metadata, text or answer.text, calls or answer.tool_calls)

    def record_end(self, outcome: Outcome, failure: Failure | None, at: float) -> None:
        """Record the end of the call, if calls are recorded."""
        if self.recording is not None:
            self.recording.ended(outcome, failure, at)

    def report_end(
        self, command: Command, at: float, metadata: ResponseMetadata | None, text: str, calls: ToolCalls
    ) -> None:
        """Report the end of the call to the observers."""
        if self.rule_runner is not None:
            self.rule_runner.report_held()
        rules = self.rule_runner.times if self.rule_runner is not None else {}
        self.observers.ended(command, self.machine, at, metadata, text, calls, rules)
