"""Provide the body of one call's answer to the drivers, over all attempts."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, cast

from l0.config import attempt
from l0.engine.commands import Command
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.durations import limit_of
from l0.model.failure import Cause
from l0.model.policy import Timeout
from l0.model.ports import CallAdapter, CallObserver
from l0.runtime.async_deadlines import AsyncioReads, TrioReads, deadline_reads
from l0.runtime.body_parser import BodyParser
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.deadlines import FixedDeadline
from l0.runtime.watchdog import ReadDeadline
from l0.stainless.sdk_responses import read_deadline as response_deadline
from l0.wire.request_id import request_id_of

from . import sources
from .source_call_adapter import SourceCallAdapter
from .source_reader import END, SourceReader
from .stream_events import UnknownStreamError

Opened = tuple[Any, Any, sources.Release]
"""A source, its items, and the function that releases it."""


class _SourceBody:
    """The base of the sync and the async body, and the `EnclosingCall` of the requests that the sources make.

    ``raw``: True to deliver the source's own items instead of events.
    """

    def __init__(self, runtime: CallRuntime, call_adapter: SourceCallAdapter) -> None:
        self.runtime = runtime
        self.call_adapter = call_adapter
        self.raw = False
        self.answer: Any = None
        """The source that serves the current attempt."""
        self._source_items: Any = None
        """The items of the source, as an iterator."""
        self._release: sources.Release | None = None

    def attach(self, answer: Opened) -> Command:
        """Serve the attempt from this source."""
        self.answer, self._source_items, self._release = answer
        self.call_adapter.opened = True
        response = sources.response(self.answer)
        headers = getattr(response, "headers", None) or {}
        request_id = request_id_of(headers)
        return self.runtime.opened(getattr(response, "status_code", None), request_id)

    def observe_request(self, call: Call, sdk: str | None, call_adapter: CallAdapter | None) -> CallObserver:
        """Observe a request of the current attempt, as `EnclosingCall.observe_request`."""
        observer = self.call_adapter.call_observer
        request_observer = observer.observe_request(call, sdk, call_adapter)
        self.runtime.describe(observer.with_servers(self.runtime.call), observer.failed_below)
        if not call.streaming and self.runtime.deadlines is not None:
            self.runtime.deadlines.in_one_piece()
            self._extend(self.runtime.deadlines.total_at)
        return request_observer

    def _extend(self, deadline: float) -> None:
        """Extend the deadline of the request that is being sent. A patched SDK keeps its own."""

    def _limits(self) -> dict[str, Any]:
        """Return the fields of the policy that also apply to requests that a source makes through a patched SDK. The
        engine there knows the provider and the model, and so asks their breaker."""
        policy = self.runtime.call.policy
        return {"truncation": policy.truncation, "order": policy.order, "breaker": policy.breaker or None}

    def _new_reader(self) -> BodyParser:
        state = self.call_adapter.state
        reader = SourceReader(
            self.call_adapter.call_observer,
            order=self.runtime.call.policy.order,
            raw=self.raw,
            adapter=self.call_adapter.adapter,
        )
        continuation = self.runtime.answer.continuation
        if continuation is not None:
            strategy, resume_state = continuation
            reader.resume(resume_state, strategy)
            if strategy != "restart" and state.reader is not None:
                reader.first_content = state.reader.first_content
        state.reader, state.waits = reader, False
        return cast(BodyParser, reader)  # a property in place of the attribute `reader`, which no driver sets

    def _let_go(self) -> tuple[Any, sources.Release | None]:
        """Drop the source. Return the iterator over its items if that has to be closed by itself, and the function that
        releases the source. An SDK's stream closes what it reads from."""
        source, release = self.answer, self._release
        self._release = self.answer = None
        if source is None or self._source_items is source or sources.response(source) is not None:
            return None, release  # the iterator is kept, because the garbage collector would close it before the source
        items, self._source_items = self._source_items, None
        return items, release

    def _keep_delivered(self) -> None:
        """Keep the text that the user has for the state, if another attempt follows."""
        if self.runtime.open:
            state = self.call_adapter.state
            state.earlier_text, state.waits = self.runtime.answer.text_before_attempt, True

    def _end(self) -> tuple[str, Any] | None:
        """Record the end of the call. Return the name and the value of the last callback; ``None`` while the call is
        under way, or if the end is already recorded."""
        state, outcome = self.call_adapter.state, self.runtime.ending.outcome
        if outcome is None or state.over:
            return None
        error = self.call_adapter.raised
        if outcome is Outcome.FAILED or error is not None:
            state.end(error=error)
            return "on_error", error
        completed = outcome is not Outcome.CANCELLED
        state.end(completed=completed, aborted=not completed)
        return ("on_complete" if completed else "on_abort"), state


class _Late(Exception):  # noqa: N818 - not an error: the driver then finds that the deadline has passed
    """A read returned after its deadline."""


class _Uninterruptible:
    """A stand-in for the socket of a read that cannot be interrupted."""

    def fileno(self) -> int:
        """Return -1, because no descriptor is known."""
        return -1

    def shutdown(self, how: int, /) -> None:
        """Do nothing, because the read cannot be interrupted."""


