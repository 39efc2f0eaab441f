"""The body of one call's answer, as the drivers read it: whichever source serves it now."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, cast

from l0.drivers.pump import Pump
from l0.drivers.session import Session
from l0.drivers.timers import within
from l0.drivers.watchdog import Watch
from l0.engine.commands import Finish, Raise
from l0.patching.responses import watch as watch_response
from l0.patching.switchboard import attempt
from l0.values.calls import Outcome
from l0.values.failures import Cause
from l0.values.policy import Timeout
from l0.values.ports import Plan

from . import sources
from .events import UnknownStreamError
from .intake import OVER, Intake
from .upstream import FactoryUpstream

Opened = tuple[Any, Any, sources.Release]
"""A source, its items, and how it is released."""


class _Body:
    """What both flavours share. ``raw``: hand out the source's own items."""

    def __init__(self, session: Session, upstream: FactoryUpstream) -> None:
        self.session = session
        self.upstream = upstream
        self.raw = False
        self.aborted = False
        self._source: Any = None
        self._given: Any = None
        """The source's items, as an iterator."""
        self._release: sources.Release | None = None

    def attach(self, answer: Opened) -> None:
        """This source serves the attempt."""
        self._source, self._given, self._release = answer
        self.upstream.opened = True
        response = sources.response(self._source)
        headers = getattr(response, "headers", None) or {}
        request_id = headers.get("x-request-id") or headers.get("request-id")
        self.session.opened(getattr(response, "status_code", None), request_id)

    def _intake(self) -> Pump:
        intake = Intake(lambda: self.upstream.watch.facts, raw=self.raw)
        taken_up = self.session.continuation
        if taken_up is not None:
            strategy, earlier = taken_up
            intake.take_up(earlier, strategy)
        self.upstream.state.intake = intake
        return cast(Pump, intake)  # its reader is itself: a property, which nobody sets

    def _end(self) -> tuple[str, Any] | None:
        """How the call ended, for the last callback; ``None`` while it is under way, or once that was told."""
        state, command = self.upstream.state, self.session.command
        if self.session.open or state.over:
            return None
        error = self.upstream.raised
        if isinstance(command, Raise) or error is not None:
            state.end(error=error)
            return "on_error", error
        whole = isinstance(command, Finish) and command.outcome is not Outcome.CANCELLED
        state.end(completed=whole, aborted=not whole)
        return ("on_complete" if whole else "on_abort"), state


class _Late(Exception):  # noqa: N818 - an event: the driver sees that the watch has fired
    """A read came back after its deadline."""


class _Deaf:
    """A read that nothing can end but its own return."""

    def fileno(self) -> int:
        """Nobody knows."""
        return -1

    def shutdown(self, how: int, /) -> None:
        """In vain."""


class SyncBody(_Body):
    """For the sync driver."""

    def __init__(self, session: Session, upstream: FactoryUpstream) -> None:
        super().__init__(session, upstream)
        self._watch = Watch(_Deaf())

    def send(self, options: Plan) -> Opened:
        """Ask the source of one attempt for its items."""
        self.upstream.callbacks.tell()
        left, bound = options.left, None
        limit = self.session.send_by(cause=Cause.FIRST_CONTENT_TIMEOUT) - perf_counter()
        if limit < inf:  # only an SDK that is patched can obey it: nothing else ends a call that blocks
            total = None if left == inf else max(left, 0.001) * 1000
            bound = Timeout(initial_token=max(limit, 0.001) * 1000, inter_token=None, total=total)
        with attempt(self.upstream.watch, truncation=self.session.call.policy.truncation, timeout=bound):
            source, release = sources.enter(self.upstream.source(options))
        try:
            return source, sources.iterator(source), release
        except UnknownStreamError:
            release()
            raise

    def lead(self, answer: Opened) -> bool:  # noqa: ARG002
        """Never asked: sources are not hedged, for nobody knows what they do besides."""
        return True

    def discard(self, answer: Opened) -> None:
        """Release a source that nobody will read."""
        answer[2]()

    def cut(self, answer: Opened) -> None:
        """As `lead`."""

    def start(self) -> tuple[Iterator[Any], Pump]:
        """As `sync.Body.start`."""
        response = sources.response(self._source)
        found = watch_response(response) if hasattr(response, "extensions") else None
        self._watch = found if found is not None else Watch(_Deaf())
        return self._items(self._given, self._watch), self._intake()

    def _items(self, items: Iterator[Any], watch: Watch) -> Generator[Any, None, None]:
        try:
            with attempt(self.upstream.watch, truncation=self.session.call.policy.truncation):  # it may only begin now
                first = next(items, OVER)
            if first is not OVER:
                if watch.fired:
                    raise _Late
                yield first
                for item in items:
                    if watch.fired:
                        raise _Late
                    yield item
        except Exception:
            if not self.aborted:  # else it is `SyncStream.abort` that ended a blocked read
                raise
        yield OVER

    def reopen(self, options: Plan) -> None:
        """Send the request again."""
        self.attach(self.send(options))

    def watch(self) -> Watch | None:
        """A watch on the connection in use, or one that strikes when a read returns."""
        return self._watch

    def wake(self) -> None:
        """End a read that is blocked on a connection."""
        self._watch.fire()

    def close(self) -> None:
        """Release the source; the last callback where that was the end."""
        release, self._release, self._source = self._release, None, None
        try:
            if release is not None:
                release()
        finally:
            self.ended()

    def ended(self) -> None:
        """Tell the last callback, once."""
        end = self._end()
        if end is not None:
            self.upstream.callbacks.note(*end)
            self.upstream.callbacks.tell()


