"""Run cases of one variant in this process, one at a time, as the conductor requests, and report their costs.

`python -m benchmarks.worker VARIANT`, in the variant's own environment. Each line of the input is a case with the
server's origin, as JSON; each line of the output is a result. Only the CPU time of this process counts, including all
its threads.
"""

from __future__ import annotations

import time

_AT_START = time.process_time()  # before anything heavy is imported

import asyncio  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
from dataclasses import replace  # noqa: E402
from typing import Any, TextIO  # noqa: E402

from .callers import Caller, UnsupportedError  # noqa: E402
from .cases import Case  # noqa: E402
from .memory import peak_bytes  # noqa: E402
from .variants import caller, switch_on  # noqa: E402

Result = dict[str, Any]
_MAX_FILES = 8192
"""Open files that the process allows itself: each open stream is one."""
_IDLE_SECONDS = 2.0
_LOOP = asyncio.new_event_loop()
_RELEVANT = re.compile(
    r"openai|anthropic|pydantic|httpx|httpcore|h11|jiter|l0|litellm|logfire|reliable-ai|opentelemetry-(sdk|instr)|openinference"
)
"""Distributions whose versions decide what is measured."""


def main() -> None:
    """Read cases until the input ends."""
    variant = sys.argv[1]
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes to stderr, not among the results
    _allow_files()
    callers: dict[str, Caller] = {}
    warm: set[str] = set()
    for line in sys.stdin:
        order = json.loads(line)
        case = Case(**order["case"])
        started: Result = {}
        try:
            started = _start(callers, variant, order["origin"])
            result = _measure(callers[order["origin"]], case, warm) | started
        except UnsupportedError:
            result = started | {"unsupported": "does not apply"}
        except Exception as error:
            result = started | {"failed": f"{type(error).__name__}: {error}"[:300]}
        _write(lines, result)


def _write(lines: TextIO, result: Result) -> None:
    lines.write(json.dumps(result) + "\n")
    lines.flush()


def _start(callers: dict[str, Caller], variant: str, origin: str) -> Result:
    """Enable the variant, once. Return what that cost, and the versions of the packages."""
    if origin in callers:
        return {}
    if callers:  # the variant is enabled already, but the server is another
        callers[origin] = caller(variant, origin)
        return {}
    import anthropic  # noqa: F401
    import openai  # noqa: F401

    spent_ms = switch_on(variant)
    callers[origin] = caller(variant, origin)
    return {"switch_on_ms": spent_ms, "versions": _versions()}


def _versions() -> dict[str, str]:
    from importlib.metadata import distributions

    versions = {distribution.metadata["Name"]: distribution.version for distribution in distributions()}
    return {name: versions[name] for name in sorted(versions) if _RELEVANT.match(name)}


def _allow_files() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(_MAX_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _measure(caller: Caller, case: Case, warm: set[str]) -> Result:
    if case.how == "idle":
        return _LOOP.run_until_complete(_idle(caller, case))
    run = _sync if case.sync else _async
    if not case.fresh and case.name not in warm:
        # Imports, caches and connections belong to the first call, which the cold start measures.
        run(caller, replace(case, tokens=20, calls=2 * case.at_once))
        warm.add(case.name)
    gc.collect()
    before = peak_bytes()
    cpu = time.process_time()
    events, firsts = run(caller, case)
    cpu = time.process_time() - cpu
    return {
        "events": events,
        "cpu_ms": cpu * 1e3,
        "first_ms": statistics.median(firsts) * 1e3,
        "memory_mb": (peak_bytes() - before) / 2**20,
        "process_cpu_ms": (time.process_time() - _AT_START) * 1e3,
    }


def _sync(caller: Caller, case: Case) -> tuple[int, list[float]]:
    call = caller.stream(case)
    events, firsts = 0, []
    for _ in range(case.calls):
        began = time.perf_counter()
        items = call()
        next(items)
        firsts.append(time.perf_counter() - began)
        events += 1
        for _ in items:
            events += 1
    return events, firsts


def _async(caller: Caller, case: Case) -> tuple[int, list[float]]:
    return _LOOP.run_until_complete(_gather(caller, case))


async def _gather(caller: Caller, case: Case) -> tuple[int, list[float]]:
    """Make all calls: ``at_once`` users, each of whom makes calls one after the other.

    Return the number of events, and the time to the first event of each call in seconds.
    """
    call = caller.astream(case)
    firsts: list[float] = []

    async def user(calls: int) -> int:
        events = 0
        for _ in range(calls):
            began = time.perf_counter()
            items = await call()
            await anext(items)
            firsts.append(time.perf_counter() - began)
            events += 1
            async for _ in items:
                events += 1
        return events

    share = case.calls // case.at_once
    counts = await asyncio.gather(*(user(share) for _ in range(case.at_once)))
    return sum(counts), firsts


async def _idle(caller: Caller, case: Case) -> Result:
    """Open all streams, and measure their memory and CPU time while nothing arrives.

    They stay open until the process ends, because this is the only case that the process runs.
    """
    await _gather(caller, replace(case, how="stream", calls=50, at_once=50))  # imports and caches
    gc.collect()
    before, began = peak_bytes(), time.perf_counter()
    call = caller.astream(case)
    streams = await asyncio.gather(*(call() for _ in range(case.at_once)))
    await asyncio.gather(*(anext(stream) for stream in streams))
    first_ms = (time.perf_counter() - began) * 1e3
    memory = peak_bytes() - before
    cpu = time.process_time()
    await asyncio.sleep(_IDLE_SECONDS)
    cpu = time.process_time() - cpu
    return {
        "events": len(streams),
        "first_ms": first_ms,
        "memory_mb": memory / 2**20,
        "idle_us": cpu / len(streams) / _IDLE_SECONDS * 1e6,
    }


if __name__ == "__main__":
    main()
