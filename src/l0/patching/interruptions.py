"""Exceptions for breaks that the bare SDKs hide or leak: ours, the SDK's and the transport's class at once."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from l0.values.errors import StreamInterrupted, fill


@lru_cache(maxsize=64)
def interruption_class(sdk: type[Exception], transport: type[Exception] | None) -> type[StreamInterrupted]:
    """A class that is a `StreamInterrupted`, the SDK's error ``sdk``, and the ``transport`` error it leaks, if any."""
    bases: tuple[type, ...] = (StreamInterrupted, sdk) if transport is None else (StreamInterrupted, sdk, transport)
    names = [(base.__module__, base.__qualname__) for base in bases[1:]]

    def reduce(self: StreamInterrupted) -> tuple[Any, ...]:
        return _restore, (names, self.args, dict(self.__dict__))

    return type(f"Interrupted{sdk.__name__}", bases, {"__module__": "l0", "__reduce__": reduce, "__doc__": sdk.__doc__})


def interruption(sample: Exception, transport: type[Exception] | None, **fields: Any) -> StreamInterrupted:
    """An interruption with the fields of ``sample``, an error of the SDK, and our own."""
    # mypy looks at how instances of the class are hashed, not at how the class is.
    kind = interruption_class(type(sample), transport)  # type: ignore[arg-type]
    error = kind.__new__(kind, *sample.args)
    return fill(error, {**sample.__dict__, **fields})


def _restore(names: list[tuple[str, str]], args: tuple[Any, ...], state: dict[str, Any]) -> StreamInterrupted:
    found = [getattr(importlib.import_module(module), name) for module, name in names]
    kind = interruption_class(found[0], found[1] if len(found) > 1 else None)
    return fill(kind.__new__(kind, *args), state)
