"""The history of a call, as notes on the exception that its user gets."""

from __future__ import annotations

from l0.engine.machine import Machine
from l0.model.call import Call
from l0.model.failure import Cause
from l0.model.text_safety import one_line

_LONGEST_NAME = 128
"""Maximum characters of the name of a leg in a note."""


def note_failures(error: BaseException, call: Call, machine: Machine) -> None:
    """Add a note on each failed attempt to ``error``, with its leg if there were several."""
    number = 0
    for index, (failure, leg) in enumerate(zip(machine.failures, machine.failed_legs, strict=False)):
        name = f" ({one_line(call.leg_name(leg), _LONGEST_NAME)})" if machine.leg else ""
        if failure.cause is Cause.BREAKER_OPEN and failure.error is None:
            error.add_note(f"l0: no request{name}: {failure}")
            continue
        number += 1
        refusal = f"; no retry: {machine.refusals[index]}" if index in machine.refusals else ""
        error.add_note(f"l0: attempt {number}{name} failed: {failure}{refusal}")
