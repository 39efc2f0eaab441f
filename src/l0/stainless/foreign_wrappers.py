"""Find the places in which other libraries keep an SDK's function, so that a patch reaches calls through them as well.

A library that wraps an inherited method puts its wrapper on a subclass or on a client. The wrapper calls the function
that it replaced, so a later patch of the base class alone would never be called.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import wrapt

Place = tuple[Any, str]
"""An object, and the name of the attribute of it that holds a function."""


def copies(owner: Any, name: str, function: Any) -> Iterator[Place]:
    """Yield the places in subclasses of ``owner`` that hold ``function``: copies, and wrappers of ``name``."""
    subclasses: list[type] = owner.__subclasses__() if isinstance(owner, type) else []
    for subclass in subclasses:
        for attribute, held in list(vars(subclass).items()):
            if held is function:
                yield subclass, attribute
            elif attribute == name:
                yield from _inside(held, function)
        yield from copies(subclass, name, function)


def held(place: Any, attribute: str) -> Any:
    """Return what a place holds."""
    return vars(place).get(attribute) if isinstance(place, type | ModuleType) else getattr(place, attribute)


def form_for(place: Any, patched: Any, owner: Any) -> Any:
    """Return the form of a patch of ``owner`` that a place needs: a closure calls it with the client as an argument."""
    return patched.__get__(None, owner) if isinstance(place, CellType | FunctionType) else patched


def hides(client: Any, name: str, patched: Any, original: Any) -> bool:
    """Return True if a function of the client itself calls the SDK's ``original``, and not ``patched`` around it."""
    own = vars(client).get(name)
    return own is not None and reaches(own, original) and not reaches(own, patched)


def reaches(wrapper: Any, function: Any) -> bool:
    """Return True if a wrapper is the function, or may call it."""
    # By identity: a wrapper of wrapt is equal to the function inside it.
    reached = chain((wrapper,), (content for _, _, content in _calls(wrapper)))
    return any(content is function or getattr(content, "_self_parent", None) is function for content in reached)


def home(function: Any) -> str:
    """Return the name of the module that defines a function, even if `functools.wraps` or wrapt made it look like
    another one."""
    while isinstance(function, wrapt.FunctionWrapper | wrapt.BoundFunctionWrapper):  # a mock has every attribute
        function = function._self_wrapper
    copied = getattr(function, "__globals__", {}).get("__name__") if hasattr(function, "__wrapped__") else None
    return str(copied or getattr(function, "__module__", None) or type(function).__module__)


def _inside(wrapper: Any, function: Any) -> Iterator[Place]:
    """Yield the places inside a wrapper that hold the function."""
    return ((place, attribute) for place, attribute, content in _calls(wrapper) if content is function)


def _calls(wrapper: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield the functions that a wrapper may call, directly or not, each with the place that holds it."""
    waiting, seen = [wrapper], set()
    while waiting:
        callee = waiting.pop()
        if id(callee) in seen:
            continue  # a closure that contains itself
        seen.add(id(callee))
        for place, attribute, content in _parts(callee):
            yield place, attribute, content
            waiting.append(content)


def _parts(wrapper: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield the functions that a wrapper holds, each with its place."""
    if isinstance(wrapper, wrapt.FunctionWrapper | wrapt.BoundFunctionWrapper):
        place = getattr(wrapper, "_self_parent", None) or wrapper
        yield place, "__wrapped__", place.__wrapped__
    elif isinstance(wrapper, MethodType):
        yield wrapper, "__func__", wrapper.__func__
    elif isinstance(wrapper, FunctionType):
        if "__wrapped__" in vars(wrapper):
            yield wrapper, "__wrapped__", vars(wrapper)["__wrapped__"]
        for cell in wrapper.__closure__ or ():
            if (content := _content(cell)) is not None:
                yield cell, "cell_contents", content


def _content(cell: CellType) -> Any:
    """Return the function that a closure has in a cell; ``None`` for anything else."""
    try:
        content = cell.cell_contents
    except ValueError:  # an empty cell
        return None
    wrapper = isinstance(content, FunctionType | MethodType | wrapt.FunctionWrapper | wrapt.BoundFunctionWrapper)
    return content if wrapper else None
