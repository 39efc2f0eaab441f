"""A policy with ``mode="off"``: the calls of a patched SDK pass through as if L0 were not there."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journeys_kit import (
    CHATTING,
    HELLO,
    MESSAGING,
    OK,
    RESPONDING,
    Spans,
    chat_client,
    client_of,
    dumped,
    sync_and_async,
)

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.stainless.sdk_responses import ObservedByteStream

OFF = l0.Policy(mode="off")
Way = Callable[[Any], Any]
CREATES: dict[str, Way] = {
    "chat": lambda client: client.chat.completions.create(**CHATTING, stream=True),
    "responses": lambda client: client.responses.create(**RESPONDING, stream=True),
    "messages": lambda client: client.messages.create(**MESSAGING, stream=True),
}
HELPERS: dict[str, Way] = {
    "chat": lambda client: client.chat.completions.stream(**CHATTING),
    "messages": lambda client: client.messages.stream(**MESSAGING),
}
COMPLETE: dict[str, Way] = {
    "chat": lambda client: client.chat.completions.create(**CHATTING),
    "messages": lambda client: client.messages.create(model="m", max_tokens=9, messages=HELLO),
}
_DIFFERS = re.compile(r"(?<=[-_])[0-9a-f]{20,}|'created(_at)?': [0-9.]+")
"""Ids and times, which are others in each answer of the simulator."""
CUT = Fault.clean_end(at_event=5)


def result(sim: Simulator, dialect: str, way: Way, *, sync: bool, wrap: Way = lambda client: client) -> Any:
    """Return what the user gets: objects, error with its notes; and the number of requests."""
    got: list[Any] = []

    def read() -> None:
        answer = way(wrap(client_of(sim, dialect, max_retries=0)))
        if hasattr(answer, "__enter__") and not hasattr(answer, "__iter__"):
            with answer as stream:
                got.extend(stream)
        else:
            got.extend(answer if hasattr(answer, "response") else [answer])

    async def aread() -> None:
        async with client_of(sim, dialect, sync=False, max_retries=0) as client:
            answer = way(wrap(client))
            if hasattr(answer, "__aenter__"):
                async with answer as stream:
                    got.extend([event async for event in stream])
                return
            answer = await answer
            got.extend([event async for event in answer] if hasattr(answer, "response") else [answer])

    error: Exception | None = None
    try:
        read() if sync else asyncio.run(aread())
    except Exception as raised:
        error = raised
    told = f"{dumped(got)} {type(error)} {error} {getattr(error, '__notes__', None)}"
    return _DIFFERS.sub("", told), len(sim.requests)


def off_by_block(compare: Callable[[Way], Any]) -> Any:
    with l0.policy(mode="off"):
        return compare(lambda client: client)


def off_by_client(compare: Callable[[Way], Any]) -> Any:
    return compare(lambda client: l0.wrap(client, policy=OFF))


def off_by_default(compare: Callable[[Way], Any]) -> Any:
    l0.instrument(OFF)
    return compare(lambda client: client)


WAYS_OFF = pytest.mark.parametrize("off", [off_by_block, off_by_client, off_by_default])


def check_transparent(sim: Simulator, dialect: str, way: Way, fault: Fault, off: Any, *, sync: bool) -> None:
    l0.uninstrument()
    sim.script(fault)
    bare = result(sim, dialect, way, sync=sync)
    spans = Spans()
    spans.instrument()
    sim.reset()
    sim.script(fault)
    assert off(lambda wrap: result(sim, dialect, way, sync=sync, wrap=wrap)) == bare
    assert spans.all == ()


@WAYS_OFF
@sync_and_async
@pytest.mark.parametrize("fault", [CUT, Fault.cut(at_event=5), Fault.status(503)], ids=str)
@pytest.mark.parametrize("dialect", CREATES)
def test_stream_passes_through(sim: Simulator, dialect: str, fault: Fault, off: Any, sync: bool) -> None:
    check_transparent(sim, dialect, CREATES[dialect], fault, off, sync=sync)


@sync_and_async
@pytest.mark.parametrize("dialect", HELPERS)
def test_helper_passes_through(sim: Simulator, dialect: str, sync: bool) -> None:
    check_transparent(sim, dialect, HELPERS[dialect], CUT, off_by_block, sync=sync)


@sync_and_async
@pytest.mark.parametrize("fault", [Fault.status(429), Fault.empty()], ids=str)
@pytest.mark.parametrize("dialect", COMPLETE)
def test_complete_answer_passes_through(sim: Simulator, dialect: str, fault: Fault, sync: bool) -> None:
    check_transparent(sim, dialect, COMPLETE[dialect], fault, off_by_block, sync=sync)


def test_off_records_nothing_and_puts_nothing_on_the_body(sim: Simulator, tmp_path: Path) -> None:
    l0.instrument(record=tmp_path, summary=True)
    with l0.policy(mode="off"):
        stream = CREATES["chat"](chat_client(sim))
        assert not isinstance(stream.response.stream, ObservedByteStream)
        assert list(stream)
    l0.flush_recording()
    assert not list(tmp_path.rglob("*.l0"))
    assert l0.summary().calls == 0


def test_other_calls_stay_protected(sim: Simulator) -> None:
    l0.uninstrument()
    spans = Spans()
    spans.instrument()
    client = chat_client(sim)
    with l0.policy(mode="off"):
        stream = CREATES["chat"](client)
    assert list(CREATES["chat"](client))
    assert spans.ends == [OK]
    assert list(stream)  # began in the block, so L0 does not read it after the block either
    assert spans.ends == [OK]


def test_off_client_is_on_only_in_a_block_that_sets_the_mode(sim: Simulator) -> None:
    l0.uninstrument()
    spans = Spans()
    spans.instrument()
    client = l0.wrap(chat_client(sim), policy=OFF)
    with l0.policy(l0.Policy(), timeout=l0.Timeout()), l0.policy(retry=l0.Retry()):
        assert list(CREATES["chat"](client))
    assert spans.ends == []
    with l0.policy(mode="active"), l0.policy(retry=l0.Retry()):
        assert list(CREATES["chat"](client))
    assert spans.ends == [OK]


def test_variable_turns_a_program_with_policies_off(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    l0.uninstrument()
    monkeypatch.setenv("L0_MODE", "off")
    spans = Spans()
    spans.instrument()
    l0.instrument(l0.Policy.agent())
    client = chat_client(sim)
    for each in (client, l0.wrap(client, retry=l0.Retry())):
        assert list(CREATES["chat"](each))
        with l0.policy(l0.Policy.batch()), l0.policy(timeout=l0.Timeout()):
            assert list(CREATES["chat"](each))
    assert spans.ends == []
    with l0.policy(mode="active"):
        assert list(CREATES["chat"](client))
    with l0.policy(mode="shadow"):
        assert list(CREATES["chat"](client))
    assert spans.ends == [OK, OK]


def test_variable_does_not_turn_the_explicit_api_off(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    l0.uninstrument()
    monkeypatch.setenv("L0_MODE", "off")
    spans = Spans()
    spans.instrument()
    sim.script(Fault.status(503), Fault.status(503))
    bare = l0.wrap(chat_client(sim), policy=OFF)
    with l0.run_sync(lambda: CREATES["chat"](bare), policy=l0.Policy(retry=l0.Retry(base_delay=0))) as stream:
        assert stream.read()
        assert stream.state.attempts == 3
