"""Send an exception to another process.

Python's pickle calls an exception's class with its ``args``, which the classes of SDKs refuse.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PortableError:
    """The parts of an exception that another process can read. ``cause``: that of its cause."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]
    cause: PortableError | None

    @classmethod
    def of(cls, error: BaseException, dumps: Callable[[Any], bytes]) -> PortableError:
        """Take an exception apart.

        What cannot be sent becomes text in its arguments, and is left out of its state. An exception that cannot be
        made again becomes a `RuntimeError`.
        """
        args = tuple(_portable(each, dumps) for each in error.args)
        state = {name: value for name, value in vars(error).items() if _is_portable(value, dumps)}
        cause = None if error.__cause__ is None else cls.of(error.__cause__, dumps)
        taken = cls(type(error), args, state, cause)
        try:
            pickle.loads(dumps(taken)).restored()
        except Exception:
            return cls(RuntimeError, (f"{type(error).__qualname__}: {error}",), {}, cause)
        return taken

    def restored(self) -> BaseException:
        """Return an equal exception."""
        args = _restored(self.args)
        error = self.kind.__new__(self.kind, *args)
        error.args = args
        vars(error).update(self.state)
        error.__cause__ = None if self.cause is None else self.cause.restored()
        return error


def _portable(value: object, dumps: Callable[[Any], bytes]) -> object:
    """Return what is sent of an argument. A group of exceptions has them as an argument."""
    if isinstance(value, BaseException):
        return PortableError.of(value, dumps)
    if isinstance(value, list | tuple) and any(isinstance(each, BaseException) for each in value):
        return [_portable(each, dumps) for each in value]
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
