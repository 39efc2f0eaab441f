"""Drive asynchronous calls. The twin is `sync_driver`: both do the same, except for how they wait, time out and close.

`call_runtime` makes the decisions of both. `connection_use` describes who may close a connection.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Protocol

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.model.attempt import AttemptSpec
from l0.model.errors import raised

from .async_deadlines import deadline_reads, ends_aborted_read, sleep
from .body_parser import BodyParser
from .call_runtime import CANCELLED, AttemptOver, CallRuntime
from .connection_use import ConnectionUse
from .hedge import AsyncHedgeSender, AsyncSender, arace

_log = logging.getLogger("l0")
_READING, _RELEASED = ConnectionUse.READING, ConnectionUse.RELEASED


class AsyncAttemptBody(AsyncSender, Protocol):
    """The body of a streamed answer, as `sync_driver.AttemptBody`."""

    def start(self) -> tuple[AsyncIterator[Any], BodyParser]:
        """Return the raw reads of the current attempt, and the parser that turns them into the user's objects."""
        ...

    async def prepare(self) -> None:
        """Do the slow work that must precede the first read, so that it does not count towards the read's deadline."""

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        """Read the rest of the body of a complete answer, within a short limit, so that its connection can be
        reused."""

    async def close(self) -> None:
        """Close the connection of an attempt that is over, as described in `connection_use`."""


async def request(runtime: CallRuntime, sender: AsyncSender) -> Any:
    """Serve one call up to its answer, or to the headers of its stream."""
    command = await open_attempts(runtime, runtime.begin(), sender)
    if isinstance(command, Raise):
        raise runtime.error(command)
    return sender.answer


async def open_attempts(runtime: CallRuntime, command: Command, sender: AsyncSender) -> Relay | Finish | Raise:
    """Send attempts until one is answered or the call is over. Return the next command."""
    while True:
        match command:
            case AttemptSpec():
                try:
                    command = await _attempt(runtime, command, sender)
                except BaseException as error:
                    command = runtime.failed(error)
            case Wait():
                try:
                    vetoed = command.asks and await _vetoed(runtime)
                    if not vetoed:
                        await sleep(command.seconds, runtime.ending)
                except BaseException:
                    runtime.close()
                    raise
                command = runtime.backoff_over(vetoed=vetoed)
            case _:
                return command


async def _vetoed(runtime: CallRuntime) -> bool:
    """Return True if the user's async ``should_retry`` rejects the retry. If it raises, log that and ignore it."""
    retry = runtime.call.policy.retry
    try:
        return not await retry.should_retry(runtime.machine.failures[-1])  # type: ignore[union-attr,misc]  # an async one
    except Exception:
        _log.warning("Retry.should_retry failed and is ignored: %s", raised())
        return False


async def _attempt(runtime: CallRuntime, attempt: AttemptSpec, sender: AsyncSender) -> Command:
    """Send one attempt. Hedge it if it is slow, and if the policy and the sender allow that."""
    after = runtime.hedge_after if runtime.call.policy.hedge else None
    if after is not None and isinstance(sender, AsyncHedgeSender):
        return await arace(runtime, attempt, sender, after)
    with ExitStack() as context:
        answer = await sender.send(runtime.sending(attempt, context))
    return sender.attach(answer)


async def relay(runtime: CallRuntime, body: AsyncAttemptBody) -> AsyncIterator[Any]:  # noqa: C901, PLR0915 - calls cost, per chunk
    """Yield the objects of a streamed answer, over as many attempts as needed. `request` has opened the first."""
    more = True
    try:
        while more and not runtime.aborted:
            chunks, parser = body.start() if runtime.deadlines is None else await _prepared(body)
            runtime.answer.parser = parser
            timed, single_text, command, since, in_consumer = runtime.timed, parser.single_text, CANCELLED, 0.0, False
            on_read = runtime.on_read if runtime.recording is None else runtime.recorded_on_read()
            reads = deadline_reads(chunks.__anext__, runtime.deadlines) if runtime.deadlines is not None else None
            read = reads.read if reads is not None else chunks.__anext__
            try:
                while not runtime.aborted:
                    since = perf_counter() if timed else 0.0
                    runtime.connection = _READING
                    try:
                        raw = await read()
                        items: list[Any] | AttemptOver = []
                        # Fast path: yield fragments of text without `on_read` until a check is due.
                        unchecked = runtime.unchecked_fragments if single_text is not None else 0
                        while unchecked and single_text is not None and (item := single_text(raw)) is not None:
                            unchecked -= 1
                            if not unchecked:
                                rejected = runtime.evaluate_rules(item)
                                if rejected is not None:
                                    items = rejected
                                    break
                                unchecked = runtime.fragments_to_next_check
                            in_consumer, since = True, 0.0  # 0.0: nobody measured when the next read began
                            yield item
                            in_consumer = False
                            if runtime.aborted:
                                break
                            raw = await read()
                        else:
                            items = on_read(raw, since)
                    except BaseException as error:
                        if in_consumer:  # raised by the consumer
                            raise
                        if runtime.aborted and ends_aborted_read(error):
                            break
                        items = runtime.on_read_stopped(error, since)
                    over = type(items) is AttemptOver
                    for item in items.items if over else items:  # type: ignore[union-attr]  # a list
                        if not runtime.aborted:
                            yield item
                    if over:
                        command = items.command  # type: ignore[union-attr]
                        runtime.delivered()
                        break
                runtime.connection = _RELEASED
            finally:
                if reads is not None:
                    reads.close()
            await _end_reads(body, chunks, complete=parser.reader.finished)
            more = await _next_body(runtime, command, body)
    finally:
        runtime.driver_done()
        if not sys.is_finalizing():  # closing at interpreter shutdown can crash CPython 3.13
            await body.close()


async def _prepared(body: AsyncAttemptBody) -> tuple[AsyncIterator[Any], BodyParser]:
    """Start an attempt whose reads have deadlines."""
    await body.prepare()
    return body.start()


async def _end_reads(body: AsyncAttemptBody, chunks: Any, *, complete: bool) -> None:
    """Close the reads of an attempt. Read the rest of the body first if the answer is ``complete``."""
    if complete:
        await body.drain(chunks)
    elif isinstance(chunks, AsyncGenerator):
        await chunks.aclose()  # the garbage collector would close it while the next attempt reads


async def _next_body(runtime: CallRuntime, command: Command, body: AsyncAttemptBody) -> bool:
    """Run the command that follows an attempt. Return True if another attempt has a body to read."""
    if isinstance(command, Wait):
        await body.close()
        command = await open_attempts(runtime, command, body)
    if isinstance(command, Raise):
        raise runtime.error(command)
    return isinstance(command, Relay)
