"""One recorded call under another policy: the real state machine and the runtime's decisions, on a virtual clock.

The attempts are timelines. The call is a generator: it yields the time of its next action, and is resumed at that time.
So calls that share state (budget, breaker, hedges by quantile) run in the order of their actions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from math import inf

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.engine.machine import ADMIT_ALL, CallState, Machine
from l0.engine.retry import ANSWERED
from l0.engine.signals import Answered, Begin, EarlyRelease, Ended, Failed, Opened, Released, Slow, Waited
from l0.model.attempt import AttemptSpec
from l0.model.call import Call
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy, Timeout
from l0.model.resume_state import ResumeState
from l0.runtime.deadlines import CallDeadlines
from l0.runtime.rule_runner import hold_of
from l0.shared_state.shared import SharedState

from .attempt_pool import AttemptPool, UnknownError, uniform
from .attempt_timeline import AttemptTimeline, Expiry, Limits
from .call_result import CallResult, Verdict
from .counted_admission import CountedAdmission
from .recorded_traffic import TrafficCall, group_of

Steps = Generator[float, None, Command]
"""A part of a call: it yields the time of each action, and returns the machine's next command."""
_INITIAL_RETRY_DELAY, _MAX_RETRY_DELAY, _JITTER = 0.5, 8.0, 0.25
"""The backoff of both SDKs (``_calculate_retry_timeout``): seconds, and the largest share subtracted at random."""
_LONGEST_SERVER_DELAY = 120.0
"""Seconds. The SDKs ignore a longer ``Retry-After``."""
_STRICTNESS: Mapping[str, bool | None] = {"strict": True, "warn": False, "off": None}
"""`Call.strict` by `Policy.truncation`."""
_UNLIMITED = Timeout(initial_token=None, inter_token=None)
_BODY_STATES = frozenset({CallState.HOLDING, CallState.RELAYING})


@dataclass(slots=True)
class _Sent:
    """A simulated request. ``started``: in seconds since the Unix epoch."""

    spec: AttemptSpec
    started: float
    timeline: AttemptTimeline


def call_under(traffic_call: TrafficCall, policy: Policy) -> Call:
    """Return the recorded call with another policy."""
    recorded = traffic_call.call
    mode = None if policy.truncation is None else policy.truncation_at(traffic_call.base_url)
    if mode is not None:
        strict = _STRICTNESS[mode]
    elif recorded.policy.truncation is None:
        strict = recorded.strict
    else:
        strict = traffic_call.terminal_event_seen
    return replace(
        recorded, policy=policy, strict=strict, shadow=None, fallback_rules=(), fallback_endpoints=(), attributes={}
    )


def _vetoed(call: Call, failure: Failure) -> bool:
    """Return True if an async ``should_retry`` rejects a retry. If it raises, it is ignored, as in a real call."""
    retry = call.policy.retry

    async def rejects() -> bool:
        return not await retry.should_retry(failure)  # type: ignore[union-attr,misc]  # the caller knows it is async

    try:
        return asyncio.run(rejects())
    except Exception:
        return False


