"""What a request itself says its answer must look like. A pure reading of the request's JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``text_schema``: of the answer's text; ``{"type": "object"}`` for JSON mode. ``tool_schemas``: of the arguments
    of each tool, by its name. Both as the request has them, by reference."""

    text_schema: JsonSchema | None = None
    tool_schemas: Mapping[str, JsonSchema] = field(default_factory=dict)


def from_response_format(body: Mapping[str, Any], dialect: str, *, strict: bool = True) -> Asked:
    """What a request of a dialect (``"chat"``, ``"responses"``, ``"messages"``; nothing for any other) asks for.

    ``strict``: only tools that ask the provider to keep their arguments to the schema; for others a model may well
    answer what the schema does not allow. A field of another shape than the provider documents is passed over: what it
    means is the provider's to say.
    """
    match dialect:
        case "chat":
            form = _mapping(body.get("response_format"))
            text = _text_schema({**form, **_mapping(form.get("json_schema"))})
            functions = (_mapping(tool.get("function")) for tool in _mappings(body.get("tools")))
            return Asked(text_schema=text, tool_schemas=_tool_schemas(functions, "parameters", strict))
        case "responses":
            text = _text_schema(_mapping(_mapping(body.get("text")).get("format")))
            return Asked(text_schema=text, tool_schemas=_tool_schemas(_flat(body.get("tools")), "parameters", strict))
        case "messages":
            form = _mapping(_mapping(body.get("output_config")).get("format") or body.get("output_format"))
            tools = _tool_schemas(_mappings(body.get("tools")), "input_schema", strict)
            return Asked(text_schema=_text_schema(form), tool_schemas=tools)
        case _:
            return Asked()


def calls_in(answer: Mapping[str, Any], dialect: str) -> list[tuple[str, str]]:
    """Names and arguments, as JSON, of the calls of the user's tools in a whole answer of a dialect."""
    match dialect:
        case "chat":
            messages = (_mapping(choice.get("message")) for choice in _mappings(answer.get("choices")))
            calls = (_mapping(call.get("function")) for said in messages for call in _mappings(said.get("tool_calls")))
            return [(str(call.get("name")), str(call.get("arguments") or "")) for call in calls if call]
        case "responses":
            items = [item for item in _mappings(answer.get("output")) if item.get("type") == "function_call"]
            return [(str(item.get("name")), str(item.get("arguments") or "")) for item in items]
        case "messages":
            blocks = [block for block in _mappings(answer.get("content")) if block.get("type") == "tool_use"]
            return [(str(block.get("name")), json.dumps(block.get("input"))) for block in blocks]
        case _:
            return []


def _text_schema(form: Mapping[str, Any]) -> JsonSchema | None:
    match form:
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
        promised = tool.get("strict") is True
        if isinstance(name, str) and isinstance(schema, Mapping) and (promised or not strict):
            found[name] = schema
    return found


def _flat(tools: object) -> Iterator[Mapping[str, Any]]:
    """The tools, those within namespaces too."""
    for tool in _mappings(tools):
        if tool.get("type") == "namespace":
            yield from _mappings(tool.get("tools"))
        else:
            yield tool


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (each for each in value if isinstance(each, Mapping)) if isinstance(value, Sequence) else iter(())
