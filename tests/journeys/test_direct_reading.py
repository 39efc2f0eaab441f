"""Streams read directly from their connections: the same answers, past the transport's parser."""

import asyncio
import re
import threading
from typing import Any

import anthropic
import openai
import pytest

import l0
from l0.config import CONFIG
from l0.model.policy_from_environment import read_environment
from l0.runtime.async_deadlines import AsyncioReads
from l0.simulator.server import Simulator
from l0.stainless import direct_bodies, direct_proof, direct_verdicts
from l0.stainless.direct_verdicts import Proofs

ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "[[simulate: tokens 50]]"}], "stream": True}
_ID = re.compile(r"[0-9a-f]{24}|created=\d+|obfuscation='\w*'")
CALLS = {
    "chat": lambda client: client.chat.completions.create(model="gpt-4o", **ASKED),
    "messages": lambda client: client.messages.create(model="claude-test", max_tokens=4096, **ASKED),
}
CLIENTS: dict[tuple[str, str], Any] = {
    ("chat", "sync"): openai.OpenAI,
    ("chat", "async"): openai.AsyncOpenAI,
    ("messages", "sync"): anthropic.Anthropic,
    ("messages", "async"): anthropic.AsyncAnthropic,
}


def told(api: str, flavour: str, sim: Simulator) -> tuple[list[str], int]:
    """The chunks of two answers, without what no two answers share; and over how many connections they came."""
    client = CLIENTS[api, flavour](api_key="x", base_url=sim.openai if api == "chat" else sim.anthropic)
    chunks, connections = _collect(api, client) if flavour == "sync" else asyncio.run(_acollect(api, client))
    return [_ID.sub("ID", repr(chunk)) for chunk in chunks], connections


def _collect(api: str, client: Any) -> tuple[list[Any], int]:
    with client:
        chunks = [chunk for _ in range(2) for chunk in CALLS[api](client)]
        return chunks, len(client._client._transport._pool.connections)


async def _acollect(api: str, client: Any) -> tuple[list[Any], int]:
    async with client:
        chunks = [chunk for _ in range(2) async for chunk in await CALLS[api](client)]
        return chunks, len(client._client._transport._pool.connections)


@pytest.mark.parametrize("policy", [None, l0.Policy.interactive()], ids=["no deadlines", "deadlines"])
@pytest.mark.parametrize(("api", "flavour"), CLIENTS)
def test_the_same_chunks_come_over_one_connection(api, flavour, policy, sim, taken):
    bare, _ = told(api, flavour, sim)
    l0.instrument(policy, direct=True)
    assert told(api, flavour, sim) == (bare, 1)
    assert taken == [True, True]


@pytest.mark.parametrize(("api", "flavour"), CLIENTS)
def test_recorded_streams_are_read_directly(api, flavour, sim, taken, tmp_path):
    bare, _ = told(api, flavour, sim)
    l0.instrument(direct=True, record=tmp_path)
    assert told(api, flavour, sim) == (bare, 1)
    assert taken == [True, True]


def test_a_proof_does_not_use_up_the_time_of_the_first_read(sim, monkeypatch):
    order: list[str] = []
    read_of = AsyncioReads.read

    async def prove(_: object) -> str:
        order.append("proof")
        return ""

    def read(self: AsyncioReads) -> Any:
        order.append("read")
        return read_of(self)

    monkeypatch.setattr(direct_bodies, "PROOFS", Proofs())
    monkeypatch.setattr(direct_bodies, "_PREPARED", set())
    monkeypatch.setattr(direct_proof, "areason_against", prove)
    monkeypatch.setattr(AsyncioReads, "read", read)
    l0.instrument(l0.Policy.interactive(), direct=True)
    told("chat", "async", sim)
    assert order[:3] == ["read", "proof", "read"]  # the first one is the request
    assert order.count("proof") == 1


def test_an_answer_is_read_while_its_proof_still_runs(sim, monkeypatch):
    bare, _ = told("chat", "async", sim)
    may_end, ended = threading.Event(), threading.Event()

    async def prove(_: object) -> str:
        assert may_end.wait(60)
        ended.set()
        return ""

    monkeypatch.setattr(direct_bodies, "PROOFS", Proofs())
    monkeypatch.setattr(direct_bodies, "_PREPARED", set())
    monkeypatch.setattr(direct_verdicts, "LONGEST_WAIT_S", 0.01)
    monkeypatch.setattr(direct_proof, "areason_against", prove)
    l0.instrument(direct=True)
    assert told("chat", "async", sim) == (bare, 1)
    may_end.set()
    assert ended.wait(60)


@pytest.mark.parametrize(
    ("said", "asked", "is_on"),
    [
        ("", None, True),
        ("1", None, True),
        ("0", None, False),
        ("false", None, False),
        ("1", False, False),
        ("0", True, True),
        ("", False, False),
    ],
)
def test_direct_reading_is_on_unless_it_is_turned_off(said, asked, is_on, sim, taken, monkeypatch):
    monkeypatch.setenv("L0_DIRECT", said)
    l0.instrument(direct=asked)
    assert CONFIG.direct is is_on
    told("chat", "sync", sim)
    assert taken == [True, True] * is_on
    monkeypatch.delenv("L0_DIRECT")
    l0.uninstrument()
    l0.instrument()
    assert CONFIG.direct


def test_invalid_direct_switch_is_reported():
    assert "L0_DIRECT" in read_environment({"L0_DIRECT": "perhaps"}).problems[0]
