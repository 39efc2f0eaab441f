"""`python -m benchmarks.engine`: what the engine itself adds to a chunk, in one process, without provider or network.

A reader that only counts replaces that of a dialect, and a list of reads replaces the connection. Each round reads the
same chunks twice: in a bare loop over that reader, and through a call's runtime and driver, clocks included. The
difference is the engine's own share. The fastest of the interleaved rounds counts.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

from l0.model.call import Call, RetrySafety
from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy, Timeout
from l0.model.resume_state import ResumeState
from l0.runtime import sync_driver
from l0.runtime.body_parser import ObjectParser
from l0.runtime.call_runtime import CallRuntime
from l0.shared_state.shared import SharedState

CHUNKS = 20_000
LIMIT = 1.0
"""The most microseconds that the engine may add to a chunk."""


class CountingReader:
    """The least that a reader can do. `observe_object` is called for every chunk."""

    resumable = accepted = finished = stopped = False
    failure: Failure | None = None

    def __init__(self) -> None:
        self.content = self.chars = 0
        self.text: list[str] = []
        self.tools: dict[Any, Any] = {}

    def observe_object(self, item: Any) -> None:
        if item is None:
            self.finished = self.stopped = True
            return
        self.content += 1
        self.chars += len(item)
        self.text.append(item)

    def finish(self) -> None: ...

    def incomplete_cause(self) -> Cause | None:
        return None if self.finished else Cause.TRUNCATED

    def certainly_complete(self) -> bool:
        return self.finished

    def resume_state(self) -> ResumeState:
        return ResumeState(text="".join(self.text))

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata()


class ListAdapter:
    """The call adapter, the sender and the body of a call, over a list of chunks."""

    def __init__(self, runtime_of: Callable[[ListAdapter], CallRuntime], chunks: list[Any]) -> None:
        self._chunks = chunks
        self.runtime = runtime_of(self)

    def options(self, *_: Any) -> None: ...

    answer = None

    def send(self, _: Any) -> None: ...

    def attach(self, _: Any) -> Any:
        return self.runtime.opened(200, None)

    def completed(self) -> None: ...

    def backoff(self, *_: Any) -> float:
        return 0.0

    def start(self) -> tuple[Iterator[Any], ObjectParser]:
        return iter(self._chunks), ObjectParser(CountingReader())  # type: ignore[arg-type]

    def read_deadline(self) -> None: ...

    def close(self) -> None: ...


def call(policy: Policy) -> Call:
    """Return a streamed chat call."""
    return Call(
        operation="chat",
        provider="openai",
        model="gpt-4o",
        dialect="chat",
        streaming=True,
        origin="http://127.0.0.1",
        host="127.0.0.1",
        port=80,
        retry_safety=RetrySafety.SAFE,
        max_retries=2,
        policy=policy,
        strict=True,
    )


def bare(chunks: list[Any]) -> float:
    """Return the seconds of CPU time that a plain loop over the same reader takes."""
    began = process_time()
    parser = ObjectParser(CountingReader())  # type: ignore[arg-type]
    for chunk in chunks:
        for _ in parser.feed(chunk):
            pass
    return process_time() - began


def through(chunks: list[Any], policy: Policy) -> float:
    """Return the seconds of CPU time that the same takes through a call's runtime and the sync driver."""
    shared_state = SharedState()
    adapter = ListAdapter(
        lambda created: CallRuntime(call(policy), created, (), shared_state),  # type: ignore[arg-type]
        chunks,
    )
    runtime = adapter.runtime
    began = process_time()
    sync_driver.request(runtime, adapter)  # type: ignore[arg-type]
    for _ in sync_driver.relay(runtime, adapter):  # type: ignore[arg-type]
        pass
    return process_time() - began


POLICIES = {"no policy": Policy(), "clocks, budget, breaker": Policy(timeout=Timeout(), budget=True, breaker=True)}


def measure(rounds: int) -> dict[str, float]:
    """Return the microseconds that the engine adds to a chunk, by policy, from the fastest of the rounds."""
    chunks = [*(f" token{number}" for number in range(CHUNKS)), None]
    fastest: dict[str, float] = {}
    fastest_bare = min(bare(chunks) for _ in range(rounds))
    for _ in range(rounds):
        fastest_bare = min(fastest_bare, bare(chunks))
        for name, policy in POLICIES.items():
            gc.collect()
            seconds = through(chunks, policy)
            fastest[name] = min(fastest.get(name, seconds), seconds)
    return {name: (seconds - fastest_bare) / CHUNKS * 1e6 for name, seconds in fastest.items()}


def main() -> int:
    """Return 0 if every figure is below the limit, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often (default 15)")
    found = measure(parser.parse_args().rounds)
    for name, cost in found.items():
        print(f"engine, {name:26} {cost:6.2f} µs per chunk (limit {LIMIT:.2f}){'' if cost < LIMIT else '  MISSED'}")
    return int(any(cost >= LIMIT for cost in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
