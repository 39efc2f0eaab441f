"""Measure the load that `l0 view` sustains: spans per second without loss, memory, response times with a full store.

    python -m benchmarks.viewer_load            # a minute at 2,000 spans/s, then 100,000 calls; under two minutes
    python -m benchmarks.viewer_load --seconds 5 --calls 5000 --name quick

The viewer runs in its own process, on one core. Requests are created beforehand and sent over one connection, as by an
exporter that batches. A page is open meanwhile: it reads the live feed, and the overview every two seconds. Then the
store is filled, and every query of the page is run ten times. The CPU time of the queries counts, which other programs
on the core do not change. Linux only: memory and CPU time are read from /proc. Exit code: 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .report import machine

BATCH = 500
"""Spans of a request."""
MAX_QUERY_SECONDS = 0.5
"""The most CPU time that a query may take."""
REPEATS = 10
"""Runs of each query."""
MAX_MEMORY_MB = 150
"""The most memory that the viewer may use."""
PROTOBUF = {"content-type": "application/x-protobuf"}
MODELS = ("gpt-4o", "gpt-4o-mini", "o3", "claude-opus", "claude-haiku")
LIST_QUERIES = (
    "",
    "outcome=failed",
    "cause=reset&outcome=recovered_retry",
    "provider=anthropic&model=claude-haiku",
    "q=resp_1234",
    "q=nothing+like+it",
    f"model={quote('gpt-4o')}&q=recovered&limit=1000",
)
_RESULTS = Path(__file__).parent / "results"
Figures = dict[str, Any]


class Spans:
    """Batches of calls as L0 reports them: one in five has two attempts, with a span each."""

    def __init__(self, start_ns: int) -> None:
        self._random = random.Random(0)
        self._now = start_ns
        self.spans = self.calls = 0

    def batch(self, size: int) -> bytes:
        """Return a request of about ``size`` spans, with new ids and later times."""
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        _set(resource.resource.attributes, {"service.name": "shop", "telemetry.sdk.language": "python"})
        scope = resource.scope_spans.add()
        scope.scope.name = "l0"
        made = 0
        while made < size:
            made += self._call(scope.spans)
        self.spans += made
        return request.SerializeToString()

    def _call(self, spans: Any) -> int:
        self.calls += 1
        self._now += 500_000
        trace_id, span_id = self._random.randbytes(16), self._random.randbytes(8)
        retried = self.calls % 5 == 0
        outcome = "failed" if self.calls % 50 == 0 else "recovered_retry" if retried else "ok"
        for number in (1, 2) if retried else ():
            attempt = spans.add(trace_id=trace_id, parent_span_id=span_id, span_id=self._random.randbytes(8), kind=1)
            self._times(attempt, f"attempt {number}")
            _set(attempt.attributes, {"l0.attempt.number": number, "http.response.status_code": 200})
        call = spans.add(trace_id=trace_id, span_id=span_id, kind=3)
        self._times(call, "chat")
        _set(call.attributes, self._attributes(outcome, retried=retried))
        for name in ("l0.retry", "l0.resume") if retried else ():
            event = call.events.add(name=name, time_unix_nano=self._now)
            _set(event.attributes, {"l0.attempt.number": 2, "l0.cause": "reset"})
        return 3 if retried else 1

    def _times(self, span: Any, name: str) -> None:
        span.name = name
        span.start_time_unix_nano, span.end_time_unix_nano = self._now, self._now + 2_000_000_000

    def _attributes(self, outcome: str, *, retried: bool) -> dict[str, Any]:
        model = self._random.choice(MODELS)
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic" if model.startswith("claude") else "openai",
            "gen_ai.request.model": model,
            "gen_ai.request.stream": True,
            "gen_ai.request.temperature": 0.7,
            "gen_ai.response.id": f"resp_{self.calls}",
            "gen_ai.response.model": f"{model}-2026-08-06",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.time_to_first_chunk": self._random.lognormvariate(-1, 0.5),
            "gen_ai.usage.input_tokens": 1234,
            "gen_ai.usage.output_tokens": 321,
            "server.address": "api.example.com",
            "server.port": 443,
            "l0.outcome": outcome,
            "l0.attempts": 2 if retried else 1,
            "l0.stalls": 0,
            "l0.wire.bytes": 54321,
            "l0.wire.overhead_ratio": 17.5,
            "l0.time_to_first_content": 0.4,
            "l0.gap.max": 0.3,
            "l0.timeline": [self._random.randrange(9) for _ in range(40)],
            "l0.timeline.bucket": 0.05,
        }
        for name in ("l0.gap.p50", "l0.gap.p95", "l0.gap.p99", "l0.jitter", "l0.throughput"):
            attributes[name] = self._random.lognormvariate(-4, 0.5)
        if retried:
            attributes["l0.retry.causes"] = [self._random.choice(("reset", "stall", "overloaded"))]
        return attributes


def _set(pairs: Any, attributes: dict[str, Any]) -> None:
    """Add attributes to a repeated field of OTLP's ``KeyValue``."""
    for key, value in attributes.items():
        any_value = pairs.add(key=key).value
        match value:
            case bool():
                any_value.bool_value = value
            case int():
                any_value.int_value = value
            case float():
                any_value.double_value = value
            case str():
                any_value.string_value = value
            case list():
                for item in value:
                    item_value = any_value.array_value.values.add()
                    if isinstance(item, str):
                        item_value.string_value = item
                    else:
                        item_value.int_value = item


