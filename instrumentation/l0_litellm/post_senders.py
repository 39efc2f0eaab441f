"""Send the attempts of one call through litellm's HTTP handlers, and read the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from math import inf
from time import perf_counter
from typing import Any

from l0.engine.commands import Command
from l0.model.ports import WireReader
from l0.runtime.async_deadlines import within
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.watchdog import Expired
from l0.wrapped_sdks.httpx_response import HttpxResponse
from l0.wrapped_sdks.wrapped_bodies import AsyncWrappedBody, WrappedBody, WrappedSender

from .litellm_call_adapter import LitellmCallAdapter

_ENCODER = json.JSONEncoder()
"""As `json.dumps`, with one call less per chunk."""
_LAST_READ = frozenset({"message_delta", "response.failed", "error"})
"""Events of messages and of Responses after which litellm stops reading."""
DONE = b"data: [DONE]\n\n"
"""The terminal event of chat completions. L0's reader returns no item for it, so it is sent to litellm at the end."""


class _Sender(WrappedSender):
    """The base of all senders. ``post``: litellm's function that sends a request."""

    adapter: LitellmCallAdapter

    def __init__(self, runtime: CallRuntime, post: Callable[..., Any]) -> None:
        super().__init__(runtime)
        self._post = post

    def _send(self, arguments: dict[str, Any]) -> Any:
        """Send a request. Each of its phases (connect, write, read) may take until its deadline."""
        seconds_left = self.runtime.send_by() - perf_counter()
        if seconds_left <= 0:
            raise Expired
        if seconds_left == inf:
            return self._post(**arguments)
        own_timeout = self.adapter.timeout_of(arguments)
        response = self._post(**arguments | {"timeout": self.adapter.limited(own_timeout, seconds_left)})
        if arguments.get("stream"):
            HttpxResponse(response).restore_timeout(own_timeout.read)
        return response

    async def _asend(self, arguments: dict[str, Any]) -> Any:
        return await within(self.runtime.send_by(), partial(self._post, **arguments))


class _PostSender(_Sender):
    """The base of the senders of calls that do not stream."""

    def attach(self, answer: Any) -> Command:
        """Serve the call from this response."""
        self.answer = answer
        recording, number = self.runtime.recording, self.runtime.number
        if recording is not None:
            recording.head(number, answer)
            recording.read(number, answer.content)
            recording.body_ended(number, "eof")
        return self.runtime.answered(answer)


class PostSender(_PostSender):
    """The sender for the sync driver."""

    def send(self, options: dict[str, Any]) -> Any:
        """Send one attempt. Return its response."""
        return self._send(options)


class AsyncPostSender(_PostSender):
    """The sender for the async driver."""

    async def send(self, options: dict[str, Any]) -> Any:
        """As `PostSender.send`."""
        return await self._asend(options)


class _RelayedBody(_Sender):
    """The base of the bodies of a streamed answer. The items are the bytes of events, which litellm reads."""

    response: HttpxResponse
    ending = False
    """True once an event was read after which litellm stops reading, although more events follow. litellm gets that
    event only after the end of the answer: otherwise each such call would look as if the user had left it."""

    def reader(self) -> WireReader:
        """As `WrappedBody.reader`."""
        encode, inference = _ENCODER.encode, self.adapter.inference
        chat = inference.dialect == "chat"

        def build(event: Any) -> bytes:
            if chat:
                self.ending = self.ending or (inference.choices == 1 and _finishes(event))
                return f"data: {encode(event)}\n\n".encode()
            name = event.get("type")
            if name in _LAST_READ:
                self.ending = True
            head = f"event: {name}\n" if type(name) is str else ""
            return f"{head}data: {encode(event)}\n\n".encode()

        return self.adapter.reader(build, self.response.headers.get("content-type", ""))


def _finishes(event: Any) -> bool:
    """Return True for an event with a finish reason, after which some versions of litellm stop reading."""
    return type(event) is dict and any(choice.get("finish_reason") for choice in event.get("choices") or ())


class RelayedBody(_RelayedBody, WrappedBody):
    """The body for the sync driver."""

    def send(self, options: dict[str, Any]) -> HttpxResponse:
        """As `WrappedBody.send`."""
        return HttpxResponse(self._send(options))


class AsyncRelayedBody(_RelayedBody, AsyncWrappedBody):
    """The body for the async driver."""

    async def send(self, options: dict[str, Any]) -> HttpxResponse:
        """As `WrappedBody.send`."""
        return HttpxResponse(await self._asend(options))
