"""Drive synchronous calls. The twin is `async_driver`: both do the same, except for how they wait, time out and close.

`call_runtime` makes the decisions of both. `connection_use` describes who may close a connection.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.model.attempt import AttemptSpec

from .async_deadlines import wait_unless_stopped
from .body_parser import BodyParser
from .call_runtime import CANCELLED, AttemptOver, CallRuntime
from .connection_use import ConnectionUse
from .hedge import HedgeSender, Sender, race
from .watchdog import WATCHDOG, BoundedReads, ReadDeadline

_log = logging.getLogger("l0")
_READING, _RELEASED = ConnectionUse.READING, ConnectionUse.RELEASED
_DRAIN = 0.1
"""Seconds that the body of a complete answer may take to end, so that its connection can be reused."""


class AttemptBody(Sender, Protocol):
    """The body of a streamed answer, over all attempts. `attach` connects the user's response object to an attempt."""

    def start(self) -> tuple[Iterator[Any], BodyParser]:
        """Return the raw reads of the current attempt, and the parser that turns them into the user's objects."""
        ...

    def read_deadline(self) -> ReadDeadline | None:
        """Return a deadline for the connection in use; ``None`` if it cannot be shut on its own."""

    def close(self) -> None:
        """Close the connection of an attempt that is over, as described in `connection_use`."""


def request(runtime: CallRuntime, sender: Sender) -> Any:
    """Serve one call up to its answer, or to the headers of its stream."""
    command = open_attempts(runtime, runtime.begin(), sender)
    if isinstance(command, Raise):
        raise runtime.error(command)
    return sender.answer


def open_attempts(runtime: CallRuntime, command: Command, sender: Sender) -> Relay | Finish | Raise:
    """Send attempts until one is answered or the call is over. Return the next command."""
    while True:
        match command:
            case AttemptSpec():
                try:
                    command = _attempt(runtime, command, sender)
                except BaseException as error:
                    command = runtime.failed(error)
            case Wait():
                if command.asks:
                    _log.warning("Retry.should_retry is async, and the call is not: it is ignored")
                try:
                    wait_unless_stopped(command.seconds, runtime.ending)
                except BaseException:
                    runtime.close()
                    raise
                command = runtime.backoff_over()
            case _:
                return command


def _attempt(runtime: CallRuntime, attempt: AttemptSpec, sender: Sender) -> Command:
    """Send one attempt. Hedge it if it is slow, and if the policy and the sender allow that."""
    after = runtime.hedge_after if runtime.call.policy.hedge else None
    if after is not None and isinstance(sender, HedgeSender):
        return race(runtime, attempt, sender, after)
    with ExitStack() as context:
        answer = sender.send(runtime.sending(attempt, context))
    return sender.attach(answer)


def relay(runtime: CallRuntime, body: AttemptBody) -> Iterator[Any]:  # noqa: C901, PLR0915 - calls cost, per chunk
    """Yield the objects of a streamed answer, over as many attempts as needed. `request` has opened the first."""
    more, dropped = True, False
    try:
        while more and not runtime.aborted:
            chunks, parser = body.start()
            runtime.answer.parser = parser
            timed, single_text = runtime.timed, parser.single_text
            on_read = runtime.on_read if runtime.recording is None else runtime.recorded_on_read()
            reads = _bounded_reads(chunks, body, runtime)
            read = reads.read if reads is not None else chunks.__next__
            command, since, in_consumer = CANCELLED, 0.0, False
            try:
                while not runtime.aborted:
                    since = perf_counter() if timed else 0.0
                    runtime.connection = _READING
                    try:
                        raw = read()
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
                            raw = read()
                        else:
                            items = on_read(raw, since)
                    except BaseException as error:
                        if in_consumer:  # raised by the consumer
                            raise
                        items = runtime.on_read_stopped(error, since)
                    if type(items) is AttemptOver:
                        command = items.command
                        yield from items.items
                        runtime.delivered()
                        break
                    yield from items  # type: ignore[misc]  # a list
                runtime.connection = _RELEASED
            finally:
                if reads is not None:
                    reads.close()
            if parser.reader.finished:
                _drain(chunks, body)
            more = _next_body(runtime, command, body)
    except GeneratorExit:  # probably from the garbage collector
        dropped = True
        raise
    finally:
        if not sys.is_finalizing():  # closing at interpreter shutdown can crash CPython 3.13
            _leave(runtime, body, dropped=dropped)


def _bounded_reads(chunks: Iterator[Any], body: AttemptBody, runtime: CallRuntime) -> BoundedReads | None:
    """Return reads with deadlines, if the call has any and the connection can be shut on its own."""
    deadline = body.read_deadline() if runtime.deadlines is not None else None
    return BoundedReads(chunks.__next__, deadline, runtime.deadlines) if deadline and runtime.deadlines else None


def _next_body(runtime: CallRuntime, command: Command, body: AttemptBody) -> bool:
    """Run the command that follows an attempt. Return True if another attempt has a body to read."""
    if isinstance(command, Wait):
        body.close()
        command = open_attempts(runtime, command, body)
    if isinstance(command, Raise):
        raise runtime.error(command)
    return isinstance(command, Relay)


def _leave(runtime: CallRuntime, body: AttemptBody, *, dropped: bool) -> None:
    """End the call and close its connection. Do that on another thread if ``dropped``: this may be a finalizer."""
    if dropped:
        runtime.abandon(partial(_release, runtime, body))
    else:
        _release(runtime, body)


def _release(runtime: CallRuntime, body: AttemptBody) -> None:
    runtime.driver_done()
    body.close()


def _drain(chunks: Iterator[Any], body: AttemptBody) -> None:
    """Read the rest of the body of a complete answer: only a connection that was read to its end can be reused."""
    deadline = body.read_deadline()
    if deadline is None or not WATCHDOG.arm(deadline, perf_counter() + _DRAIN):
        return
    try:
        for _ in chunks:
            pass
    except Exception:  # the answer is complete, so only the connection is lost
        pass
    finally:
        deadline.over = True
