"""What orchestration costs: `python -m benchmarks.orchestration` (`--megabytes`, `--rounds`, `--json`).

A race of answers at 50 and 500 ms, and a consensus whose third answer comes late: milliseconds of wall time beyond what
the answers that they need take without the slow one, plain and over streams of the openai SDK. Parallel tasks: CPU time
a task, by their number. Windows over a long document: seconds, and by how much the highest mark of this process's
memory rises between its first megabytes and its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from statistics import median
from time import perf_counter, process_time
from typing import Any

import l0
from l0.testing import simulator

from .memory import peak_bytes

QUICK, SLOW = 0.05, 0.5
"""Seconds."""
FANS = (1, 10, 100, 1000)
STREAMS = (10, 100)
_PARAGRAPH = "The harbour wakes before the town does. Boats leave in single file, lamps still lit.\n\n" * 800
_LEAD = 16
"""The first part of a document (one in so many), after which memory should not rise any more."""
Row = dict[str, str | float]
Answering = Callable[[float], Callable[[], Awaitable[Any]]]


def main() -> int:
    """0 when all is measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="length of the document (default 1024)")
    parser.add_argument("--rounds", type=int, default=5, help="how often what takes time is timed (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object a row")
    asked = parser.parse_args()
    for row in rows(asked.megabytes, asked.rounds):
        line = f"{row['what']:<34}{row['of']:<26}{row['cost']:>12.3f} {row['unit']}"
        sys.stdout.write((json.dumps(row) if asked.json else line) + "\n")
        sys.stdout.flush()
    return 0


def rows(megabytes: int, rounds: int) -> Iterator[Row]:
    """Every measurement, as it is made."""
    yield from asyncio.run(_windows(megabytes))
    yield from _latencies("plain", rounds, lambda measure: asyncio.run(measure(_sleeping)))
    for count in FANS:
        cost = min(asyncio.run(_fan(count)) for _ in range(rounds))
        yield {"what": "parallel, plain", "of": f"{count} tasks", "cost": cost * 1e6, "unit": "us CPU a task"}
    yield from _over_sdk(rounds)


def _latencies(over: str, rounds: int, run: Callable[[Any], float]) -> Iterator[Row]:
    for name, measure, needed in (("race", _race, _one), ("consensus", _consensus, _two)):
        beyond = [(run(measure) - run(needed)) * 1e3 for _ in range(rounds)]
        for kind, figure in (("best", min(beyond)), ("median", median(beyond)), ("worst", max(beyond))):
            yield {"what": f"{name} of 50 and 500 ms, {over}", "of": kind, "cost": figure, "unit": "ms more"}


def _sleeping(seconds: float) -> Callable[[], Awaitable[str]]:
    return lambda: asyncio.sleep(seconds, "answer")


async def _one(answering: Answering) -> float:
    return await _needed(answering, 1)


async def _two(answering: Answering) -> float:
    return await _needed(answering, 2)


async def _needed(answering: Answering, count: int) -> float:
    began = perf_counter()
    await l0.parallel([answering(QUICK)] * count)
    return perf_counter() - began


async def _race(answering: Answering) -> float:
    race, began = l0.race, perf_counter()  # the front door loads it at the first look
    await race([answering(SLOW), answering(QUICK)])
    return perf_counter() - began


async def _consensus(answering: Answering) -> float:
    consensus, began = l0.Consensus, perf_counter()
    await consensus.run([answering(SLOW), answering(QUICK), answering(QUICK)])
    return perf_counter() - began


async def _fan(count: int) -> float:
    began = process_time()
    await l0.parallel([_sleeping(0)] * count)
    return (process_time() - began) / count


def _over_sdk(rounds: int) -> Iterator[Row]:
    import openai

    with simulator() as sim:

        def run(measure: Callable[[Answering], Awaitable[float]]) -> float:
            async def main() -> float:
                async with openai.AsyncOpenAI(api_key="none", base_url=sim.openai) as client:
                    answering = _asking(client)
                    await asyncio.gather(*(l0.race([answering(0)]) for _ in range(3)))  # connections are opened before
                    return await measure(answering)

            return asyncio.run(main())

        l0.instrument()
        try:
            yield from _latencies("SDK", rounds, run)
            for count in STREAMS:
                cost = min(run(_streams(count)) for _ in range(rounds))
                of = f"{count} streams"
                yield {"what": "parallel, SDK streams", "of": of, "cost": cost * 1e3, "unit": "ms wall a stream"}
        finally:
            l0.uninstrument()


def _asking(client: Any) -> Answering:
    def answering(seconds: float) -> Callable[[], Awaitable[Any]]:
        wish = f"[[simulate: stall at_event=2 seconds={seconds}]]"
        message = {"role": "user", "content": wish}
        return lambda: client.chat.completions.create(model="gpt-4o", messages=[message], stream=True)

    return answering


def _streams(count: int) -> Callable[[Answering], Awaitable[float]]:
    async def measure(answering: Answering) -> float:
        began = perf_counter()
        results = await l0.parallel([answering(0)] * count)
        assert len(results.values) == count
        return (perf_counter() - began) / count

    return measure


async def _windows(megabytes: int) -> list[Row]:
    left = megabytes * 2**20
    lead = left // _LEAD

    def document() -> Iterator[str]:
        nonlocal left
        while left > 0:
            yield _PARAGRAPH[:left]
            left -= len(_PARAGRAPH)

    marks: list[int] = []

    async def work(chunk: l0.Chunk) -> str:
        if chunk.start > lead and not marks:
            marks.append(peak_bytes())
        return "answer"

    began = perf_counter()
    window = l0.Window.create(document(), size=2000, overlap=200, tokenizer="estimate")
    results = await window.process_all(work, concurrency=8, keep=False)
    took = perf_counter() - began
    of = f"{megabytes:,} MB, {results.stats.count:,} windows"
    rise = (peak_bytes() - marks[0]) / 2**20
    return [
        {"what": "windows", "of": of, "cost": took, "unit": "s"},
        {"what": "windows, rise of peak memory", "of": of, "cost": rise, "unit": "MB"},
    ]


if __name__ == "__main__":
    raise SystemExit(main())
