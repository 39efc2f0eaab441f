"""The table of transitions is the law: every cell of it, legal and illegal, and the diagram that shows it."""

import re
from typing import get_args

import pytest
from makers import make_call, make_failure, make_machine

from l0.engine import machine
from l0.engine.machine import TRANSITIONS, CallState, IllegalSignal, Machine
from l0.engine.signals import Answered, Begin, Closed, Ended, Failed, Opened, Released, Signal, Slow, Waited
from l0.model.call import Call
from l0.model.failure import Cause
from l0.model.policy import Fallback, Policy
from l0.model.resume_state import ResumeState

SAMPLES: dict[type, list[Signal]] = {
    Begin: [Begin(0.0)],
    Slow: [Slow(0.9)],
    Answered: [Answered(1.0)],
    Opened: [Opened(1.0)],
    Released: [Released(1.0)],
    Ended: [Ended(None, 1.0), Ended(Cause.TRUNCATED, 1.0), Ended(Cause.EMPTY, 1.0), Ended(Cause.NOT_A_STREAM, 1.0)],
    Failed: [
        Failed(make_failure(), 1.0),
        Failed(make_failure(), 1.0, resume_state=ResumeState(text="ab")),
        Failed(make_failure(Cause.AUTHENTICATION), 1.0, accepted=True),
    ],
    Waited: [Waited(1.0), Waited(1.0, vetoed=True)],
    Closed: [Closed(1.0)],
}
PATHS: dict[CallState, list[Signal]] = {
    CallState.READY: [],
    CallState.OPENING: [Begin(0.0)],
    CallState.HOLDING: [Begin(0.0), Opened(0.5)],
    CallState.RELAYING: [Begin(0.0), Opened(0.5), Released(0.6)],
    CallState.WAITING: [Begin(0.0), Failed(make_failure(), 0.5)],
    CallState.DONE: [Begin(0.0), Closed(0.5)],
}
CELLS = [(state, kind) for state in CallState for kind in get_args(Signal)]
LEGAL = [(state, kind) for state, kind in CELLS if kind in TRANSITIONS[state]]
ILLEGAL = [(state, kind) for state, kind in CELLS if kind not in TRANSITIONS[state]]


CALLS = [make_call(), make_call(policy=Policy(resume="exact", fallback=Fallback(model="other")))]


def machine_in(state: CallState, call: Call | None = None) -> Machine:
    machine = make_machine(call)
    for signal in PATHS[state]:
        machine.step(signal)
    assert machine.state is state
    return machine


def name(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


@pytest.mark.parametrize(("state", "kind"), ILLEGAL, ids=name)
def test_an_illegal_signal_is_refused_and_changes_nothing(state, kind):
    for signal in SAMPLES[kind]:
        machine = machine_in(state)
        before = (machine.state, machine.attempts, machine.began, list(machine.failures))
        with pytest.raises(IllegalSignal, match=rf"{kind.__name__} in state {state}"):
            machine.step(signal)
        after = (machine.state, machine.attempts, machine.began, list(machine.failures))
        assert after == before


@pytest.mark.parametrize("call", CALLS, ids=["default", "resuming"])
@pytest.mark.parametrize(("state", "kind"), LEGAL, ids=name)
def test_legal_signals_follow_the_transition_table(state, kind, call):
    for signal in SAMPLES[kind]:
        machine = machine_in(state, call)
        command = machine.step(signal)
        assert command is not None
        assert machine.state in TRANSITIONS[state][kind]


def test_every_state_and_signal_has_its_place():
    assert set(TRANSITIONS) == set(CallState) == set(PATHS)
    assert {kind for row in TRANSITIONS.values() for kind in row} == set(get_args(Signal)) == set(SAMPLES)


def test_every_state_can_be_closed_but_the_one_before_the_call():
    assert [state for state in CallState if Closed not in TRANSITIONS[state]] == [CallState.READY]
    assert all(row[Closed] == {CallState.DONE} for state, row in TRANSITIONS.items() if state is not CallState.READY)


def test_nothing_leads_out_of_done():
    assert set(TRANSITIONS[CallState.DONE]) == {Closed}


# The diagram in the module's essay

ESSAY = machine.__doc__ or ""
DIAGRAM = ESSAY[ESSAY.index("READY --") : ESSAY.index("Rules,")]
WORDS = r"[A-Z][A-Za-z]+"


def _pairs() -> set[tuple[str, str]]:
    """The states and signals of every arrow that runs along a line: ``STATE --Signal--> ...``."""
    return set(re.findall(r"\b([A-Z]{4,}) --(\w+)--", DIAGRAM))


def test_the_diagrams_arrows_are_cells_of_the_table():
    kinds = {kind.__name__: kind for kind in get_args(Signal)}
    line = DIAGRAM.splitlines()[0]
    states = re.findall(r"\b[A-Z]{4,}\b", line)
    signals = re.findall(r"--(\w+)-->", line)
    assert len(states) == len(signals) + 1
    for start, signal, end in zip(states, signals, states[1:], strict=False):
        assert CallState(end.lower()) in TRANSITIONS[CallState(start.lower())][kinds[signal]]


def test_the_diagram_shows_every_state_and_no_other():
    assert set(re.findall(r"\b[A-Z]{4,}\b", DIAGRAM)) == {state.name for state in CallState}


def test_the_diagram_shows_every_signal_that_changes_the_state():
    shown = {word for word in re.findall(WORDS, DIAGRAM) if not word.isupper()}
    moving = {
        kind.__name__
        for state, row in TRANSITIONS.items()
        for kind, targets in row.items()
        if targets != {state} and kind is not Closed  # rule 4 tells of closing
    }
    assert shown == moving
    assert "Closing is final" in ESSAY
    assert "OPENING straight to RELAYING" in ESSAY


def test_a_resumed_attempt_goes_straight_to_relaying():
    machine = machine_in(CallState.RELAYING, CALLS[1])
    machine.step(Failed(make_failure(), 1.0, resume_state=ResumeState(text="ab")))
    assert machine.state is CallState.WAITING
    machine.step(Waited(1.0))
    machine.step(Opened(1.1))
    assert machine.state is CallState.RELAYING
