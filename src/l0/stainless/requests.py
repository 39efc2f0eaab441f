"""Send the requests of one call through the SDK, and connect their answers to the runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from types import NoneType
from typing import Any

from l0.engine.commands import Command
from l0.model.failure import Failure
from l0.runtime.async_deadlines import within
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.deadlines import CallDeadlines
from l0.wire.request_id import request_id_of

from .read_ahead import ReadAhead
from .sdk import Sdk
from .sdk_responses import abort, observe_body, peek
from .send_deadlines import send_within
from .stainless_call_adapter import ReaderContext, StainlessCallAdapter
from .unchecked_bodies import DISCARDED, warn_unchecked
from .unenforced_limit import UnenforcedLimit


def response_of(answer: Any) -> Any:
    """Return the transport's response behind an object that the SDK returned."""
    return getattr(answer, "http_response", None) or getattr(answer, "response", None) or answer


def send_by(runtime: CallRuntime, call_adapter: StainlessCallAdapter, deadlines: CallDeadlines | None = None) -> float:
    """Return the time at which a request that is sent now is abandoned.

    If the SDK's own retry loop stays active, only the total time of the call limits it. ``deadlines``: those of a
    request in a race; ``None`` for any other.
    """
    return runtime.send_by(first=not call_adapter.loops) if deadlines is None else deadlines.due


class _SdkRequests:
    """The common part of sync and async requests.

    ``wrapped``: the SDK's ``request``, bound to the user's client. ``original``: the same function, unbound.
    """

    def __init__(
        self,
        runtime: CallRuntime,
        sdk: Sdk,
        wrapped: Callable[..., Any],
        original: Callable[..., Any],
        args: Any,
        kwargs: Any,
    ) -> None:
        call_adapter = runtime.call_adapter
        assert isinstance(call_adapter, StainlessCallAdapter)
        self.runtime = runtime
        self.call_adapter = call_adapter
        self.answer: Any = None
        self._sdk = sdk
        self._client = call_adapter.client
        self._wrapped = wrapped
        self._original = original
        self._cast_to = call_adapter.cast_to = args[0] if args else kwargs["cast_to"]
        if runtime.deadlines is not None:
            call_adapter.unenforced_limit = UnenforcedLimit()
        self._other_arguments = dict(kwargs)
        self._other_arguments.pop("cast_to", None)
        self._other_arguments.pop("options", None)

    def _call(self, options: Any) -> Any:
        """Send through the user's client, or through the client of the current fallback."""
        serving = self.call_adapter.client
        function = self._wrapped if serving is self._client else partial(self._original, serving)
        return function(self._cast_to, options, **self._other_arguments)

    def attach(self, answer: Any) -> Command:
        """Serve the call from this answer: observe its end, and set the retry count that the SDK would show."""
        self.answer = answer
        runtime = self.runtime
        if runtime.machine.attempts > 1 and runtime.machine.retries and hasattr(answer, "retries_taken"):
            answer.retries_taken = runtime.machine.retries
        if not runtime.call.streaming:
            if runtime.recording is not None:
                response = self.call_adapter.response
                runtime.recording.answered(runtime.number, response_of(answer) if response is None else response)
            readable = self._cast_to is not NoneType
            if not readable and runtime.rule_runner is not None:
                warn_unchecked(runtime, DISCARDED)
            return runtime.answered(answer, readable=readable)
        response = response_of(answer)
        if hasattr(response, "stream"):
            observe_body(response, self._sdk.transport_of(response), runtime)
            self.call_adapter.request = self.call_adapter.request_of(response)
        return runtime.opened(*self.head(response))

    def head(self, answer: Any) -> tuple[int | None, str | None]:
        """Return the HTTP status and the provider's request id of an answer."""
        response = response_of(answer)
        return getattr(response, "status_code", None), request_id_of(getattr(response, "headers", {}))

    def stopped(self, answer: Any) -> None:
        """As `HedgeSender.stopped`: if there is an answer, the exception is that of a read."""
        self.call_adapter.request = None if answer is None else self.call_adapter.request_of(response_of(answer))

    def _read_ahead(self, answer: Any, number: int, deadlines: CallDeadlines | None) -> ReadAhead | None:
        """Return the body of ``answer`` for reading ahead, recorded if calls are; ``None`` if that is impossible."""
        response = response_of(answer)
        loop, recording = self._sdk.loop, self.runtime.recording
        if recording is not None:
            recording.head(number, response)
        record = None if recording is None else partial(recording.read, number)
        body = peek(response, self._sdk.transport_of(response), record) if loop is not None else None
        if loop is None or body is None:
            return None
        client = self.call_adapter.client
        reading = ReaderContext(
            inference=self.call_adapter.inference,
            loop=loop,
            build=lambda event: event,
            response=response,
            request=self.call_adapter.request_of(response),
            client=client,
            order=self.call_adapter.call.policy.order,
        )
        decoder = client._make_sse_decoder()
        usual = type(decoder) is self._sdk.streaming.SSEDecoder
        return ReadAhead(body, self.call_adapter.provider.reader(reading), None if usual else decoder, deadlines)


SENDING: ContextVar[_SdkRequests | None] = ContextVar("l0_sending", default=None)
"""The requests of the call whose request is being sent. An object that the SDK creates meanwhile belongs to it."""


class SdkRequests(_SdkRequests):
    """The requests of a sync client."""

    def send(self, options: Any, deadlines: CallDeadlines | None = None) -> Any:
        """Send one attempt. Return when its headers arrive. ``deadlines``: as of `send_by`."""
        token = SENDING.set(self)
        try:
            unenforced_limit = self.call_adapter.unenforced_limit
            if unenforced_limit is None:
                return self._call(options)
            deadline = send_by(self.runtime, self.call_adapter, deadlines)
            return send_within(deadline, partial(self._call, options), unenforced_limit)
        finally:
            SENDING.reset(token)

    def read_until_content(self, answer: Any, number: int, deadlines: CallDeadlines | None) -> Failure | None:
        """As `HedgeSender.read_until_content`. Read nothing of a body that cannot be read ahead of the SDK."""
        ahead = self._read_ahead(answer, number, deadlines)
        return None if ahead is None else ahead.until_content()

    def discard(self, answer: Any) -> None:
        """Close the connection."""
        response_of(answer).close()

    def abort(self, answer: Any) -> None:
        """Shut down the socket that another thread is reading."""
        abort(response_of(answer).extensions)


class AsyncSdkRequests(_SdkRequests):
    """The requests of an async client."""

    async def send(self, options: Any, deadlines: CallDeadlines | None = None) -> Any:
        """As `SdkRequests.send`."""
        token = SENDING.set(self)
        try:
            if self.runtime.deadlines is None:
                return await self._call(options)
            send: Callable[[], Awaitable[Any]] = partial(self._call, options)
            return await within(send_by(self.runtime, self.call_adapter, deadlines), send)
        finally:
            SENDING.reset(token)

    async def read_until_content(self, answer: Any, number: int, deadlines: CallDeadlines | None) -> Failure | None:
        """As `SdkRequests.read_until_content`."""
        ahead = self._read_ahead(answer, number, deadlines)
        return None if ahead is None else await ahead.auntil_content()

    async def discard(self, answer: Any) -> None:
        """As `SdkRequests.discard`."""
        await response_of(answer).aclose()
