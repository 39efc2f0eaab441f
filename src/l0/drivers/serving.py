"""One call at run time, from its first request to its end: the machine, what it commands, and what becomes of each
attempt. How an attempt's body is read stands in `session`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from time import perf_counter
from typing import Any

from l0.engine._machine import PHASES, Machine
from l0.engine.commands import Command, Finish, Open, Raise, Relay, Wait
from l0.engine.retrying import Stand
from l0.engine.signals import Answered, Begin, Ended, Failed, Opened, Waited
from l0.health.shared import Health
from l0.values.calls import Call
from l0.values.errors import raised
from l0.values.events import Facts
from l0.values.failures import Cause, Failure
from l0.values.handover import Handover
from l0.values.policy import ResumeMode, Timeout
from l0.values.ports import Plan, Reader, Upstream, Watcher

from .clocks import Clocks
from .ending import Ending
from .finalizing import LATER
from .guards import Guards
from .holding import Holding
from .pump import Pump
from .screening import hold_of, screen
from .shadowing import Shadow
from .telling import Telling

_log = logging.getLogger("l0")


def _other(text: str, facts: Facts | None) -> bool:
    """Whether an answer holds something besides text; one without text that cost tokens does."""
    return facts is not None and (facts.other or (not text and bool(facts.output_tokens)))


class Serving(Ending):
    """State of one call between its commands. Used by one thread or task at a time, as the SDK's streams are."""

    __slots__ = (
        "_holding",
        "_kept",
        "_lease",
        "_leased_from",
        "clocks",
        "hedged",
        "started",
        "timed",
    )

    def __init__(self, call: Call, upstream: Upstream, watchers: Sequence[Watcher], health: Health) -> None:
        if LATER.waiting:
            LATER.help()
        began = perf_counter()
        super().__init__()
        self.call = call
        self.upstream = upstream
        self.telling = Telling(watchers, began)
        self.guards = Guards(call, health)
        self.machine = Machine(call, random.random, upstream.backoff, guard=self.guards)
        timeout = call.policy.timeout
        if timeout is None and call.policy.adaptive:
            timeout = Timeout(initial_token=None, inter_token=None)
        self.clocks = Clocks(timeout, began) if timeout is not None else None
        self._pump = None
        self.screen = screen(call, self.telling.noted if self.telling.heard else None)
        self._kept = Holding(*hold_of(call.policy, self.screen))
        self._lease: int | None = None
        self._leased_from = 0
        self.started = began
        self.number = 1
        self.shadow = None
        if call.shadow is not None and self.telling.heard:
            self.shadow = Shadow(call, call.shadow, health, self.telling.noted, began)
        self.hedged = False
        self._earlier = None
        self._holding = True
        self.timed = self.clocks is not None or self.telling.heard or self.guards.learns
        """Whether reads have deadlines, or somebody wants to know how long they take."""
        self._went(self.machine.step(Begin(began)), began)

    # -- opening ------------------------------------------------------------------------------------------------

    @contextmanager
    def sending(self, command: Open) -> Iterator[Any]:
        """The options of the attempt that the machine commanded, with every watcher's context active."""
        started = perf_counter()
        if not command.hedge:
            self.number, self.started = command.number, started
        self.telling.attempt_started(command, started)
        if self.shadow is not None:
            self.shadow.sent(started)
        with ExitStack() as stack:
            headers = self.telling.enter(stack)
            plan = Plan(
                resend=command.number - 1,
                leg=command.leg,
                left=self.machine.left(started),
                resume=command.resume,
                earlier=self._earlier if command.resume is not None else None,
                hedge=command.hedge,
            )
            yield self.upstream.options(plan, headers)
        if command.resume is not None:
            self._tell_seam()

    def answered(self, answer: Any) -> None:
        """A whole answer is there: accept it, or find what is wrong with it."""
        at = perf_counter()
        flaw = self.upstream.flaw(answer)
        if flaw is not None:
            self._fail(flaw, at)
            return
        looked_at = self.telling.heard or self.screen is not None
        facts, text, calls = self.upstream.whole(answer) if looked_at else (None, "", ())
        if self.screen is not None:
            flaw = self.screen.whole(text, calls, other=_other(text, facts))
            if flaw is not None:
                self._fail(flaw, at)
                return
        if self.shadow is not None:
            self.shadow.answered(text, calls, other=_other(text, facts))
        self.attempt_ended(None, at)
        self.command = self.step(Answered(at))
        self._finish(self.command, at, facts, text, calls)

    def opened(self, status: int | None, request_id: str | None) -> None:
        """The headers of a stream are there."""
        at = perf_counter()
        self.telling.opened(status, request_id, self.started)
        self._leased_from = 0
        if self.clocks is not None:
            self.clocks.opened(self.started, at, self.guards.deadline)
        if self.shadow is not None:
            self.shadow.opened(self.started, at)
        self._obey(self.step(Opened(at, self.hedged)))

    @property
    def hedge_after(self) -> float | None:
        """Seconds after which the attempt that the machine commanded is slow; ``None`` where nobody would mind."""
        return None if self.machine.hedged else self.guards.hedge_after()

    @property
    def first_limit(self) -> float:
        """Seconds that the first content may take; ``inf`` for ever."""
        timeout = self.call.policy.timeout
        first = timeout.initial_token if timeout is not None else None
        usual = self.guards.deadline(None if first is None else first / 1000)
        return min(inf if usual is None else usual, self.machine.left(perf_counter()))

    def overdue(self) -> None:
        """No attempt of those that raced brought content in time."""
        at = perf_counter()
        self.guards.first_content(at - self.started)
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
        callback = self.call.policy.on_seam
        if callback is None:
            return
        try:
            callback(self.machine.seams[-1])
        except Exception:
            _log.warning("Policy.on_seam failed and is ignored: %s", raised())

    # -- attempts -----------------------------------------------------------------------------------------------

    def reads(self, pump: Pump) -> None:
        """Reading of an attempt's body begins, through ``pump``."""
        self._pump = pump

    @property
    def continuation(self) -> tuple[ResumeMode, Handover] | None:
        """What the attempt that was just opened takes up, and how."""
        if self._earlier is None or not self.machine.seams:
            return None
        return self.machine.seams[-1].strategy, self._earlier

    def _over(self, reader: Reader, at: float) -> list[Any]:
        """Reading is over, for better or worse."""
        reader.settle()
        return self._fail(reader.failure, at) if reader.failure is not None else self._end(reader, at)

    def _end(self, reader: Reader, at: float) -> list[Any]:
        missing = reader.verdict()
        if missing is None and self.screen is not None:
            failure = self.screen.finish(reader)
            if failure is not None:
                return self._reject(failure, at)
        chars = reader.chars - self._leased_from
        resumable = missing is not None and self._resumable(reader)
        stand = self._stand(reader)
        command = self.step(Ended(missing, at, chars, reader.accepted, resumable, self._had))
        if isinstance(command, Finish):
            if missing is None:
                self.upstream.completed()
            if missing is not None and missing.value in command.odd:
                _log.warning(
                    "a %s stream from %s ended without its terminal event; accepted, as this origin has never sent one",
                    self.call.dialect,
                    self.call.origin,
                )
            self.attempt_ended(None, at)
            if self.shadow is not None:
                self.shadow.whole(reader)
        return self._settle(command, at, stand)

    def _reject(self, failure: Failure, at: float) -> list[Any]:
        """A rule has failed the attempt: what is still kept back is never seen, and nothing is taken up from there."""
        self._kept.restart()
        reader = self._pump.reader if self._pump is not None else None
        chars = reader.chars - self._leased_from if reader is not None else 0
        return self._settle(self.step(Failed(failure, at, chars, had=self._had)), at)

    def _fail(self, failure: Failure, at: float) -> list[Any]:
        reader = self._pump.reader if self._pump is not None else None
        if self.screen is not None and reader is not None and self.screen.look(reader, rest=True) is not None:
            self._kept.restart()  # what came last is not fit to be handed over
        chars = reader.chars - self._leased_from if reader is not None else 0
        accepted = reader is not None and reader.accepted
        resumable = reader is not None and self._resumable(reader)
        stand = self._stand(reader)
        command = self.step(Failed(failure, at, chars, accepted, resumable, self._had))
        return self._settle(command, at, stand)

    @property
    def _had(self) -> int:
        """Characters that the user has, where an answer is taken up."""
        return len(self._earlier.text) if self._earlier is not None else 0

    def _resumable(self, reader: Reader) -> bool:
        """Whether the answer could be taken up where it broke; remembers what the user has of it."""
        strategy = self.call.policy.resume
        if strategy == "off" or not reader.resumable or self._pump is None or not self._pump.resumes:
            return False
        self._earlier = reader.handover()
        return self.upstream.resumes(strategy, self._earlier)

    def _stand(self, reader: Reader | None) -> Stand | None:
        """How far the answer has come, for a policy that only looks on."""
        if self.shadow is None:
            return None
        phase, strategy = PHASES[self.machine.state], self.shadow.resume
        if reader is None or self._pump is None:
            return Stand(phase)
        whole = strategy != "off" and reader.resumable and self._pump.resumes
        return Stand(phase, reader.accepted, whole and self.upstream.resumes(strategy, reader.handover()))

    def _settle(self, command: Command, at: float, stand: Stand | None = None) -> list[Any]:
        """After an attempt: drop what was held where it is repeated, hand it over where it was the last."""
        if self.shadow is not None and stand is not None and isinstance(command, Wait | Raise):
            self.shadow.failed(self.machine.failures[-1], stand, at)
        if isinstance(command, Wait | Raise):
            self.attempt_ended(self.machine.failures[-1], at)
        self.command = command
        if isinstance(command, Wait):
            self.telling.spent(self.facts)
            # What a resumed answer has brought so far is the user's; of a repeated one nothing was ever seen.
            items: list[Any] = []
            if self.machine.resuming:
                items = self._kept.flush()
            else:
                self._earlier = None
            self._kept.restart()
            if self.screen is not None:
                self.screen.restart()
            self._pump = None
            return items
        items = self._kept.flush()
        self.telling.handed(items, at, self._kept.seconds(at))
        self._finish(command, at, self.facts)
        return items

    def _obey(self, command: Command) -> None:
        self.command = command
        self._holding = isinstance(command, Relay) and command.holding
        if isinstance(command, Relay):
            self._lease = command.lease
