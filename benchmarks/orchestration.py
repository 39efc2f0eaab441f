"""Measure the cost of orchestration: `python -m benchmarks.orchestration` (`--megabytes`, `--rounds`, `--json`).

Race and consensus: one answer comes after 500 ms, the others, which suffice, after 50 ms. Figures are the milliseconds
of wall time beyond those without the slow answer; for a race, 5 are allowed. For CPU time, the lowest figures are
compared, which other programs on the machine affect least. Both are measured with plain functions, and with streams of
the openai SDK from a simulated provider in its own process. Parallel tasks: CPU time per task, by their number. Windows
over a long document: seconds, and the rise of this process's peak memory from the document's first part to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import l0

from .conductor import server
from .memory import peak_bytes

QUICK, SLOW = 0.05, 0.5
"""Delays of answers, in seconds."""
TASKS = (1, 10, 100, 1000)
STREAMS = (10, 100)
"""Numbers of tasks and of streams that run in parallel."""
_PARAGRAPH = "The harbour wakes before the town does. Boats leave in single file, lamps still lit.\n\n" * 800
_LEAD = 16
"""The first 16th of the document fills memory. After that, the memory should not rise any more."""
Row = dict[str, str | float]


class Taken(NamedTuple):
    """The durations of one measurement, in seconds."""

    wall: float
    cpu: float


Answering = Callable[[float], Callable[[], Awaitable[Any]]]
"""Returns a task that answers after the given seconds."""


def main() -> int:
    """Return 0 once everything is measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="length of the document (default 1024)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each time is measured (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per row")
    args = parser.parse_args()
    for row in rows(args.megabytes, args.rounds):
        line = f"{row['what']:<34}{row['of']:<26}{row['cost']:>12.3f} {row['unit']}"
        sys.stdout.write((json.dumps(row) if args.json else line) + "\n")
        sys.stdout.flush()
    return 0


def rows(megabytes: int, rounds: int) -> Iterator[Row]:
    """Yield the row of each measurement as soon as it is made."""
    yield from asyncio.run(_windows(megabytes))
    yield from _latencies("plain", rounds, lambda measure: asyncio.run(measure(_sleeping)))
    for count in TASKS:
        cost = min(asyncio.run(_fan(count)) for _ in range(rounds))
        yield {"what": "parallel, plain", "of": f"{count} tasks", "cost": cost * 1e6, "unit": "us CPU per task"}
    yield from _over_sdk(rounds)


def _latencies(over: str, rounds: int, run: Callable[[Any], Taken]) -> Iterator[Row]:
    for name, measure, needed in (("race", _race, _one), ("consensus", _consensus, _two)):
        taken = [(run(measure), run(needed)) for _ in range(rounds)]
        beyond = [(whole.wall - least.wall) * 1e3 for whole, least in taken]
        unit = "ms more, of 5" if name == "race" else "ms more"
        for kind, figure in (("best", min(beyond)), ("median", median(beyond)), ("worst", max(beyond))):
            yield {"what": f"{name} of 50 and 500 ms, {over}", "of": kind, "cost": figure, "unit": unit}
        cpu = (min(whole.cpu for whole, _ in taken) - min(least.cpu for _, least in taken)) * 1e3
        yield {"what": f"{name} of 50 and 500 ms, {over}", "of": "CPU", "cost": cpu, "unit": "ms more"}


def _sleeping(seconds: float) -> Callable[[], Awaitable[str]]:
    return lambda: asyncio.sleep(seconds, "answer")


async def _timed(work: Awaitable[Any]) -> Taken:
    began, used = perf_counter(), process_time()
    await work
    return Taken(wall=perf_counter() - began, cpu=process_time() - used)


async def _one(answering: Answering) -> Taken:
    return await _timed(l0.parallel([answering(QUICK)]))


async def _two(answering: Answering) -> Taken:
    return await _timed(l0.parallel([answering(QUICK)] * 2))


async def _race(answering: Answering) -> Taken:
    return await _timed(l0.race([answering(SLOW), answering(QUICK)]))


async def _consensus(answering: Answering) -> Taken:
    return await _timed(l0.Consensus.run([answering(SLOW), answering(QUICK), answering(QUICK)]))


async def _fan(count: int) -> float:
    began = process_time()
    await l0.parallel([_sleeping(0)] * count)
    return (process_time() - began) / count


def _over_sdk(rounds: int) -> Iterator[Row]:
    import openai

    with server() as origins:

        def run(measure: Callable[[Answering], Awaitable[Any]]) -> Any:
            async def main() -> Any:
                async with openai.AsyncOpenAI(api_key="none", base_url=f"{origins['burst']}/v1") as client:
                    answering = _asking(client)
                    await asyncio.gather(*(l0.race([answering(0)]) for _ in range(3)))  # open the connections first
                    return await measure(answering)

            return asyncio.run(main())

        l0.instrument()
        try:
            yield from _latencies("SDK", rounds, run)
            for count in STREAMS:
                cost = min(run(_streams(count)) for _ in range(rounds))
                of = f"{count} streams"
                yield {"what": "parallel, SDK streams", "of": of, "cost": cost * 1e3, "unit": "ms wall per stream"}
        finally:
            l0.uninstrument()


def _asking(client: Any) -> Answering:
    def answering(seconds: float) -> Callable[[], Awaitable[Any]]:
        script = f"[[simulate: stall at_event=2 seconds={seconds}]]"
        message = {"role": "user", "content": script}
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

    async def work(chunk: l0.types.Chunk) -> str:
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
