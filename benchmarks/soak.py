"""`python -m benchmarks.soak`: many concurrent streams for many minutes, and a provider that breaks three in ten.

Tasks and threads stream in one process while the garbage collector runs all the time. Each of these users reads a
stream to its end, closes it, cancels it, lets another thread or task close it, or drops it, also in a reference cycle.
The exit status is 1 if

- a call has no end, a wrong end, or not exactly one span;
- memory in use grows after the third minute by more than `MAX_SLOPE` MB per minute, or the memory of the process,
  files, threads or tasks grow;
- a call hangs: the stacks of all threads and tasks are printed.

The provider runs in another process. All objects come from the C library's allocator (``PYTHONMALLOC=malloc``), which
reports how much of its memory is in use. The memory of the process also includes gaps between objects: it rises and
falls by several MB with the streams that happen to be open, as it does without l0.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import faulthandler
import gc
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from .soak_tally import Tally
from .soak_users import Closer, TaskUsers, ThreadUsers

SAMPLE_SECONDS = 2.0
WARM_SECONDS = 180.0
"""The time for caches, pools and the allocator to fill."""
MIN_SLOPE_SECONDS = 180.0
"""The slope of memory is judged over at least this time. A run too short for that is warm after a third of it."""
MAX_SLOPE = 1.0
"""MB per minute by which memory in use may grow once it is warm."""
MEMORY_MB, IN_USE_MB, FILES, THREADS, TASKS = 24.0, 6.0, 16, 3, 24
"""By how much each may rise above its value after the warm-up: 200 streams are never at the same point twice."""
HANG_SECONDS = 90.0
"""A call that takes longer hangs. Its deadlines and retries end it much earlier."""
GC_THRESHOLD = (100, 5, 5)
"""Python's default is (700, 10, 10). With this one, the collector runs much more often, in the middle of anything."""
THREAD_SHARE = 0.2
"""Share of the users that have their own thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The resources of the process, ``at`` seconds after the start."""

    at: float
    memory_mb: float
    in_use_mb: float
    objects: int
    files: int
    threads: int
    tasks: int


class _MallocInfo(ctypes.Structure):
    """The C library's ``struct mallinfo2``."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names.split())


def _bytes_in_use() -> int:
    """Return the bytes that the program has allocated and not freed. Needs glibc 2.33, and ``PYTHONMALLOC=malloc``."""
    info = ctypes.CDLL(None).mallinfo2
    info.restype = _MallocInfo
    found = info()
    return int(found.uordblks + found.hblkhd)


def _trim() -> None:
    """Make the C library return free memory to the system. Else the memory of a busy process grows without a leak."""
    ctypes.CDLL(None).malloc_trim(0)


def sample(began: float) -> Sample:
    """Return the resources in use now. Linux only: it reads the kernel's figures of this process."""
    gc.collect()
    _trim()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Sample(
        at=time.monotonic() - began,
        memory_mb=pages * 4096 / 2**20,
        in_use_mb=_bytes_in_use() / 2**20,
        objects=len(gc.get_objects()),
        files=len(list(Path("/proc/self/fd").iterdir())),
        threads=len(list(Path("/proc/self/task").iterdir())),
        tasks=len(asyncio.all_tasks()),
    )


def switch_on(tally: Tally) -> Any:
    """Instrument with retries, deadlines and resuming. Count the spans and drop them. Return the tracer provider."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.trace import set_tracer_provider

    import l0

    class CountingExporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            for span in spans:
                if span.parent is None:
                    tally.add_span(str(span.attributes.get("l0.outcome")))
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(CountingExporter(), max_queue_size=100_000))
    set_tracer_provider(provider)
    retry = l0.Retry(attempts=2, max_retries=3, base_delay=0.02)
    timeout = l0.Timeout(initial_token=8_000, inter_token=1_500)
    l0.instrument(l0.Policy(timeout=timeout, retry=retry, resume="exact", truncation="strict"))
    return provider


# -- hangs ----------------------------------------------------------------------------------------------------------


def fail_as_hung(tally: Tally) -> None:
    """Print the calls that hang, and the stacks of all tasks and threads. End the process."""
    for ticket in tally.stuck(HANG_SECONDS):
        print(f"HANGS for {time.monotonic() - ticket.began:.0f} s: {ticket.name}", file=sys.stderr)
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stderr.flush()
    os._exit(1)


def watch_for_hangs(tally: Tally) -> None:
    """Fail if a call hangs. Let faulthandler's thread fail if the event loop does not call this again in time."""
    if tally.stuck(HANG_SECONDS):
        fail_as_hung(tally)
    faulthandler.dump_traceback_later(HANG_SECONDS + SAMPLE_SECONDS, exit=True)


