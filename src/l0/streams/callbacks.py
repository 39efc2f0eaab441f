"""Call the lifecycle callbacks of a call, in a fixed order. A callback that fails cannot disturb the call.

=================  ==========================  ======================================================================
callback           receives                    when
=================  ==========================  ======================================================================
``on_start``       `Attempt`                   the first request is sent
``on_timeout``     `Failure`                   a deadline ended an attempt, and another attempt follows
``on_retry``       `Attempt`                   the answer is requested again from the same source
``on_fallback``    `Attempt`                   the answer is requested from the next source
``on_resume``      `Attempt`                   an answer that broke after a part was delivered is resumed, or restarted
``on_violation``   `Violation`                 a guardrail found something
``on_drift``       `Violation`                 the drift rule found something
``on_event``       `Event`                     before the consumer receives it
``on_token``       the text                    after ``on_event``, for a token
``on_tool_call``   `ToolCall`                  after ``on_event``, for a tool call
``on_checkpoint``  `Checkpoint`                after ``on_token``, every ``CheckIntervals.checkpoint`` delivered tokens
``on_abort``       `State`                     last: ``abort()``, an early exit, or cancellation
``on_error``       the exception               last: the call failed
``on_complete``    `State`                     last: the answer is complete
=================  ==========================  ======================================================================

After a failed attempt that is followed by another, ``on_timeout`` comes first if a deadline ended it, then exactly one
of ``on_retry``, ``on_fallback``, ``on_resume``; they are called when the next request is sent. Every call ends with
exactly one of ``on_abort``, ``on_error``, ``on_complete``. Callbacks may be coroutine functions in the async API: each
is awaited before the next. The exceptions of callbacks are logged and ignored.

A callback may have several parameters, whose names select what they receive: see `with_named_arguments`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l0.migration import AttemptAliases
from l0.model.errors import raised
from l0.model.failure import Failure
from l0.model.policy import PolicyError
from l0.model.rule import Violation

from .callback_arguments import Callback, CallbackValue, with_named_arguments
from .stream_events import Event, ToolCall
from .stream_state import Checkpoint, State

_log = logging.getLogger("l0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(AttemptAliases):
    """One request of a call. ``number``: counted from 1. ``leg``: index of the source, 0 for the primary. ``failure``:
    the failure of the previous attempt, if any. ``resume``: the mode (`Policy.resume`) if this request resumes a broken
    answer, else ``None``."""

    number: int
    leg: int = 0
    failure: Failure | None = None
    resume: str | None = None

    @property
    def reason(self) -> str | None:
        """The cause of the failure of the previous attempt, such as ``"reset"``."""
        return None if self.failure is None else self.failure.cause.value


VALUES = {
    "on_start": CallbackValue("attempt", Attempt),
    "on_token": CallbackValue("text", str),
    "on_event": CallbackValue("event", Event),
    "on_checkpoint": CallbackValue("checkpoint", Checkpoint),
    "on_violation": CallbackValue("violation", Violation),
    "on_drift": CallbackValue("violation", Violation),
    "on_timeout": CallbackValue("failure", Failure),
    "on_retry": CallbackValue("attempt", Attempt),
    "on_fallback": CallbackValue("attempt", Attempt),
    "on_resume": CallbackValue("attempt", Attempt),
    "on_tool_call": CallbackValue("tool_call", ToolCall),
    "on_abort": CallbackValue("state", State),
    "on_error": CallbackValue("error", Exception),
    "on_complete": CallbackValue("state", State),
}
"""All callbacks, with the value that each receives."""
NAMES = tuple(VALUES)


class Callbacks:
    """The callbacks of one call. Code that cannot await queues a callback, which is called at the next opportunity."""

    __slots__ = ("_by_name", "queued", "state")

    def __init__(self, callbacks: Mapping[str, Callback | None], *, sync: bool) -> None:
        self._by_name: dict[str, Callback] = {}
        self.state = State()
        """The state of the call, for callbacks with a parameter ``state``. The call sets it."""
        self.queued: list[tuple[str, Any]] = []
        """The queued callbacks: names and values."""
        for name, callback in callbacks.items():
            if callback is None:
                continue
            if not callable(callback):
                raise PolicyError(name, callback, "a function, or None")
            if sync and inspect.iscoroutinefunction(callback):
                raise PolicyError(name, callback, "a plain function: a coroutine function needs the async API")
            self._by_name[name] = with_named_arguments(name, callback, VALUES[name], lambda: self.state)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def get(self, name: str) -> Callback | None:
        """Return the callback of this name, if any."""
        return self._by_name.get(name)

    def queue(self, name: str, value: Any) -> None:
        """Queue a callback for the next opportunity."""
        if name in self._by_name:
            self.queued.append((name, value))

    def call_queued(self) -> None:
        """Call the queued callbacks, in order."""
        while self.queued:
            self.call(*self.queued.pop(0))

    async def acall_queued(self) -> None:
        """Call the queued callbacks, and await those that are coroutine functions."""
        while self.queued:
            await self.acall(*self.queued.pop(0))

    def call(self, name: str, value: Any) -> None:
        """Call one callback. Its exceptions are logged and ignored."""
        callback = self._by_name.get(name)
        if callback is None:
            return
        try:
            answer = callback(value)
        except Exception:
            self.failed(name)
        else:
            if inspect.iscoroutine(answer):
                answer.close()
                _log.warning("%s returned a coroutine, which the sync API cannot await: it is ignored", name)

    async def acall(self, name: str, value: Any) -> None:
        """Call one callback, as `call`, and await its result if it is awaitable."""
        callback = self._by_name.get(name)
        if callback is None:
            return
        try:
            answer = callback(value)
        except Exception:
            self.failed(name)
        else:
            if answer is not None:
                await self.awaited(name, answer)

    async def awaited(self, name: str, answer: Any) -> None:
        """Await the result of a callback, if it is awaitable."""
        if inspect.isawaitable(answer):
            try:
                await answer
            except Exception:
                self.failed(name)

    def failed(self, name: str) -> None:
        """Log the exception of a callback. The stream continues."""
        _log.warning("%s failed and is ignored: %s", name, raised())
