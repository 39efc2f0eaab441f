"""`python -m benchmarks.hedging`: how much earlier first tokens of a provider with a long tail come with a hedge.

The times of first tokens are log-normal, and a share of the requests straggles. Both runs have the same delays, request
by request. Figures are latencies, not CPU time. They are shorter than in reality, so only their ratio matters; beside
them is the cost, the number of requests.
"""

from __future__ import annotations

import argparse
import asyncio
from math import ceil
from time import perf_counter

import openai

import l0
from l0.config import CONFIG
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator
from l0.testing import simulator

DELAYS = Delays(first_token_ms=60, sigma=0.4, stragglers=0.03, straggler_factor=8)
"""A median of 60 ms, and eight times as long for three requests in a hundred."""


async def first_tokens(sim: Simulator, calls: int, at_once: int) -> list[float]:
    """Return the seconds from each call to its first content, sorted."""
    client = openai.AsyncOpenAI(api_key="k", base_url=sim.openai)
    gate = asyncio.Semaphore(at_once)

    async def one() -> float:
        async with gate:
            began, first = perf_counter(), 0.0
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            async for chunk in stream:
                if not first and chunk.choices and chunk.choices[0].delta.content:
                    first = perf_counter() - began
            return first

    found = await asyncio.gather(*(one() for _ in range(calls)))
    await client.close()
    return sorted(found)


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile in milliseconds. ``share``: 0 to 1."""
    return 1000 * ordered[max(0, ceil(share * len(ordered)) - 1)]


def measure(calls: int, at_once: int, *, hedged: bool) -> tuple[list[float], int]:
    """Return the first-token times in seconds, and the number of requests that the provider received for them."""
    CONFIG.shared_state.first_token_latencies.renew()
    with simulator(seed=7, delays=DELAYS) as sim, l0.policy(hedge=hedged):
        found = asyncio.run(first_tokens(sim, calls, at_once))
        return found, len(sim.requests)


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hedging", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=10)
    args = parser.parse_args()
    l0.instrument()
    print(f"{'':10} {'p50':>8} {'p95':>8} {'p99':>8} {'worst':>8}  ms to the first token, {args.calls} calls")
    for name, hedged in (("plain", False), ("hedged", True)):
        found, requests = measure(args.calls, args.at_once, hedged=hedged)
        figures = " ".join(f"{quantile(found, share):8.1f}" for share in (0.5, 0.95, 0.99, 1.0))
        print(f"{name:10} {figures}  {requests} requests ({requests / args.calls - 1:+.1%})")


if __name__ == "__main__":
    main()
