"""One process of a fleet. Reads commands from stdin, and answers each with a line of JSON.

    python caller.py PROVIDER sync|async COOLDOWN_S LEASE_S

The environment says the rest: ``L0_FLEET``, ``L0_BUDGET``, ``L0_BREAKER``. Commands: ``call N`` makes N calls, five at
a time; ``status`` shows the copies.
"""

import asyncio
import json
import logging
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any

import openai

import l0
from l0.config import CONFIG
from l0.shared_state.breaker import Breakers
from l0.shared_state.fleet import fleet_breaker
from l0.shared_state.fleet.fleet_breaker import FleetBreaker

AT_ONCE = 5
REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
TARGET = ("openai", "gpt-4o")


def outcome(error: Exception | None) -> str:
    """Return how a call ended."""
    if error is None:
        return "whole"
    return "refused" if "circuit breaker" in str(error) else "failed"


def one(client: openai.OpenAI) -> str:
    """Make a call, and return how it ended."""
    try:
        for _ in client.chat.completions.create(**REQUEST):
            pass
    except openai.APIError as error:
        return outcome(error)
    return outcome(None)


async def one_async(client: openai.AsyncOpenAI, limit: asyncio.Semaphore) -> str:
    """Make a call, and return how it ended."""
    try:
        async with limit:
            async for _ in await client.chat.completions.create(**REQUEST):
                pass
    except openai.APIError as error:
        return outcome(error)
    return outcome(None)


async def many_async(provider: str, number: int) -> list[str]:
    """Make calls in one event loop."""
    limit = asyncio.Semaphore(AT_ONCE)
    async with openai.AsyncOpenAI(api_key="k", base_url=provider) as client:
        return await asyncio.gather(*(one_async(client, limit) for _ in range(number)))


def many(provider: str, number: int) -> list[str]:
    """Make calls in threads."""
    with openai.OpenAI(api_key="k", base_url=provider) as client, ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, [client] * number))


def status() -> dict[str, object]:
    """Return what this process knows of the fleet."""
    state = CONFIG.shared_state
    fleet = state.fleet
    assert fleet is not None
    level, breaker = state.retry_budgets[TARGET].level, state.breakers[TARGET]
    return {"away": fleet.away, "members": fleet.members, "level": level, "breaker": breaker.state.value}


def main() -> None:
    """Instrument, and obey."""
    provider, way, cooldown_s, lease_s = sys.argv[1:]
    logging.basicConfig(level=logging.CRITICAL)
    l0.instrument()
    state = CONFIG.shared_state
    assert state.fleet is not None
    fleet_breaker.LEASE_S = float(lease_s)
    make = partial(FleetBreaker, state.fleet, cooldown=float(cooldown_s))
    state.breakers = Breakers(monotonic, make=lambda target, clock, rate: make(target, clock, rate=rate))
    state.fleet.begin()
    print("{}", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "call":
            number = int(arguments[0])
            ended = asyncio.run(many_async(provider, number)) if way == "async" else many(provider, number)
            answer: dict[str, object] = dict(Counter(ended))
        else:
            answer = status()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
