"""Pass to a callback what its parameters name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from inspect import Parameter, signature
from typing import Any

from l0.migration import FINAL_FAILURE
from l0.model.policy import PolicyError

from .stream_state import State

Callback = Callable[..., Any]
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class CallbackValue:
    """The value that a callback receives. ``name``: the name of the parameter that receives it. ``kind``: its class."""

    name: str
    kind: type

    @property
    def names(self) -> list[str]:
        """All names that a parameter may have: the value's, those of its fields, and those that every callback may
        use."""
        return list(dict.fromkeys((self.name, "state", "context", *_fields(self.kind))))

    def has(self, name: str) -> bool:
        """Return True if a parameter may have this name. Names of L0 for Python, the earlier library, are allowed."""
        former = isinstance(getattr(self.kind, name, None), property)
        return name in self.names or former or (self.kind is Exception and name in FINAL_FAILURE)


def with_named_arguments(name: str, callback: Callback, value: CallbackValue, state: Callable[[], State]) -> Callback:
    """Return a function of the value alone that passes to ``callback`` what its parameters name.

    The first parameter may have any name, and then receives the value. Parameters with a default keep it. Raises
    `PolicyError` for any other parameter with an unknown name.
    """
    try:
        parameters = list(signature(callback).parameters.values())
    except (TypeError, ValueError):  # a builtin
        return callback
    if any(one.kind is Parameter.VAR_POSITIONAL for one in parameters):
        return callback  # ``*args`` names nothing
    needed = [one for one in parameters if one.default is Parameter.empty and one.kind is not Parameter.VAR_KEYWORD]
    by_position = [one.name for one in needed if one.kind in _POSITIONAL]
    by_name = [one.name for one in needed if one.kind is Parameter.KEYWORD_ONLY]
    if by_position and not value.has(by_position[0]):
        by_position[0] = value.name
    unknown = [parameter for parameter in (*by_position, *by_name) if not value.has(parameter)]
    if unknown:
        allowed = f"a function of some of {', '.join(value.names)}; not of {', '.join(unknown)}"
        raise PolicyError(name, callback, allowed)
    if by_position == [value.name] and not by_name:
        return callback
    if not needed and any(one.kind in _POSITIONAL for one in parameters):
        return callback  # its only parameters have defaults, as in ``lambda text=None: ...``

    def call(received: Any) -> Any:
        def argument(parameter: str) -> Any:
            if parameter == value.name:
                return received
            if parameter == "state":
                return state()
            if parameter in FINAL_FAILURE:
                return FINAL_FAILURE[parameter]
            return state().context if parameter == "context" else getattr(received, parameter)

        return callback(*map(argument, by_position), **{parameter: argument(parameter) for parameter in by_name})

    return call


def _fields(kind: type) -> list[str]:
    """Return the names of the public fields and properties of a class; none for `str` and exceptions."""
    declared = [field.name for field in fields(kind)] if is_dataclass(kind) else list(getattr(kind, "_fields", ()))
    properties = [name for name, one in vars(kind).items() if isinstance(one, property)] if declared else []
    return [name for name in (*declared, *properties) if not name.startswith("_")]
