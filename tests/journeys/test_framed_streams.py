"""Streams in AWS event-stream frames, which the SDK's own decoder of the client reads."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aws_stubs import framed, stub_aws
from journeys_kit import body, sync_and_async
from origins_kit import CONTENT, KINDS, Got, place

import l0
from l0.simulator.corpus import bundled_answer

BEDROCK = next(kind for kind in KINDS if kind.name == "aws-signed")
REQUEST: dict[str, Any] = CONTENT["messages"] | {"stream": True}


@pytest.fixture(autouse=True)
def _off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    stub_aws(monkeypatch)
    yield
    l0.uninstrument()


def texts(events: list[Any]) -> str:
    return "".join(getattr(getattr(event, "delta", None), "text", None) or "" for event in events)


@sync_and_async
def test_a_hedge_race_is_over_at_the_first_content(sync: bool) -> None:
    delivered = threading.Event()
    in_time: list[bool] = []

    def answer(got: Got, number: int) -> Any:
        whole = body("messages")
        cut = whole.index(b'"text":"!"')
        first, rest = whole[: whole.rindex(b"event: ", 0, cut)], whole[whole.rindex(b"event: ", 0, cut) :]

        def parts() -> Iterator[bytes]:
            yield framed(first)
            in_time.append(delivered.wait(120))
            yield framed(rest)

        return 200, {"content-type": "application/vnd.amazon.eventstream"}, parts()

    def taken(events: list[Any], event: Any) -> None:
        events.append(event)
        delivered.set()

    l0.instrument(l0.Policy(hedge=l0.Hedge(after=60_000)))
    with place() as server:
        server.answer = answer
        client = BEDROCK.client(server.url, "k", sync=sync)
        events: list[Any] = []
        if sync:
            with client:
                for event in client.messages.create(**REQUEST):
                    taken(events, event)
        else:

            async def journey() -> None:
                async with client:
                    async for event in await client.messages.create(**REQUEST):
                        taken(events, event)

            asyncio.run(journey())
    assert in_time == [True]
    assert texts(events) == bundled_answer("greeting").text
