"""`python -m benchmarks.soak`: many streams at a time for many minutes, and a provider that breaks three in ten.

Every call ends in the whole answer or in an honest error, and nothing grows once it has warmed up: memory, file
descriptors, threads, tasks. Status 1 if any of that does not hold. The provider is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from l0.simulator.answers import Answer

ANSWER = Answer(tokens=60)
TEXT = ANSWER.text_of(0)
APIS = ("chat", "responses", "messages")
LEAVES = 0.05
"""Share of the calls whose user stops in the middle."""
SAMPLE_SECONDS = 2.0
WARM_SECONDS = 60.0
"""The time for caches, pools and the allocator to fill; a third of a shorter run."""
MEMORY_MB, FILES, THREADS, TASKS = 16.0, 16, 2, 16
"""By how much each may be above what it was when all was warm: 200 streams are never at the same point twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The resources of the process, ``at`` seconds after the start."""

    at: float
    memory_mb: float
    files: int
    threads: int
    tasks: int


@dataclass(slots=True)
class Tally:
    """The outcomes of the calls. ``wrong``: the first few that were neither complete nor reported as failed."""

    ends: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    spans: int = 0


def _trim() -> None:
    """Have the C library give back what it keeps for later: in a busy process that grows, with nothing held in it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def sample(began: float) -> Sample:
    """Now. Linux only: it reads what the kernel says of this process."""
    _trim()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Sample(
        at=time.monotonic() - began,
        memory_mb=pages * 4096 / 2**20,
        files=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        tasks=len(asyncio.all_tasks()),
    )


class TypedErrorEvent(Exception):  # noqa: N818 - what the user was told
    """The answer ended in the SDK's own event of an error."""


# -- the users ------------------------------------------------------------------------------------------------------


class Users:
    """So many users, each of whom makes one call after the other."""

    def __init__(self, origin: str, tally: Tally, seed: int) -> None:
        import anthropic
        import openai

        self._openai = openai.AsyncOpenAI(api_key="k", base_url=f"{origin}/v1", http_client=_pool(openai))
        self._anthropic = anthropic.AsyncAnthropic(api_key="k", base_url=origin, http_client=_pool(anthropic))
        self._tally = tally
        self._random = random.Random(seed)
        # JSON that is broken in the middle: the SDKs raise what their parser does.
        self._errors = (openai.APIError, anthropic.APIError, ValueError, TypedErrorEvent)

    async def one(self, until: float) -> None:
        """One user, until that time."""
        while time.monotonic() < until:
            self._tally.calls += 1
            said: list[str] = []
            api = self._random.choice(APIS)
            leaves = self._random.random() < LEAVES
            try:
                async with aclosing(self._texts(api)) as texts:
                    async for text in texts:
                        said.append(text)
                        if leaves and len(said) > 20:
                            break
                self._ended(api, "".join(said), left=leaves and len(said) > 20)
            except Exception as error:
                self._failed(api, "".join(said), error)

    async def _texts(self, api: str) -> AsyncIterator[str]:
        """The text of one streamed answer, in one of the dialects."""
        asked = [{"role": "user", "content": "hi"}]
        match api:
            case "chat":
                create: Any = self._openai.chat.completions.create
                async with await create(model="gpt-4o", messages=asked, stream=True) as stream:
                    async for chunk in stream:
                        yield (chunk.choices[0].delta.content or "") if chunk.choices else ""
            case "responses":
                create = self._openai.responses.create
                async with await create(model="gpt-4o", input="hi", store=False, stream=True) as stream:
                    async for event in stream:
                        yield event.delta if event.type == "response.output_text.delta" else ""
                        if event.type in ("error", "response.failed"):  # how this API says it, and the SDK hands on
                            raise TypedErrorEvent
            case _:
                create = self._anthropic.messages.create
                async with await create(model="claude-test", max_tokens=99, messages=asked, stream=True) as stream:
                    async for event in stream:
                        yield event.delta.text if event.type == "content_block_delta" else ""

    def _ended(self, api: str, text: str, *, left: bool) -> None:
        if left and TEXT.startswith(text):
            self._tally.ends["left"] += 1
        elif text == TEXT:
            self._tally.ends["whole"] += 1
        else:
            self._wrong(f"{api}: no error after {len(text)} of {len(TEXT)} characters")

    def _failed(self, api: str, text: str, error: Exception) -> None:
        partial = getattr(error, "partial_text", text)
        if isinstance(error, self._errors) and TEXT.startswith(text) and partial == text:
            self._tally.ends["honest error"] += 1
            self._tally.errors[f"{type(error).__name__} {getattr(error, 'reason', '')}".strip()] += 1
        else:
            self._wrong(f"{api}: {error!r} after {len(text)} characters")

    def _wrong(self, what: str) -> None:
        self._tally.ends["WRONG"] += 1
        if len(self._tally.wrong) < 10:
            self._tally.wrong.append(what)

    async def close(self) -> None:
        """Close the connections."""
        await self._openai.close()
        await self._anthropic.close()


