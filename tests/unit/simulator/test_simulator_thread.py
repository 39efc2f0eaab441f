"""A simulator in sync and async programs."""

import asyncio
import threading

import anthropic
import openai
import pytest
from installed import needs_trio

from l0.simulator.simulator_config import SimulatorError
from l0.testing import simulator

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HELLO = "Hello! I am a simulated model. How can I help you today?"


async def talk() -> None:
    """Call a simulator with async clients, and with a sync client that blocks the event loop."""
    async with simulator() as sim:
        sim.on("hi", reply="text Hi.")
        async with openai.AsyncOpenAI(api_key="k", base_url=sim.openai, max_retries=0) as client:
            answer = await client.chat.completions.create(**ASKED)  # type: ignore[call-overload]
            assert answer.choices[0].message.content == "Hi."
        async with anthropic.AsyncAnthropic(api_key="k", base_url=sim.anthropic, max_retries=0) as other:
            message = await other.messages.create(**ASKED, max_tokens=99)  # type: ignore[call-overload]
            assert message.content[0].text == "Hi."
        with openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0) as blocking:
            assert blocking.chat.completions.create(**ASKED).choices[0].message.content == "Hi."  # type: ignore[call-overload]


def test_simulator_runs_inside_an_event_loop() -> None:
    before = threading.active_count()
    asyncio.run(talk())
    assert threading.active_count() == before


@needs_trio
def test_simulator_runs_under_trio() -> None:
    import trio

    trio.run(talk)


def test_sync_block_works_inside_an_event_loop() -> None:
    async def main() -> str:
        with simulator() as sim:
            async with openai.AsyncOpenAI(api_key="k", base_url=sim.openai, max_retries=0) as client:
                return (await client.chat.completions.create(**ASKED)).choices[0].message.content  # type: ignore[call-overload,no-any-return]

    assert asyncio.run(main()) == HELLO


def test_failed_start_is_raised_in_the_block_and_leaves_no_thread() -> None:
    async def main(port: int) -> None:
        async with simulator(port=port):
            pass

    with simulator() as sim:
        before = threading.active_count()
        port = int(sim.origin.rpartition(":")[2])
        with pytest.raises(SimulatorError, match="give a free port"):
            asyncio.run(main(port))
        assert threading.active_count() <= before
