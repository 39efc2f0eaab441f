"""Read the schemas that an answer must match from the JSON of its request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from l0.model.tolerant_reading import object_of, objects_in

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSchema:
    """The schemas in one request, not copied.

    ``text_schema``: the schema of the answer's text; ``{"type": "object"}`` for JSON mode; ``None`` for text.
    ``tool_schemas``: the schemas of tool arguments, by tool name.
    """

    text_schema: JsonSchema | None = None
    tool_schemas: Mapping[str, JsonSchema] = field(default_factory=dict)


def from_response_format(body: Mapping[str, Any], dialect: str, *, strict: bool = True) -> ResponseSchema:
    """Return the schemas in the body of a request.

    ``dialect``: ``"chat"``, ``"responses"`` or ``"messages"``; any other has no schemas. ``strict``: only include tools
    with ``"strict": true``, since a model may ignore the schema of other tools. A field whose shape differs from the
    provider's documentation is ignored: only the provider knows its meaning.
    """
    match dialect:
        case "chat":
            response_format = object_of(body.get("response_format"))
            text = _text_schema({**response_format, **object_of(response_format.get("json_schema"))})
            functions = (object_of(tool.get("function")) for tool in objects_in(body.get("tools")))
            return ResponseSchema(text_schema=text, tool_schemas=_tool_schemas(functions, "parameters", strict))
        case "responses":
            text = _text_schema(object_of(object_of(body.get("text")).get("format")))
            return ResponseSchema(
                text_schema=text, tool_schemas=_tool_schemas(_flat(body.get("tools")), "parameters", strict)
            )
        case "messages":
            response_format = object_of(object_of(body.get("output_config")).get("format") or body.get("output_format"))
            tools = _tool_schemas(objects_in(body.get("tools")), "input_schema", strict)
            return ResponseSchema(text_schema=_text_schema(response_format), tool_schemas=tools)
        case _:
            return ResponseSchema()


def _text_schema(response_format: Mapping[str, Any]) -> JsonSchema | None:
    match response_format:
        case {"type": "json_schema", "schema": Mapping() as schema}:
            return schema
        case {"type": "json_object"} | {"type": "json_schema"}:
            return {"type": "object"}
        case _:
            return None


def _tool_schemas(tools: Iterable[Mapping[str, Any]], key: str, strict: bool) -> Mapping[str, JsonSchema]:
    found: dict[str, JsonSchema] = {}
    for tool in tools:
        name, schema = tool.get("name"), tool.get(key)
        is_strict = tool.get("strict") is True
        if isinstance(name, str) and isinstance(schema, Mapping) and (is_strict or not strict):
            found[name] = schema
    return found


def _flat(tools: object) -> Iterator[Mapping[str, Any]]:
    """Yield the tools, including those in namespaces."""
    for tool in objects_in(tools):
        if tool.get("type") == "namespace":
            yield from objects_in(tool.get("tools"))
        else:
            yield tool