def _pool(sdk: Any) -> Any:
    """As many connections as there are users: the SDKs' own pools have room for them too."""
    return sdk.DefaultAsyncHttpxClient(timeout=30)


def switch_on(tally: Tally) -> Any:
    """l0 with retries, clocks and resumption, and spans that are counted and dropped. Returns the tracer provider."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.trace import set_tracer_provider

    import l0

    class Counting(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            tally.spans += sum(span.parent is None for span in spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Counting(), max_queue_size=100_000))
    set_tracer_provider(provider)
    retry = l0.Retry(attempts=2, max_retries=3, base_delay=0.02)
    clocks = l0.Timeout(initial_token=8_000, inter_token=1_500)
    l0.instrument(l0.Policy(timeout=clocks, retry=retry, resume="exact", truncation="strict"))
    return provider


# -- the run --------------------------------------------------------------------------------------------------------


async def soak(origin: str, tally: Tally, *, seconds: float, users: int) -> list[Sample]:
    """Run, and say what the process held every few seconds."""
    began = time.monotonic()
    made = Users(origin, tally, seed=1)
    samples: list[Sample] = []
    tasks = [asyncio.create_task(made.one(began + seconds)) for _ in range(users)]
    while time.monotonic() < began + seconds - SAMPLE_SECONDS:
        await asyncio.sleep(SAMPLE_SECONDS)
        samples.append(sample(began))
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{samples[-1].at:5.0f} s  {dict(tally.ends)}")
    await asyncio.gather(*tasks)
    await made.close()
    return samples


@asynccontextmanager
async def provider(share: float) -> AsyncIterator[str]:
    """The provider's origin."""
    command = [sys.executable, "-m", "benchmarks.breaking", str(share)]
    process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, cwd=Path(__file__).parents[1])
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def grown(samples: list[Sample], warm: float) -> dict[str, tuple[float, float, float]]:
    """For each thing that could leak: what it was once warm, what it is at the end, and how far it may be above."""
    later = [one for one in samples if one.at >= warm]
    fifth = max(len(later) // 5, 1)
    found = {}
    for name, slack in (("memory_mb", MEMORY_MB), ("files", FILES), ("threads", THREADS), ("tasks", TASKS)):
        values = [float(getattr(one, name)) for one in later]
        found[name] = (median(values[:fifth]), median(values[-fifth:]), slack)
    return found


def report(tally: Tally, samples: list[Sample], seconds: float, share: float) -> bool:
    """Print the figures; returns whether all is as it should be."""
    sound = sum(tally.ends.values()) == tally.calls and not tally.ends["WRONG"] and tally.spans == tally.calls
    ends = ", ".join(f"{number:,} {name}" for name, number in tally.ends.most_common())
    print(f"\n{tally.calls:,} calls in {seconds:.0f} s, {share:.0%} of the requests broken: {ends}")
    print(f"{tally.spans:,} spans of calls")
    for name, number in tally.errors.most_common(12):
        print(f"  {number:7,} {name}")
    for what in tally.wrong:
        print(f"  WRONG: {what}")
    for name, (first, last, slack) in grown(samples, min(WARM_SECONDS, seconds / 3)).items():
        fine = last <= first + slack
        sound = sound and fine
        print(f"{name:10} {first:9.1f} once warm, {last:9.1f} at the end{'' if fine else '  GROWN'}")
    print("sound" if sound else "NOT SOUND")
    return sound


async def run(seconds: float, users: int, share: float) -> bool:
    """One soak."""
    tally = Tally()
    tracing = switch_on(tally)
    async with provider(share) as origin:
        samples = await soak(origin, tally, seconds=seconds, users=users)
    tracing.shutdown()
    return report(tally, samples, seconds, share)


def main() -> int:
    """Return 0 if no check failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--streams", type=int, default=200, help="how many at a time (default 200)")
    parser.add_argument("--faults", type=float, default=0.3, help="share of the requests that break (default 0.3)")
    asked = parser.parse_args()
    return int(not asyncio.run(run(asked.minutes * 60, asked.streams, asked.faults)))


if __name__ == "__main__":
    raise SystemExit(main())
