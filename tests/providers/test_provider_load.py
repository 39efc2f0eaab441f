"""Calls through the declared SDKs cost no more than bare, and 200 streams at once keep their answers apart."""

import asyncio
from collections.abc import Callable
from typing import Any

from calls_per_token import LONG, SHORT, count
from tried_sdks import ProviderStage

import l0
from l0.simulator.answers import Answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.server_dialect import AnswerIdentity
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
STREAMS, BROKEN = 200, 40


def _reading(stage: ProviderStage, tokens: int) -> Callable[[], None]:
    """Return a function that reads one answer, each event in a separate read."""
    transport = stage.tried.package._streaming.httpx
    reads = list(CHAT.events(Answer(tokens=tokens), CHAT.read_request(ASKED), AnswerIdentity.of(0, 0)))

    def respond(request: Any) -> Any:
        headers = {"content-type": "text/event-stream"}
        return transport.Response(200, headers=headers, content=iter(reads), request=request)

    http = transport.Client(transport=transport.MockTransport(respond))
    client = stage.tried.make_client("http://origin.invalid", http_client=http, max_retries=0)

    def read() -> None:
        with client:
            for _ in client.chat.completions.create(**ASKED):
                pass

    return read


def _calls_per_token(stage: ProviderStage) -> float:
    for _ in range(2):  # the first answers compile constructors and fill caches
        _reading(stage, SHORT)()
    short, long = (count(_reading(stage, tokens))[1] for tokens in (SHORT, LONG))
    return (long - short) / (LONG - SHORT)


def test_token_costs_fewer_calls_than_bare(stage: ProviderStage) -> None:
    bare = _calls_per_token(stage)
    stage.on()
    try:
        ours = _calls_per_token(stage)
    finally:
        l0.uninstrument()
    print(f"{stage.tried}: {ours:.0f} calls for a token, bare {bare:.0f}")
    assert ours < bare * stage.tried.share_of_calls


def test_200_streams_at_once(stage: ProviderStage) -> None:
    words = {f"poem {number}": f"Verse {number} of a long poem. " * 8 for number in range(STREAMS)}
    stage.sim.reset()
    for prompt, text in words.items():
        healthy = Reply(answer=Answer(text=text))
        if int(prompt.split()[1]) < BROKEN:
            broken = Reply(answer=healthy.answer, fault=Fault.reset(at_event=0))
            stage.sim.on(prompt=f"{prompt}.", reply=broken, times=1)
        stage.sim.on(prompt=f"{prompt}.", reply=healthy)
    stage.on()
    try:
        read = stage.loop.run_until_complete(_read_all(stage, list(words)))
        requests = len(stage.sim.requests)
    finally:
        l0.uninstrument()
        stage.sim.reset()
    assert read == words
    assert requests == STREAMS + BROKEN


async def _read_all(stage: ProviderStage, prompts: list[str]) -> dict[str, str]:
    async with stage.tried.make_client(stage.sim.origin, sync=False) as client:

        async def one(prompt: str) -> str:
            asked = {**ASKED, "messages": [{"role": "user", "content": f"{prompt}."}]}
            parts = []
            async for chunk in await client.chat.completions.create(**asked):
                parts += [choice.delta.content or "" for choice in chunk.choices]
            return "".join(parts)

        return dict(zip(prompts, await asyncio.gather(*map(one, prompts)), strict=True))