class SourceBody(_SourceBody):
    """The body for the sync driver."""

    def __init__(self, runtime: CallRuntime, call_adapter: SourceCallAdapter) -> None:
        super().__init__(runtime, call_adapter)
        self._read_deadline = ReadDeadline(_Uninterruptible())

    def send(self, options: AttemptSpec) -> Opened:
        """Open the source of one attempt and return its items."""
        self.call_adapter.callbacks.call_queued()
        remaining_s, timeout = options.remaining_s, None
        limit = self.runtime.send_by(cause=Cause.FIRST_CONTENT_TIMEOUT) - perf_counter()
        if limit < inf:  # applies only to a patched SDK: L0 cannot interrupt other blocking functions
            total = None if remaining_s == inf else limit_of(remaining_s)
            timeout = Timeout(initial_token=limit_of(limit), inter_token=None, total=total)
        with attempt(self, **self._limits(), timeout=timeout):
            source, release = sources.enter(self.call_adapter.source(options))
        try:
            return source, sources.iterator(source, self.call_adapter.adapter), release
        except UnknownStreamError:
            release()
            raise

    def start(self) -> tuple[Iterator[Any], BodyParser]:
        """Return the raw reads and the parser, as `sync_driver.AttemptBody.start`."""
        response = sources.response(self.answer)
        deadline = response_deadline(response) if hasattr(response, "extensions") else None
        self._read_deadline = deadline if deadline is not None else ReadDeadline(_Uninterruptible())
        return self._items(self._source_items, self._read_deadline), self._new_reader()

    def _items(self, items: Iterator[Any], read_deadline: ReadDeadline) -> Generator[Any, None, None]:
        try:
            with attempt(self, **self._limits()):  # a lazy source sends its request only now
                first = next(items, END)
            if first is not END:
                if read_deadline.fired:
                    raise _Late
                yield first
                for item in items:
                    if read_deadline.fired:
                        raise _Late
                    yield item
        except Exception:
            if not self.runtime.aborted:  # else `SyncStream.abort` ended a blocked read
                raise
        yield END  # as an item: if the source ends after the read deadline, that is still an end and not a failure

    def read_deadline(self) -> ReadDeadline | None:
        """Return the deadline of the connection in use; without a known connection, one that only takes effect when a
        read returns."""
        return self._read_deadline

    def wake(self) -> None:
        """End a read that is blocked on a connection."""
        self._read_deadline.fire()

    def close(self) -> None:
        """Release the source, and call the last callback if the call is over."""
        self._keep_delivered()
        items, release = self._let_go()
        try:
            if items is not None:
                sources.close(items)
        finally:
            try:
                if release is not None:
                    release()
            finally:
                self.ended()

    def ended(self) -> None:
        """Call the last callback, once."""
        end = self._end()
        if end is not None:
            self.call_adapter.callbacks.queue(*end)
            self.call_adapter.callbacks.call_queued()


class AsyncSourceBody(_SourceBody):
    """The body for the async driver."""

    _opening: AsyncioReads | TrioReads | None = None
    """The request that is being sent, if it has a deadline."""

    async def send(self, options: AttemptSpec) -> Opened:
        """Open the source of one attempt and return its items."""
        await self.call_adapter.callbacks.acall_queued()
        deadline = self.runtime.send_by(cause=Cause.FIRST_CONTENT_TIMEOUT)
        if deadline == inf:
            return await self._open(options)
        self._opening = deadline_reads(partial(self._open, options), FixedDeadline(deadline))
        try:
            opened: Opened = await self._opening.read()
            return opened
        finally:
            self._opening.close()
            self._opening = None

    def _extend(self, deadline: float) -> None:
        if self._opening is not None:
            self._opening.extend(deadline)

    async def _open(self, options: AttemptSpec) -> Opened:
        with attempt(self, **self._limits()):
            source, release = await sources.aenter(self.call_adapter.source(options))
        try:
            return source, sources.async_iterator(source, self.call_adapter.adapter), release
        except UnknownStreamError:
            await _released(release)
            raise

    def start(self) -> tuple[AsyncIterator[Any], BodyParser]:
        """Return the raw reads and the parser, as `AsyncAttemptBody.start`."""
        return _Items(self._source_items, self._first_item), self._new_reader()

    async def _first_item(self, items: AsyncIterator[Any]) -> Any:
        with attempt(self, **self._limits()):  # a lazy source sends its request only now
            return await anext(items)

    async def prepare(self) -> None:
        """Do nothing: nothing has to precede the first read of a source."""

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        """Do nothing: a source is already read to its end."""

    async def close(self) -> None:
        """Release the source, and call the last callback if the call is over."""
        self._keep_delivered()
        items, release = self._let_go()
        try:
            if items is not None:
                await sources.aclose(items)
        finally:
            try:
                if release is not None:
                    await _released(release)
            finally:
                await self.ended()

    async def ended(self) -> None:
        """Call the last callback, once."""
        end = self._end()
        if end is not None:
            self.call_adapter.callbacks.queue(*end)
            await self.call_adapter.callbacks.acall_queued()


class _Items:
    """The items of a source. ``read_first`` reads the first one. Not a generator, which would cost time per token."""

    def __init__(self, items: AsyncIterator[Any], read_first: Callable[[AsyncIterator[Any]], Awaitable[Any]]) -> None:
        self._items = items
        self._read_first = read_first
        self._next: Callable[[], Awaitable[Any]] = self._begin

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._next()

    async def _begin(self) -> Any:
        item = await self._read_first(self._items)
        self._next = self._items.__anext__
        return item


async def _released(release: sources.Release) -> None:
    done = release()
    if inspect.isawaitable(done):
        await done
