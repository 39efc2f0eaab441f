"""Refuse options with an unknown name, or without a name that they need, at the call that gives them.

The allowed names are read from the function's code object. So a signature stays the only list of its options, and type
checkers see it unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

from .policy_error import OptionNameError

_T = TypeVar("_T", bound=Callable[..., Any])
_VARARGS, _VARKEYWORDS, _COROUTINE = 0x04, 0x08, 0x80
"""Flags of code objects, as in `inspect`, which `import l0` must not load."""
_UNLISTED = ("self", "cls", "on_seam")
"""Parameters that no call should name: two that Python passes, and the former name of ``Policy.on_resume``."""


def refuses_unknown_options(target: _T) -> _T:
    """Decorate a function with options, or a class and those of its public functions that have options.

    A call that gives an unknown name, or too many arguments without their names, raises `OptionNameError`.
    """
    if isinstance(target, FunctionType):
        return _checked(target, target.__qualname__)  # type: ignore[return-value]
    for name, member in list(vars(target).items()):
        function = getattr(member, "__func__", member)
        if name == "__init__":
            setattr(target, name, _checked(function, target.__name__))
        elif not name.startswith("_") and _has_options(function):
            checked = _checked(function, f"{target.__name__}.{name}")
            # A class method or a static method again, if it was one.
            setattr(target, name, checked if function is member else type(member)(checked))
    return target


def unknown_option(owner: str, name: str, value: object, known: Iterable[str], field: str = "") -> OptionNameError:
    """Return the error for an option of ``owner`` that is not among the ``known`` ones. ``field``: the name in the
    message, by default ``owner.name``."""
    from .option_meanings import meant  # only after a mistake

    listed = _listed(known)
    meaning = meant(owner, name, listed)
    allowed = f"{meaning}{'One' if meaning else 'one'} of {', '.join(listed)}"
    return OptionNameError(field or f"{owner}.{name}", value, f"no such option; {allowed}")


def _listed(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in _UNLISTED]


def _has_options(function: object) -> bool:
    """Return True for a function with optional or keyword-only parameters, but without ``**kwargs``."""
    if not isinstance(function, FunctionType) or function.__code__.co_flags & _VARKEYWORDS:
        return False
    return bool(function.__defaults__ or function.__code__.co_kwonlyargcount)


def _checked(function: FunctionType, owner: str) -> FunctionType:
    """Return the function with a check of the names that a call gives."""
    code = function.__code__
    names = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    known = frozenset(names)
    max_positional = sys.maxsize if code.co_flags & _VARARGS else code.co_argcount

    def error(arguments: Sequence[Any], options: Mapping[str, Any]) -> OptionNameError:
        for name, value in options.items():
            if name not in known:
                return unknown_option(owner, name, value, names)
        only_named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        allowed = (
            f"an option without its name; write {', '.join(f'{name}=...' for name in _listed(only_named))}"
            if only_named
            else f"too many arguments; it takes {', '.join(_listed(names)) or 'none'}"
        )
        return OptionNameError(owner, arguments[max_positional], allowed)

    if code.co_flags & _COROUTINE:

        @wraps(function)
        async def call_async(*arguments: Any, **options: Any) -> Any:
            if len(arguments) > max_positional or not known.issuperset(options):
                raise error(arguments, options)
            return await function(*arguments, **options)

        return call_async  # type: ignore[return-value]

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        if len(arguments) > max_positional or not known.issuperset(options):
            raise error(arguments, options)
        return function(*arguments, **options)

    return call  # type: ignore[return-value]
