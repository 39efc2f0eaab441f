"""Switching l0 on and off: twice, from threads, while a stream is read, and under somebody else's wrapper."""

import threading
from typing import Any
from unittest.mock import Mock

import anthropic
import openai
import pytest
import wrapt
from journeys_kit import OK, OPEN, Spans, exhausted

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator


def functions() -> list[Any]:
    """Return the attributes that are patched."""
    return [
        kind.__dict__[name]
        for sdk in (openai, anthropic)
        for kind, name in (
            (sdk._base_client.SyncAPIClient, "request"),
            (sdk._base_client.AsyncAPIClient, "request"),
            (sdk._streaming.Stream, "__stream__"),
            (sdk._streaming.AsyncStream, "__stream__"),
        )
    ]


def test_on_twice_and_off_twice(sim: Simulator) -> None:
    l0.uninstrument()
    before = functions()
    spans = Spans()
    spans.instrument()
    patched = functions()
    l0.instrument()
    l0.instrument(l0.Policy.batch())
    assert functions() == patched
    assert all(one is not other for one, other in zip(before, patched, strict=True))
    exhausted(OPEN["chat"](sim))
    assert spans.ends == [OK]
    l0.uninstrument()
    l0.uninstrument()
    assert all(one is other for one, other in zip(before, functions(), strict=True))


def test_on_and_off_from_threads(sim: Simulator) -> None:
    l0.uninstrument()
    before = functions()
    failures: list[BaseException] = []

    def toggle(number: int) -> None:
        try:
            for _ in range(3):
                l0.instrument()
                list(OPEN["chat" if number % 2 else "messages"](sim))
                l0.uninstrument()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=toggle, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    l0.uninstrument()
    assert all(one is other for one, other in zip(before, functions(), strict=True))


def test_off_while_a_stream_is_read(sim: Simulator, spans: Spans) -> None:
    sim.script(Fault.slow_drip(interval=0.001))
    stream = OPEN["chat"](sim)
    next(stream)
    l0.uninstrument()
    exhausted(stream)
    assert spans.ends == [OK]


@pytest.mark.parametrize("name", ["request", "__stream__"])
def test_second_instrument_call_heals_a_patch_that_another_library_has_undone(sim: Simulator, name: str) -> None:
    l0.uninstrument()
    owner: Any = openai._base_client.SyncAPIClient if name == "request" else openai.Stream
    bare = owner.__dict__[name]
    earlier = wrapt.FunctionWrapper(bare, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs))
    setattr(owner, name, earlier)
    spans = Spans()
    try:
        spans.instrument()
        for restored in (earlier, bare):
            setattr(owner, name, restored)
            exhausted(OPEN["chat"](sim))
            served = len(spans.ends)
            spans.instrument()
            exhausted(OPEN["chat"](sim))
            assert spans.ends[served:] == [OK]
        l0.uninstrument()
        assert owner.__dict__[name] is bare
    finally:
        l0.uninstrument()
        setattr(owner, name, bare)


def test_second_instrument_call_leaves_a_wrapper_around_l0_alone(sim: Simulator, spans: Spans) -> None:
    owner: Any = openai._base_client.SyncAPIClient
    ours = owner.__dict__["request"]
    for theirs in (
        wrapt.FunctionWrapper(ours, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs)),
        Mock(side_effect=ours),  # it does not show what it calls
    ):
        owner.request = theirs
        try:
            l0.instrument()
            assert owner.__dict__["request"] is theirs
        finally:
            owner.request = ours
    exhausted(OPEN["chat"](sim))
    assert spans.ends == [OK]


def test_under_a_foreign_wrapper(sim: Simulator, spans: Spans) -> None:
    seen = []

    def foreign(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        seen.append(1)
        return wrapped(*args, **kwargs)

    owner: Any = openai._base_client.SyncAPIClient
    ours = owner.__dict__["request"]
    owner.request = theirs = wrapt.FunctionWrapper(ours, foreign)
    try:
        exhausted(OPEN["chat"](sim))
        assert spans.ends == [OK]
        l0.uninstrument()
        assert owner.__dict__["request"] is theirs
        exhausted(OPEN["chat"](sim))
        assert (len(seen), len(spans.ends)) == (2, 1)
        again = Spans()
        again.instrument()
        exhausted(OPEN["chat"](sim))
        assert (len(again.ends), len(spans.ends)) == (1, 1)
    finally:
        l0.uninstrument()
        owner.request = ours.__wrapped__
