"""Send an exception to another process.

To restore an exception, pickle calls its class with its ``args``, which the exception classes of the SDKs refuse.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PortableError:
    """The parts of an exception that another process can read. ``state``: its attributes. ``cause``: its cause,
    likewise."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]
    cause: PortableError | None

    @classmethod
    def of(cls, error: BaseException, dumps: Callable[[Any], bytes]) -> PortableError:
        """Return the parts of an exception. ``dumps``: the function that will pickle them.

        An argument that cannot be sent becomes text; an attribute that cannot be sent is left out. An exception that
        cannot be restored becomes a `RuntimeError`.
        """
        args = tuple(_portable(argument, dumps) for argument in error.args)
        state = {name: value for name, value in vars(error).items() if _is_portable(value, dumps)}
        cause = None if error.__cause__ is None else cls.of(error.__cause__, dumps)
        parts = cls(type(error), args, state, cause)
        try:
            pickle.loads(dumps(parts)).restored()
        except Exception:
            return cls(RuntimeError, (f"{type(error).__qualname__}: {error}",), {}, cause)
        return parts

    def restored(self) -> BaseException:
        """Return an equal exception."""
        args = _restored(self.args)
        error = self.kind.__new__(self.kind, *args)
        error.args = args
        vars(error).update(self.state)
        error.__cause__ = None if self.cause is None else self.cause.restored()
        return error


def _portable(value: object, dumps: Callable[[Any], bytes]) -> object:
    """Return an argument in a form that can be sent. The arguments of an exception group include its exceptions."""
    if isinstance(value, BaseException):
        return PortableError.of(value, dumps)
    if isinstance(value, list | tuple) and any(isinstance(item, BaseException) for item in value):
        return [_portable(item, dumps) for item in value]
    return value if _is_portable(value, dumps) else str(value)


def _restored(value: Any) -> Any:
    if isinstance(value, PortableError):
        return value.restored()
    return type(value)(map(_restored, value)) if type(value) in (list, tuple) else value


def _is_portable(value: object, dumps: Callable[[Any], bytes]) -> bool:
    try:
        pickle.loads(dumps(value))
    except Exception:
        return False
    return True
