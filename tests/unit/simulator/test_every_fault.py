"""Every fault changes what is sent, and the ledger names no fault that changes nothing."""

import inspect
from contextlib import nullcontext
from itertools import islice
from typing import Any

import pytest

from l0.simulator import http
from l0.simulator.answers import Answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.converse_server import CONVERSE
from l0.simulator.dialects.generate_content_server import GENERATE_CONTENT
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect, SimulatedRequest
from l0.simulator.faults import Fault, _fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.respond import respond, served
from l0.simulator.steps import End, Raw, Send
from l0.testing import simulator

DIALECTS = (CHAT, COMPLETIONS, RESPONSES, MESSAGES, GENERATE_CONTENT, CONVERSE)
STAMP = AnswerIdentity.of(0, 0)
TEXT = "Olá! The sea is salt, because rivers carry it."
REPLY = Reply(answer=Answer(text=TEXT))
ARGUMENTS: dict[str, Any] = {"status": 503, "style": "crlf", "count": 3}
"""Values for the parameters without a default, by name."""
NO_EFFECT = {
    ("no_event_names", "chat"): "the dialect has no event names",
    ("no_event_names", "completions"): "the dialect has no event names",
    ("no_event_names", "generate_content"): "the dialect has no event names",
    ("framing", "generate_content"): "the dialect's own line ends are CRLF",
    ("comments", "converse"): "frames have no comments",
    ("id_retry_lines", "converse"): "frames have no such lines",
    ("bom", "converse"): "frames have no byte order mark",
    ("framing", "converse"): "frames have no lines",
    ("no_finish_reason", "responses"): "the dialect has no finish reason",
}


def constructors() -> dict[str, Any]:
    """Return all constructors of `Fault`, by name."""
    found = {name: value for name, value in vars(Fault).items() if isinstance(value, staticmethod)}
    return {name: getattr(Fault, name) for name in found if not name.startswith("_")}


def made(name: str) -> Fault:
    """Return a fault, with the defaults of its constructor if it has some."""
    parameters = inspect.signature(constructors()[name]).parameters.values()
    return constructors()[name](**{p.name: ARGUMENTS[p.name] for p in parameters if p.default is p.empty})


def asked(name: str, **more: Any) -> SimulatedRequest:
    """Return a streaming request; one for the rest of an answer if the fault concerns only those."""
    rest = name in ("repeats_overlap", "starts_over")
    return SimulatedRequest(model="m", **{"stream": True, "prefix": TEXT[:12] if rest else ""} | more)


def wire(dialect: Dialect, request: SimulatedRequest, reply: Reply) -> list[Any]:
    """Return what a client can observe: the head, the bytes between two pauses, the pauses and the end."""
    response = respond(dialect, request, reply, STAMP)
    seen: list[Any] = [(response.status, dict(response.headers), response.length, response.delay), b""]
    for step in islice(response.steps, 2000):
        if isinstance(step, Send | Raw):
            chunk = isinstance(step, Send) and response.length is None
            seen[-1] += http.chunk(step.data) if chunk else step.data
        elif step is not End.COMPLETE:
            seen += [step, b""]
    return seen


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", constructors())
def test_fault_changes_what_is_sent(name: str, dialect: Dialect) -> None:
    fault, request = made(name), asked(name)
    reply = Reply(answer=REPLY.answer, fault=fault)
    changed = wire(dialect, request, reply) != wire(dialect, request, REPLY)
    assert changed == ((name, dialect.name) not in NO_EFFECT), f"Fault.{name} changes nothing: is it implemented?"
    assert served(dialect, request, reply, STAMP) == (fault if changed else Fault())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", constructors())
def test_served_faults_are_those_that_change_a_complete_answer(name: str, dialect: Dialect) -> None:
    fault, request = made(name), asked(name, stream=False)
    reply = Reply(answer=REPLY.answer, fault=fault)
    changed = wire(dialect, request, reply) != wire(dialect, request, REPLY)
    assert served(dialect, request, reply, STAMP) == (fault if changed else Fault())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", constructors())
