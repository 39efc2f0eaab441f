"""Build the exceptions for broken and closed streams.

An exception for a break is an instance of three classes at once: `StreamInterrupted`, the SDK's error, and the
transport's error if the bare SDK leaks it. So every existing ``except`` clause still catches it. A read of a stream
that the user closed raises the same exception as in the bare SDK.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any, cast

from l0.model.errors import StreamInterrupted, fill

from .sdk import Sdk


@lru_cache(maxsize=64)
def interruption_class(sdk: type[Exception], transport: type[Exception] | None) -> type[StreamInterrupted]:
    """Return a class that is a `StreamInterrupted`, the SDK's error, and the leaked ``transport`` error, if any."""
    bases: tuple[type, ...] = (StreamInterrupted, sdk) if transport is None else (StreamInterrupted, sdk, transport)
    names = [(base.__module__, base.__qualname__) for base in bases[1:]]

    def reduce(self: StreamInterrupted) -> tuple[Any, ...]:
        return _restore, (names, self.args, dict(self.__dict__))

    return type(f"Interrupted{sdk.__name__}", bases, {"__module__": "l0", "__reduce__": reduce, "__doc__": sdk.__doc__})


def interruption(sample: Exception, transport: type[Exception] | None, **fields: Any) -> StreamInterrupted:
    """Return an interruption with the fields of ``sample``, an error of the SDK, and our own fields."""
    # mypy checks the hash of the class's instances, not of the class.
    kind = interruption_class(type(sample), transport)  # type: ignore[arg-type]
    error = kind.__new__(kind, *sample.args)
    return fill(error, {**sample.__dict__, **fields})


def _restore(names: list[tuple[str, str]], args: tuple[Any, ...], state: dict[str, Any]) -> StreamInterrupted:
    found = [getattr(importlib.import_module(module), name) for module, name in names]
    kind = interruption_class(found[0], found[1] if len(found) > 1 else None)
    return fill(kind.__new__(kind, *args), state)


def read_of_closed(sdk: Sdk, request: Any, error: Exception | None) -> BaseException:
    """Return the bare SDK's exception for a read that fails with ``error`` because the user closed the stream."""
    loop = sdk.loop
    if error and loop is not None and loop.leaks and isinstance(error, sdk.package.APIConnectionError):
        error = cast("Exception | None", error.__cause__)  # a restart's request failed; a read leaks what is below
    if error is not None and (loop is None or isinstance(error, sdk.package.APIError)):
        return error
    transport = next((module for module in sdk.transports if isinstance(request, module.Request)), sdk.transport)
    late = isinstance(error, transport.TimeoutException)
    if not late and not isinstance(error, transport.ReadError):  # the socket was shut, or no read was in progress
        closed = transport.ReadError("the stream was closed", request=request)
        closed.__cause__, error = error, closed
    leaked = cast(BaseException, error)
    if loop is None or loop.leaks:
        return leaked
    raised: BaseException = (sdk.package.APITimeoutError if late else sdk.package.APIConnectionError)(request=request)
    raised.__cause__ = leaked
    return raised


def request_of_closed(sdk: Sdk, request: Any, error: BaseException | None, *, again: bool) -> BaseException:
    """Return the exception that the bare SDK raises for a request through a closed client.

    ``again``: the SDK would send the request again.
    """
    if error is not None and not again:
        return error
    closed = RuntimeError("Cannot send a request, as the client has been closed.")  # the wording of both transports
    if hasattr(sdk.base, "request_exceptions"):  # this SDK wraps transport errors only
        return closed
    raised: BaseException = sdk.package.APIConnectionError(request=request)
    raised.__cause__ = closed
    return raised
