"""The state machine of one call: it decides what happens next, and never acts.

Theory of operation
-------------------
A **call** is one call of the user's; an **attempt** is one HTTP request made to serve it. A driver (sync or async) does
the I/O: it reports each event to the machine as a *signal*, and executes the *command* that `Machine.step` returns. The
machine has no clock, no thread and no socket. Time arrives in the signals, and randomness through a function, so the
same signals always give the same commands, and a test with a virtual clock exercises the code that runs in production.

A **leg** is one target of the call: leg 0 is the primary, and the policy's fallbacks follow in order. The **commit
point** is the first release of content to the user. Before it, a retry is invisible; after it, a retry would repeat or
contradict text that the user has seen.

    READY --Begin--> OPENING --Opened--> HOLDING --Released--> RELAYING --Ended--> DONE
                        ^  |                |                      |
                        |  +--Answered----> DONE (not streaming)   |
                        |  +--Failed--+     +--Failed, Ended (something is missing)--+
                        |             v                                              v
                        +--Waited-- WAITING <----------------------------------------+   or DONE

A resumed attempt goes from OPENING straight to RELAYING, because the user already holds the beginning of the answer.

Rules, all of them implemented here or in `retry`:

1. **Retry and resume.** Before the commit point, a recoverable failure is retried, and the user does not notice. After
   it, the failure is raised, unless the policy allows resuming: then a new attempt continues the answer where it broke,
   and released text is never released again.
2. **Retry safety.** A call that is not safe to retry is not sent again once the provider has accepted it. `RetrySafety`
   defines acceptance: the response headers, or the first event.
3. **Truncation.** A body that ends without the parts that complete an answer is a failure if the origin of the leg is
   known to send them (`Call.terminal_rule`). Otherwise the answer is accepted, and marked with an anomaly. An empty
   answer is never accepted.
4. **Closing.** The user may close the call at any time. Closing is final, and is not a failure.
5. **Hedging.** An attempt that is slower than usual may be hedged, once per call: a second request runs in parallel,
   and the first good answer wins. The loser is not a failure.
6. **Fallback.** A leg whose circuit breaker is open is skipped without a request. A failure that retries on one leg
   cannot recover moves the call to the next leg, which has its own retry count. After the commit point, only if
   the policy splices or restarts broken answers.

The machine is not stepped per chunk, because a step costs more than relaying a token. Between `Released` and the end of
the body, the driver delivers chunks on its own.
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
from l0.model.policy import ResumePoint
from l0.model.resume_state import ResumeState

from .commands import Command, Finish, Raise, Relay, Wait
from .retry import AttemptProgress, Phase, RetryAfter, can_fall_back, retry_decision, server_requires_wait
from .signals import Answered, Begin, Closed, Ended, Failed, Opened, Released, Signal, Slow, Waited
from .stop_reasons import NO_STOP, Stop, StopReason


class CallState(StrEnum):
    """The phase of a call's life. `TRANSITIONS` lists the steps between them."""

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
"""Every legal step: state, signal, and the states that it may lead to. Any other signal is a defect of a driver."""

PHASES = {CallState.OPENING: Phase.OPENING, CallState.HOLDING: Phase.HOLDING, CallState.RELAYING: Phase.RELAYING}
_MISSING = {
    Cause.TRUNCATED: "the stream ended without its terminal event",
    Cause.EMPTY: "the stream ended without any content",
    Cause.NOT_A_STREAM: "the server reported success, but its answer is not an event stream",
}


