"""Compile source text that refers to objects by names, which are the globals of the compiled code."""

from collections.abc import Callable
from typing import Any

ShapeConstructor = Callable[[dict[str, Any]], Any]
"""Builds one object of one shape from decoded JSON with exactly the keys of the shape, in this order."""


class Unmatched(Exception):  # noqa: N818  control flow inside compiled code; never reaches a caller
    """The data does not match the annotation exactly, so pydantic must convert or reject it."""


class Rejected(Unmatched):
    """A required key is missing: pydantic rejects the data, whatever its values are."""


def unmatched() -> Any:
    """Raise `Unmatched`. Generated expressions call this, because `raise` is a statement."""
    raise Unmatched


def rejected(_: object) -> Any:
    """Raise `Rejected`. This is the constructor of every shape without a required key."""
    raise Rejected


class Scope:
    """The globals of one piece of generated code."""

    def __init__(self) -> None:
        self._globals: dict[str, Any] = {"Rejected": Rejected, "Unmatched": Unmatched, "unmatched": unmatched}

    def bind(self, value: object) -> str:
        """Bind an object to a new name, and return the name."""
        name = f"_{len(self._globals)}"
        self._globals[name] = value
        return name

    def bound(self, name: str) -> Any:
        """Return the object that is bound to a name."""
        return self._globals[name]

    def function(self, parameter: str, body: list[str], title: str) -> Callable[[Any], Any]:
        """Compile and return a function of one parameter. `title`: file name that tracebacks show."""
        source = "\n    ".join([f"def build({parameter}):", *body])
        found: dict[str, Any] = {}
        exec(compile(source, f"<l0 {title}>", "exec"), self._globals, found)
        return found["build"]  # type: ignore[no-any-return]