class SimulatedCall:
    """One call under one policy. ``call``: as `call_under` returns it. ``shared``: ``None`` if nothing is shared."""

    def __init__(
        self, recorded: TrafficCall, call: Call, pool: AttemptPool, shared: SharedState | None, seed: int
    ) -> None:
        self._recorded = recorded
        self._call = call
        self._pool = pool
        self._seed = seed
        self._draws = 0
        self._unused = list(recorded.attempts)
        self.started = recorded.started_unix
        self._admission: CountedAdmission | None = None
        if shared is not None:
            self._admission = CountedAdmission(call, shared, recorded.prompt_bytes)
        self._machine = Machine(call, self._rand, self._backoff, self._admission or ADMIT_ALL)
        timeout = call.policy.timeout or _UNLIMITED
        # In seconds.
        self._first_limit, self._gap_limit, self._liveness_limit, self._total_limit = (
            inf if limit is None else limit / 1000
            for limit in (timeout.initial_token, timeout.inter_token, timeout.liveness, timeout.total)
        )
        self._requests = self._extra_tokens = 0
        self._first_token: float | None = None
        self._has_content = False
        """True if the user has content, and not only events without it."""
        self._incomplete = False

    def run(self) -> Generator[float, None, CallResult]:
        """Yield the time of each action, in seconds since the Unix epoch. Return the result."""
        try:
            command, at = yield from self._run()
        except UnknownError as unknown:
            return self._result(Verdict.UNKNOWN, None, str(unknown))
        if isinstance(command, Raise):
            return self._result(Verdict.FAILED, at, str(command.failure.cause))
        return self._result(Verdict.SILENT if self._incomplete else Verdict.WHOLE, at, "")

    def _result(self, verdict: Verdict, at: float | None, reason: str) -> CallResult:
        admission = self._admission
        return CallResult(
            id=self._recorded.recorded.id,
            verdict=verdict,
            first_token_s=None if verdict is Verdict.UNKNOWN else self._first_token,
            total_s=None if at is None else at - self.started,
            requests=self._requests,
            extra_tokens=self._extra_tokens,
            reason=reason,
            budget_paid=0 if admission is None else admission.budget_paid,
            budget_refused=admission is not None and admission.budget_refused,
        )

    def _run(self) -> Generator[float, None, tuple[Finish | Raise, float]]:
        if self._recorded.not_runnable:
            raise UnknownError(self._recorded.not_runnable)
        self._at = self.started
        command = self._machine.step(Begin(self._at))
        while True:
            match command:
                case AttemptSpec():
                    command = yield from self._attempt(command)
                case Wait(seconds=seconds, asks=asks):
                    vetoed = asks and _vetoed(self._call, self._machine.failures[-1])
                    if not vetoed:
                        yield from self._wait_until(self._at + seconds)
                    command = self._machine.step(Waited(self._at, vetoed))
                case Finish() | Raise():
                    return command, self._at
                case Relay():
                    raise AssertionError("an attempt returns no Relay: it has read its body")

    def _wait_until(self, at: float) -> Generator[float, None, None]:
        self._at = at
        yield at

    # -- one attempt ------------------------------------------------------------------------------------------------

    def _attempt(self, spec: AttemptSpec) -> Steps:
        sent = self._send(spec)
        admission, hedged = self._admission, self._machine.hedged
        after = admission.hedge_after() if admission is not None and self._call.policy.hedge and not hedged else None
        if after is not None:
            return (yield from self._race(sent, after))
        return (yield from self._serve(sent))

    def _send(self, spec: AttemptSpec) -> _Sent:
        """Return the attempt: the recorded one if the call made it in reality too, else a drawn one."""
        self._requests += 1
        wanted = (spec.leg, spec.hedge, spec.resume)
        own = next((own for own in self._unused if (own.leg, own.hedge, own.resume) == wanted), None)
        if own is not None and self._same_target(spec.leg):
            self._unused.remove(own)
            return _Sent(spec, self._at, own.timeline)
        return _Sent(spec, self._at, self._drawn(spec, -1.0))

    def _same_target(self, leg: int) -> bool:
        """Return True if a leg of the policy has the same target as the recorded leg."""
        recorded = self._recorded.call.policy.legs
        if leg == 0:
            return True
        chosen = self._call.policy.legs[leg - 1]
        return leg <= len(recorded) and chosen.client is None and recorded[leg - 1] == chosen

    def _drawn(self, spec: AttemptSpec, quiet_for: float) -> AttemptTimeline:
        """Return an attempt of another call. ``quiet_for``: as of `AttemptPool.draw`."""
        call, legs = self._call, self._call.policy.legs
        host, model = f"{call.host}:{call.port}", call.model
        if spec.leg:
            fallback = legs[spec.leg - 1]
            model = fallback.model or model
            if fallback.client is not None:
                url = fallback.client.base_url
                host = f"{url.host}:{url.port or (80 if url.scheme == 'http' else 443)}"
        group = group_of(call, host, model, spec.resume, self._at)
        self._draws += 1
        chance = uniform(self._seed, self._recorded.number, spec.number, self._draws)
        return self._pool.draw(group, chance, call=self._recorded.number, quiet_for=quiet_for)

    def _limits(self, started: float) -> Limits:
        """Return the limits of an attempt that started at ``started``."""
        first = self._first_limit
        if not self._call.streaming:
            first = inf
        elif self._admission is not None and self._call.policy.adaptive:
            adapted = self._admission.deadline(None if first == inf else first)
            first = inf if adapted is None else adapted
        gap = self._gap_limit if self._call.streaming else inf
        return Limits(first, gap, self._liveness_limit, self.started + self._total_limit - started)

    def _expiry(self, sent: _Sent, limits: Limits) -> Expiry | None:
        """Return the deadline that ends the attempt; ``None`` if it ends by itself.

        If the recording ends before either, continue with a drawn attempt.
        """
        while True:
            expiry = sent.timeline.expiry(limits)
            if expiry is not None or not sent.timeline.cut_short:
                return expiry
            if sent.timeline.content:
                raise UnknownError("the rest of an answer that was cut off is not recorded")
            sent.timeline = self._drawn(sent.spec, sent.timeline.ends_at)

    def _serve(self, sent: _Sent, opened_at: float | None = None) -> Steps:
        """Read an attempt to its end. ``opened_at``: the time at which it won a race, if it was in one."""
        limits = self._limits(sent.started)
        expiry = self._expiry(sent, limits)
        timeline = sent.timeline
        ends_at = timeline.ends_at if expiry is None else expiry.at
        if self._call.streaming and timeline.opened_at <= ends_at:
            yield from self._relay(sent, ends_at, opened_at)
        yield from self._wait_until(sent.started + ends_at)
        if expiry is not None and timeline.complete_at > expiry.at:
            return self._expired(sent, expiry, limits)
        if timeline.failure is not None and expiry is None:
            return self._failed(sent, timeline.failure)
        return self._ended(sent, timeline.missing if expiry is None else None)

    def _relay(self, sent: _Sent, ends_at: float, opened_at: float | None) -> Generator[float, None, None]:
        """Report the headers and the first delivery to the machine.

        The only action to yield is the first content: only it changes state that calls share.
        """
        timeline, admission = sent.timeline, self._admission
        self._at = sent.started + timeline.opened_at if opened_at is None else opened_at
        command = self._machine.step(Opened(self._at, sent.spec.hedge))
        released = sent.started + timeline.released_at(*hold_of(self._call.policy, None))
        first = sent.started + timeline.first_content
        if admission is not None and admission.learns and first <= sent.started + ends_at:
            yield from self._wait_until(max(first, self._at))
            admission.first_content(timeline.first_content)
        self._has_content = self._has_content or first <= sent.started + ends_at
        if isinstance(command, Relay) and command.holding and released < sent.started + ends_at:
            self._at = max(released, self._at)
            self._machine.step(Released(self._at))
            if self._first_token is None:
                self._first_token = max(released, first, self._at) - self.started

    def _expired(self, sent: _Sent, expiry: Expiry, limits: Limits) -> Command:
        timeout = self._call.policy.timeout or _UNLIMITED
        deadlines = CallDeadlines(timeout, self.started)
        deadlines.sending(sent.started, lambda _: None if limits.first == inf else limits.first)
        if self._admission is not None and expiry.cause in (Cause.FIRST_CONTENT_TIMEOUT, Cause.NO_HEADERS):
            self._admission.first_content(expiry.at)
        return self._failed(sent, deadlines.failure(sent.started + min(expiry.at, limits.first), expiry.cause))

    def _failed(self, sent: _Sent, failure: Failure) -> Command:
        self._extra_tokens += sent.timeline.tokens_until(self._at - sent.started)
        opened = self._machine.state in _BODY_STATES
        accepted = failure.cause in ANSWERED and not self._call.effective_retry_safety.in_parallel
        if opened:
            accepted = sent.timeline.accepted_at <= self._at - sent.started
        state = self._resume_state(sent)
        command = self._machine.step(Failed(failure, self._at, accepted, state, self._early_release))
        if self._admission is not None:
            self._admission.ended(failure)
        return command

    def _ended(self, sent: _Sent, missing: Cause | None) -> Command:
        if not self._call.streaming:
            if self._admission is not None:
                self._admission.ended(None)
            self._first_token = self._at - self.started
            return self._machine.step(Answered(self._at))
        accepted = sent.timeline.accepted_at <= self._at - sent.started
        state = None if missing is None else self._resume_state(sent)
        command = self._machine.step(Ended(missing, self._at, accepted, state, self._early_release))
        finished = isinstance(command, Finish)
        if self._admission is not None:
            self._admission.ended(None if finished else self._machine.failures[-1])
        if not finished:
            self._extra_tokens += sent.timeline.tokens_until(self._at - sent.started)
        elif self._first_token is None:
            self._first_token = self._at - self.started
        self._incomplete = finished and missing is not None
        return command

    @property
    def _early_release(self) -> EarlyRelease | None:
        """The reason why the user has only events without content, as `Failed`; which limit of `Hold` does not
        matter."""
        return "seconds" if self._machine.state is CallState.RELAYING and not self._has_content else None

    def _resume_state(self, sent: _Sent) -> ResumeState | None:
        """Return a state without text if the policy can resume the answer, else ``None``.

        A restart does not count: the user of an SDK's stream has already read its beginning.
        """
        allowed = self._call.policy.resume not in ("off", "restart") or self._early_release is not None
        able = allowed and self._call.resumable and sent.timeline.resumable
        return ResumeState(text="") if able and self._machine.state in _BODY_STATES else None

    # -- hedging ----------------------------------------------------------------------------------------------------

    def _race(self, first: _Sent, after: float) -> Steps:
        """Simulate `l0.runtime.hedge.race`: a second attempt beside a slow one; the first content serves the call.

        ``after``: the seconds after which the first attempt is slow.
        """
        contenders = [first]
        quiet = self._quiet_until(first, after)
        if first.timeline.first_content <= quiet:
            return (yield from self._win(first, contenders, first.started + quiet))
        if quiet >= after < self._limits(first.started).first:
            yield from self._wait_until(first.started + after)
            command = self._machine.step(Slow(self._at))
            if isinstance(command, AttemptSpec) and command.hedge:
                contenders.append(self._send(command))
        content_times, end_times = self._race_times(contenders)
        if min(content_times) < inf:
            winner = contenders[content_times.index(min(content_times))]
            return (yield from self._win(winner, contenders, min(content_times)))
        answered = [contender for contender in contenders if self._answered(contender)]
        if answered:
            return (yield from self._win(answered[0], contenders, max(end_times)))
        yield from self._wait_until(max(end_times))
        self._lose([contender for contender in contenders if contender is not first])
        limits = self._limits(first.started)
        expiry = self._expiry(first, limits)
        if expiry is not None:
            return self._expired(first, expiry, limits)
        failure = first.timeline.failure
        assert failure is not None
        return self._failed(first, failure)

    def _race_times(self, contenders: list[_Sent]) -> tuple[list[float], list[float]]:
        """Return when each contender brings content (``inf`` if another is first), and when it brings content, ends or
        is late.

        A contender whose recording was cut off, such as a former loser, matters only until the other brings content.
        """
        content_times, end_times = [inf] * len(contenders), [inf] * len(contenders)
        decided_at = inf
        for place in sorted(range(len(contenders)), key=lambda place: contenders[place].timeline.cut_short):
            contender = contenders[place]
            quiet = self._quiet_until(contender, decided_at - contender.started)
            end_times[place] = contender.started + quiet
            if contender.timeline.first_content <= quiet:
                decided_at = content_times[place] = end_times[place]
        return content_times, end_times

    def _quiet_until(self, sent: _Sent, until: float) -> float:
        """Return the time at which the attempt brings content, ends without any, or is late: in seconds since its
        request, and at most ``until``.

        If the recording ends before, continue with a drawn attempt.
        """
        limits = self._limits(sent.started)
        limits = limits._replace(gap=inf, first=min(limits.first, until))
        if not sent.timeline.content:
            self._expiry(sent, limits)
        expiry = sent.timeline.expiry(limits)
        return min(sent.timeline.first_content_or_end, inf if expiry is None else expiry.at)

    def _answered(self, sent: _Sent) -> bool:
        """Return True if the body of an attempt without content ended normally."""
        return sent.timeline.failure is None and self._expiry(sent, self._limits(sent.started)) is None

    def _win(self, winner: _Sent, contenders: list[_Sent], at: float) -> Steps:
        """Serve the call with the winner from the time ``at``. Drop the others."""
        if len(contenders) > 1:
            yield from self._wait_until(at)
            self._lose([contender for contender in contenders if contender is not winner])
        return (yield from self._serve(winner, at))

    def _lose(self, losers: list[_Sent]) -> None:
        """Account for the losers of a race."""
        for loser in losers:
            waited = self._quiet_until(loser, self._at - loser.started)
            self._extra_tokens += loser.timeline.tokens_until(waited)
            if self._admission is not None and loser.timeline.first_content_or_end > waited:  # it was slower, or late
                self._admission.overtaken(waited)

    # -- the functions that the machine calls -----------------------------------------------------------------------

    def _rand(self) -> float:
        return uniform(self._seed, self._recorded.number, "delay", len(self._machine.failures))

    def _backoff(self, number: int, failure: Failure) -> float:
        """Return the delay of the SDKs before retry ``number``, in seconds."""
        requested = failure.retry_after
        if requested is not None and failure.error is not None and 0 < requested <= _LONGEST_SERVER_DELAY:
            return requested
        return min(_INITIAL_RETRY_DELAY * 2.0 ** (number - 1), _MAX_RETRY_DELAY) * (1 - _JITTER * self._rand())
