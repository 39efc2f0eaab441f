"""Source text that refers to objects: every object gets a name, and the text is compiled among those names."""

from collections.abc import Callable
from typing import Any

Build = Callable[[dict[str, Any]], Any]
"""Builds one object of one shape from decoded JSON with exactly that shape's keys, in that order."""


class Unmatched(Exception):  # noqa: N818  control flow inside compiled code; never reaches a caller
    """The data is not exactly what the annotation says: pydantic has to convert it, or to refuse it."""


def unmatched() -> Any:
    """Raise `Unmatched`, where generated code needs an expression."""
    raise Unmatched


class Scope:
    """The globals of one piece of generated code."""

    def __init__(self) -> None:
        self._globals: dict[str, Any] = {"Unmatched": Unmatched, "unmatched": unmatched}

    def bind(self, value: object) -> str:
        """A name for this object."""
        name = f"_{len(self._globals)}"
        self._globals[name] = value
        return name

    def function(self, parameter: str, body: list[str], title: str) -> Callable[[Any], Any]:
        """A function of one parameter. `title` is what a traceback shows as its file."""
        source = "\n    ".join([f"def build({parameter}):", *body])
        found: dict[str, Any] = {}
        exec(compile(source, f"<l0 {title}>", "exec"), self._globals, found)
        return found["build"]  # type: ignore[no-any-return]