@dataclass
class Viewer:
    """A viewer in its own process."""

    process: subprocess.Popen[str]
    port: int
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def post(self, body: bytes) -> int:
        """Send a batch until it is accepted. Return the number of refusals."""
        refusals = 0
        while True:
            self.connection.request("POST", "/v1/traces", body, PROTOBUF)
            response = self.connection.getresponse()
            response.read()
            if response.status == 200:
                return refusals
            assert response.status == 503, response.status
            refusals += 1
            time.sleep(float(response.headers["retry-after"]))

    def get(self, path: str) -> Any:
        """Return the JSON at a path, over its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200, response.status
            return json.loads(response.read())
        finally:
            connection.close()

    def memory_mb(self) -> float:
        """Return the peak memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def viewer(path: Path, core: int) -> Iterator[Viewer]:
    """Start a viewer, and end it."""
    command = [sys.executable, "-m", "l0", "view", "--port", "0", "--db", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.sched_setaffinity(process.pid, {core})
            assert process.stdout is not None
            found = re.search(r":(\d+)", process.stdout.readline())
            assert found
            yield Viewer(process, int(found[1]))
        finally:
            process.terminate()


class OpenPage:
    """A page that is open: it reads the live feed, and the overview every two seconds."""

    def __init__(self, running: Viewer) -> None:
        self._viewer = running
        self._ended = threading.Event()
        self._feed = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        self._feed.request("GET", "/api/live")
        self._response = self._feed.getresponse()
        self.messages = 0
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read_feed, self._poll)]

    def __enter__(self) -> OpenPage:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._threads[1].join()

    def _read_feed(self) -> None:
        while line := self._response.readline():
            self.messages += line.startswith(b"data")

    def _poll(self) -> None:
        while not self._ended.wait(2):
            self._viewer.get("/api/overview")


def send_steadily(running: Viewer, requests: Sequence[bytes], rate: int) -> Figures:
    """Send requests of `BATCH` spans at a rate, however long the answers take. Return the figures.

    ``rate``: spans per second.
    """
    began = time.perf_counter()
    refusals, longest = 0, 0.0
    for number, body in enumerate(requests):
        time.sleep(max(0.0, began + number * BATCH / rate - time.perf_counter()))
        before = time.perf_counter()
        refusals += running.post(body)
        longest = max(longest, time.perf_counter() - before)
    late = time.perf_counter() - began - len(requests) * BATCH / rate
    return {"refusals": refusals, "longest_request_s": longest, "late_s": max(0.0, late)}


