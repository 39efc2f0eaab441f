"""How a call ends: by its answer, by a failure, or because its user stops, which they may do from anywhere.

Closing may come from the thread or task that reads, from another one, from a signal handler or a finalizer, at any
moment: while a read is blocked, during a backoff, while a request is sent. The first to claim the end tells it, and
whatever the driver reports afterwards changes nothing. The driver finds out by its next read, which fails as it does
in the bare SDK; one that sleeps is woken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from l0.engine.commands import Command, Finish, Raise, Relay
from l0.engine.machine import IllegalSignal, Machine
from l0.engine.signals import Released, Signal
from l0.model.call import Call, Outcome
from l0.model.call_events import ResponseMetadata, ToolCalls
from l0.model.failure import Failure
from l0.model.ports import Upstream
from l0.model.resume_state import ResumeState

from .admission import AdmissionControl
from .body_parser import BodyParser
from .finalizers import interrupted, soon, stop
from .observer_notifier import ObserverNotifier, facts_of
from .rule_runner import RuleRunner
from .shadow import ShadowPolicy


class CallEnding:
    """What a call has in common with its end."""

    __slots__ = (
        "_claims",
        "_resume_state",
        "_ended",
        "_attempts_ended",
        "_parser",
        "alarm",
        "busy",
        "call",
        "closing",
        "command",
        "admission",
        "machine",
        "number",
        "rule_runner",
        "shadow",
        "observers",
        "upstream",
    )
    _resume_state: ResumeState | None
    _parser: BodyParser | None
    call: Call
    command: Command
    admission: AdmissionControl
    machine: Machine
    number: int
    rule_runner: RuleRunner | None
    shadow: ShadowPolicy | None
    observers: ObserverNotifier
    upstream: Upstream

    def __init__(self) -> None:
        self.busy = False
        """The driver is reading: who reads the response now is not its user."""
        self.closing = False
        """The driver is done with a connection: what closes it now was not closed by the user."""
        self.alarm: Callable[[], object] | None = None
        """Ends what the driver waits for, when the user closes meanwhile."""
        self._ended = False
        self._claims = [None]
        self._attempts_ended: dict[int, object] = {}

    @property
    def open(self) -> bool:
        """Whether the call is still under way."""
        return not self._ended

    @property
    def text(self) -> str:
        """What the model has said so far, up to what a rule has found."""
        if self._parser is not None:
            text = self._parser.reader.resume_state().text
            return text if self.rule_runner is None else text[: self.rule_runner.cut]
        return self._resume_state.text if self._resume_state is not None else ""

    @property
    def calls(self) -> ToolCalls:
        """The tool calls so far: their names, and their arguments as far as they came."""
        tools = self._parser.reader.tools if self._parser is not None else {}
        return [(call.name, "".join(call.arguments)) for call in list(tools.values())]

    def error(self, command: Raise) -> BaseException:
        """Return the exception to raise, with the history of the attempts in its notes."""
        failure, failures = command.failure, self.machine.failures
        error = self.upstream.exception(failure, text=self.text, attempts=self.machine.attempts)
        if len(failures) > 1:
            for number, past in enumerate(failures, start=1):
                error.add_note(f"l0: attempt {number} failed: {past}")
        timeout = self.call.policy.timeout
        if command.dropped_wait is not None and timeout is not None and timeout.total is not None:
            error.add_note(
                f"l0: no further attempt: the wait of {_short(command.dropped_wait)} s would pass "
                f"Timeout.total of {timeout.total:,.0f} ms"
            )
        return error

    def step(self, signal: Signal) -> Command:
        """Step the machine, unless the call is closed meanwhile: by another thread, or by a signal handler.

        A handler may step the machine to its end in the middle of this step, which then fails or returns a command
        that is void.
        """
        try:
            command = self.machine.step(signal)
        except (IllegalSignal, KeyError):
            if self.open:
                raise
        else:
            if self.open:
                return command
        return Relay(holding=False) if isinstance(signal, Released) else Finish(Outcome.CANCELLED)

    def close(self) -> None:
        """The user stopped, or something that is no failure came through. Final; safe to call at any time."""
        if not self._ended:
            stop(self, later=interrupted())
        alarm = self.alarm
        if alarm is not None:
            with suppress(RuntimeError):  # its event loop is closed: nobody waits any more
                alarm()

    def halt(self, error: BaseException | None = None) -> NoReturn:
        """The user stopped. Raises what the bare SDK raises where ``error`` came of that."""
        self.close()
        raise self.upstream.stopped(error)

    def released(self) -> None:
        """The driver is done: drop what would keep the response alive."""
        self.close()
        self._parser = None

    def attempt_ended(self, failure: Failure | None, at: float, *, abandoned: bool = False) -> None:
        """An attempt is over: for whoever wants to know. Once per attempt, as a signal handler may come in between."""
        mine = object()
        if self._attempts_ended.setdefault(self.number, mine) is not mine:  # one step, which nothing interrupts
            return
        self.admission.ended(failure, abandoned=abandoned)
        self.observers.attempt_ended(self.number, failure, at)

    def claim(self) -> bool:
        """Whether it is the caller who tells the end. Takes no lock: a finalizer may come here."""
        try:
            self._claims.pop()
        except IndexError:
            return False
        self._ended = True
        return True

    def _finish(
        self, command: Command, at: float, metadata: ResponseMetadata | None, text: str = "", calls: ToolCalls = ()
    ) -> None:
        if self.claim() and self.observers.observed:
            soon(self.tell, command, at, metadata, text or self.text, calls or self.calls)

    def tell(self, command: Command, at: float, metadata: ResponseMetadata | None, text: str, calls: ToolCalls) -> None:
        """Tell the observers of the end."""
        if self.rule_runner is not None:
            self.rule_runner.report_held()
        rules = self.rule_runner.times if self.rule_runner is not None else {}
        self.observers.ended(command, self.machine, at, metadata, text, calls, rules)

    @property
    def metadata(self) -> ResponseMetadata | None:
        """What the provider said of its answer so far; ``None`` where nobody listens."""
        if not self.observers.observed:
            return None
        if self._parser is not None:
            return facts_of(self._parser.reader)
        return None if self.call.streaming else self.upstream.complete_answer(None)[0]


def _short(seconds: float) -> str:
    """Return ``seconds`` with three decimals at most, without trailing zeros: "30", "0.5"."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
