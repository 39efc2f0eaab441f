"""Build a minimal JSON value that a JSON Schema allows, as the answer to a request with a schema."""

from collections.abc import Mapping
from typing import Any

_PLAIN: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
_VALUES = 10_000
"""Maximum number of values in one answer, since a short schema can require any number of them."""


def example(schema: Mapping[str, Any]) -> Any:
    """Return a value that matches `schema`. `$ref` must name a part of the schema itself.

    Raises `ValueError` if the value would be too large.
    """
    return _Example(schema).of(schema)


class _Example:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = _VALUES

    def of(self, schema: Mapping[str, Any]) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"the schema requires more than {_VALUES} values")
        if "$ref" in schema:
            return self.of(self._resolve(str(schema["$ref"])))
        if "const" in schema or schema.get("enum"):
            return schema["const"] if "const" in schema else schema["enum"][0]
        union = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        return self.of(union[0]) if union else self._typed(schema)

    def _typed(self, schema: Mapping[str, Any]) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return {name: self.of(part) for name, part in schema.get("properties", {}).items()}
        if kind == "array":
            items = schema.get("items", {})
            return [self.of(items) for _ in range(max(1, schema.get("minItems", 1)))]
        if kind in ("integer", "number") and "minimum" in schema:
            return schema["minimum"]
        return _PLAIN.get(kind, "text")

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        part: Any = self._root
        for name in reference.removeprefix("#/").split("/"):
            part = part.get(name, {}) if isinstance(part, Mapping) else {}
        return part if isinstance(part, Mapping) else {}