def measure_load(running: Viewer, spans: Spans, seconds: float, rate: int) -> Figures:
    """Send for some seconds at a rate, with a page open. Return the figures."""
    requests = [spans.batch(BATCH) for _ in range(round(seconds * rate / BATCH))]
    cpu = running.cpu_seconds()
    with OpenPage(running) as page:
        found = send_steadily(running, requests, rate)
    cpu = (running.cpu_seconds() - cpu) / seconds
    lost = spans.spans - running.get("/api/about")["spans"]
    return {"spans": spans.spans, "rate": rate, "lost": lost, "core_share": cpu, "live": page.messages, **found}


def measure_queries(running: Viewer) -> Figures:
    """Return the time of each query of the page, in seconds: CPU time of the viewer, and the fastest answer."""
    newest = running.get("/api/calls?limit=1")["calls"][0]
    hour_ago = newest["start"] - 3_600_000
    paths = (
        *(f"/api/calls?{query}" for query in LIST_QUERIES),
        f"/api/calls?since={hour_ago}",
        "/api/overview",
        f"/api/overview?since={hour_ago}",
        "/api/overview?provider=anthropic",
        f"/api/calls/{newest['trace_id']}/{newest['span_id']}",
        "/api/facets",
        "/api/about",
    )
    # The newest call has other ids, and another start, in each run.
    return {re.sub(r"[0-9a-f]{16,}|[\d.]{10,}", "...", path): query_times(running, path) for path in paths}


def query_times(running: Viewer, path: str) -> Figures:
    """Run one query `REPEATS` times. Return its times in seconds."""
    answers = []
    cpu = running.cpu_seconds()
    for _ in range(REPEATS):
        before = time.perf_counter()
        running.get(path)
        answers.append(time.perf_counter() - before)
    return {"cpu": (running.cpu_seconds() - cpu) / REPEATS, "fastest": min(answers)}


def measure(seconds: float, rate: int, calls: int) -> Figures:
    """Run the load, fill the store and time the queries. Return the figures."""
    core = min(os.sched_getaffinity(0))
    spans = Spans(time.time_ns() - 3_600 * 10**9)
    with tempfile.TemporaryDirectory() as folder, viewer(Path(folder) / "view.db", core) as running:
        load = measure_load(running, spans, seconds, rate)
        while spans.calls < calls:
            running.post(spans.batch(BATCH))
        queries = measure_queries(running)
        about = running.get("/api/about")
        stored = {"calls": about["calls"], "spans": about["spans"], "mb": about["bytes"] / 1e6}
        return {
            "machine": machine(),
            "load": load,
            "kept": stored,
            "memory_mb": running.memory_mb(),
            "queries_s": queries,
        }


def table(found: Figures) -> str:
    """Return the figures as text."""
    load, kept = found["load"], found["kept"]
    lines = [
        f"{load['spans']:,} spans at {load['rate']:,}/s: {load['lost']} lost, {load['refusals']} refused",
        f"  {load['core_share']:.0%} of a core, longest request {load['longest_request_s']:.2f} s",
        f"  {load['late_s']:.2f} s late at the end",
        f"{kept['calls']:,} calls and their {kept['spans']:,} spans kept in {kept['mb']:.0f} MB",
        f"most memory {found['memory_mb']:.0f} MB",
    ]
    return "\n".join([*lines, *(_line(path, taken) for path, taken in found["queries_s"].items())])


def _line(path: str, taken: Figures) -> str:
    return f"  {taken['cpu']:.3f} s of CPU, fastest answer {taken['fastest']:.3f} s  {path}"


def main() -> int:
    """Return 0 if every limit is met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60, help="length of the load (default: 60)")
    parser.add_argument("--rate", type=int, default=2_000, help="spans per second (default: 2000)")
    parser.add_argument("--calls", type=int, default=100_000, help="calls to fill the store to (default: 100000)")
    parser.add_argument("--name", default="viewer", help="the result's file name (default: viewer)")
    args = parser.parse_args()
    found = measure(args.seconds, args.rate, args.calls)
    print(table(found))
    path = _RESULTS / f"{args.name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    slowest = max(taken["cpu"] for taken in found["queries_s"].values())
    within_limits = not found["load"]["lost"] and slowest < MAX_QUERY_SECONDS and found["memory_mb"] < MAX_MEMORY_MB
    return 0 if within_limits else 1


if __name__ == "__main__":
    sys.exit(main())