class Admission(Protocol):
    """The permissions that the shared state (breakers, budgets) grants to one call."""

    def may_open(self, leg: int) -> bool:
        """Return True if the leg's circuit breaker admits an attempt."""
        ...

    def may_retry(self, *, by_server: bool) -> bool:
        """Return True if the retry budget covers one more attempt.

        ``by_server``: the server asked for the wait before it, which exempts the attempt from the budget.
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
"""Grants everything: for calls without shared state, and for tests."""


class IllegalSignal(RuntimeError):  # noqa: N818 - the name says what the driver sent
    """A defect of a driver: it sent a signal that is illegal in the current state."""


class Machine:
    """The state and the decisions of one call. Drivers advance it with `step` only.

    ``rand`` returns uniform numbers in [0, 1) for jitter. ``backoff`` returns the delay, in seconds, that the bare SDK
    would choose before retry number n after a failure. Both are passed in, because they are not pure.
    """

    __slots__ = (
        "attempts",
        "began",
        "call",
        "failures",
        "hedged",
        "leg",
        "resume_points",
        "resume_state",
        "resuming",
        "state",
        "_asked",
        "_backoff",
        "_guard",
        "_hedge_won",
        "_rand",
        "_since_leg",
        "_waited",
    )

    def __init__(
        self,
        call: Call,
        rand: Callable[[], float],
        backoff: Callable[[int, Failure], float],
        guard: Admission = ADMIT_ALL,
    ) -> None:
        self.call = call
        self.state = CallState.READY
        self.attempts = 0
        self.began = 0.0
        self.failures: list[Failure] = []
        self.leg = 0
        self.hedged = False
        self.resume_points: list[ResumePoint] = []
        self.resuming = False
        self.resume_state: ResumeState | None = None
        """The part of the answer that the user already has, if the call is being resumed; else ``None``."""
        self._asked: tuple[AttemptProgress, bool] | None = None
        """The failed attempt's progress, and if the server wants the wait, while an async ``should_retry`` is asked."""
        self._hedge_won = False
        self._since_leg = 0
        self._rand = rand
        self._backoff = backoff
        self._guard = guard
        self._waited = 0.0

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
            case Opened(hedge=hedge):
                self._hedge_won = hedge
                self.state = CallState.RELAYING if self.resuming else CallState.HOLDING
                return Relay(not self.resuming)
            case Released():
                self.state = CallState.RELAYING
                return Relay(False)
            case Answered():
                return self._finish()
            case Ended(missing=missing, at=at, accepted=accepted, resume_state=resume_state):
                return self._ended(missing, at, self._progress(accepted, resume_state))
            case Failed(failure=failure, at=at, accepted=accepted, resume_state=resume_state):
                return self._failed(failure, at, self._progress(accepted, resume_state))
            case Waited(at=at, vetoed=vetoed):
                if self.left(at) <= 0:
                    return self._raise(self.failures[-1], Stop(StopReason.OUT_OF_TIME))
                return self._waited_for(at, vetoed)
            case Closed():
                self.state = CallState.DONE
                return Finish(Outcome.CANCELLED)

    def _open(self, at: float) -> AttemptSpec | Raise:
        while not self._guard.may_open(self.leg):
            self.failures.append(Failure(cause=Cause.BREAKER_OPEN, message=self._guard.refusal))
            following = self._next_leg(resuming=self.resuming)
            if following is None:
                return self._raise(self.failures[-1])
            self.leg = following
            self._since_leg = len(self.failures)
        self.state = CallState.OPENING
        self.attempts += 1
        resume = self.call.policy.resume if self.resuming else None
        if resume is not None:
            had = len(self.resume_state.text) if self.resume_state is not None else 0
            self.resume_points.append(ResumePoint(strategy=resume, at=had, attempt=self.attempts))
        return AttemptSpec(
            number=self.attempts,
            leg=self.leg,
            waited_s=self._waited,
            remaining_s=inf if self.call.policy.timeout is None else self.left(at),
            resume=resume,
            resume_state=self.resume_state if resume is not None else None,
        )

    def _progress(self, accepted: bool, resume_state: ResumeState | None) -> AttemptProgress:
        if resume_state is not None:
            self.resume_state = resume_state
        return AttemptProgress(PHASES[self.state], accepted, resume_state is not None)

    def _hedge(self, at: float) -> AttemptSpec:
        """Return the spec of a parallel request; or the current attempt's, if the driver is to keep waiting for it."""
        wanted = (
            not self.hedged and not self.resuming and self.call.effective_retry_safety.in_parallel and self.left(at) > 0
        )
        if not wanted or not self._guard.may_hedge():
            return AttemptSpec(number=self.attempts, leg=self.leg, waited_s=self._waited, remaining_s=self.left(at))
        self.hedged = True
        self.attempts += 1
        return AttemptSpec(number=self.attempts, leg=self.leg, remaining_s=self.left(at), hedge=True)

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

    def _ended(self, missing: Cause | None, at: float, progress: AttemptProgress) -> Command:
        if missing is None:
            return self._finish()
        strict = self.call.terminal_rule(self.leg).strict
        if strict or missing is not Cause.TRUNCATED:
            return self._failed(Failure(cause=missing, message=_MISSING[missing]), at, progress)
        return self._finish(missing.value) if strict is False else self._finish()

    def _failed(self, failure: Failure, at: float, progress: AttemptProgress) -> Command:
        history = self.failures[self._since_leg :]
        verdict = retry_decision(self.call, failure, progress, history, self._rand)
        self.failures.append(failure)
        if isinstance(verdict, Stop):
            return self._fall_back(failure, at, progress, verdict)
        wait = self._pause(verdict, failure, len(history) + 1)
        seconds = wait.seconds or 0.0
        if self.left(at) <= seconds:
            return self._raise(failure, Stop(StopReason.WAIT_TOO_LONG, seconds))
        retry = self.call.policy.retry
        asks = retry is not None and retry.asks_async
        if asks:  # the budget pays for a retry only when the user has allowed it
            self._asked = progress, wait.by_server
        elif not self._guard.may_retry(by_server=wait.by_server):
            return self._fall_back(failure, at, progress, Stop(StopReason.REFUSED, text=self._guard.refusal))
        self.resuming = self.resuming or progress.phase is Phase.RELAYING
        return self._wait(seconds, asks=asks)

    def _waited_for(self, at: float, vetoed: bool) -> Command:
        """Send the next attempt, unless an async ``should_retry`` or the budget rejects it only now."""
        asked, self._asked = self._asked, None
        if asked is not None:
            progress, by_server = asked
            if vetoed:
                return self._fall_back(self.failures[-1], at, progress, Stop(StopReason.VETOED))
            if not self._guard.may_retry(by_server=by_server):
                stop = Stop(StopReason.REFUSED, text=self._guard.refusal)
                return self._fall_back(self.failures[-1], at, progress, stop)
        return self._open(at)

    def _pause(self, verdict: RetryAfter, failure: Failure, number: int) -> RetryAfter:
        """Return the wait before retry ``number``. If the verdict leaves the delay open, ask the SDK for it."""
        if verdict.seconds is not None:
            return verdict
        seconds = self._backoff(number, failure)
        if failure.retry_after is None:
            return RetryAfter(seconds)
        own = self._backoff(number, replace(failure, error=None))  # the figure without the server's headers
        return RetryAfter(seconds, server_requires_wait(failure, own) and seconds > own)

    def _fall_back(self, failure: Failure, at: float, progress: AttemptProgress, stop: Stop) -> Command:
        resuming = self.resuming or progress.phase is Phase.RELAYING
        following = self._next_leg(resuming=resuming) if self.left(at) > 0 else None
        if following is None or not can_fall_back(self.call, failure, progress):
            return self._raise(failure, stop)
        self.leg, self.resuming = following, resuming
        self._since_leg = len(self.failures)
        return self._wait(0.0, stop)

    def _next_leg(self, *, resuming: bool) -> int | None:
        """Return the next leg that can serve the call; ``None`` if there is none."""
        legs = range(self.leg + 1, len(self.call.policy.legs) + 1)
        if not resuming:
            return next(iter(legs), None)
        if not self.call.continues_elsewhere:
            return None
        return next((leg for leg in legs if leg not in self.call.unresumable_legs), None)

    def _wait(self, seconds: float, stop: Stop | None = None, *, asks: bool = False) -> Wait:
        self.state = CallState.WAITING
        if not self.resuming:
            self.resume_state = None
        self._waited = seconds
        return Wait(seconds, stop, asks)

    def _raise(self, failure: Failure, stop: Stop = NO_STOP) -> Raise:
        self.state = CallState.DONE
        return Raise(failure, stop)

    def left(self, at: float) -> float:
        """Return the seconds that remain of `Timeout.total` at the time ``at``; ``inf`` if it is not set."""
        timeout = self.call.policy.timeout
        return inf if timeout is None or timeout.total is None else self.began + timeout.total / 1000 - at
