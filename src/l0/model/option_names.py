"""Refuse options with an unknown name, at the call that gives them.

The names are those that the code of the function has. So a signature stays the only list of its options, and type
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
"""Parameters that no call should name: two that Python passes, and a former name."""


def refuses_unknown_options(of: _T) -> _T:
    """Decorate a function with options, or a class and those of its public functions that have options.

    A call that gives an unknown name raises `OptionNameError`.
    """
    if isinstance(of, FunctionType):
        return _checked(of, of.__qualname__)  # type: ignore[return-value]
    for name, member in list(vars(of).items()):
        function = getattr(member, "__func__", member)
        if name == "__init__":
            setattr(of, name, _checked(function, of.__name__))
        elif not name.startswith("_") and _has_options(function):
            checked = _checked(function, f"{of.__name__}.{name}")
            setattr(of, name, checked if function is member else type(member)(checked))
    return of


def unknown_option(owner: str, name: str, value: object, known: Iterable[str], field: str = "") -> OptionNameError:
    """Return the error for an option of ``owner`` that is not among the ``known`` ones. ``field``: the name in the
    message, by default both names."""
    from .option_meanings import meant  # only after a mistake

    listed = _listed(known)
    meaning = meant(owner, name, listed)
    allowed = f"{meaning}{'One' if meaning else 'one'} of {', '.join(listed)}"
    return OptionNameError(field or f"{owner}.{name}", value, f"no such option; {allowed}")


def _listed(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in _UNLISTED]


def _has_options(function: object) -> bool:
    """Return True for a function some of whose arguments a call may leave out, if it lists all of them itself."""
    if not isinstance(function, FunctionType) or function.__code__.co_flags & _VARKEYWORDS:
        return False
    return bool(function.__defaults__ or function.__code__.co_kwonlyargcount)


def _checked(function: FunctionType, owner: str) -> FunctionType:
    """Return the function with a check of the names that a call gives."""
    code = function.__code__
    names = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    known = frozenset(names)
    unnamed = sys.maxsize if code.co_flags & _VARARGS else code.co_argcount

    def error(arguments: Sequence[Any], options: Mapping[str, Any]) -> OptionNameError:
        for name, value in options.items():
            if name not in known:
                return unknown_option(owner, name, value, names)
        named = ", ".join(f"{name}=..." for name in _listed(names[unnamed:]))
        return OptionNameError(owner, arguments[unnamed], f"an option without its name; write {named}")

    if code.co_flags & _COROUTINE:

        @wraps(function)
        async def call_async(*arguments: Any, **options: Any) -> Any:
            if len(arguments) > unnamed or not known.issuperset(options):
                raise error(arguments, options)
            return await function(*arguments, **options)

        return call_async  # type: ignore[return-value]

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        if len(arguments) > unnamed or not known.issuperset(options):
            raise error(arguments, options)
        return function(*arguments, **options)

    return call  # type: ignore[return-value]
