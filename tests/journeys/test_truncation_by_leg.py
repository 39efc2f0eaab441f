"""A stream without its terminal event is judged by the base URL and model that sent it, also if that is a fallback."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from journeys_kit import CHATTING, async_chat_client, chat_client, sync_and_async

import l0
from l0.config import CONFIG
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.testing import simulator

ONCE = l0.Retry(max_retries=0)
DOWN, UNENDED, HEALTHY = Reply(fault=Fault.status(503)), Reply(fault=Fault.clean_end(at_event=3)), Reply()


@pytest.fixture(autouse=True)
def _unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())


@pytest.fixture(scope="module")
def second() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


@pytest.fixture
def spare(second: Simulator) -> Simulator:
    second.reset()
    return second


def stream(client: Any, *others: Any, sync: bool, **request: Any) -> str:
    """Return the text of one stream. Async clients are closed."""
    create, asked = client.chat.completions.create, {**CHATTING, "stream": True, **request}
    if sync:
        return "".join(chunk.choices[0].delta.content or "" for chunk in create(**asked) if chunk.choices)

    async def read() -> str:
        try:
            items = [chunk async for chunk in await create(**asked)]
        finally:
            for one in (client, *others):
                await one.close()
        return "".join(chunk.choices[0].delta.content or "" for chunk in items if chunk.choices)

    return str(asyncio.run(read()))


def make(sim: Simulator, *, sync: bool, **options: Any) -> Any:
    return (chat_client if sync else async_chat_client)(sim, **options)


def fall(
    sim: Simulator,
    spare: Simulator,
    *,
    sync: bool,
    truncation: Any = None,
) -> str:
    """Return the text of a call that falls back to another client, whose stream has no terminal event."""
    sim.script(DOWN)
    spare.script(UNENDED)
    other = make(spare, sync=sync)
    with l0.policy(retry=ONCE, fallback=l0.Fallback(client=other), truncation=truncation):
        return stream(make(sim, sync=sync), other, sync=sync)


@sync_and_async
def test_fallback_that_is_known_to_send_terminal_events(sim: Simulator, spare: Simulator, sync: bool) -> None:
    l0.instrument()
    assert stream(make(spare, sync=sync), sync=sync)
    with pytest.raises(openai.APIConnectionError) as caught:
        fall(sim, spare, sync=sync)
    assert isinstance(caught.value, l0.StreamInterrupted)
    assert caught.value.reason == "truncated"


@sync_and_async
def test_fallback_that_is_unknown_beside_a_primary_that_is_known(
    sim: Simulator, spare: Simulator, sync: bool, caplog: pytest.LogCaptureFixture
) -> None:
    l0.instrument()
    assert stream(make(sim, sync=sync), sync=sync)
    with caplog.at_level(logging.WARNING, "l0"):
        assert fall(sim, spare, sync=sync)
    (warned,) = [
        record.getMessage() for record in caplog.records if "without its terminal event" in record.getMessage()
    ]
    assert spare.origin in warned


@sync_and_async
def test_another_model_of_the_same_client(sim: Simulator, sync: bool) -> None:
    l0.instrument()
    assert stream(make(sim, sync=sync), sync=sync, model="known")
    for model, broken in (("known", True), ("unknown", False)):
        sim.script(DOWN, UNENDED)
        with l0.policy(retry=ONCE, fallback=l0.Fallback(model=model)):
            if broken:
                with pytest.raises(l0.StreamInterrupted):
                    stream(make(sim, sync=sync), sync=sync)
            else:
                assert stream(make(sim, sync=sync), sync=sync)


@sync_and_async
@pytest.mark.parametrize("path", ["", "/v1"])
def test_truncation_of_the_fallbacks_own_base_url(sim: Simulator, spare: Simulator, sync: bool, path: str) -> None:
    l0.instrument()
    with pytest.raises(l0.StreamInterrupted):
        fall(sim, spare, sync=sync, truncation={f"{spare.origin}{path}": "strict", sim.origin: "off"})
    assert fall(sim, spare, sync=sync, truncation={f"{spare.origin}{path}": "off", sim.origin: "strict"})
    with pytest.raises(l0.StreamInterrupted):
        fall(sim, spare, sync=sync, truncation={f"{spare.origin}/other/path": "off", spare.origin: "strict"})