# -- the run --------------------------------------------------------------------------------------------------------


@contextmanager
def gc_pressure() -> Iterator[None]:
    """Make the garbage collector run all the time, with reference cycles that a thread creates."""
    before, ended = gc.get_threshold(), threading.Event()

    def create_cycles() -> None:
        while not ended.wait(0.01):
            for _ in range(50):
                cycle: list[Any] = [bytearray(64)]
                cycle.append(cycle)

    thread = threading.Thread(target=create_cycles, daemon=True)
    gc.set_threshold(*GC_THRESHOLD)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        gc.set_threshold(*before)


@contextmanager
def closing_thread(tally: Tally) -> Iterator[Closer]:
    """Run the thread that closes streams that others read."""
    closer = Closer(tally)
    thread = threading.Thread(target=closer.run, daemon=True)
    thread.start()
    try:
        yield closer
    finally:
        closer.stop()
        thread.join()


async def watch(tally: Tally, began: float, running: list[asyncio.Task[None]], threads: list[Any]) -> list[Sample]:
    """Sample the process until all users are done."""
    samples = []
    while not all(task.done() for task in running) or any(thread.is_alive() for thread in threads):
        await asyncio.sleep(SAMPLE_SECONDS)
        watch_for_hangs(tally)
        samples.append(sample(began))
        show_progress(samples, tally)
    return samples


def show_progress(samples: list[Sample], tally: Tally) -> None:
    """Write the newest figures: in place on a terminal, else one line per minute."""
    is_terminal, last = sys.stderr.isatty(), samples[-1]
    minute_before = samples[-2].at // 60 if len(samples) > 1 else 0
    if is_terminal or last.at // 60 > minute_before:
        ends = ", ".join(f"{number} {name}" for name, number in tally.ends.items())
        text = (
            f"{last.at:5.0f} s  {last.memory_mb:.0f} MB, {last.in_use_mb:.1f} in use, {last.objects:,} objects, {ends}"
        )
        sys.stderr.write(f"\r\033[K{text}" if is_terminal else f"{text}\n")
        sys.stderr.flush()


async def soak(origin: str, tally: Tally, *, seconds: float, users: int) -> list[Sample]:
    """Run all users. Return the samples of the time in which all of them ran."""
    began = time.monotonic()
    until = began + seconds
    in_threads = round(users * THREAD_SHARE)
    with gc_pressure(), closing_thread(tally) as closer:
        task_users = TaskUsers(origin, tally, closer, seed=1)
        thread_users = ThreadUsers(origin, tally, closer, seed=2)
        threads = thread_users.start(until, in_threads)
        running = [asyncio.create_task(task_users.make_calls(until)) for _ in range(users - in_threads)]
        samples = await watch(tally, began, running, threads)
        await asyncio.gather(*running)
    await task_users.close()
    await asyncio.to_thread(thread_users.close)
    return [taken for taken in samples if taken.at < seconds]


async def drain(tally: Tally, tracing: Any) -> None:
    """Wait until the calls whose streams were dropped have ended: another thread or task ends them a moment later."""
    from l0.runtime.finalizers import LATER

    until = time.monotonic() + HANG_SECONDS
    while tally.spans < tally.calls and time.monotonic() < until:
        gc.collect()
        await asyncio.sleep(0.1)  # the event loop closes async generators that were dropped
        await asyncio.to_thread(LATER.finish, HANG_SECONDS)
        await asyncio.to_thread(tracing.force_flush)


@asynccontextmanager
async def provider(share: float) -> AsyncIterator[str]:
    """Start the provider. Yield its origin."""
    command = [sys.executable, "-m", "benchmarks.breaking", str(share)]
    process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, cwd=Path(__file__).parents[1])
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


# -- the verdict ----------------------------------------------------------------------------------------------------


def warm(samples: list[Sample], seconds: float) -> list[Sample]:
    """Return the samples after the third minute; after the first third of a run that is too short for that."""
    long_enough = seconds >= WARM_SECONDS + MIN_SLOPE_SECONDS
    start = WARM_SECONDS if long_enough else seconds / 3
    return [taken for taken in samples if taken.at >= start]


