"""Provide `l0.wrap`: a client with its own policy, or a stream that is closed automatically."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from dataclasses import fields
from types import TracebackType
from typing import Any, Protocol, TypeVar, Unpack, overload

from l0.config import OWN_POLICY
from l0.migration import translated
from l0.model.caller_warning import caller_line
from l0.model.option_names import unknown_option
from l0.model.policy import RETRY_DEFAULTS, Policy, PolicyError
from l0.stainless.discovery import instrument_sdk

from .call_options import CallArguments, check, current_names
from .run import run, run_sync
from .stream import Stream, SyncStream
from .stream_events import Event
from .stream_state import State


class Client(Protocol):
    """A client, for type checkers only: anything with `with_options`. At run time, `_is_client` checks base classes."""

    def with_options(self, *args: Any, **kwargs: Any) -> Any: ...


_C = TypeVar("_C", bound=Client)
_CLIENT_BASES = ("SyncAPIClient", "AsyncAPIClient")
"""The base classes of the clients of SDKs that Stainless generated, by name, since no SDK may be imported here."""


class Wrapped:
    """A stream that has not begun: ``async with l0.wrap(stream) as result``, or ``with`` in sync code.

    The request is sent on entry to the block, and the stream is closed on exit. ``await l0.wrap(stream)`` returns the
    same as `run`, and the caller must close the stream. Without a block, ``await l0.wrap(stream).read()`` and ``async
    for event in l0.wrap(stream)`` close the stream at its end.
    """

    def __init__(self, stream: Any, options: CallArguments) -> None:
        self._used = True  # no warning from `__del__` if the arguments are invalid
        stream, options = current_names(stream, options)
        check(stream, options)
        self._created = caller_line()
        self._used = False
        self._stream = stream
        self._options = options
        self._result: Stream | None = None
        self._sync_result: SyncStream | None = None

    async def read(self) -> str:
        """Send the request, read to the end and close the stream. Return the whole text, as `Stream.read`."""
        async with self as stream:
            return await stream.read()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Send the request, and yield the events of the answer. The stream is closed at its end."""
        async with self as stream:
            async for event in stream:
                yield event

    @property
    def state(self) -> State:
        """The state of the stream; an empty `State` before the stream has begun."""
        begun = self._result or self._sync_result
        return begun.state if begun is not None else State()

    async def __aenter__(self) -> Stream:
        self._used = True
        self._result = await run(self._stream, **self._options)
        return self._result

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._result is not None:
            await self._result.aclose()

    def __await__(self) -> Generator[Any, None, Stream]:
        self._used = True
        return run(self._stream, **self._options).__await__()

    def __enter__(self) -> SyncStream:
        self._used = True
        self._sync_result = run_sync(self._stream, **self._options)
        return self._sync_result

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sync_result is not None:
            self._sync_result.close()

    def __del__(self) -> None:
        if not self._used:
            self._created.warn("l0.wrap(stream) sends no request by itself: use it as `async with l0.wrap(stream)`")


@overload
def wrap(client: _C, /, policy: Policy | None = None, **fields: Any) -> _C: ...


@overload
def wrap(stream: Any, /, **options: Unpack[CallArguments]) -> Wrapped: ...


def wrap(thing: Any, /, policy: Policy | None = None, **options: Any) -> Any:
    """Apply the engine to one client or one stream.

    With a client of an SDK that Stainless generated, such as openai, anthropic or groq, return another client of the
    same class, with the same connections, whose calls follow ``policy`` instead of that of `l0.instrument`: by default
    ``Policy(retry=RETRY_DEFAULTS)``. Other options are fields of a `Policy` made for it, with the same ``retry`` unless
    that is one of them, and exclude ``policy``. A ``with l0.policy(...)`` block still takes precedence. Clients derived
    from the new one by ``with_options`` keep its policy. If the SDK is not yet instrumented, this instruments it.

    Otherwise ``thing`` is a stream, or a function that returns one. Return a context manager, which is also awaitable:
    it calls `run` with the options on entry. Raises `PolicyError` for an SDK that L0 does not support, and for an
    option that is not allowed; `UnknownStreamError` for something that is neither a client nor a stream.
    """
    if not _is_client(thing):
        if policy is not None:
            options["policy"] = policy
        return Wrapped(thing, options)  # type: ignore[arg-type]  # `Wrapped` checks the options
    policy = _client_policy(policy, options)
    base = next(base for base in type(thing).__mro__ if base.__name__ in _CLIENT_BASES)
    refusal = instrument_sdk(base.__module__.removesuffix("._base_client"))
    if refusal is not None:
        raise PolicyError("client", thing, f"a client of a supported SDK in a supported version ({refusal})")
    copy = thing.copy()
    copy.__class__ = type(
        type(thing).__name__, (type(thing),), {OWN_POLICY: policy, "__module__": type(thing).__module__}
    )
    return copy


def _client_policy(policy: Policy | None, options: dict[str, Any]) -> Policy:
    _, options = translated(None, options)
    known = [field.name for field in fields(Policy)]
    for name, value in options.items():
        if name not in known:
            raise unknown_option("wrap", name, value, ("policy", *known))
        if policy is not None:
            raise PolicyError(name, value, "not allowed beside a policy")
    if policy is None:
        return Policy(**{"retry": RETRY_DEFAULTS, **options})
    if not isinstance(policy, Policy):
        raise PolicyError("policy", policy, "an l0.Policy, for a client")
    return policy


def _is_client(thing: Any) -> bool:
    return any(base.__name__ in _CLIENT_BASES for base in type(thing).__mro__)
