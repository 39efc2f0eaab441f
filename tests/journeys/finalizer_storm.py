"""Run in its own process: streams that the garbage collector ends at the worst of moments.

Every lock that l0 and OpenTelemetry make is one that, once it is taken, drops a half-read stream in a reference cycle
and collects it. A thread that then waits for its own lock ends the process with its stack: it would wait forever.

Arguments: ``threads`` or ``asyncio``; ``locks``, ``signals`` or ``everywhere`` (the collector runs at any allocation).
"""

import asyncio
import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
import weakref
from contextlib import suppress
from typing import Any

faulthandler.dump_traceback_later(600, exit=True)
FLAVOUR, WHERE = sys.argv[1:]
ROUNDS = 60
DEADLOCK = 3
PLAIN = threading.Lock
garbage: list[Any] = []
"""Half-read streams, each in its own cycle."""
dropped = [0]
passes = [0]
"""Locks that are still taken in peace: one more in each round, so that in time every lock is struck."""
striking = threading.local()


class Cycle:
    """An object that only the garbage collector ends."""

    def __init__(self, stream: Any) -> None:
        self.itself, self.stream = self, stream


def strike() -> None:
    """End a stream here, within the lock."""
    if WHERE == "everywhere" or not garbage or getattr(striking, "now", False):
        return
    passes[0] -= 1
    if passes[0] >= 0:
        return
    striking.now = True
    dropped[0] += 1
    if WHERE == "signals":  # Python runs the handler before the next instruction of the main thread
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGUSR1)
    else:
        try:
            garbage.pop()
        except IndexError:  # another thread's lock was quicker
            pass
        gc.collect()
    striking.now = False


class Struck:
    """A lock as `threading.Lock`."""

    def __init__(self) -> None:
        self._lock = PLAIN()
        self._owner: int | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._owner == threading.get_ident() and blocking and timeout < 0:
            traceback.print_stack()
            os._exit(DEADLOCK)
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            self._owner = threading.get_ident()
            strike()
        return taken

    def release(self) -> None:
        self._owner = None
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def _at_fork_reinit(self) -> None:
        self._lock = PLAIN()
        self._owner = None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def closes(*_: object) -> None:
    """A signal handler of the user's, which stops what runs, and asks something else."""
    try:
        garbage.pop().stream.close()
    except IndexError:
        return
    client.chat.completions.create(**REQUEST, stream=False)


threading.Lock = Struck  # type: ignore[assignment,misc]
RE_ENTRANT = threading.RLock


class Rec:
    """A lock as `threading.RLock` that calls `strike` when a thread first acquires it."""

    def __init__(self) -> None:
        self._lock = RE_ENTRANT()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            strike()
        return taken

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


threading.RLock = Rec  # type: ignore[assignment,misc]

import opentelemetry.sdk.metrics  # noqa: E402 - with the locks above
import opentelemetry.sdk.trace  # noqa: E402
from opentelemetry import metrics, trace  # noqa: E402
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracers = opentelemetry.sdk.trace.TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100_000))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(opentelemetry.sdk.metrics.MeterProvider([reader]))

import l0  # noqa: E402
from l0.runtime.finalizers import LATER  # noqa: E402
from l0.testing import simulator  # noqa: E402

threading.Lock, threading.RLock = PLAIN, RE_ENTRANT  # type: ignore[misc]  # the transport's are the SDK's business

import openai  # noqa: E402

with suppress(ImportError):
    # The bare SDK waits forever as well if a stream is collected while the pool of httpcore 1 assigns connections.
    # With the re-entrant lock of httpcore2 only the locks of l0 and OpenTelemetry are tested.
    import httpcore._synchronization

    httpcore._synchronization.ThreadLock.__init__ = lambda lock: setattr(lock, "_lock", RE_ENTRANT())

REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
client: openai.OpenAI


def begun() -> Any:
    """A stream that was read up to its second event."""
    stream = client.chat.completions.create(**REQUEST, stream=True)
    next(stream), next(stream)
    return stream


def rounds() -> None:
    """Leave streams, and go on."""
    for number in range(ROUNDS):
        garbage.append(Cycle(begun()))
        passes[0] = number % 15
        client.chat.completions.create(**REQUEST, stream=False)
        for place, _event in enumerate(client.chat.completions.create(**REQUEST, stream=True)):
            if place == 2:
                break


async def arounds(url: str) -> None:
    """As `rounds`."""
    async with openai.AsyncOpenAI(api_key="k", base_url=url) as a_client:
        for number in range(ROUNDS):
            garbage.append(Cycle(await asyncio.to_thread(begun)))
            passes[0] = number % 15
            stream = await a_client.chat.completions.create(**REQUEST, stream=True)
            await anext(stream)
            await stream.close()
            await a_client.chat.completions.create(**REQUEST, stream=False)


def collect() -> None:
    """Collect all garbage: a collection does nothing while that of another thread, such as `strike`'s, is under way."""
    last = weakref.ref(Cycle(None))
    while last() is not None:
        gc.collect()


def main() -> None:
    global client  # noqa: PLW0603
    l0.slo.start()
    l0.instrument(l0.Policy(breaker=True, budget=True, adaptive=True) if WHERE != "everywhere" else None)
    signal.signal(signal.SIGUSR1, closes)
    gc.freeze()  # each collection would visit all modules
    with simulator() as sim:
        client = openai.OpenAI(api_key="k", base_url=sim.openai)
        if WHERE == "everywhere":
            gc.set_threshold(1)
        if FLAVOUR == "asyncio":
            asyncio.run(arounds(sim.openai))
        else:
            others = [threading.Thread(target=rounds, daemon=True) for _ in range(2 if WHERE != "signals" else 0)]
            for one in others:
                one.start()
            rounds()
            for one in others:
                one.join()
        gc.set_threshold(700)
        garbage.clear()
        collect()
        assert LATER.finish(30), "ends still wait"
        client.close()
        asked = len(sim.requests)
    tracers.force_flush()
    spans = [span for span in exporter.get_finished_spans() if (span.attributes or {}).get("l0.outcome")]
    ids = {span.context.span_id for span in spans if span.context}
    assert len(ids) == len(spans) == asked, (len(ids), len(spans), asked)
    assert WHERE == "everywhere" or dropped[0] > ROUNDS // 2, dropped
    print("ended", len(spans), "struck", dropped[0])


main()
