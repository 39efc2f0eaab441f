"""Measure the cost of telemetry: `python -m benchmarks.telemetry_cost` (`--rounds`, `--json`).

Each telemetry set-up is measured in its own process, in turn, for several rounds. The cost is CPU time, including that
of the export thread. Streams of two lengths are read through the real SDK of openai from a transport that has them in
memory, one chunk per read: the additional chunks of the longer stream give the microseconds per chunk, and the rest of
the shorter one the microseconds per stream. The rows include the work of openai's SDK; what telemetry adds is the
difference to the row without an OpenTelemetry SDK.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from time import process_time
from typing import Any

from .in_memory import REQUEST, streaming_client, whole_client
from .variants import FULL, SILENT, switch_on

SHORT, LONG = 50, 450
STREAMS = 150
MODES = {
    "no SDK": (SILENT, {}),
    "SDK, batch export": (FULL, {}),
    "SDK, a span of every attempt": (FULL, {"L0_ATTEMPT_SPANS": "all"}),
    "SDK, per-chunk metrics": (FULL, {"L0_CHUNK_METRICS": "all"}),
}
"""The telemetry set-ups: the variant of each, and its environment variables."""


def main() -> int:
    """Return 0 once everything is measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each set-up is measured (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per row")
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.mode:
        sys.stdout.write(json.dumps(measure(MODES[args.mode][0])))
        return 0
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(args.rounds):
        for mode, (_, environment) in MODES.items():
            found[mode].append(_apart(mode, environment))
    for mode, rounds in found.items():
        row = {name: round(statistics.median(one[name] for one in rounds), 1) for name in rounds[0]}
        line = "  ".join(f"{value:9.1f} us {name.replace('_', ' ')}" for name, value in row.items())
        sys.stdout.write((json.dumps({"telemetry": mode} | row) if args.json else f"{mode:30}{line}") + "\n")
    return 0


def measure(variant: str) -> dict[str, float]:
    """Return the microseconds of CPU time in this process: per chunk, stream, and call that does not stream."""
    switch_on(variant)
    short, long, whole = _stream(SHORT), _stream(LONG), _whole()
    a_chunk = (long - short) / (LONG - SHORT)
    return {"a_chunk": a_chunk, "a_stream": short - a_chunk * SHORT, "a_call_in_one_piece": whole}


def _apart(mode: str, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.telemetry_cost", "--mode", mode]
    done = subprocess.run(
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{mode}: {done.stderr.strip()[-500:]}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _stream(tokens: int) -> float:
    client = streaming_client(tokens)

    def read() -> None:
        for _ in client.chat.completions.create(**REQUEST, stream=True):
            pass

    return _least(read)


def _whole() -> float:
    client = whole_client(50)
    return _least(lambda: client.chat.completions.create(**REQUEST))


def _least(work: Any) -> float:
    """Return the microseconds per call in the fastest of five batches, after a warm-up."""
    for _ in range(20):
        work()
    costs = []
    for _ in range(5):
        start = process_time()
        for _ in range(STREAMS // 5):
            work()
        costs.append((process_time() - start) / (STREAMS // 5) * 1e6)
    return min(costs)


if __name__ == "__main__":
    raise SystemExit(main())
