"""Repeat the decisions of a recorded call: the same signals, draws and admissions give the same commands."""

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
    """Return the commands of a machine that gets the recorded signals. ``call``: another one, else the recorded.

    Raises `RerunError` if the machine asks for a result that was not recorded.
    """
    inputs = RecordedInputs()
    asked = any(isinstance(one.command, Wait) and one.command.asks for one in recorded.decisions)
    answering = inputs.answering(call or recorded.call, asked_async=asked)
    machine = Machine(answering, inputs.rand, inputs.backoff, admission=inputs)
    commands = []
    for decision in recorded.decisions:
        inputs.waiting = deque(decision.inputs)
        commands.append(machine.step(decision.signal))
        if inputs.waiting:
            raise RerunError(f"the machine did not ask for {inputs.waiting[0][0]}")
    return commands


def differing(recorded: RecordedCall) -> list[int]:
    """Return the positions of the decisions that a rerun makes differently; none if the engine is the same.

    An interrupted step is not compared.
    """
    commands = rerun(recorded)
    return [
        place
        for place, (decision, command) in enumerate(zip(recorded.decisions, commands, strict=True))
        if not decision.nested and encode(command) != encode(decision.command)
    ]


def difference(recorded: RecordedCall) -> str:
    """Return a sentence if this version of L0 decides differently; else an empty text."""
    try:
        places = differing(recorded)
    except RerunError as error:
        return f"This version of L0 decides differently: {error}."
    return f"This version of L0 decides {len(places)} of {len(recorded.decisions)} steps differently." if places else ""


class RecordedInputs:
    """The functions that a machine calls, answered from one recorded step. ``waiting``: its results, in order."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, Any]] = deque()
        self.refusal = ""

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

    def answering(self, call: Call, *, asked_async: bool = False) -> Call:
        """Return a call whose ``should_retry`` gives the recorded answers. Those of an async one are in the signals."""
        retry = call.policy.retry
        if retry is None or retry.should_retry is None:
            return call
        changed, policy, rules = copy(call), copy(call.policy), copy(retry)
        stand_in = _asked_by_the_driver if asked_async else lambda _: self._take("should_retry")
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
        asked = self.waiting.popleft() if self.waiting else ("nothing", None)
        if asked[0] != name:
            raise RerunError(f"the machine asked for {name}, recorded is {asked[0]}")
        return asked[1]


async def _asked_by_the_driver(_: Failure) -> bool:
    """Stand in for an async ``should_retry``, which the machine never calls."""
    raise RerunError("the machine called an async should_retry, which only the driver may")
