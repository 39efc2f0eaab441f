"""A machine whose steps are recorded, with everything that decided them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

from l0.engine.commands import Command, Raise
from l0.engine.machine import Admission, Machine
from l0.engine.signals import Failed, Signal
from l0.model.call import Call
from l0.model.failure import Failure
from l0.model.policy import Retry

from .recording_events import Append, Decided, Input


class RecordedMachine(Machine):
    """The machine of one call. The results of all functions that it calls are recorded with the step.

    ``append`` receives each step as a `Decided` of the call ``id_``. ``without_error`` returns a failure without its
    exception.
    """

    __slots__ = ("_append", "_id", "_noted", "_without_error")

    def __init__(
        self,
        call: Call,
        rand: Callable[[], float],
        backoff: Callable[[int, Failure], float],
        admission: Admission,
        id_: str,
        append: Append,
        without_error: Callable[[Failure], Failure],
    ) -> None:
        self._id = id_
        self._append = append
        self._without_error = without_error
        self._noted = noted = _NotedInputs(rand, backoff, admission)
        retry = call.policy.retry
        # The signal `Waited` has the answer of an async `should_retry`.
        if retry is not None and retry.should_retry is not None and not retry.asks_async:
            call = _with_noted_vetoes(call, retry, retry.should_retry, noted)
        Machine.__init__(self, call, noted.rand, noted.backoff, noted)

    def step(self, signal: Signal) -> Command:
        """As `Machine.step`."""
        noted = self._noted
        inputs: list[Input] = []
        noted.inputs = inputs
        recorded = command = Machine.step(self, signal)  # `super()` costs more than the call itself
        # `Failed` and `Raise` have no subclasses, and `isinstance` costs twice as much.
        if type(signal) is Failed:
            signal = replace(signal, failure=self._without_error(signal.failure))
        if type(recorded) is Raise:
            recorded = replace(recorded, failure=self._without_error(recorded.failure))
        nested = noted.inputs is not inputs  # a step of a signal handler has replaced the list
        self._append((Decided, self._id, signal.at, signal, recorded, inputs or (), nested))
        return command


class _NotedInputs:
    """The functions that a machine calls. ``inputs``: their names and results in the current step.

    It has no reference to the machine: a reference cycle would keep both, and the request and the client of the call,
    until the garbage collector runs.
    """

    __slots__ = ("_backoff", "_admission", "_rand", "inputs")

    def __init__(
        self, rand: Callable[[], float], backoff: Callable[[int, Failure], float], admission: Admission
    ) -> None:
        self.inputs: list[Input] = []
        self._rand = rand
        self._backoff = backoff
        self._admission = admission

    def rand(self) -> float:
        self.inputs.append(("rand", drawn := self._rand()))
        return drawn

    def backoff(self, number: int, failure: Failure) -> float:
        self.inputs.append(("backoff", delay := self._backoff(number, failure)))
        return delay

    def may_open(self, leg: int) -> bool:
        return self._allowed("may_open", self._admission.may_open(leg))

    def may_retry(self, *, by_server: bool) -> bool:
        return self._allowed("may_retry", self._admission.may_retry(by_server=by_server))

    def may_hedge(self) -> bool:
        return self._allowed("may_hedge", self._admission.may_hedge())

    def _allowed(self, name: str, allowed: bool) -> bool:
        self.inputs.append((name, allowed or self._admission.refusal))
        return allowed

    @property
    def refusal(self) -> str:
        return self._admission.refusal


def _with_noted_vetoes(call: Call, retry: Retry, ask: Callable[[Failure], Any], noted: _NotedInputs) -> Call:
    """Return a call whose ``should_retry``, a function of the user, is recorded."""

    def should_retry(failure: Failure) -> Any:
        try:
            allowed = ask(failure)
        except Exception:
            noted.inputs.append(("should_retry", True))  # the engine ignores the error, and retries
            raise
        noted.inputs.append(("should_retry", bool(allowed)))
        return allowed

    recorded: Call = _changed(call, policy=_changed(call.policy, retry=_changed(retry, should_retry=should_retry)))
    return recorded


def _changed(value: Any, **fields: Any) -> Any:
    """Return a copy of a frozen dataclass. Unlike `dataclasses.replace`, it repeats no check and no warning."""
    made = copy(value)
    for name, field_value in fields.items():
        object.__setattr__(made, name, field_value)
    return made
