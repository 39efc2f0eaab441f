"""Unusual but valid behaviour of other servers: the same result with L0 as without it."""

import gzip
from typing import Any

import anyio
import pytest
from installed import needs_trio
from journeys_kit import (
    CHATTING,
    MESSAGING,
    OPEN,
    async_chat_client,
    async_claude,
    body,
    both_ways,
    chat_client,
    dumped,
    origin,
)

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator

ODD = {
    "slow": Fault.slow_drip(interval=0.01),
    "pinging": Fault.pings(at_event=3, count=5, interval=0.01),
    "comments": Fault.comments(),
    "CRLF": Fault.framing("crlf"),
    "CR": Fault.framing("cr"),
    "close-delimited": Fault.close_delimited(),
    "byte-wise": Fault.bytewise(),
    "no finish reason": Fault.no_finish_reason(),
    "no terminal, origin unknown": Fault.no_terminal(),
    "clean end, origin unknown": Fault.clean_end(at_event=8),
    "stall": Fault.stall(at_event=8, seconds=0.3),
    "stall before content": Fault.stall(at_event=1, seconds=0.3),
    "headers late": Fault.no_headers(seconds=0.3) | Fault.comments(),
}


@pytest.mark.parametrize("fault", ODD.values(), ids=ODD)
@pytest.mark.parametrize("dialect", OPEN)
def test_odd_servers(sim: Simulator, dialect: str, fault: Fault) -> None:
    forget_sources()

    def prepare() -> None:
        sim.script(Reply(body=RecordedBody(content=body(dialect)), fault=fault))

    bare, ours = both_ways(sim, lambda sim: dumped(OPEN[dialect](sim)), prepare)
    assert bare == ours
    assert bare
    assert len(sim.requests) == 1


def forget_sources() -> None:
    """Forget what this process has learnt of origins: each case meets an unknown one."""
    from l0.config import CONFIG

    CONFIG.shared_state.terminal_event_sources._seen.clear()


@pytest.mark.parametrize("dialect", OPEN)
@pytest.mark.parametrize("frames", [55, 200])
def test_many_lifecycle_frames(sim: Simulator, dialect: str, frames: int) -> None:
    def prepare() -> None:
        sim.script(Fault.lifecycle_frames(frames))

    bare, ours = both_ways(sim, lambda sim: [type(item).__name__ for item in OPEN[dialect](sim)], prepare)
    assert bare == ours
    assert len(bare) >= (frames if dialect != "messages" else 1)


def test_null_data_is_dropped(sim: Simulator) -> None:
    """The one difference: bare, the user gets a ``None`` between the chunks."""

    def prepare() -> None:
        sim.script(Reply(body=RecordedBody(content=body("chat")), fault=Fault.null_data(at_event=5)))

    bare, ours = both_ways(sim, lambda sim: list(OPEN["chat"](sim)), prepare)
    assert None in bare
    assert dumped(one for one in bare if one is not None) == dumped(ours)


def test_a_byte_order_mark_costs_no_chunk(sim: Simulator) -> None:
    sim.script(
        Reply(body=RecordedBody(content=body("chat")), fault=Fault.bom()),
        Reply(body=RecordedBody(content=body("chat"))),
    )
    l0.instrument()
    assert dumped(OPEN["chat"](sim)) == dumped(OPEN["chat"](sim))


@pytest.mark.parametrize(
    "event", [b'{"id":"i","event":{"delta":{"type":"text","text":"Hi"}}}', b'{"id":"i","choices":null}']
)
def test_events_of_another_format_arrive_as_without_l0(sim: Simulator, event: bytes) -> None:
    """No event can be read, so nothing proves that the answer is empty: it is not an error, and not requested again."""
    forget_sources()
    content = b"".join(b"data: %s\n\n" % event for _ in range(4))

    def prepare() -> None:
        sim.script(Reply(body=RecordedBody(content=content)))

    bare, ours = both_ways(sim, lambda sim: dumped(OPEN["chat"](sim)), prepare)
    assert bare == ours
    assert len(ours) == 4
    assert len(sim.requests) == 1


@pytest.mark.parametrize("choices", [2, 3])
def test_several_choices(sim: Simulator, choices: int) -> None:
    bare, ours = both_ways(
        sim,
        lambda sim: dumped(chat_client(sim).chat.completions.create(**CHATTING, n=choices, stream=True)),
        lambda: sim.play(body("chat", choices=choices)),
    )
    assert bare == ours
    assert {choice["index"] for _, chunk in ours for choice in chunk["choices"]} == set(range(choices))


@pytest.mark.parametrize("name", ["answer tool_weather", "answer languages | comments", "tokens 2000"])
@pytest.mark.parametrize("dialect", OPEN)
def test_named_answers(sim: Simulator, dialect: str, name: str) -> None:
    def shape(sim: Simulator) -> list[str]:
        return [type(item).__name__ for item in OPEN[dialect](sim)]

    bare, ours = both_ways(sim, shape, lambda: sim.script(name))
    assert bare == ours


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (gzip.compress(body("chat")), {"content-type": "text/event-stream", "content-encoding": "gzip"}),
        (body("chat"), {"content-type": "application/octet-stream"}),
        (body("chat"), {}),
        (body("chat").replace(b"hello", b"h" * 8_000_000, 1), {"content-type": "text/event-stream"}),
    ],
    ids=["gzip", "wrong content type", "no content type", "8 MB"],
)
def test_bodies_of_other_servers(sim: Simulator, content: bytes, headers: dict[str, str]) -> None:
    with origin(content, headers) as url:
        bare, ours = both_ways(
            sim, lambda sim: dumped(chat_client(sim, base_url=url).chat.completions.create(**CHATTING, stream=True))
        )
    assert bare == ours
    assert len(bare) > 3


@needs_trio
def test_trio(sim: Simulator) -> None:
    async def journey() -> list[Any]:
        async with async_chat_client(sim) as client, async_claude(sim) as other:
            stream = await client.chat.completions.create(**CHATTING, stream=True)
            items = [item async for item in stream]
            await stream.close()
            return items + [item async for item in await other.messages.create(**MESSAGING, stream=True)]

    sim.play(body("chat"))
    sim.play(body("messages"))
    l0.instrument()
    trio = dumped(anyio.run(journey, backend="trio"))
    sim.play(body("chat"))
    sim.play(body("messages"))
    assert trio == dumped(anyio.run(journey, backend="asyncio"))
