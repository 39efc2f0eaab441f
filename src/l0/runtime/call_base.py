"""One call at run time, from its first request to its end: the machine, what it commands, and what becomes of each
attempt. How an attempt's body is read stands in `runtime`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from time import perf_counter
from typing import Any

from l0.engine.commands import Command, Finish, Open, Raise, Relay, Wait
from l0.engine.machine import PHASES, Machine
from l0.engine.retry import AttemptProgress, Phase
from l0.engine.signals import Answered, Begin, Ended, Failed, Opened, Waited
from l0.model.call import Call
from l0.model.call_events import ResponseMetadata
from l0.model.errors import raised
from l0.model.failure import Cause, Failure
from l0.model.policy import ResumeMode, Timeout
from l0.model.ports import AttemptPlan, CallObserver, Reader, Upstream
from l0.model.resume_state import ResumeState
from l0.shared_state.shared import SharedState

from .admission import AdmissionControl
from .body_parser import BodyParser
from .call_ending import CallEnding
from .deadlines import Clocks
from .finalizers import LATER
from .observer_notifier import ObserverNotifier
from .output_buffer import OutputBuffer
from .rule_runner import hold_of, rule_runner_for
from .shadow import ShadowPolicy

_log = logging.getLogger("l0")


def _other(text: str, metadata: ResponseMetadata | None) -> bool:
    """Whether an answer holds something besides text; one without text that cost tokens does."""
    return metadata is not None and (metadata.other or (not text and bool(metadata.output_tokens)))


class CallRuntimeBase(CallEnding):
    """State of one call between its commands. Used by one thread or task at a time, as the SDK's streams are."""

    __slots__ = (
        "_holding",
        "_kept",
        "clocks",
        "hedged",
        "started",
        "timed",
    )

    def __init__(
        self, call: Call, upstream: Upstream, call_observers: Sequence[CallObserver], shared_state: SharedState
    ) -> None:
        if LATER.waiting:
            LATER.help()
        began = perf_counter()
        super().__init__()
        self.call = call
        self.upstream = upstream
        self.observers = ObserverNotifier(call_observers, began)
        self.admission = AdmissionControl(call, shared_state)
        self.machine = Machine(call, random.random, upstream.backoff, guard=self.admission)
        timeout = call.policy.timeout
        if timeout is None and call.policy.adaptive:
            timeout = Timeout(initial_token=None, inter_token=None)
        self.clocks = Clocks(timeout, began) if timeout is not None else None
        self._parser = None
        self.rule_runner = rule_runner_for(call, self.observers.notify if self.observers.observed else None)
        self._kept = OutputBuffer(*hold_of(call.policy, self.rule_runner))
        self.started = began
        self.number = 1
        self.shadow = None
        if call.shadow is not None and self.observers.observed:
            self.shadow = ShadowPolicy(call, call.shadow, shared_state, self.observers.notify, began)
        self.hedged = False
        self._resume_state = None
        self._holding = True
        self.timed = self.clocks is not None or self.observers.observed or self.admission.learns
        """Whether reads have deadlines, or somebody wants to know how long they take."""
        self._went(self.machine.step(Begin(began)), began)

    # -- opening ------------------------------------------------------------------------------------------------

    @contextmanager
    def sending(self, command: Open) -> Iterator[Any]:
        """The options of the attempt that the machine commanded, with every watcher's context active."""
        if not self.open:
            self.halt()
        started = perf_counter()
        if not command.hedge:
            self.number, self.started = command.number, started
        self.observers.attempt_started(command, started)
        if self.shadow is not None:
            self.shadow.sent(started)
        with ExitStack() as stack:
            headers = self.observers.enter(stack)
            plan = AttemptPlan(
                resend=command.number - 1,
                leg=command.leg,
                left=self.machine.left(started),
                resume=command.resume,
                resume_state=self._resume_state if command.resume is not None else None,
                hedge=command.hedge,
            )
            yield self.upstream.options(plan, headers)
        if command.resume is not None:
            self._tell_seam()

    def answered(self, answer: Any) -> None:
        """A whole answer is there: accept it, or find what is wrong with it."""
        at = perf_counter()
        answer_failure = self.upstream.answer_failure(answer)
        if answer_failure is not None:
            self._fail(answer_failure, at)
            return
        looked_at = self.observers.observed or self.rule_runner is not None
        metadata, text, calls = self.upstream.complete_answer(answer) if looked_at else (None, "", ())
        if self.rule_runner is not None:
            answer_failure = self.rule_runner.complete_answer(text, calls, other=_other(text, metadata))
            if answer_failure is not None:
                self._fail(answer_failure, at)
                return
        if self.shadow is not None:
            self.shadow.answered(text, calls, other=_other(text, metadata))
        self.attempt_ended(None, at)
        self.command = self.step(Answered(at))
        self._finish(self.command, at, metadata, text, calls)

    def opened(self, status: int | None, request_id: str | None) -> None:
        """The headers of a stream are there."""
        at = perf_counter()
        self.observers.opened(status, request_id, self.started)
        if self.clocks is not None:
            self.clocks.opened(self.started, at, self.admission.deadline)
        if self.shadow is not None:
            self.shadow.opened(self.started, at)
        self._obey(self.step(Opened(at, self.hedged)))

    @property
    def hedge_after(self) -> float | None:
        """Seconds after which the attempt that the machine commanded is slow; ``None`` where nobody would mind."""
        return None if self.machine.hedged else self.admission.hedge_after()

    @property
    def first_limit(self) -> float:
        """Seconds that the first content may take; ``inf`` for ever."""
        timeout = self.call.policy.timeout
        first = timeout.initial_token if timeout is not None else None
        usual = self.admission.deadline(None if first is None else first / 1000)
        return min(inf if usual is None else usual, self.machine.left(perf_counter()))

    def overdue(self) -> None:
        """No attempt of those that raced brought content in time."""
        at = perf_counter()
        self.admission.first_content(at - self.started)
        cause = Cause.TOTAL_TIMEOUT if self.machine.left(at) <= 0 else Cause.FIRST_CONTENT_TIMEOUT
        assert self.clocks is not None
        self._fail(self.clocks.failure(at, cause), at)

    def slept(self) -> None:
        """The backoff is over. Nothing more is sent for a user who has closed the stream, or the client, meanwhile."""
        if not self.open or self.upstream.gone:
            if not isinstance(self.command, Finish):
                self.halt()
            return
        at = perf_counter()
        self._went(self.step(Waited(at)), at)

    def _went(self, command: Command, at: float) -> None:
        """The next attempt is commanded; or none is, as a breaker is open or time is up: then the call is over."""
        self.command = command
        if isinstance(command, Raise):
            self._finish(command, at, None)

    def _tell_seam(self) -> None:
        callback = self.call.policy.on_resume
        if callback is None:
            return
        try:
            callback(self.machine.resume_points[-1])
        except Exception:
            _log.warning("Policy.on_resume failed and is ignored: %s", raised())

    # -- attempts -----------------------------------------------------------------------------------------------

    def reads(self, parser: BodyParser) -> None:
        """Reading of an attempt's body begins, through ``pump``."""
        self._parser = parser

    @property
    def continuation(self) -> tuple[ResumeMode, ResumeState] | None:
        """What the attempt that was just opened takes up, and how."""
        if self._resume_state is None or not self.machine.resume_points:
            return None
        return self.machine.resume_points[-1].strategy, self._resume_state

    def _over(self, reader: Reader, at: float) -> list[Any]:
        """Reading is over, for better or worse."""
        reader.finish()
        return self._fail(reader.failure, at) if reader.failure is not None else self._end(reader, at)

    def _end(self, reader: Reader, at: float) -> list[Any]:
        missing = reader.missing()
        if missing is None and self.rule_runner is not None:
            failure = self.rule_runner.finish(reader)
            if failure is not None:
                return self._reject(failure, at)
        resumable = missing is not None and self._resumable(reader)
        stand = self._stand(reader)
        command = self.step(Ended(missing, at, reader.accepted, resumable, self._had))
        if isinstance(command, Finish):
            if missing is None:
                self.upstream.completed()
            if missing is not None and missing.value in command.anomalies:
                _log.warning(
                    "a %s stream from %s ended without its terminal event; accepted, as this origin has never sent one",
                    self.call.dialect,
                    self.call.origin,
                )
            self.attempt_ended(None, at)
            if self.shadow is not None:
                self.shadow.complete_answer(reader)
        return self._settle(command, at, stand)

    def _reject(self, failure: Failure, at: float) -> list[Any]:
        """A rule has failed the attempt: what is still kept back is never seen, and nothing is taken up from there."""
        self._kept.restart()
        return self._settle(self.step(Failed(failure, at, had=self._had)), at)

    def _fail(self, failure: Failure, at: float) -> list[Any]:
        reader = self._parser.reader if self._parser is not None else None
        if (
            self.rule_runner is not None
            and reader is not None
            and self.rule_runner.evaluate(reader, rest=True) is not None
        ):
            self._kept.restart()  # what came last is not fit to be handed over
        accepted = reader is not None and reader.accepted
        resumable = reader is not None and self._resumable(reader)
        stand = self._stand(reader)
        command = self.step(Failed(failure, at, accepted, resumable, self._had))
        return self._settle(command, at, stand)

    @property
    def _had(self) -> int:
        """Characters that the user has, where an answer is taken up."""
        return len(self._resume_state.text) if self._resume_state is not None else 0

    def _resumable(self, reader: Reader) -> bool:
        """Whether the answer could be taken up where it broke; remembers what the user has of it."""
        strategy = self.call.policy.resume
        if strategy == "off" or not reader.resumable or self._parser is None or not self._parser.resumes:
            return False
        self._resume_state = reader.resume_state()
        return self.upstream.resumes(strategy, self._resume_state)

    def _stand(self, reader: Reader | None) -> AttemptProgress | None:
        """How far the answer has come, for a policy that only looks on."""
        if self.shadow is None:
            return None
        phase, strategy = PHASES.get(self.machine.state, Phase.RELAYING), self.shadow.resume
        if reader is None or self._parser is None:
            return AttemptProgress(phase)
        complete_answer = strategy != "off" and reader.resumable and self._parser.resumes
        return AttemptProgress(
            phase, reader.accepted, complete_answer and self.upstream.resumes(strategy, reader.resume_state())
        )

    def _settle(self, command: Command, at: float, stand: AttemptProgress | None = None) -> list[Any]:
        """After an attempt: drop what was held where it is repeated, hand it over where it was the last."""
        if self.shadow is not None and stand is not None and isinstance(command, Wait | Raise):
            self.shadow.failed(self.machine.failures[-1], stand, at)
        if isinstance(command, Wait | Raise):
            self.attempt_ended(self.machine.failures[-1], at)
        self.command = command
        if isinstance(command, Wait):
            self.observers.spent(self.metadata)
            # What a resumed answer has brought so far is the user's; of a repeated one nothing was ever seen.
            items: list[Any] = []
            if self.machine.resuming:
                items = self._kept.flush()
            else:
                self._resume_state = None
            self._kept.restart()
            if self.rule_runner is not None:
                self.rule_runner.restart()
            self._parser = None
            return items
        items = self._kept.flush()
        self.observers.delivered(items, at, self._kept.seconds(at))
        self._finish(command, at, self.metadata)
        return items

    def _obey(self, command: Command) -> None:
        self.command = command
        self._holding = isinstance(command, Relay) and command.holding