class AsyncBody(_Body):
    """For the async driver."""

    async def send(self, options: Plan) -> Opened:
        """Ask the source of one attempt for its items."""
        await self.upstream.callbacks.atell()
        deadline = self.session.send_by(cause=Cause.FIRST_CONTENT_TIMEOUT)
        opened: Opened = await within(deadline, partial(self._open, options))
        return opened

    async def _open(self, plan: Plan) -> Opened:
        with attempt(self.upstream.watch, truncation=self.session.call.policy.truncation):
            source, release = await sources.aenter(self.upstream.source(plan))
        try:
            return source, sources.async_iterator(source), release
        except UnknownStreamError:
            await _released(release)
            raise

    async def lead(self, answer: Opened) -> bool:  # noqa: ARG002
        """As `SyncBody.lead`."""
        return True

    async def discard(self, answer: Opened) -> None:
        """Release a source that nobody will read."""
        await _released(answer[2])

    def start(self) -> tuple[AsyncIterator[Any], Pump]:
        """As `asynchronous.AsyncBody.start`."""
        return _Items(self._given, self._first), self._intake()

    async def _first(self, items: AsyncIterator[Any]) -> Any:
        with attempt(self.upstream.watch, truncation=self.session.call.policy.truncation):  # it may only begin now
            return await anext(items)

    def end(self, error: BaseException) -> Any:
        """As `asynchronous.AsyncBody.end`: after the last item, and where `Stream.abort` ended a blocked read."""
        over = isinstance(error, StopAsyncIteration) or (isinstance(error, asyncio.CancelledError) and self.woken())
        return OVER if over else None

    def woken(self) -> bool:
        """Whether a cancellation is only what `Stream.abort` ended a blocked read with; takes it back then."""
        task = asyncio.current_task() if self.aborted else None
        return task is not None and task.uncancel() == 0

    async def reopen(self, options: Plan) -> None:
        """Send the request again."""
        self.attach(await self.send(options))

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        """A source is read to its end."""

    async def close(self) -> None:
        """Release the source; the last callback where that was the end."""
        release, self._release, self._source = self._release, None, None
        try:
            if release is not None:
                await _released(release)
        finally:
            await self.ended()

    async def ended(self) -> None:
        """Tell the last callback, once."""
        end = self._end()
        if end is not None:
            self.upstream.callbacks.note(*end)
            await self.upstream.callbacks.atell()


class _Items:
    """A source's items, the first of them read by ``first``: a generator around them would cost every token."""

    def __init__(self, items: AsyncIterator[Any], first: Callable[[AsyncIterator[Any]], Awaitable[Any]]) -> None:
        self._items = items
        self._first = first
        self._next: Callable[[], Awaitable[Any]] = self._begin

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._next()

    async def _begin(self) -> Any:
        item = await self._first(self._items)
        self._next = self._items.__anext__
        return item


async def _released(release: sources.Release) -> None:
    done = release()
    if inspect.isawaitable(done):
        await done
