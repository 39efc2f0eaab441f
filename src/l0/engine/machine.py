"""The state machine of one call: it decides what happens next, and never acts.

Theory of operation
-------------------
A **call** is one invocation of an SDK method by the user; an **attempt** is one HTTP request of a call. A driver (sync
or async) does the I/O: it reports each event to the machine as a *signal*, and executes the *command* that
`Machine.step` returns. The machine has no clock, no thread and no socket. Signals carry the time, and a function
supplies random numbers, so the same inputs always give the same commands, and a test with a virtual clock runs the same
code as production.

A **leg** is one target of the call: leg 0 is the primary, and the policy's fallbacks follow in order. The **commit
point** is the first release of content to the user. Before it, a retry is invisible; after it, a retry would repeat or
contradict text that the user has seen.

    READY --Begin--> OPENING --Opened--> HOLDING --Released--> RELAYING --Ended--> DONE
                        ^  |                |                      |
                        |  +--Answered----> DONE (not streaming)   |
                        |  +--Failed--+     +--Failed, Ended (something is missing)--+
                        |             v                                              v
                        +--Waited-- WAITING <----------------------------------------+   or DONE

A resumed attempt goes from OPENING straight to RELAYING, because the user already has the beginning of the answer.

Rules, all of them implemented here or in `retry`:

1. **Retry and resume.** Before the commit point, a recoverable failure is retried, and the user does not notice. After
   it, the failure is raised, unless the policy allows resuming: then a new attempt continues the answer where it broke,
   and released text is never released again.
2. **Retry safety.** A request that is not safe to repeat is not sent again once the provider has accepted it.
   `RetrySafety` says what shows that: the response headers, or an event.
3. **Truncation.** A body that ends without its terminal event is a failure if the origin of the leg is known to send
   one (`Call.terminal_rule`). Otherwise the answer is accepted, with an anomaly if `strict` is False. An empty answer
   is never accepted.
4. **Closing.** The user may close the call at any time. Closing is final, and is not a failure.
5. **Hedging.** An attempt that is slower than usual may be hedged, once per call: a second request runs in parallel,
   and the call uses the answer whose content arrives first. The slower request is not a failure.
6. **Fallback.** A leg whose circuit breaker is open is skipped without a request. If retries on one leg do not help,
   or the wait before the next one would pass the time limit of the call, the call moves to the next leg, which has its
   own retry count. After the commit point, this happens only if the policy splices or restarts broken answers. If the
   last leg does not have the requested model, the failure that led to this leg is raised, because it is the reason.

A chunk is not a signal, because a step costs more than the delivery of a chunk. Between `Released` and the end of the
body, the driver delivers chunks on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from math import inf
from typing import Protocol

from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.failure import Cause, Failure
from l0.model.policy import ResumeMode, ResumePoint
from l0.model.resume_state import ResumeState

from .commands import Command, Finish, Raise, Relay, Wait
from .retry import AttemptProgress, Phase, RetryAfter, can_fall_back, retry_decision, server_requires_wait
from .signals import Answered, Begin, Closed, Ended, Failed, Opened, Released, Signal, Slow, Waited
from .stop_reasons import NO_STOP, Stop, StopReason


class CallState(StrEnum):
    """The state of a call. `TRANSITIONS` lists the steps from state to state."""

    READY = "ready"
    OPENING = "opening"
    HOLDING = "holding"
    RELAYING = "relaying"
    WAITING = "waiting"
    DONE = "done"


TRANSITIONS: dict[CallState, dict[type[Signal], frozenset[CallState]]] = {
    CallState.READY: {Begin: frozenset({CallState.OPENING, CallState.DONE})},
    CallState.OPENING: {
        Slow: frozenset({CallState.OPENING}),
        Opened: frozenset({CallState.HOLDING, CallState.RELAYING}),
        Answered: frozenset({CallState.DONE}),
        Failed: frozenset({CallState.WAITING, CallState.DONE}),
        Closed: frozenset({CallState.DONE}),
    },
    CallState.HOLDING: {
        Released: frozenset({CallState.RELAYING}),
        Ended: frozenset({CallState.WAITING, CallState.DONE}),
        Failed: frozenset({CallState.WAITING, CallState.DONE}),
        Closed: frozenset({CallState.DONE}),
    },
    CallState.RELAYING: {
        Ended: frozenset({CallState.WAITING, CallState.DONE}),
        Failed: frozenset({CallState.WAITING, CallState.DONE}),
        Closed: frozenset({CallState.DONE}),
    },
    CallState.WAITING: {
        Waited: frozenset({CallState.OPENING, CallState.WAITING, CallState.DONE}),
        Closed: frozenset({CallState.DONE}),
    },
    CallState.DONE: {Closed: frozenset({CallState.DONE})},
}
"""Every legal step: state, signal, and the states that may follow. Any other signal is a defect of a driver."""

PHASES = {CallState.OPENING: Phase.OPENING, CallState.HOLDING: Phase.HOLDING, CallState.RELAYING: Phase.RELAYING}
_INCOMPLETE_MESSAGES = {
    Cause.TRUNCATED: "the stream ended without its terminal event",
    Cause.EMPTY: "the stream ended without any content",
    Cause.NOT_A_STREAM: "the server reported success, but its answer is not an event stream",
}


def incomplete_answer(missing: Cause) -> Failure:
    """Return the failure of a body that ended before its answer was complete."""
    return Failure(cause=missing, message=_INCOMPLETE_MESSAGES[missing])


class Admission(Protocol):
    """The permissions that the shared state (breakers, budgets) grants to one call."""

    def may_open(self, leg: int) -> bool:
        """Return True if the leg's circuit breaker admits an attempt."""
        ...

    def may_retry(self, *, by_server: bool) -> bool:
        """Return True if the retry budget covers one more attempt.

        ``by_server``: the server requested the wait before the attempt, which exempts it from the budget.
        """
        ...

    def may_hedge(self) -> bool:
        """Return True if the budget covers a second, parallel request."""
        ...

    @property
    def refusal(self) -> str:
        """Return the reason of the last refusal: which breaker or budget, and how to change it."""
        ...


