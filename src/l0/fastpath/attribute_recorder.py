"""Record the attributes of an object that a function of an SDK reads: the inputs that its result depends on.

The function runs with a stand-in: an instance of a subclass that shares the object's ``__dict__``. Its attributes, its
methods and `super()` work as those of the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic


class AttributeRecorder:
    """The names of the attributes that are read from ``target`` through its stand-in.

    ``substitutes``: values that the stand-in returns instead of the object's own. Raises `TypeError` for an object
    whose class notices that it is subclassed.
    """

    def __init__(self, target: Any, substitutes: Mapping[str, Any]) -> None:
        self.target = target
        names: dict[str, None] = {}
        self._names = names
        kind = type(target)
        own: Any = kind.__getattribute__
        known = (object, Generic)
        if type(kind) is not type or any("__init_subclass__" in vars(one) for one in kind.__mro__ if one not in known):
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

    def homes(self) -> set[str]:
        """Return the packages of the classes that hold the inherited attributes, and of their functions."""
        homes = set()
        for name in self.inherited:
            owner = next((one for one in type(self.target).__mro__ if name in vars(one)), None)
            attribute = None if owner is None else vars(owner)[name]
            homes |= {_home(owner), _home(getattr(attribute, "fget", None) or attribute)}
        return homes


def _home(thing: object) -> str:
    """Return the package of a class or function; an empty string for ``None``, or if it is unknown."""
    return str(getattr(thing, "__module__", None) or "").partition(".")[0]
