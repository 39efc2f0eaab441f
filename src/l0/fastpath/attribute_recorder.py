"""Record which attributes of an object a function of an SDK reads, because its result depends on them.

The function gets a stand-in for the object: an instance of a subclass that shares the object's ``__dict__``.
Attributes, methods and `super()` work on the stand-in as on the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dis import get_instructions
from types import FunctionType, ModuleType
from typing import Any, Generic

_SPECIAL = {"__init_subclass__", "__getattribute__"}


class AttributeRecorder:
    """Records the names of the attributes of ``target`` that are read from its stand-in.

    ``substitutes``: values by attribute name, which the stand-in returns in place of those of ``target``. Raises
    `TypeError` if the class of ``target`` runs code when it is subclassed, or computes its attributes.
    """

    def __init__(self, target: Any, substitutes: Mapping[str, Any]) -> None:
        self.target = target
        names: dict[str, None] = {}
        self._names = names
        kind = type(target)
        inherited: Any = kind.__getattribute__
        bases = [base for base in kind.__mro__ if base not in (object, Generic)]
        if type(kind) is not type or any(vars(base).keys() & _SPECIAL for base in bases):
            raise TypeError(kind)

        def read(stand_in: Any, name: str) -> Any:
            names[name] = None
            return substitutes[name] if name in substitutes else inherited(stand_in, name)

        # Replace `__del__`: that of a client closes its connections, which the stand-in shares.
        body = {"__getattribute__": read, "__del__": lambda _: None, "__module__": kind.__module__}
        self.stand_in: Any = object.__new__(type(kind.__name__, (kind,), body))
        object.__setattr__(self.stand_in, "__dict__", vars(target))

    @property
    def held(self) -> tuple[str, ...]:
        """The names of the recorded attributes that the object itself has."""
        return tuple(name for name in self._names if name in vars(self.target))

    @property
    def inherited(self) -> tuple[str, ...]:
        """The names of the recorded attributes that its class has, except special methods."""
        return tuple(name for name in self._names if name not in vars(self.target) and not name.startswith("__"))

    def code_packages(self) -> set[str]:
        """Return the packages of the classes that define the inherited attributes, and those of their functions."""
        packages = set()
        for name in self.inherited:
            owner = next((base for base in type(self.target).__mro__ if name in vars(base)), None)
            packages |= {""} if owner is None else {_package(owner.__module__), code_package(vars(owner)[name])}
        return packages


def code_package(attribute: Any) -> str:
    """Return the package whose code runs for an attribute of a class; an empty string if it is unknown.

    The globals of a function show where its code is. Its ``__module__`` does not, because `functools.wraps` and wrapt
    copy it from the function that they wrap.
    """
    if isinstance(attribute, property):
        attribute = attribute.fget
    elif isinstance(attribute, classmethod | staticmethod):
        attribute = attribute.__func__
    return _package(attribute.__globals__.get("__name__")) if type(attribute) is FunctionType else ""


def reads_variables(attribute: Any) -> bool:
    """Return True for a property whose value may change although its object does not: it reads a variable of its
    module, as those of ``openai.api_key`` and the like do, or has a closure."""
    getter = attribute.fget if isinstance(attribute, property) else None
    if type(getter) is not FunctionType:
        return False
    if getter.__code__.co_freevars not in ((), ("__class__",)):  # `super()` needs the second
        return True
    loaded = [each.argval for each in get_instructions(getter.__code__) if each.opname == "LOAD_GLOBAL"]
    return any(_is_variable(name, getter.__globals__) for name in loaded)


def _is_variable(name: str, module: Mapping[str, Any]) -> bool:
    """Return True if a global name is neither a constant by its spelling nor a function, a class or a module."""
    if name not in module or name.isupper():  # not in the module: a builtin
        return False
    return not callable(module[name]) and not isinstance(module[name], ModuleType)


def _package(module: object) -> str:
    return str(module or "").partition(".")[0]