class _AdmitAll:
    def may_open(self, leg: int) -> bool:  # noqa: ARG002
        return True

    def may_retry(self, *, by_server: bool) -> bool:  # noqa: ARG002
        return True

    def may_hedge(self) -> bool:
        return True

    refusal = ""


ADMIT_ALL = _AdmitAll()
"""Permits everything: for calls without shared state, and for tests."""


class IllegalSignal(RuntimeError):  # noqa: N818 - named after what the driver sent
    """A defect of a driver: it sent a signal that is illegal in the current state."""


class Machine:
    """The state and the decisions of one call. Only `step` changes it.

    ``rand`` returns random numbers in [0, 1) for jitter. ``backoff`` returns the delay, in seconds, that the bare SDK
    would choose before retry number n after a failure. ``admission`` grants attempts. These three are arguments,
    because they depend on more than the signals.
    """

    __slots__ = (
        "attempts",
        "began",
        "call",
        "failed_legs",
        "failures",
        "hedged",
        "leg",
        "refusals",
        "resume_points",
        "resume_state",
        "resuming",
        "state",
        "_admission",
        "_backoff",
        "_earlier_failures",
        "_failure_of_earlier_leg",
        "_hedge_won",
        "_rand",
        "_request_id",
        "_resume_mode",
        "_undecided_retry",
        "_waited_s",
    )

    def __init__(
        self,
        call: Call,
        rand: Callable[[], float],
        backoff: Callable[[int, Failure], float],
        admission: Admission = ADMIT_ALL,
    ) -> None:
        self.call = call
        self.state = CallState.READY
        self.attempts = 0
        self.began = 0.0
        self.failures: list[Failure] = []
        self.failed_legs: list[int] = []
        """The leg of each failure."""
        self.refusals: dict[int, str] = {}
        """By the index of each failure after which the budget refused a retry and a fallback followed: the refusal."""
        self.leg = 0
        self.hedged = False
        self.resume_points: list[ResumePoint] = []
        self.resuming = False
        self.resume_state: ResumeState | None = None
        """The part of the answer that the user already has, if the call is being resumed; else ``None``."""
        self._undecided_retry: tuple[AttemptProgress, bool] | None = None
        """While an async ``should_retry`` decides: the progress of the failed attempt, and whether the server requested
        the wait."""
        self._resume_mode: ResumeMode = call.policy.resume
        """The mode of the next resume. An answer without content so far is repeated, whatever the policy."""
        self._hedge_won = False
        self._earlier_failures = 0
        """The number of failures on earlier legs."""
        self._failure_of_earlier_leg: Failure | None = None
        """The failure to raise if the current leg does not have the requested model; ``None`` on leg 0."""
        self._request_id: str | None = None
        """The provider's id of the current attempt's request, once its stream has opened."""
        self._rand = rand
        self._backoff = backoff
        self._admission = admission
        self._waited_s = 0.0

    def step(self, signal: Signal) -> Command:
        """Process one signal, and return the command to execute next.

        Raises:
            IllegalSignal: the current state does not accept this signal.
        """
        if type(signal) not in TRANSITIONS[self.state]:
            raise IllegalSignal(f"{type(signal).__name__} in state {self.state}")
        match signal:
            case Begin(at=at):
                self.began = at
                return self._open(at)
            case Slow(at=at):
                return self._hedge(at)
            case Opened(hedge=hedge, request_id=request_id):
                self._hedge_won, self._request_id = hedge, request_id
                self.state = CallState.RELAYING if self.resuming else CallState.HOLDING
                return Relay(not self.resuming)
            case Released():
                self.state = CallState.RELAYING
                return Relay(False)
            case Answered():
                return self._finish()
            case Ended(missing=missing, at=at):
                return self._ended(missing, at, self._progress(signal))
            case Failed(failure=failure, at=at):
                return self._failed(failure, at, self._progress(signal))
            case Waited(at=at, vetoed=vetoed):
                if self.remaining_s(at) <= 0:
                    return self._raise(self.failures[-1], Stop(StopReason.OUT_OF_TIME))
                return self._waited_for(at, vetoed)
            case Closed():
                self.state = CallState.DONE
                return Finish(Outcome.CANCELLED)

    def _open(self, at: float) -> AttemptSpec | Raise:
        while not self._admission.may_open(self.leg):
            refusal = self._admission.refusal
            self.add_failure(Failure(cause=Cause.BREAKER_OPEN, message=refusal, policy_field="Policy.breaker"))
            next_leg = self._next_leg(self._resume_mode if self.resuming else None)
            if next_leg is None:
                return self._raise(self.failures[-1])
            self._go_on_with(next_leg, self.failures[-1])
        self.state = CallState.OPENING
        self.attempts += 1
        self._request_id = None
        resume = self._resume_mode if self.resuming else None
        if resume is not None:
            delivered = self.resume_state.delivered if self.resume_state is not None else 0
            self.resume_points.append(ResumePoint(strategy=resume, at=delivered, attempt=self.attempts))
        return AttemptSpec(
            number=self.attempts,
            leg=self.leg,
            waited_s=self._waited_s,
            remaining_s=inf if self.call.policy.timeout is None else self.remaining_s(at),
            resume=resume,
            resume_state=self.resume_state if resume is not None else None,
        )

    def add_failure(self, failure: Failure) -> None:
        """Record a failure of the current leg."""
        self.failures.append(failure)
        self.failed_legs.append(self.leg)

    @property
    def retries(self) -> int:
        """The number of attempts that repeat another one; a hedge does not."""
        return max(self.attempts - 1 - self.hedged, 0)

    def _progress(self, signal: Ended | Failed) -> AttemptProgress:
        if signal.resume_state is not None:
            self.resume_state = signal.resume_state
        return AttemptProgress(
            PHASES[self.state], signal.accepted, signal.resume_state is not None, signal.early_release
        )

    def _hedge(self, at: float) -> AttemptSpec:
        """Return the spec of a parallel request, or that of the current attempt if there is no hedge."""
        possible = (
            not self.hedged
            and not self.resuming
            and self.call.effective_retry_safety.in_parallel
            and self.remaining_s(at) > 0
        )
        if not possible or not self._admission.may_hedge():
            return AttemptSpec(
                number=self.attempts, leg=self.leg, waited_s=self._waited_s, remaining_s=self.remaining_s(at)
            )
        self.hedged = True
        self.attempts += 1
        return AttemptSpec(number=self.attempts, leg=self.leg, remaining_s=self.remaining_s(at), hedge=True)

    def _finish(self, *anomalies: str) -> Finish:
        self.state = CallState.DONE
        return Finish(self._outcome(), anomalies)

    def _outcome(self) -> Outcome:
        if self.resume_points:
            return Outcome.RECOVERED_RESUME
        if self.leg:
            return Outcome.RECOVERED_FALLBACK
        if self._hedge_won:
            return Outcome.RECOVERED_HEDGE
        return Outcome.RECOVERED_RETRY if self.failures else Outcome.OK

    def counts_as_ended(self, missing: Cause | None) -> bool:
        """Return True if a body that is over, and lacks ``missing``, is an answer; False if the attempt failed."""
        return missing is None or (missing is Cause.TRUNCATED and not self.call.terminal_rule(self.leg).strict)

    def _ended(self, missing: Cause | None, at: float, progress: AttemptProgress) -> Command:
        if missing is None:
            return self._finish()
        if not self.counts_as_ended(missing):
            return self._failed(incomplete_answer(missing), at, progress)
        return self._finish(missing.value) if self.call.terminal_rule(self.leg).strict is False else self._finish()

    def _failed(self, failure: Failure, at: float, progress: AttemptProgress) -> Command:
        if failure.request_id is None and self._request_id is not None:  # a stream that breaks does not state its id
            failure = replace(failure, request_id=self._request_id)
        history = self.failures[self._earlier_failures :]
        decision = retry_decision(self.call, failure, progress, history, self._rand)
        self.add_failure(failure)
        if isinstance(decision, Stop):
            return self._fall_back(failure, at, progress, decision)
        wait = self._with_delay(decision, failure, len(history) + 1)
        seconds = wait.seconds or 0.0
        if self.remaining_s(at) <= seconds:
            return self._fall_back(failure, at, progress, Stop(StopReason.WAIT_TOO_LONG, seconds))
        retry = self.call.policy.retry
        asks = retry is not None and retry.asks_async
        if asks:  # the budget is charged after the user has allowed the retry, in `_waited_for`
            self._undecided_retry = progress, wait.by_server
        elif not self._admission.may_retry(by_server=wait.by_server):
            return self._fall_back(failure, at, progress, Stop(StopReason.REFUSED, text=self._admission.refusal))
        self._resume_after(progress)
        return self._wait(seconds, asks=asks)

    def _resume_after(self, progress: AttemptProgress) -> None:
        """Decide whether and how the next attempt resumes. One that brought nothing leaves this as it was."""
        if progress.phase is Phase.RELAYING:
            self.resuming = True
            self._resume_mode = self.call.policy.resume if progress.early_release is None else "exact"

    def _waited_for(self, at: float, vetoed: bool) -> Command:
        """Send the next attempt, unless an async ``should_retry`` has rejected it, or the budget now does."""
        undecided, self._undecided_retry = self._undecided_retry, None
        if undecided is not None:
            progress, by_server = undecided
            if vetoed:
                return self._fall_back(self.failures[-1], at, progress, Stop(StopReason.VETOED))
            if not self._admission.may_retry(by_server=by_server):
                stop = Stop(StopReason.REFUSED, text=self._admission.refusal)
                return self._fall_back(self.failures[-1], at, progress, stop)
        return self._open(at)

    def _with_delay(self, decision: RetryAfter, failure: Failure, number: int) -> RetryAfter:
        """Return the decision with its delay before retry ``number``: the SDK's, if the decision has none."""
        if decision.seconds is not None:
            return decision
        seconds = self._backoff(number, failure)
        if failure.retry_after is None:
            return RetryAfter(seconds)
        # Without the error, the SDK does not see the headers of the server.
        backoff_s = self._backoff(number, replace(failure, error=None))
        return RetryAfter(seconds, server_requires_wait(failure, backoff_s) and seconds > backoff_s)

    def _fall_back(self, failure: Failure, at: float, progress: AttemptProgress, stop: Stop) -> Command:
        self._resume_after(progress)
        next_leg = self._next_leg(self._resume_mode if self.resuming else None) if self.remaining_s(at) > 0 else None
        if next_leg is None or not can_fall_back(self.call, self.leg, failure, progress):
            return self._raise(self._telling(failure), stop)
        if stop.reason is StopReason.REFUSED:
            self.refusals[len(self.failures) - 1] = stop.text
        self._go_on_with(next_leg, failure)
        return self._wait(0.0, stop)

    def _go_on_with(self, leg: int, failure: Failure) -> None:
        self._failure_of_earlier_leg = self._telling(failure)
        self.leg = leg
        self._earlier_failures = len(self.failures)

    def _telling(self, failure: Failure) -> Failure:
        """Return the failure that tells why the call failed: not that a fallback does not have the model."""
        earlier = self._failure_of_earlier_leg
        return failure if earlier is None or failure.cause is not Cause.NOT_FOUND else earlier

    def _next_leg(self, resume_mode: ResumeMode | None) -> int | None:
        """Return the next leg that can serve the call; ``None`` if there is none.

        ``resume_mode``: that of the next attempt; ``None`` if it starts a new answer. Only the same model can repeat
        an answer exactly.
        """
        legs = range(self.leg + 1, len(self.call.policy.legs) + 1)
        if resume_mode is None:
            return next(iter(legs), None)
        if resume_mode == "exact" or not self.call.continues_elsewhere:
            return None
        return next((leg for leg in legs if leg not in self.call.unresumable_legs), None)

    def _wait(self, seconds: float, stop: Stop | None = None, *, asks: bool = False) -> Wait:
        self.state = CallState.WAITING
        if not self.resuming:
            self.resume_state = None
        self._waited_s = seconds
        return Wait(seconds, stop, asks)

    def _raise(self, failure: Failure, stop: Stop = NO_STOP) -> Raise:
        self.state = CallState.DONE
        return Raise(failure, stop)

    def remaining_s(self, at: float) -> float:
        """Return the seconds of `Timeout.total` that remain at the time ``at``; ``inf`` without such a limit."""
        timeout = self.call.policy.timeout
        return inf if timeout is None or timeout.total is None else self.began + timeout.total / 1000 - at
