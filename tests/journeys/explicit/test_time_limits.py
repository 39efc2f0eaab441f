"""Time limits of the explicit API for answers that do not stream: only the limit for the whole call applies."""

from datetime import timedelta
from typing import Any

import anyio
import openai
import pytest
from explicit_kit import Ask, asks, async_client, chat_whole, client, messages_whole

import l0
from l0 import Policy, Retry, Timeout
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ONCE = Retry(max_retries=0)
SHORT = timedelta(milliseconds=10)
SLOW = Fault.stall(at_byte=1, seconds=0.1)


@asks(chat_whole, messages_whole)
def test_answer_that_does_not_stream_may_take_longer_than_the_first_token(sim: Simulator, spans: Any, ask: Ask) -> None:
    sim.script(SLOW)
    with client(sim, ask) as made:
        assert l0.run_sync(lambda: ask(made), timeout=Timeout(initial_token=SHORT, total=60_000), retry=ONCE).read()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@asks(chat_whole, messages_whole)
def test_async_answer_that_does_not_stream_may_take_longer_than_the_first_token(
    sim: Simulator, spans: Any, ask: Ask, backend: str
) -> None:
    async def call() -> str:
        async with async_client(sim, ask) as made:
            timeout = Timeout(initial_token=SHORT, total=60_000)
            return await (await l0.run(lambda: ask(made), timeout=timeout, retry=ONCE)).read()

    sim.script(SLOW)
    assert anyio.run(call, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_total_limits_an_async_answer_that_does_not_stream(sim: Simulator, spans: Any, backend: str) -> None:
    async def call() -> None:
        async with async_client(sim, chat_whole) as made:
            await l0.run(
                lambda: chat_whole(made),
                timeout=Timeout(initial_token=SHORT, total=timedelta(milliseconds=50)),
                retry=ONCE,
            )

    sim.script(Fault.no_headers())
    with pytest.raises(TimeoutError, match="within 50 ms") as raised:
        anyio.run(call, backend=backend)
    assert raised.value.reason == "total_timeout"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_timeout_of_the_client_is_reported_as_such(sim: Simulator, spans: Any, *, is_async: bool) -> None:
    """The limit for the first token, which does not apply, had passed by then."""
    policy = Policy(timeout=Timeout(initial_token=SHORT), retry=ONCE)

    async def call() -> None:
        async with async_client(sim, chat_whole, timeout=0.05) as made:
            await l0.run(lambda: chat_whole(made), policy=policy)

    sim.script(Fault.no_headers())
    with pytest.raises(openai.APITimeoutError) as raised:
        if is_async:
            anyio.run(call)
        else:
            with client(sim, chat_whole, timeout=0.05) as made:
                l0.run_sync(lambda: chat_whole(made), policy=policy)
    assert not any("first content" in text for text in [str(raised.value), *raised.value.__notes__])
    assert spans.all[-1].attributes["error.type"] == "APITimeoutError"
