"""The users of a soak: tasks and threads that make one call after the other, and leave some streams in every way."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from queue import SimpleQueue
from typing import Any

from l0.simulator.answers import Answer

from .soak_tally import End, Tally, Ticket

ANSWER = Answer(tokens=60)
TEXT = ANSWER.text_of(0)
APIS = ("chat", "responses", "messages")
LEAVES = 0.3
"""Share of the calls that their user leaves before the end."""
LAST_EVENT = 50
"""The latest event at which a user leaves."""
LONGEST_WAIT_S = 1.5
"""The longest time after which a user who cancels does so."""
CLOSE_S = 30.0
"""Seconds that streams may take to close at the end."""


class Leave(StrEnum):
    """The way in which a user leaves a stream."""

    NEVER = "read to the end"
    BREAK = "break, and close"
    DROP = "drop"
    DROP_IN_CYCLE = "drop in a cycle"
    CLOSED_BY_TASK = "closed by another task"
    CLOSED_BY_THREAD = "closed by another thread"
    CANCEL = "cancel"


OF_TASKS = tuple(leave for leave in Leave if leave is not Leave.NEVER)
OF_THREADS = (Leave.BREAK, Leave.DROP, Leave.DROP_IN_CYCLE, Leave.CLOSED_BY_THREAD)
FROM_OUTSIDE = (Leave.CLOSED_BY_TASK, Leave.CLOSED_BY_THREAD, Leave.CANCEL)
"""Ways in which the stream ends while its user reads it: the read may raise, as it does without l0."""
DROPS = {Leave.DROP: End.DROPPED, Leave.DROP_IN_CYCLE: End.DROPPED_IN_CYCLE}


class TypedErrorEvent(Exception):  # noqa: N818 - it stands for an event that the user received
    """The answer ended with the SDK's own error event."""


class Cycle:
    """Holds an object in a reference cycle."""

    def __init__(self, held: object) -> None:
        self.itself, self.held = self, held


@dataclass(slots=True)
class Reading:
    """One call: the way its user leaves, and the text so far."""

    api: str
    leave: Leave
    at_event: int
    text: str = ""
    events: int = 0
    stopped: bool = False
    """The user, or another task or thread on the user's behalf, ended the stream."""

    def add(self, event: Any) -> None:
        """Record an event. Raise `TypedErrorEvent` for an error event of the Responses API."""
        self.events += 1
        self.text += text_of(self.api, event)
        if self.api == "responses" and event.type in ("error", "response.failed"):
            raise TypedErrorEvent

    @property
    def leaves_now(self) -> bool:
        """True at the event at which the user leaves."""
        return self.leave is not Leave.NEVER and self.events == self.at_event


def text_of(api: str, event: Any) -> str:
    """Return the text of an event."""
    match api:
        case "chat":
            return (event.choices[0].delta.content or "") if event.choices else ""
        case "responses":
            return event.delta if event.type == "response.output_text.delta" else ""
        case _:
            delta = getattr(event, "delta", None)
            return getattr(delta, "text", "") if event.type == "content_block_delta" else ""


def create(openai: Any, anthropic: Any, api: str) -> Any:
    """Begin a streamed answer. Return the stream, or its awaitable for async clients."""
    messages = [{"role": "user", "content": "hi"}]
    match api:
        case "chat":
            return openai.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        case "responses":
            return openai.responses.create(model="gpt-4o", input="hi", store=False, stream=True)
        case _:
            return anthropic.messages.create(model="claude-test", max_tokens=100_000, messages=messages, stream=True)


@dataclass(slots=True)
class Closer:
    """A thread that closes the streams of others."""

    tally: Tally
    closes: SimpleQueue[Callable[[], object] | None] = field(default_factory=SimpleQueue)

    def run(self) -> None:
        """Close until `stop`."""
        while (close := self.closes.get()) is not None:
            try:
                close()
            except Exception as error:
                self.tally.add_wrong(f"closing raised {error!r}")

    def stop(self) -> None:
        """End the thread."""
        self.closes.put(None)


class Users:
    """The common part of users of both kinds."""

    leaves: tuple[Leave, ...]
    first_event: int

    def __init__(self, tally: Tally, closer: Closer, seed: int) -> None:
        import anthropic
        import openai

        self.tally, self.closer = tally, closer
        self.random = random.Random(seed)
        # ValueError: the SDKs raise the error of their JSON parser if an event is broken in the middle.
        self._errors = (openai.APIError, anthropic.APIError, ValueError, TypedErrorEvent)

    def begin(self) -> tuple[Reading, Ticket]:
        """Draw the next call."""
        leave = self.random.choice(self.leaves) if self.random.random() < LEAVES else Leave.NEVER
        at_event = self.random.randint(self.first_event, LAST_EVENT)
        reading = Reading(self.random.choice(APIS), leave, at_event)
        return reading, self.tally.begin(f"{type(self).__name__}, {reading.api}, {leave}")

    def count(self, ticket: Ticket, reading: Reading, error: Exception | None) -> None:
        """Count the end of a call by what its user saw."""
        end, detail = self._end(reading, error)
        self.tally.end(ticket, end, detail)

    def _end(self, reading: Reading, error: Exception | None) -> tuple[End, str]:
        text = reading.text
        if not TEXT.startswith(text):
            return End.WRONG, f"text that is not of the answer: {text!r}"
        if reading.stopped and (error is None or reading.leave in FROM_OUTSIDE):
            return DROPS.get(reading.leave, End.LEFT), type(error).__name__ if error else ""
        if error is None:
            missing = f"no error after {len(text)} of {len(TEXT)} characters"
            return (End.WHOLE, "") if text == TEXT else (End.WRONG, missing)
        if isinstance(error, self._errors) and getattr(error, "partial_text", text) == text:
            return End.HONEST_ERROR, f"{type(error).__name__} {getattr(error, 'reason', '')}".strip()
        return End.WRONG, f"{error!r} after {len(text)} characters"


