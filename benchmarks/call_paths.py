"""Count the Python calls and the files of each path: the table in ARCHITECTURE.md.

``python -m benchmarks.call_paths`` prints one row per path: calls of L0's own functions (generated constructors
included), the files that define them, and the switches between files. Calls are counted by `sys.setprofile`, not timed,
so the figures are the same on every machine; Python 3.11 is the reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import openai
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import l0
from l0 import Policy, Retry, Timeout
from l0.simulator.pacing import Delays
from l0.testing import simulator

_ROOT = Path(__file__).parents[1]
_OWN = (str(_ROOT / "src") + "/", str(_ROOT / "instrumentation") + "/", "<l0 ")
POLICY = Policy(timeout=Timeout(initial_token=60_000, inter_token=60_000), retry=Retry(base_delay=0.0, max_delay=0.0))
"""Deadlines and retries are on, but no deadline expires and no retry waits."""
MESSAGES: Any = [{"role": "user", "content": "Hello"}]


@dataclass(slots=True)
class PathCount:
    """Calls of one path, the files that define the functions, and the switches between files."""

    calls: int = 0
    switches: int = 0
    files: set[str] = field(default_factory=set)


@contextmanager
def counted() -> Iterator[PathCount]:
    """Count the calls of L0's functions in the block, on this thread."""
    path, last = PathCount(), ""

    def hook(frame: FrameType, event: str, _: object) -> None:
        nonlocal last
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(_OWN):
            path.calls += 1
            path.files.add(name)
            path.switches += name != last
            last = name

    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield path
    finally:
        sys.setprofile(before)


@contextmanager
def instrumented(policy: Policy | None, *, telemetry: bool) -> Iterator[None]:
    """Instrument in this block. ``telemetry``: set up an OpenTelemetry SDK in memory first, once per process."""
    if telemetry:
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    l0.instrument(policy)
    try:
        yield
    finally:
        l0.uninstrument()


def paths(policy: Policy | None, *, telemetry: bool) -> dict[str, PathCount]:
    """Return the counts of every path of a call, by name."""
    found: dict[str, PathCount] = {}
    one_event_per_read = Delays(inter_token_ms=5, sigma=0)
    with instrumented(policy, telemetry=telemetry), simulator(delays=one_event_per_read) as provider:
        client = openai.OpenAI(api_key="x", base_url=provider.openai, max_retries=2)

        def create(*, stream: bool) -> Any:
            return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=stream)

        for measured in (False, False, True):  # the first calls compile constructors and fill caches
            provider.script("tokens 20")
            _stream(found if measured else {}, create)
            with counted() as path:
                create(stream=False)
            found["a call that does not stream"] = path
            provider.script("reset at_event=1", "tokens 20")
            stream = iter(create(stream=True))
            with counted() as path:
                next(stream)
            found["reset, retry, first chunk"] = path
            list(stream)
        client.close()
    return found


def _stream(found: dict[str, PathCount], create: Callable[..., Any]) -> None:
    with counted() as path:
        stream = create(stream=True)
    found["create(stream=True)"] = path
    chunks = iter(stream)
    ends: list[PathCount] = []
    while True:
        with counted() as path:
            chunk = next(chunks, None)
        ends.append(path)
        if chunk is None:
            break
    found["a steady chunk"] = ends[len(ends) // 2]
    found["the end of the stream"] = ends[-1]


def main() -> None:
    """Print the table."""
    plain, full = paths(None, telemetry=False), paths(POLICY, telemetry=True)
    print("| path | calls | files | switches | calls, policy and OpenTelemetry | files | switches |")
    print("|---|---|---|---|---|---|---|")
    for name, path in plain.items():
        with_all = full[name]
        row = (path.calls, len(path.files), path.switches, with_all.calls, len(with_all.files), with_all.switches)
        print(f"| {name} | " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
