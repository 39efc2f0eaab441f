"""A machine whose steps are recorded, with everything that decided them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from l0.engine.commands import Command
from l0.engine.machine import Admission, Machine
from l0.engine.signals import Signal
from l0.model.call import Call
from l0.model.failure import Failure

from .recording_events import Input

Decided = Callable[[Signal, Command, list[Input], bool], None]


class RecordedMachine(Machine):
    """The machine of one call. The results of all functions that it calls are recorded with the step.

    ``decided`` receives the signal, the command, these results in order, and True if a signal handler interrupted the
    step with another one.
    """

    __slots__ = ("_decided", "_inputs")

    def __init__(
        self,
        call: Call,
        rand: Callable[[], float],
        backoff: Callable[[int, Failure], float],
        guard: Admission,
        decided: Decided,
    ) -> None:
        self._inputs: list[Input] = []
        self._decided = decided

        def noted_rand() -> float:
            self._note("rand", drawn := rand())
            return drawn

        def noted_backoff(number: int, failure: Failure) -> float:
            self._note("backoff", delay := backoff(number, failure))
            return delay

        super().__init__(_with_vetoes(call, self._note), noted_rand, noted_backoff, _NotedAdmission(guard, self._note))

    def step(self, signal: Signal) -> Command:
        """As `Machine.step`."""
        inputs: list[Input] = []
        self._inputs = inputs
        command = super().step(signal)
        self._decided(signal, command, inputs, self._inputs is not inputs)
        return command

    def _note(self, name: str, result: Any) -> None:
        self._inputs.append((name, result))


class _NotedAdmission:
    """The permissions of a call, recorded."""

    def __init__(self, guard: Admission, note: Callable[[str, Any], None]) -> None:
        self._guard = guard
        self._note = note

    def may_open(self, leg: int) -> bool:
        return self._noted("may_open", self._guard.may_open(leg))

    def may_retry(self, *, by_server: bool) -> bool:
        return self._noted("may_retry", self._guard.may_retry(by_server=by_server))

    def may_hedge(self) -> bool:
        return self._noted("may_hedge", self._guard.may_hedge())

    def _noted(self, name: str, allowed: bool) -> bool:
        self._note(name, allowed or self._guard.refusal)
        return allowed

    @property
    def refusal(self) -> str:
        return self._guard.refusal


def _with_vetoes(call: Call, note: Callable[[str, Any], None]) -> Call:
    """Return a call whose ``should_retry``, a function of the user, is recorded."""
    retry = call.policy.retry
    ask = retry.should_retry if retry is not None else None
    if retry is None or ask is None:
        return call

    def should_retry(failure: Failure) -> bool:
        try:
            allowed = ask(failure)
        except Exception:
            note("should_retry", True)  # the engine ignores it
            raise
        note("should_retry", bool(allowed))
        return allowed

    recorded: Call = _changed(call, policy=_changed(call.policy, retry=_changed(retry, should_retry=should_retry)))
    return recorded


def _changed(value: Any, **fields: Any) -> Any:
    """Return a copy of a frozen dataclass. Unlike `dataclasses.replace`, it repeats no check and no warning."""
    made = copy(value)
    for name, one in fields.items():
        object.__setattr__(made, name, one)
    return made
