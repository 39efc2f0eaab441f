"""Provide the result of a call of the explicit API: an answer in progress, as events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import AsyncGeneratorType, GeneratorType, TracebackType
from typing import Any, Generic, TypeVar, cast

from l0.engine.machine import CallState
from l0.model.errors import StreamInterrupted, describe_attempts, describe_break, fill
from l0.runtime import async_driver, sync_driver
from l0.runtime.async_deadlines import ends_aborted_read
from l0.runtime.call_runtime import CallRuntime

from .callbacks import Callbacks
from .source_bodies import AsyncSourceBody, SourceBody
from .stream_events import Event, EventType
from .stream_state import Checkpoint, State

_TOKEN = EventType.TOKEN
_SHOW_PARTS = ("on_token", "on_event", "on_tool_call", "on_checkpoint")
"""Callbacks that show parts of an answer before it is complete."""
_B = TypeVar("_B", SourceBody, AsyncSourceBody)


class _Base(Generic[_B]):
    """The base of the sync and the async stream. ``state`` is live while the stream is read."""

    def __init__(self, runtime: CallRuntime, body: _B, callbacks: Callbacks, state: State) -> None:
        self.state = state
        self._runtime = runtime
        self._body: _B = body
        self._callbacks = callbacks
        self._started = False
        self._pieces: list[str] = []
        """The delivered pieces of text, if `on_checkpoint` needs them."""

    def _as_raw(self) -> None:
        if self._started:
            raise RuntimeError("call raw() before reading: events have already been delivered")
        self._body.raw = True

    def _as_whole(self) -> None:
        """Let the engine retry the answer at any point, since nobody sees a part of it. Not if a part was read before,
        if a callback shows parts, if the user gets raw items, or if a broken answer is to be continued."""
        runtime = self._runtime
        shown = runtime.machine.state is CallState.RELAYING
        shown = shown or any(self._callbacks.get(name) is not None for name in _SHOW_PARTS)
        runtime.unseen = not shown and not self._body.raw and runtime.call.policy.resume != "splice"

    def _queue_others(self, event: Event) -> None:
        """Queue ``on_tool_call`` for a tool call, ``on_checkpoint`` for a token that completes a checkpoint."""
        if event.type is _TOKEN:
            if self._callbacks.get("on_checkpoint") is not None:
                self._pieces.append(event.text)
                if len(self._pieces) % self.state.interval == 0:
                    self._callbacks.queue("on_checkpoint", Checkpoint(self._pieces, len(self._pieces)))
        elif event.type is EventType.RESTART:
            self._pieces = []
        elif event.type is EventType.TOOL_CALL:
            self._callbacks.queue("on_tool_call", event.data)

    def _content(self) -> str:
        """Return the text of a complete answer. Raises what ended any other."""
        state = self.state
        if state.error is not None:
            raise state.error
        if state.aborted:
            raise _aborted(state.content, state.attempts)
        return state.content

    def __del__(self) -> None:
        runtime = self.__dict__.get("_runtime")
        if runtime is not None and runtime.open and not self._started:
            runtime.abandon()


def _aborted(text: str, attempts: int) -> StreamInterrupted:
    ending = describe_attempts(attempts)
    message = describe_break("aborted", "the stream was stopped", characters=len(text), ending=ending)
    return fill(StreamInterrupted(message), {"partial_text": text, "reason": "aborted", "attempts": attempts})


class Stream(_Base[AsyncSourceBody]):
    """An answer in progress: iterate with ``async for event in stream``, or call ``await stream.read()``, but not both.

    A failed answer raises while it is read: the source's own exception, or `StreamInterrupted` if a part had arrived.
    Leaving an ``async with`` block, or `aclose`, releases all resources.
    """

    _task: asyncio.Task[Any] | None = None
    _events: AsyncGeneratorType[Any, None] | None = None
    _closing: asyncio.Task[None] | None = None
    """The task that closes the stream, kept because the event loop holds tasks weakly."""

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._reading()

    async def __anext__(self) -> Event:
        event: Event = await self._reading().__anext__()
        return event

    async def read(self) -> str:
        """Read to the end. Return the whole text, including the part read before. Raises what reading raises, and
        `StreamInterrupted` with the reason ``"aborted"`` for a stream that was stopped before its end.

        A failure at any point is retried as `Retry` allows, since nobody sees a part of the answer. That does not hold
        if a part was read before, or if a callback shows parts.
        """
        self._as_whole()
        async for _ in self._reading():
            pass
        return self._content()

    def raw(self) -> AsyncIterator[Any]:
        """Yield the source's own items instead of events, as they arrive. Callbacks for single events are not called.
        An answer that breaks after content was delivered raises, because items cannot be resumed within their text."""
        self._as_raw()
        return self._reading()

    def abort(self) -> None:
        """Stop at once; safe to call from any thread. A blocked read ends, and the connection is closed. Iteration ends
        without an exception, as after a complete answer, but ``state.aborted`` is True."""
        if self.state.over or self._runtime.aborted:
            return
        self._runtime.abort()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:  # called from another thread, or another event loop
            running = None
        loop = self._loop or running
        if loop is None or loop.is_closed():
            return
        if running is loop:
            self._end_reading()
        else:
            loop.call_soon_threadsafe(self._end_reading)

    def _end_reading(self) -> None:
        """End a blocked read, whose reader then closes the stream; or close a stream that is not being read."""
        if not self._is_reading:
            self._closing = asyncio.ensure_future(self._close())
        elif self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    @property
    def _is_reading(self) -> bool:
        return self._events is not None and self._events.ag_running

    async def aclose(self) -> None:
        """Release all resources; an answer in progress is abandoned, and nothing more is delivered. Safe to call at any
        time. If another task, or a callback, is reading, its read ends, and the stream is closed there."""
        is_open = self._runtime.open
        self._runtime.abort()
        if not self._is_reading:
            await self._close()
        elif is_open:  # else the reader is already closing the stream, which must not be cancelled
            self._end_reading()

    async def _close(self) -> None:
        """Close the source first: if the user reads on meanwhile, the reading then just ends."""
        await self._body.close()
        if self._events is not None and not self._is_reading:
            await self._events.aclose()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- reading ----------------------------------------------------------------------------------------------------

    _loop: asyncio.AbstractEventLoop | None = None

    def _reading(self) -> AsyncGenerator[Any, None]:
        try:
            self._task = asyncio.current_task()
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # not asyncio, such as trio: `abort` then takes effect at the next item
            self._task = self._loop = None
        if self._events is None:
            self._started = True
            # Both are generators, although their declared types are only iterators.
            relay = cast("AsyncGeneratorType[Any, None]", async_driver.relay(self._runtime, self._body))
            self._events = (
                cast("AsyncGeneratorType[Any, None]", self._with_callbacks(relay)) if self._callbacks else relay
            )
        return self._events

    async def _with_callbacks(self, events: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:  # noqa: C901 - hot
        """Yield the events, each after its callbacks. Hot: code that runs per token is inlined here."""
        callbacks, body, runtime = self._callbacks, self._body, self._runtime
        queued = callbacks.queued
        on_event, on_token = (callbacks.get("on_event"), callbacks.get("on_token")) if not body.raw else (None, None)
        others = not body.raw and (callbacks.get("on_tool_call") or callbacks.get("on_checkpoint"))
        try:
            async for event in events:
                if queued:
                    await callbacks.acall_queued()
                if on_event is not None:
                    try:
                        answer = on_event(event)
                    except Exception:
                        callbacks.failed("on_event")
                    else:
                        if answer is not None:
                            await callbacks.awaited("on_event", answer)
                if on_token is not None and event[0] is _TOKEN:  # by index: access by name takes twice as long
                    try:
                        answer = on_token(event[1])
                    except Exception:
                        callbacks.failed("on_token")
                    else:
                        if answer is not None:
                            await callbacks.awaited("on_token", answer)
                if others:
                    self._queue_others(event)
                    await callbacks.acall_queued()
                if runtime.aborted:
                    break
                yield event
        except asyncio.CancelledError as error:
            if not (runtime.aborted and ends_aborted_read(error)):
                raise
        finally:
            await events.aclose()


class SyncStream(_Base[SourceBody]):
    """The stream in sync code: ``for event in stream``, or ``stream.read()``. See `Stream`."""

    _events: GeneratorType[Any, None, None] | None = None

    def __iter__(self) -> Iterator[Event]:
        return self._reading()

    def __next__(self) -> Event:
        event: Event = next(self._reading())
        return event

    def read(self) -> str:
        """Read to the end and return the whole text, as `Stream.read`."""
        self._as_whole()
        for _ in self._reading():
            pass
        return self._content()

    def raw(self) -> Iterator[Any]:
        """Yield the source's own items, as `Stream.raw`."""
        self._as_raw()
        return self._reading()

    def abort(self) -> None:
        """Stop at once, as `Stream.abort`; safe to call from any thread. A source without a connection ends when its
        read returns."""
        if not self.state.over and not self._runtime.aborted:
            self.close()

    def close(self) -> None:
        """Release all resources, as `Stream.aclose`. If another thread, or a callback, is reading, its read ends as by
        `abort`, and the stream is closed there."""
        self._runtime.abort()
        if self._events is not None and self._events.gi_running:
            self._body.wake()
            return
        self._body.close()
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> SyncStream:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- reading ----------------------------------------------------------------------------------------------------

    def _reading(self) -> Generator[Any, None, None]:
        if self._events is None:
            self._started = True
            relay = cast("GeneratorType[Any, None, None]", sync_driver.relay(self._runtime, self._body))
            self._events = (
                cast("GeneratorType[Any, None, None]", self._with_callbacks(relay)) if self._callbacks else relay
            )
        return self._events

    def _with_callbacks(self, events: Generator[Any, None, None]) -> Generator[Any, None, None]:
        """Yield the events, each after its callbacks, as `Stream._with_callbacks`."""
        callbacks, body, runtime = self._callbacks, self._body, self._runtime
        try:
            for event in events:
                if callbacks.queued:
                    callbacks.call_queued()
                if not body.raw:
                    callbacks.call("on_event", event)
                    if event.type is _TOKEN:
                        callbacks.call("on_token", event.text)
                    self._queue_others(event)
                    callbacks.call_queued()
                if runtime.aborted:
                    body.close()  # here, because a relay that is closed leaves it to another thread
                    break
                yield event
        finally:
            events.close()