def test_served_faults_are_those_that_change_a_recorded_body(name: str, dialect: Dialect) -> None:
    body = RecordedBody(content=b"".join(dialect.events(Answer(text=TEXT), asked(""), STAMP)))
    fault, reply = made(name), Reply(body=body, fault=made(name))
    changed = wire(dialect, asked(name), reply) != wire(dialect, asked(name), Reply(body=body))
    assert served(dialect, asked(name), reply, STAMP) == (fault if changed else Fault())


PLACED = [
    (name, place)
    for name, constructor in constructors().items()
    for place in ("at_event", "at_byte")
    if place in inspect.signature(constructor).parameters
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(("name", "place"), PLACED)
def test_place_that_the_stream_does_not_reach_changes_nothing(name: str, place: str, dialect: Dialect) -> None:
    reply = Reply(answer=REPLY.answer, fault=constructors()[name](**{place: 9_000}))
    assert wire(dialect, asked(name), reply) == wire(dialect, asked(name), REPLY)
    assert served(dialect, asked(name), reply, STAMP) == Fault()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", [name for name, place in PLACED if place == "at_event"])
def test_place_counts_the_events_of_the_stream(name: str, dialect: Dialect) -> None:
    events = len(list(dialect.events(Answer(text=TEXT), asked(name), STAMP)))
    last, behind = (constructors()[name](at_event=number) for number in (events - 1, events + 1))
    swaps_the_last = name == "reorder"  # with the event after it, and there is none
    assert served(dialect, asked(name), Reply(answer=REPLY.answer, fault=last), STAMP) == (
        Fault() if swaps_the_last else last
    )
    assert served(dialect, asked(name), Reply(answer=REPLY.answer, fault=behind), STAMP) == Fault()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.reset(at_event=900) | Fault.comments(), Fault.comments()),
        (Fault.drop(at_event=900) | Fault.corrupt_gzip(at_event=900), Fault()),
        (Fault.content_length_short(at_event=900) | Fault.bom(), Fault.bom()),
        (Fault.stall(at_event=9) | Fault.cut(at_event=2), Fault.cut(at_event=2)),
        (Fault.cut() | Fault.cut(), Fault.cut()),
        (Fault.status(503) | Fault.reset(), Fault.status(503)),
        (Fault.framing("lf"), Fault()),
        (Fault.pings(count=0), Fault()),
        (Fault.comments() | Fault.framing("crlf"), Fault.comments() | Fault.framing("crlf")),
        (Fault.starts_over(), Fault()),
    ],
    ids=str,
)
def test_served_faults_leave_out_what_another_fault_makes_impossible(fault: Fault, expected: Fault) -> None:
    assert served(CHAT, asked(""), Reply(answer=REPLY.answer, fault=fault), STAMP) == expected


def test_fault_behind_the_last_event_is_not_in_the_log() -> None:
    import openai

    with simulator() as sim, openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0, timeout=120) as client:
        sim.script("reset at_event=900", "clean-end at_event=900", "reset at_event=4")
        for stream in (True, True, False):
            with pytest.raises(openai.APIConnectionError) if not stream else nullcontext():
                list(
                    client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": "hi"}], stream=stream
                    )
                )
        # A complete answer has no events: the fault comes at its end, and breaks it.
        assert [received.answered for received in sim.requests] == ["ok", "ok", "reset at_event=4"]


def test_ledger_does_not_name_a_fault_without_implementation() -> None:
    import openai

    with simulator() as sim, openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0, timeout=120) as client:
        sim.script(_fault("throw_away"), Fault.no_event_names() | Fault.comments(), Fault.no_terminal())
        for stream in (True, True, False):
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=stream
            )
            assert answer if not stream else list(answer)
        assert [received.answered for received in sim.requests] == ["ok", "comments 1", "ok"]
