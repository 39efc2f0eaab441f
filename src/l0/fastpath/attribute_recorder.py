"""Record the attributes of an object that a function of an SDK reads: the inputs that its result depends on.

The function runs with a stand-in: an instance of a subclass that shares the object's ``__dict__``. Its attributes, its
methods and `super()` work as those of the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any, Generic

_SPECIAL = {"__init_subclass__", "__getattribute__"}


class AttributeRecorder:
    """The names of the attributes that are read from ``target`` through its stand-in.

    ``substitutes``: values that the stand-in returns instead of the object's own. Raises `TypeError` for an object
    whose class notices that it is subclassed, or computes all its attributes.
    """

    def __init__(self, target: Any, substitutes: Mapping[str, Any]) -> None:
        self.target = target
        names: dict[str, None] = {}
        self._names = names
        kind = type(target)
        own: Any = kind.__getattribute__
        known = (object, Generic)
        if type(kind) is not type or any(vars(one).keys() & _SPECIAL for one in kind.__mro__ if one not in known):
            raise TypeError(kind)

        def read(stand_in: Any, name: str) -> Any:
            names[name] = None
            return substitutes[name] if name in substitutes else own(stand_in, name)

        # The finalizer of a client would close the connections of the object.
        body = {"__getattribute__": read, "__del__": lambda _: None, "__module__": kind.__module__}
        self.stand_in: Any = object.__new__(type(kind.__name__, (kind,), body))
        object.__setattr__(self.stand_in, "__dict__", vars(target))

    @property
    def held(self) -> tuple[str, ...]:
        """The names of attributes that the object itself holds."""
        return tuple(name for name in self._names if name in vars(self.target))

    @property
    def inherited(self) -> tuple[str, ...]:
        """The names of attributes that its class holds, except for special methods."""
        return tuple(name for name in self._names if name not in vars(self.target) and not name.startswith("__"))

    def code_packages(self) -> set[str]:
        """Return the packages of the classes that hold the inherited attributes, and of their functions."""
        packages = set()
        for name in self.inherited:
            owner = next((one for one in type(self.target).__mro__ if name in vars(one)), None)
            packages |= {""} if owner is None else {_package(owner.__module__), code_package(vars(owner)[name])}
        return packages


def code_package(attribute: Any) -> str:
    """Return the package of the code of a class's attribute; an empty string if it is unknown.

    The globals of a function say where its code is. Its ``__module__`` does not: `functools.wraps` and wrapt copy that
    of the function that they wrap.
    """
    if isinstance(attribute, property):
        attribute = attribute.fget
    elif isinstance(attribute, classmethod | staticmethod):
        attribute = attribute.__func__
    return _package(attribute.__globals__.get("__name__")) if type(attribute) is FunctionType else ""


def _package(module: object) -> str:
    return str(module or "").partition(".")[0]
