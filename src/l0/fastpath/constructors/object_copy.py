"""Generate code that copies an SDK object and replaces some of its values."""

from collections.abc import Callable
from typing import Any

from .annotations import Unsupported
from .sdk_builder import SdkBuilder

_CONSTANTS = (str, int, float)
_MAX_CONSTANTS = 3
"""The code writes out a dict with up to this many constant values. It is faster to copy a dict with more."""


class ObjectCopy:
    """The source text that builds a copy of ``sample``.

    ``variables``: the name of the variable that replaces a value, by that value; it replaces the first occurrence.
    ``statements``: build the models inside the object, the innermost first. ``expression``: the complete copy.
    ``constants``: the values of the names ``k0``, ``k1``, ... in the source, so that two objects of the same shape have
    the same source text.

    Raises:
        Unsupported: the object contains values that copies cannot share, or lacks a value to replace.
    """

    def __init__(self, sample: object, variables: dict[str | int, str], sdk: SdkBuilder) -> None:
        self.constants: list[Any] = []
        self.statements: list[str] = []
        self._variables = dict(variables)
        self._new = self.bind(object.__new__)
        self._setters = {slot: self.bind(setter) for slot, setter in sdk.setters.items()}
        self._names = 0
        self.expression = self._copy(sample)
        if self._variables:
            raise Unsupported("a value to replace is not in the object")

    def bind(self, value: object) -> str:
        """Return a name for a value."""
        self.constants.append(value)
        return f"k{len(self.constants) - 1}"

    def _copy(self, value: Any) -> str:
        kind = type(value)
        if self._is_constant(value):
            return repr(value) if value is None or kind is bool else self.bind(value)
        if kind in _CONSTANTS:
            return self._variables.pop(value)
        if kind is list:
            return f"[{', '.join(map(self._copy, value))}]"
        if kind is dict:
            return self._dict(value)
        if hasattr(kind, "__pydantic_fields_set__"):
            return self._model(value)
        raise Unsupported(f"an object with values of {kind}")

    def _dict(self, value: dict[Any, Any]) -> str:
        if not all(type(key) is str for key in value):
            raise Unsupported("a key that is not a string")
        constant_keys = {key for key, each in value.items() if self._is_constant(each)}
        if len(constant_keys) <= _MAX_CONSTANTS:
            return f"{{{', '.join(f'{self._key(key)}: {self._copy(each)}' for key, each in value.items())}}}"
        others = {key: self._copy(each) for key, each in value.items() if key not in constant_keys}
        made = self._name()
        self.statements.append(f"{made} = {self.bind({**value, **dict.fromkeys(others)}.copy)}()")
        self.statements += [f"{made}[{self._key(key)}] = {source}" for key, source in others.items()]
        return made

    def _is_constant(self, value: Any) -> bool:
        kind = type(value)
        if kind is float or value is None or kind is bool:
            return True
        return kind in _CONSTANTS and value not in self._variables

    def _name(self) -> str:
        self._names += 1
        return f"m{self._names}"

    def _key(self, key: str) -> str:
        return repr(key) if key.isascii() else self.bind(key)

    def _model(self, value: Any) -> str:
        extras, fields_set = value.__pydantic_extra__, value.__pydantic_fields_set__
        if type(extras) is not dict or type(fields_set) is not set or value.__pydantic_private__ is not None:
            raise Unsupported("a model that was built in an unknown way")
        slots = {
            "__dict__": self._dict(value.__dict__),
            "__pydantic_extra__": self._dict(extras),
            "__pydantic_fields_set__": f"{{{', '.join(map(self._key, sorted(fields_set)))}}}"
            if fields_set
            else "set()",
            "__pydantic_private__": "None",
        }
        made = self._name()
        self.statements.append(f"{made} = {self._new}({self.bind(type(value))})")
        self.statements += [f"{self._setters[slot]}({made}, {source})" for slot, source in slots.items()]
        return made


def compiled(source: str, name: str) -> Callable[..., Any]:
    """Return the function ``name`` that a source text defines. The text must not refer to global names."""
    found: dict[str, Any] = {}
    exec(compile(source, f"<l0 {name}>", "exec"), found)
    return found[name]  # type: ignore[no-any-return]