class TaskUsers(Users):
    """Users in tasks of one event loop."""

    leaves = OF_TASKS
    first_event = 1
    """An async stream that is dropped unread keeps its connection, even without l0: nothing awaits its close."""

    def __init__(self, origin: str, tally: Tally, closer: Closer, seed: int) -> None:
        import anthropic
        import openai

        super().__init__(tally, closer, seed)
        openai_pool, anthropic_pool = (sdk.DefaultAsyncHttpxClient(timeout=30) for sdk in (openai, anthropic))
        self._openai = openai.AsyncOpenAI(api_key="k", base_url=f"{origin}/v1", http_client=openai_pool)
        self._anthropic = anthropic.AsyncAnthropic(api_key="k", base_url=origin, http_client=anthropic_pool)
        self._closing: set[asyncio.Task[None]] = set()

    async def make_calls(self, until: float) -> None:
        """Make calls until this time, on `time.monotonic`."""
        while time.monotonic() < until:
            reading, ticket = self.begin()
            found: Exception | None = None
            try:
                await self._read_until_cancelled(reading)
            except Exception as error:
                found = error.with_traceback(None)  # its frames hold the stream
            self.count(ticket, reading, found)

    async def _read_until_cancelled(self, reading: Reading) -> None:
        if reading.leave is not Leave.CANCEL:
            await self._read(reading)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.random.uniform(0, LONGEST_WAIT_S)) as timeout:
                await self._read(reading)
        reading.stopped = timeout.expired()

    async def _read(self, reading: Reading) -> None:
        stream = await create(self._openai, self._anthropic, reading.api)
        async for event in stream:
            reading.add(event)
            if not reading.leaves_now:
                continue
            reading.stopped = reading.leave is not Leave.CANCEL
            if await self._leave(reading.leave, stream):
                return

    async def _leave(self, leave: Leave, stream: Any) -> bool:
        """Leave a stream. Return True if its user reads no more."""
        match leave:
            case Leave.BREAK:
                await stream.close()
            case Leave.DROP_IN_CYCLE:
                Cycle(stream)
            case Leave.CLOSED_BY_TASK:
                self._close_in_task(stream)
            case Leave.CLOSED_BY_THREAD:
                loop = asyncio.get_running_loop()
                self.closer.closes.put(lambda: loop.call_soon_threadsafe(self._close_in_task, stream))
            case _:
                pass
        return leave in (Leave.BREAK, Leave.DROP, Leave.DROP_IN_CYCLE)

    def _close_in_task(self, stream: Any) -> None:
        task = asyncio.ensure_future(stream.close())
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.tally.add_wrong(f"closing raised {error!r}")

    async def close(self) -> None:
        """Close the connections."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_S)
        await self._openai.close()
        await self._anthropic.close()


class ThreadUsers(Users):
    """Users in their own threads."""

    leaves = OF_THREADS
    first_event = 0

    def __init__(self, origin: str, tally: Tally, closer: Closer, seed: int) -> None:
        import anthropic
        import openai

        super().__init__(tally, closer, seed)
        openai_pool, anthropic_pool = (sdk.DefaultHttpxClient(timeout=30) for sdk in (openai, anthropic))
        self._openai = openai.OpenAI(api_key="k", base_url=f"{origin}/v1", http_client=openai_pool)
        self._anthropic = anthropic.Anthropic(api_key="k", base_url=origin, http_client=anthropic_pool)

    def start(self, until: float, number: int) -> list[threading.Thread]:
        """Start this many users. Return their threads."""
        threads = [threading.Thread(target=self.make_calls, args=(until,), daemon=True) for _ in range(number)]
        for thread in threads:
            thread.start()
        return threads

    def make_calls(self, until: float) -> None:
        """Make calls until this time, on `time.monotonic`."""
        while time.monotonic() < until:
            reading, ticket = self.begin()
            found: Exception | None = None
            try:
                self._read(reading)
            except Exception as error:
                found = error.with_traceback(None)  # its frames hold the stream
            self.count(ticket, reading, found)

    def _read(self, reading: Reading) -> None:
        stream = create(self._openai, self._anthropic, reading.api)
        if reading.leaves_now and self._leave(reading, stream):
            return
        for event in stream:
            reading.add(event)
            if reading.leaves_now and self._leave(reading, stream):
                return

    def _leave(self, reading: Reading, stream: Any) -> bool:
        """Leave a stream. Return True if its user reads no more."""
        reading.stopped = True
        match reading.leave:
            case Leave.BREAK:
                stream.close()
            case Leave.DROP_IN_CYCLE:
                Cycle(stream)
            case Leave.CLOSED_BY_THREAD:
                self.closer.closes.put(stream.close)
                return False
            case _:
                pass
        return True

    def close(self) -> None:
        """Close the connections."""
        self._openai.close()
        self._anthropic.close()
