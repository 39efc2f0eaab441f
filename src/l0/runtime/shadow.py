"""Record what a policy would have done, without doing it: ``Policy(mode="shadow")``.

The call is served as if there were no policy. The shadow policy observes it with separate deadlines, admission
control and rules. It makes the decisions of an active policy, and only reports them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from random import random

from l0.engine.retry import AttemptProgress, Phase, RetryAfter, can_fall_back, retry_decision, server_requires_wait
from l0.model.call import Call
from l0.model.call_events import CallEvent, RuleMatched, ShadowDecision, ToolCalls
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy, ResumeMode, Timeout
from l0.model.ports import Reader
from l0.model.rule import Ending
from l0.shared_state.shared import SharedState

from .admission import AdmissionControl
from .deadlines import CallDeadlines
from .rule_runner import rule_runner_for


class ShadowPolicy:
    """The policy of one call, in shadow mode. ``resume``: the mode in which it would resume an answer."""

    __slots__ = (
        "_admission",
        "_call",
        "_content_seen",
        "_deadlines",
        "_ends_at",
        "_history",
        "_leg",
        "_notify",
        "_deadline_passed",
        "_rule_runner",
        "resume",
    )

    def __init__(
        self, call: Call, policy: Policy, shared_state: SharedState, notify: Callable[[CallEvent], None], began: float
    ) -> None:
        self._call = replace(call, policy=replace(policy, mode="active", on_violation=None, on_resume=None))
        self._notify = notify
        self._admission = AdmissionControl(self._call, shared_state, shadow=True)
        self._rule_runner = rule_runner_for(self._call, self._report_match, timed=False)
        timeout = policy.timeout or (Timeout(initial_token=None, inter_token=None) if policy.adaptive else None)
        self._deadlines = CallDeadlines(timeout, began) if timeout is not None and call.streaming else None
        self._ends_at = inf if timeout is None or timeout.total is None else began + timeout.total / 1000
        self._history: list[Failure] = []
        self._leg = 0
        self._deadline_passed = self._content_seen = False
        self.resume: ResumeMode = policy.resume

    def sent(self, at: float) -> None:
        """Record that a request is sent."""
        self._deadline_passed = self._content_seen = False
        self._ask_breaker(at)

    def _ask_breaker(self, at: float) -> None:
        if not self._admission.may_open(self._leg):
            self._report("refuse", Cause.BREAKER_OPEN, at)

    def describe(self, call: Call, at: float) -> None:
        """Take the servers that the call requests, as `CallRuntime.describe`, and ask their breaker."""
        self._call = replace(call, policy=self._call.policy)
        self._admission.describe(self._call, lambda: False)
        self._ask_breaker(at)

    def opened(self, started: float, at: float) -> None:
        """Record the headers of the request that was sent at ``started``."""
        if self._deadlines is not None:
            self._deadlines.opened(started, at, self._admission.deadline)

    def read(self, since: float, at: float, reader: Reader, *, content: bool, started: float) -> None:
        """Check a read that began at ``since`` and ended at ``at``."""
        if self._deadlines is not None and not self._deadline_passed:
            self._deadlines.reading(since)
            self._deadline_passed = self._deadlines.passed(at)
            if self._deadline_passed:
                self._report("interrupt", self._deadlines.expired(at), at)
            self._deadlines.read(at, content)
        if content and not self._content_seen:
            self._first_content(started, at)
        if self._rule_runner is not None:
            self._rule_runner.evaluate(reader)

    def _first_content(self, started: float, at: float) -> None:
        self._content_seen = True
        after = self._admission.hedge_after()
        if after is not None and at - started > after:
            self._report("hedge", None, at, seconds=after)
        self._admission.first_content(at - started)

    def failed(self, failure: Failure, progress: AttemptProgress, at: float) -> None:
        """Report the decision of the policy after a failed attempt."""
        if failure.cause is Cause.OUT_OF_ORDER and self._call.policy.order == "off":
            self._admission.ended(None)  # this policy would have accepted the answer
            return
        self._admission.ended(failure)
        decision = retry_decision(self._call, failure, progress, self._history, random)
        self._history.append(failure)
        wait = decision if isinstance(decision, RetryAfter) else None
        seconds = wait.seconds if wait is not None else None
        if wait is not None and at + ((failure.retry_after if seconds is None else seconds) or 0.0) >= self._ends_at:
            wait = None
        by_server = wait is not None and (
            wait.by_server or (wait.seconds is None and server_requires_wait(failure, 0.0))
        )
        if wait is not None and self._admission.may_retry(by_server=by_server):
            resuming = progress.phase is Phase.RELAYING
            self._report("resume" if resuming else "retry", failure.cause, at, seconds=wait.seconds)
        elif at < self._ends_at and self._has_another_leg(failure, progress):
            self._leg += 1
            self._history.clear()
            self._report("fallback", failure.cause, at)
        else:
            self._report("raise", failure.cause, at)

    def _has_another_leg(self, failure: Failure, progress: AttemptProgress) -> bool:
        return self._leg < len(self._call.policy.legs) and can_fall_back(self._call, self._leg, failure, progress)

    def complete_answer(self, reader: Reader, at: float) -> None:
        """Check a complete streamed answer."""
        self._admission.ended(None)
        if reader.disordered and self._call.policy.order == "strict":
            self._report("interrupt", Cause.OUT_OF_ORDER, at)
        if self._rule_runner is not None:
            self._rule_runner.finish(reader)

    def answered(self, text: str, calls: ToolCalls, ending: Ending) -> None:
        """Check an answer that came in one piece."""
        self._admission.ended(None)
        self.refused(text, calls, ending)

    def refused(self, text: str, calls: ToolCalls, ending: Ending) -> None:
        """Run the rules on an answer that came in one piece, and that the SDK's parser refused."""
        if self._rule_runner is not None:
            self._rule_runner.complete_answer(text, calls, ending)

    def abandoned(self) -> None:
        """Record that the user stopped."""
        self._admission.ended(None, abandoned=True)

    def _report_match(self, event: RuleMatched) -> None:
        self._notify(replace(event, action=event.action if event.action == "recorded" else "shadowed"))

    def _report(self, action: str, cause: Cause | None, at: float, *, seconds: float | None = None) -> None:
        self._notify(ShadowDecision(action=action, cause=cause, wait_s=seconds, at=at))
