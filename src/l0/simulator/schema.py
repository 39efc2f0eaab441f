"""The smallest JSON value that a JSON Schema allows: what a simulated model answers where a structure is asked for."""

from collections.abc import Mapping
from typing import Any

_PLAIN: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """A value that fits `schema`; `$ref` is looked up in `root` (the schema itself by default)."""
    root = schema if root is None else root
    if "$ref" in schema:
        return example(_resolve(str(schema["$ref"]), root), root)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    union = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    return example(union[0], root) if union else _typed(schema, root)


def _typed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(part, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), root)] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number") and "minimum" in schema:
        return schema["minimum"]
    return _PLAIN.get(kind, "text")


def _resolve(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for name in reference.removeprefix("#/").split("/"):
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