def grown(samples: list[Sample]) -> dict[str, tuple[float, float, float]]:
    """Return the medians of each resource in the first and in the last fifth, and by how much it may grow."""
    fifth = max(len(samples) // 5, 1)
    growth = {}
    for name, slack in (
        ("memory_mb", MEMORY_MB),
        ("in_use_mb", IN_USE_MB),
        ("files", FILES),
        ("threads", THREADS),
        ("tasks", TASKS),
    ):
        values = [float(getattr(taken, name)) for taken in samples]
        growth[name] = (median(values[:fifth]), median(values[-fifth:]), slack)
    return growth


def slope(samples: list[Sample], name: str) -> float:
    """Return the growth of a resource per minute: the median of the slopes between any two samples (Theil-Sen).

    Unlike a mean, it does not change with peaks, which occur when many streams happen to be open.
    """
    slopes = [
        60 * (float(getattr(late, name)) - float(getattr(early, name))) / (late.at - early.at)
        for early, late in combinations(samples, 2)
        if late.at > early.at
    ]
    return median(slopes) if slopes else 0.0


def is_flat(samples: list[Sample]) -> bool:
    """Print the growth of the resources. Return True if none grew by more than is allowed."""
    if not samples:
        print("too short to measure growth")
        return True
    flat = True
    for name, (first, last, slack) in grown(samples).items():
        fine = last <= first + slack
        flat = flat and fine
        print(f"{name:10} {first:9.1f} once warm, {last:9.1f} at the end{'' if fine else '  GROWN'}")
    span = samples[-1].at - samples[0].at
    memory = slope(samples, "in_use_mb")
    judged = samples[0].at >= WARM_SECONDS and span >= 0.9 * MIN_SLOPE_SECONDS
    fine = memory <= MAX_SLOPE or not judged
    print(
        f"slope from minute {samples[0].at / 60:.1f} to {samples[-1].at / 60:.1f}: {memory:+.2f} MB/min in use,"
        f" {slope(samples, 'memory_mb'):+.2f} MB/min of the process,"
        f" {slope(samples, 'objects'):+,.0f} objects/min"
        f"{'' if judged else ' (too short to judge)'}{'' if fine else '  GROWN'}"
    )
    return flat and fine


def report(tally: Tally, samples: list[Sample], seconds: float, share: float) -> bool:
    """Print the figures. Return True if all is as it should be."""
    ends = ", ".join(f"{number:,} {name}" for name, number in tally.ends.most_common())
    outcomes = ", ".join(f"{number:,} {name}" for name, number in tally.outcomes.most_common())
    print(f"\n{tally.calls:,} calls in {seconds:.0f} s, {share:.0%} of the requests broken: {ends}")
    print(f"{tally.spans:,} spans of calls: {outcomes}")
    for name, number in tally.errors.most_common(16):
        print(f"  {number:7,} {name}")
    for text in tally.wrong:
        print(f"  WRONG: {text}")
    if not tally.conserved:
        print(f"NOT CONSERVED: {tally.calls:,} calls, {sum(tally.ends.values()):,} ends, {tally.spans:,} spans")
    flat = is_flat(warm(samples, seconds))
    sound = tally.conserved and flat
    print("sound" if sound else "NOT SOUND")
    return sound


async def run(seconds: float, users: int, share: float) -> bool:
    """Run one soak. Return True if it is sound."""
    tally = Tally()
    tracing = switch_on(tally)
    async with provider(share) as origin:
        samples = await soak(origin, tally, seconds=seconds, users=users)
        await drain(tally, tracing)
    faulthandler.cancel_dump_traceback_later()
    tracing.shutdown()
    return report(tally, samples, seconds, share)


def main() -> int:
    """Return 0 if no check failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the run (default 10)")
    parser.add_argument("--streams", type=int, default=200, help="streams at a time (default 200)")
    parser.add_argument("--faults", type=float, default=0.3, help="share of the requests that break (default 0.3)")
    options = parser.parse_args()
    if os.environ.get("PYTHONMALLOC") != "malloc":
        os.environ["PYTHONMALLOC"] = "malloc"
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.soak", *sys.argv[1:]])
    return int(not asyncio.run(run(options.minutes * 60, options.streams, options.faults)))


if __name__ == "__main__":
    raise SystemExit(main())
