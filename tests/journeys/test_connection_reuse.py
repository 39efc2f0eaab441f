"""Connections are used again as often as by the bare SDKs, whether streams are read directly or not."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any

import anthropic
import openai
import pytest

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
CREATE: dict[str, Callable[[Any], Any]] = {
    "chat": lambda client: client.chat.completions.create(model="gpt-4o", **ASKED),
    "messages": lambda client: client.messages.create(model="claude-test", max_tokens=4096, **ASKED),
}
CLIENTS: dict[tuple[str, str], Any] = {
    ("chat", "sync"): openai.OpenAI,
    ("chat", "async"): openai.AsyncOpenAI,
    ("messages", "sync"): anthropic.Anthropic,
    ("messages", "async"): anthropic.AsyncAnthropic,
}
CASES: dict[str, tuple[Fault, int | None]] = {
    "whole": (Fault.one_write(), None),
    "whole, closed early": (Fault.one_write(), 3),
    "in pieces, closed early": (Fault(), 3),
    "delimited by the close": (Fault.close_delimited(), None),
    "reset": (Fault.reset(at_event=4), None),
    "cut": (Fault.cut(at_event=4), None),
    "an end without its event": (Fault.clean_end(at_event=4), None),
}
"""The fault of each answer, and the chunks after which the user closes it. The bare SDK may close a whole answer in
pieces before its last bytes arrive, so no two runs of it would be equal."""
CALLS = 2


class Connections:
    """Counts the connections that a client opens."""

    def __init__(self, client: Any) -> None:
        backend = client._client._transport._pool._network_backend
        self._connect = backend.connect_tcp
        self.count = 0
        backend.connect_tcp = self._counted

    def _counted(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        return self._connect(*arguments, **options)


def opened(api: str, flavour: str, sim: Simulator, fault: Fault, stops: int | None) -> int:
    """The connections of some calls, one after the other. ``stops``: the chunks after which the user closes."""
    sim.reset()
    sim.script(*[Reply(fault=fault)] * CALLS)
    client = CLIENTS[api, flavour](api_key="x", base_url=sim.openai if api == "chat" else sim.anthropic, max_retries=0)
    if flavour == "sync":
        return _opened(api, client, stops)
    return asyncio.run(_aopened(api, client, stops))


def _opened(api: str, client: Any, stops: int | None) -> int:
    with client:
        connections = Connections(client)
        for _ in range(CALLS):
            with suppress(Exception), CREATE[api](client) as stream:
                list(islice(stream, stops))
        return connections.count


async def _aopened(api: str, client: Any, stops: int | None) -> int:
    async with client:
        connections = Connections(client)
        for _ in range(CALLS):
            left = stops
            with suppress(Exception):
                async with await CREATE[api](client) as stream:
                    async for _ in stream:
                        left = None if left is None else left - 1
                        if left == 0:
                            break
        return connections.count


def all_opened(api: str, flavour: str, sim: Simulator) -> dict[str, int]:
    return {name: opened(api, flavour, sim, *case) for name, case in CASES.items()}


@pytest.mark.parametrize(("api", "flavour"), CLIENTS)
def test_connections_are_used_as_often_as_by_the_bare_sdk(api: str, flavour: str, sim: Simulator, taken) -> None:
    bare = all_opened(api, flavour, sim)
    assert bare["whole, closed early"] == bare["cut"] == CALLS
    expected = bare | {"whole": 1}  # openai's sync stream closes its connection before the end of the body
    l0.instrument(direct=False)
    assert all_opened(api, flavour, sim) == expected
    assert taken == []
    l0.instrument(direct=True)
    assert all_opened(api, flavour, sim) == expected
    assert taken == [True] * CALLS * len(CASES)
