"""Build the exceptions for broken and closed streams.

The exception for a broken stream is an instance of several classes at once: `StreamInterrupted`, the SDK's error, and
the class that the bare SDK raises there, such as the transport's error. So every existing ``except`` clause still
catches it. A read of a stream that the user closed raises the same exception as in the bare SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from types import MemberDescriptorType
from typing import Any, cast

from l0.model.errors import StreamInterrupted, fill

from .sdk import Sdk


@lru_cache(maxsize=128)
def interruption_class(kinds: tuple[type[BaseException], ...]) -> type[StreamInterrupted]:
    """Return a class that is a `StreamInterrupted` and each of ``kinds``, as far as Python can combine them."""
    bases: tuple[type, ...] = (StreamInterrupted,)
    for kind in kinds:
        bases = _joined(bases, kind)
    if len(bases) == 1:
        return StreamInterrupted
    first = bases[1]

    def reduce(self: StreamInterrupted) -> tuple[Any, ...]:
        return _restore, (bases[1:], self.args, dict(self.__dict__), _slots_of(self))

    fields = {"__module__": "l0", "__reduce__": reduce, "__doc__": first.__doc__}
    return cast("type[StreamInterrupted]", type(f"Interrupted{first.__name__}", bases, fields))


def _joined(bases: tuple[type, ...], kind: type) -> tuple[type, ...]:
    """Return ``bases`` and ``kind``; ``bases`` alone if they include it, or if Python cannot combine them."""
    if any(issubclass(base, kind) for base in bases):
        return bases
    joined = (*(base for base in bases if not issubclass(kind, base)), kind)
    try:
        type("", joined, {})
    except Exception:  # the layouts differ, or the class cannot be subclassed
        return bases
    return joined


def interruption(
    sample: BaseException, *kinds: type[BaseException], original: BaseException | None = None, **fields: Any
) -> StreamInterrupted:
    """Return an interruption that is an instance of the class of ``sample`` and of ``kinds``, with our own ``fields``.

    It has the attributes of ``sample`` and of ``original``, the exception that the bare SDK would raise.
    """
    kind = interruption_class((type(sample), *kinds))
    try:
        error = kind.__new__(kind, *sample.args)
    except Exception:  # an exception class of a source, with a constructor of another form
        error = StreamInterrupted()
    error.args = sample.args
    for source in (sample,) if original is None else (original, sample):
        _set_slots(error, _slots_of(source))
        for name, value in source.__dict__.items():
            try:
                setattr(error, name, value)  # httpx errors keep their request behind a property
            except AttributeError:  # a property without a setter
                error.__dict__[name] = value
    if "__notes__" in error.__dict__:
        error.__notes__ = [*error.__notes__]
    return fill(error, fields)


def _slots_of(error: BaseException) -> dict[str, Any]:
    """Return the attributes that an exception keeps outside of its ``__dict__``, such as ``errno``."""
    found: dict[str, Any] = {}
    for name, slot in _slots(type(error)):
        with suppress(AttributeError, TypeError):  # not set
            found.setdefault(name, slot.__get__(error))
    return found


def _set_slots(error: BaseException, values: dict[str, Any]) -> None:
    for name, slot in _slots(type(error)):
        if name in values:
            with suppress(AttributeError, TypeError):  # read-only, or of another class
                slot.__set__(error, values[name])


def _slots(kind: type) -> Iterator[tuple[str, MemberDescriptorType]]:
    for base in kind.__mro__:
        for name, slot in vars(base).items():
            if isinstance(slot, MemberDescriptorType) and not name.startswith("__"):
                yield name, slot


def _restore(
    kinds: tuple[type[BaseException], ...], args: tuple[Any, ...], state: dict[str, Any], slots: dict[str, Any]
) -> StreamInterrupted:
    kind = interruption_class(kinds)
    error = kind.__new__(kind, *args)
    error.args = args  # `OSError.__new__` does not set them
    _set_slots(error, slots)
    error.__dict__.update(state)
    return error


def read_of_closed(sdk: Sdk, request: Any, error: Exception | None) -> BaseException:
    """Return the bare SDK's exception for a read that fails with ``error`` because the user closed the stream."""
    loop = sdk.loop
    if error and loop is not None and loop.leaks and isinstance(error, sdk.package.APIConnectionError):
        # The request of a restart failed. The bare SDK's read would raise the transport's error itself.
        error = cast("Exception | None", error.__cause__)
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


def request_of_closed(sdk: Sdk, request: Any, error: BaseException | None, *, retries: bool) -> BaseException:
    """Return the exception that the bare SDK raises for a request through a closed client.

    ``retries``: the SDK would send the request again.
    """
    if error is not None and not retries:
        return error
    closed = RuntimeError("Cannot send a request, as the client has been closed.")  # the wording of both transports
    if hasattr(sdk.base, "request_exceptions"):  # this SDK wraps transport errors only
        return closed
    raised: BaseException = sdk.package.APIConnectionError(request=request)
    raised.__cause__ = closed
    return raised
