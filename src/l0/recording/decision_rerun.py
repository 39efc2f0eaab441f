"""Repeat the decisions of a recorded call: the same signals, random numbers and permissions give the same commands."""

from __future__ import annotations

from collections import deque
from copy import copy
from typing import Any

from l0.engine.commands import Command, Wait
from l0.engine.machine import Machine
from l0.model.call import Call
from l0.model.failure import Failure

from .recording import RecordedCall
from .recording_codec import encode


class RerunError(ValueError):
    """The machine asked for something that was not recorded: the engine has changed since, or a step is missing."""


def rerun(recorded: RecordedCall, call: Call | None = None) -> list[Command]:
    """Return the commands of a machine that gets the recorded signals.

    ``call``: a call to use in place of the recorded one. Raises `RerunError` if the machine asks for a result that was
    not recorded.
    """
    inputs = RecordedInputs()
    asks_async = any(isinstance(step.command, Wait) and step.command.asks for step in recorded.decisions)
    call = inputs.with_recorded_answers(call or recorded.call, asks_async=asks_async)
    machine = Machine(call, inputs.rand, inputs.backoff, admission=inputs)
    commands = []
    for decision in recorded.decisions:
        inputs.remaining = deque(decision.inputs)
        commands.append(machine.step(decision.signal))
        if inputs.remaining:
            raise RerunError(f"the machine did not ask for {inputs.remaining[0][0]}")
    return commands


def differing(recorded: RecordedCall) -> list[int]:
    """Return the positions of the decisions that a rerun makes differently; none if the engine is the same.

    An interrupted step is not compared.
    """
    commands = rerun(recorded)
    return [
        position
        for position, (decision, command) in enumerate(zip(recorded.decisions, commands, strict=True))
        if not decision.nested and encode(command) != encode(decision.command)
    ]


def difference(recorded: RecordedCall) -> str:
    """Return a sentence if this version of L0 decides differently; else an empty text."""
    try:
        positions = differing(recorded)
    except RerunError as error:
        return f"This version of L0 decides differently: {error}."
    count = f"{len(positions)} of {len(recorded.decisions)}"
    return f"This version of L0 decides {count} steps differently." if positions else ""


class RecordedInputs:
    """The functions that a machine calls. They return the results that were recorded with one step."""

    def __init__(self) -> None:
        self.remaining: deque[tuple[str, Any]] = deque()
        """The names and results that the machine has not asked for yet, in order."""
        self.refusal = ""
        """The recorded reason of the latest refusal."""

    def rand(self) -> float:
        """Return the recorded random number."""
        return float(self._take("rand"))

    def backoff(self, number: int, failure: Failure) -> float:  # noqa: ARG002 - as the machine calls it
        """Return the recorded delay of the SDK, in seconds."""
        return float(self._take("backoff"))

    def may_open(self, leg: int) -> bool:  # noqa: ARG002 - as the machine calls it
        """As `Admission.may_open`."""
        return self._allowed("may_open")

    def may_retry(self, *, by_server: bool) -> bool:  # noqa: ARG002 - as the machine calls it
        """As `Admission.may_retry`."""
        return self._allowed("may_retry")

    def may_hedge(self) -> bool:
        """As `Admission.may_hedge`."""
        return self._allowed("may_hedge")

    def with_recorded_answers(self, call: Call, *, asks_async: bool = False) -> Call:
        """Return a call whose ``should_retry`` gives the recorded answers.

        ``asks_async``: it is async. The driver then calls it, and its answers are in the signals.
        """
        retry = call.policy.retry
        if retry is None or retry.should_retry is None:
            return call
        changed, policy, rules = copy(call), copy(call.policy), copy(retry)
        stand_in = _only_for_drivers if asks_async else lambda _: self._take("should_retry")
        object.__setattr__(rules, "should_retry", stand_in)
        object.__setattr__(policy, "retry", rules)
        object.__setattr__(changed, "policy", policy)
        return changed

    def _allowed(self, name: str) -> bool:
        """Return a recorded permission. A refusal is recorded as its reason."""
        result = self._take(name)
        if result is not True:
            self.refusal = str(result)
        return result is True

    def _take(self, name: str) -> Any:
        recorded_name, result = self.remaining.popleft() if self.remaining else ("nothing", None)
        if recorded_name != name:
            raise RerunError(f"the machine asked for {name}, recorded is {recorded_name}")
        return result


async def _only_for_drivers(_: Failure) -> bool:
    """Stand in for an async ``should_retry``, which the machine never calls."""
    raise RerunError("the machine called an async should_retry, which only the driver may")
