"""Call the lifecycle callbacks of a call, in a fixed order. A callback that fails cannot disturb the call.

=================  ==========================  ======================================================================
callback           receives                    when
=================  ==========================  ======================================================================
``on_start``       `Attempt`                   the first request is sent
``on_timeout``     `Failure`                   a deadline ended an attempt
``on_retry``       `Attempt`                   the same source is asked again
``on_fallback``    `Attempt`                   the next source is asked
``on_resume``      `Attempt`                   an answer that broke after a part was delivered is resumed, or restarted
``on_violation``   `Violation`                 a guardrail found something
``on_drift``       `Violation`                 the drift rule found something
``on_event``       `Event`                     before the consumer receives it
``on_token``       the text                    after ``on_event``, for a token
``on_tool_call``   `ToolCall`                  after ``on_event``, for a tool call
``on_checkpoint``  `Checkpoint`                after ``on_token``, every ``CheckIntervals.checkpoint`` tokens
``on_abort``       `State`                     last: ``abort()``, an early exit, or cancellation
``on_error``       the exception               last: the call failed
``on_complete``    `State`                     last: the answer is complete
=================  ==========================  ======================================================================

For a failed attempt, ``on_timeout`` comes first, then exactly one of ``on_retry``, ``on_fallback``, ``on_resume``; they
are called when the next request is sent. Exactly one of the last three ends every call. Callbacks may be coroutine
functions in the async API: each is awaited before the next. The exceptions of callbacks are logged and ignored.

A callback with several parameters receives what these name: see `with_named_arguments`.
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
    the failure of the previous attempt, if any. ``resume``: the mode in which a broken answer is resumed, if it is."""

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
    """The callbacks of one call. Callbacks that arise in code that cannot await are queued, and called at the next
    opportunity."""

    __slots__ = ("_given", "noted", "state")

    def __init__(self, given: Mapping[str, Callback | None], *, sync: bool) -> None:
        self._given: dict[str, Callback] = {}
        self.state = State()
        """The state of the call, which callbacks can have. The call sets it."""
        self.noted: list[tuple[str, Any]] = []
        """The queued callbacks: names and values."""
        for name, callback in given.items():
            if callback is None:
                continue
            if not callable(callback):
                raise PolicyError(name, callback, "a function, or None")
            if sync and inspect.iscoroutinefunction(callback):
                raise PolicyError(name, callback, "a plain function: a coroutine function needs the async API")
            self._given[name] = with_named_arguments(name, callback, VALUES[name], lambda: self.state)

    def __bool__(self) -> bool:
        return bool(self._given)

    def get(self, name: str) -> Callback | None:
        """Return the callback of this name, if any."""
        return self._given.get(name)

    def note(self, name: str, value: Any) -> None:
        """Queue a callback for the next opportunity."""
        if name in self._given:
            self.noted.append((name, value))

    def call_queued(self) -> None:
        """Call the queued callbacks, in order."""
        while self.noted:
            self.call(*self.noted.pop(0))

    async def acall_queued(self) -> None:
        """Call the queued callbacks, and await those that are coroutine functions."""
        while self.noted:
            await self.acall(*self.noted.pop(0))

    def call(self, name: str, value: Any) -> None:
        """Call one callback. Its exceptions are logged and ignored."""
        callback = self._given.get(name)
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
        """Call one callback, as `call`, and await its result if possible."""
        callback = self._given.get(name)
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
        """Await the result of a callback, if it can be awaited."""
        if inspect.isawaitable(answer):
            try:
                await answer
            except Exception:
                self.failed(name)

    def failed(self, name: str) -> None:
        """Log the exception of a callback. The stream goes on."""
        _log.warning("%s failed and is ignored: %s", name, raised())
