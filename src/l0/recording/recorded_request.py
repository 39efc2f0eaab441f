"""Describe a request for a recording: with its body, or with the body's shape, sizes and hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from contextlib import suppress
from hashlib import sha256
from typing import Any

from l0.dialects.payload import Payload, payloads_in

from .redaction import REMOVED, Redaction, is_secret

_CONTENT = frozenset({"messages", "input", "contents", "system", "prompt", "instructions"})
"""Fields whose values are the user's content."""
_MEDIA = re.compile(rb'"(?:computer_screenshot|document|file|image|image_url|input_(?:audio|file|image))"')
"""Types of the parts that hold media. Searching for them is cheaper than walking through a long conversation."""
_MODES = frozenset(
    {
        "effort",
        "format",
        "model",
        "reasoning_effort",
        "service_tier",
        "summary",
        "tool_choice",
        "truncation",
        "verbosity",
    }
)
"""Parameters whose texts are kept: the model and modes."""
_SETTINGS = frozenset(
    {
        "cache_control",
        "format",
        "function",
        "function_call",
        "json_schema",
        "output_config",
        "prediction",
        "reasoning",
        "response_format",
        "text",
        "thinking",
        "tool",
        "toolChoice",
        "toolConfig",
        "tool_choice",
    }
)
"""Parameters that are objects and belong to an API. Other objects may hold any data of the user."""
_MODES_OF_SETTINGS = _MODES | {"name", "type"}
_USER_DATA = frozenset({"labels", "metadata", "promptVariables", "requestMetadata"})
"""Parameters that hold data of the user, of which not even numbers and names of fields are kept."""
_SPEAKERS = frozenset({"assistant", "developer", "system", "user"})
"""Roles of messages whose ``name`` is that of a person or a participant, not of a tool."""
_LONGEST_NAME = 128
"""Characters."""


def described_body(body: bytes | None, redaction: Redaction, *, content: bool) -> dict[str, Any]:
    """Return the JSON for the body of a request. ``content``: True keeps the body itself.

    ``bytes``, ``sha256``: of the body as sent. ``json_sha256``: of its JSON with sorted keys, the same for every
    version of an SDK. ``body`` or ``shape``: the JSON, or what is left of it without texts; ``text``: a body that is
    not JSON. ``media``: kind, type, size and hash of each image, sound and file. ``None`` is a body that cannot be read
    twice.
    """
    if body is None:
        return {"bytes": None}
    described: dict[str, Any] = {"bytes": len(body), "sha256": _hash(body)}
    try:
        value = json.loads(body) if body else None
    except (ValueError, RecursionError):
        if content:
            described["text"] = redaction.text(body.decode(errors="replace"))
        return described
    if value is not None:
        described["json_sha256"] = json_hash(value)
        media = [_medium(one) for one in payloads_in(value)] if _MEDIA.search(body) else []
        if media:
            described["media"] = media
        described |= {"body": _clean(value, redaction)} if content else {"shape": shape(value)}
    return described


def _medium(payload: Payload) -> dict[str, Any]:
    """Return the description of a payload. Size and hash are those of the file itself, without base64."""
    kept = {"kind": payload.kind} | ({"mime_type": payload.mime_type} if _is_name(payload.mime_type) else {})
    if payload.base64 is None:
        return kept
    with suppress(ValueError):
        return kept | _measured_bytes(payload.data or b"")
    return kept | _measured(payload.base64)


def json_hash(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    return _hash(_canonical(value))


def shape(body: Any) -> Any:
    """Return a body without its texts: parameters, names of tools, and role, size and hash of each message."""
    if not isinstance(body, Mapping):
        return _measured(body)
    return {
        key: _content(value)
        if key in _CONTENT
        else _tools(value)
        if key == "tools" and isinstance(value, list)
        else _parameter(key, value)
        for key, value in body.items()
    }


def _content(value: Any) -> Any:
    if not isinstance(value, list):
        return _measured(value)
    return [_message(one) for one in value]


def _message(message: Any) -> dict[str, Any]:
    measured = _measured(message)
    if not isinstance(message, Mapping):
        return measured
    names = ("role", "type") if message.get("role") in _SPEAKERS else ("role", "type", "name")
    kept = {key: message[key] for key in names if _is_name(message.get(key))}
    parts = message.get("content")
    if isinstance(parts, list):
        kept["parts"] = [part["type"] for part in parts if isinstance(part, Mapping) and _is_name(part.get("type"))]
    return kept | measured


def _tools(tools: list[Any]) -> list[Any]:
    return [_tool(one) for one in tools]


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, Mapping):
        return _measured(tool)
    named = tool.get("function") if isinstance(tool.get("function"), Mapping) else tool
    kept = {"type": tool.get("type"), "name": named.get("name")}  # type: ignore[union-attr]  # a mapping
    return {key: value for key, value in kept.items() if _is_name(value)} | _measured(tool)


def _parameter(key: str, value: Any, modes: Set[str] = _MODES) -> Any:
    """Return the value of a parameter; a text only if ``modes`` has its name, else its size and hash."""
    if is_secret(key):
        return REMOVED
    if key in _USER_DATA:
        return _measured(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and len(_canonical(value)) <= _LONGEST_NAME:
        inner_modes = _MODES_OF_SETTINGS if modes and key in _SETTINGS else frozenset[str]()
        return {inner: _parameter(inner, one, inner_modes) for inner, one in value.items()}
    return value if key in modes and _is_name(value) else _measured(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


def _measured(value: Any) -> dict[str, Any]:
    encoded = value.encode(errors="surrogatepass") if isinstance(value, str) else _canonical(value)
    return _measured_bytes(encoded)


def _measured_bytes(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": _hash(data)}


def _clean(value: Any, redaction: Redaction) -> Any:
    """Return a JSON value without secrets."""
    if isinstance(value, str):
        return redaction.text(value)
    if isinstance(value, list):
        return [_clean(one, redaction) for one in value]
    if isinstance(value, dict):
        return {
            redaction.text(key): REMOVED if is_secret(key) and isinstance(one, str) else _clean(one, redaction)
            for key, one in value.items()
        }
    return value


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode(errors="surrogatepass")


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()
