"""Record what a policy would have done, without doing it: ``Policy(mode="shadow")``.

The call is served as if there were no policy. A shadow observes it with its own clocks, guards and rules, makes the
same pure decisions, and reports them. It never changes the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import random

from l0.engine.retry import AttemptProgress, Phase, RetryAfter, asked_to_wait, can_fall_back, retry_decision
from l0.model.call import Call
from l0.model.call_events import Event, RuleMatched, ShadowDecision, ToolCalls
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy, ResumeMode, Timeout
from l0.model.ports import Reader
from l0.shared_state.shared import SharedState

from .admission import AdmissionControl
from .deadlines import Clocks
from .rule_runner import rule_runner_for


class ShadowPolicy:
    """The policy of one call, in shadow mode. ``resume``: the mode in which it would resume an answer."""

    __slots__ = ("_call", "_clocks", "_guards", "_history", "_leg", "_passed", "_screen", "_seen", "_tell", "resume")

    def __init__(
        self, call: Call, policy: Policy, shared_state: SharedState, tell: Callable[[Event], None], began: float
    ) -> None:
        self._call = replace(call, policy=replace(policy, mode="active", on_violation=None, on_resume=None))
        self._tell = tell
        self._guards = AdmissionControl(self._call, shared_state)
        self._screen = rule_runner_for(self._call, self._judged)
        timeout = policy.timeout or (Timeout(initial_token=None, inter_token=None) if policy.adaptive else None)
        self._clocks = Clocks(timeout, began) if timeout is not None and call.streaming else None
        self._history: list[Failure] = []
        self._leg = 0
        self._passed = self._seen = False
        self.resume: ResumeMode = policy.resume

    def sent(self, at: float) -> None:
        """Record that a request is sent."""
        self._passed = self._seen = False
        if not self._guards.may_open(self._leg):
            self._say("refuse", Cause.BREAKER_OPEN, at)

    def opened(self, started: float, at: float) -> None:
        """Record the headers of the request that was sent at ``started``."""
        if self._clocks is not None:
            self._clocks.opened(started, at, self._guards.deadline)

    def read(self, since: float, at: float, reader: Reader, *, content: bool, started: float) -> None:
        """Check a read that began at ``since`` and ended at ``at``."""
        if self._clocks is not None and not self._passed:
            self._clocks.reading(since)
            self._passed = self._clocks.passed(at)
            if self._passed:
                self._say("interrupt", self._clocks.expired(at), at)
            self._clocks.read(at, content)
        if content and not self._seen:
            self._first_content(started, at)
        if self._screen is not None:
            self._screen.evaluate(reader)

    def _first_content(self, started: float, at: float) -> None:
        self._seen = True
        after = self._guards.hedge_after()
        if after is not None and at - started > after:
            self._say("hedge", None, at, seconds=after)
        self._guards.first_content(at - started)

    def failed(self, failure: Failure, progress: AttemptProgress, at: float) -> None:
        """Report the decision of the policy after a failed attempt."""
        if failure.cause is Cause.OUT_OF_ORDER and self._call.policy.order == "off":
            self._guards.ended(None)  # this policy would have accepted the answer
            return
        self._guards.ended(failure)
        decision = retry_decision(self._call, failure, progress, self._history, random)
        self._history.append(failure)
        wait = decision if isinstance(decision, RetryAfter) else None
        asked = wait is not None and (wait.asked or (wait.seconds is None and asked_to_wait(failure, 0.0)))
        if wait is not None and self._guards.may_retry(asked=asked):
            resuming = progress.phase is Phase.RELAYING
            self._say("resume" if resuming else "retry", failure.cause, at, seconds=wait.seconds)
        elif self._leg < len(self._call.policy.legs) and can_fall_back(self._call, failure, progress):
            self._leg += 1
            self._history.clear()
            self._say("fall_over", failure.cause, at)
        else:
            self._say("raise", failure.cause, at)

    def complete_answer(self, reader: Reader, at: float) -> None:
        """Check a complete streamed answer."""
        self._guards.ended(None)
        if reader.disordered and self._call.policy.order == "strict":
            self._say("interrupt", Cause.OUT_OF_ORDER, at)
        if self._screen is not None:
            self._screen.finish(reader)

    def answered(self, text: str, calls: ToolCalls, *, other: bool) -> None:
        """Check an answer that came in one piece."""
        self._guards.ended(None)
        if self._screen is not None:
            self._screen.complete_answer(text, calls, other=other)

    def abandoned(self) -> None:
        """Record that the user stopped."""
        self._guards.ended(None, abandoned=True)

    def _judged(self, event: RuleMatched) -> None:
        self._tell(replace(event, action=event.action if event.action == "recorded" else "shadowed"))

    def _say(self, action: str, cause: Cause | None, at: float, *, seconds: float | None = None) -> None:
        self._tell(ShadowDecision(action=action, cause=cause, seconds=seconds, at=at))
