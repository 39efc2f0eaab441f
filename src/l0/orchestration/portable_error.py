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
        """Take an exception apart. What cannot be sent becomes text in its arguments, and is left out of its state."""
        args = tuple(each if _is_portable(each, dumps) else str(each) for each in error.args)
        state = {name: value for name, value in vars(error).items() if _is_portable(value, dumps)}
        cause = error.__cause__
        kind = type(error) if _is_portable(type(error), dumps) else RuntimeError
        return cls(kind, args, state, None if cause is None else cls.of(cause, dumps))

    def restored(self) -> BaseException:
        """Return an equal exception."""
        error = self.kind.__new__(self.kind, *self.args)
        error.args = self.args
        vars(error).update(self.state)
        error.__cause__ = None if self.cause is None else self.cause.restored()
        return error


def _is_portable(value: object, dumps: Callable[[Any], bytes]) -> bool:
    try:
        pickle.loads(dumps(value))
    except Exception:
        return False
    return True
