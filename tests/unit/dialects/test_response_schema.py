"""The schemas that requests ask for, as the real SDKs write them, and in malformed requests."""

from __future__ import annotations

from inspect import signature
from typing import Any

import anthropic
import openai
import pydantic
import pytest
from installed import needs_chat_helpers, needs_responses

from l0.dialects.response_schema import ResponseSchema, from_response_format
from l0.simulator.server import Simulator

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
PARAMETERS = {"type": "object", "properties": {"b": {"type": "string"}}}
OBJECT = {"type": "object"}


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        ("chat", {}, ResponseSchema()),
        ("chat", {"response_format": {"type": "text"}}, ResponseSchema()),
        ("chat", {"response_format": {"type": "json_object"}}, ResponseSchema(text_schema=OBJECT)),
        (
            "chat",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
            ResponseSchema(text_schema=SCHEMA),
        ),
        (
            "chat",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            ResponseSchema(text_schema=OBJECT),
        ),
        (
            "chat",
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": PARAMETERS, "strict": True}}]},
            ResponseSchema(tool_schemas={"f": PARAMETERS}),
        ),
        (
            "chat",
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}]},
            ResponseSchema(),
        ),
        ("responses", {"text": {"format": {"type": "text"}}}, ResponseSchema()),
        ("responses", {"text": {"format": {"type": "json_object"}}}, ResponseSchema(text_schema=OBJECT)),
        (
            "responses",
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
            ResponseSchema(text_schema=SCHEMA),
        ),
        (
            "responses",
            {
                "tools": [
                    {"type": "web_search"},
                    {"type": "function", "name": "f", "parameters": PARAMETERS, "strict": True},
                    {"type": "function", "name": "g", "parameters": PARAMETERS, "strict": False},
                    {
                        "type": "namespace",
                        "name": "n",
                        "tools": [{"type": "function", "name": "h", "parameters": SCHEMA, "strict": True}],
                    },
                ]
            },
            ResponseSchema(tool_schemas={"f": PARAMETERS, "h": SCHEMA}),
        ),
        ("messages", {"output_config": {"effort": "low"}}, ResponseSchema()),
        (
            "messages",
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            ResponseSchema(text_schema=SCHEMA),
        ),
        ("messages", {"output_format": {"type": "json_schema", "schema": SCHEMA}}, ResponseSchema(text_schema=SCHEMA)),
        (
            "messages",
            {
                "tools": [
                    {"name": "f", "input_schema": PARAMETERS, "strict": True},
                    {"name": "g", "input_schema": SCHEMA},
                ]
            },
            ResponseSchema(tool_schemas={"f": PARAMETERS}),
        ),
        ("completions", {"response_format": {"type": "json_object"}}, ResponseSchema()),
    ],
)
def test_request_schemas_of_every_dialect(dialect: str, body: dict[str, Any], expected: ResponseSchema) -> None:
    assert from_response_format(body, dialect) == expected


def test_request_schemas_include_non_strict_tools_on_request() -> None:
    body = {"tools": [{"name": "f", "input_schema": PARAMETERS}, {"type": "web_search_20250305", "name": "web_search"}]}
    assert from_response_format(body, "messages", strict=False).tool_schemas == {"f": PARAMETERS}


MALFORMED = [None, 1, "json", [], [1], {"type": 3}, {"json_schema": 1}, {"format": "x"}, [{"function": 1}]]


@pytest.mark.parametrize("malformed", MALFORMED)
@pytest.mark.parametrize("key", ["response_format", "text", "output_config", "output_format", "tools"])
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_request_schemas_ignore_malformed_fields(dialect: str, key: str, malformed: object) -> None:
    assert from_response_format({key: malformed}, dialect) == ResponseSchema()


class Answer(pydantic.BaseModel):
    a: int


def sent(sim: Simulator) -> dict[str, Any]:
    body = sim.requests[-1].body
    assert isinstance(body, dict)
    return body


MESSAGE: Any = [{"role": "user", "content": "hi"}]


@needs_chat_helpers
def test_request_schemas_of_openai_chat_parse(sim: Simulator) -> None:
    with openai.OpenAI(base_url=sim.openai, api_key="k", max_retries=0) as client:
        tool = openai.pydantic_function_tool(Answer)
        with client.chat.completions.stream(
            model="m", messages=MESSAGE, response_format=Answer, tools=[tool]
        ) as stream:
            stream.close()
    asked = from_response_format(sent(sim), "chat")
    assert asked.text_schema is not None
    assert asked.text_schema["properties"]["a"]["type"] == "integer"
    assert asked.tool_schemas["Answer"]["required"] == ["a"]


@needs_responses
@needs_chat_helpers  # `responses.stream()` came a little later than `responses`
def test_request_schemas_of_openai_responses_parse(sim: Simulator) -> None:
    with (
        openai.OpenAI(base_url=sim.openai, api_key="k", max_retries=0) as client,
        client.responses.stream(model="m", input="hi", text_format=Answer) as stream,
    ):
        stream.close()
    asked = from_response_format(sent(sim), "responses")
    assert asked.text_schema is not None
    assert asked.text_schema["required"] == ["a"]


@pytest.mark.skipif(
    "output_format" not in signature(anthropic.resources.Messages.stream).parameters,
    reason="this anthropic SDK has no output formats outside of beta",
)
def test_request_schemas_of_anthropic(sim: Simulator) -> None:
    with (
        anthropic.Anthropic(base_url=sim.anthropic, api_key="k", max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=4096, messages=MESSAGE, output_format=Answer) as stream,
    ):
        stream.close()
    asked = from_response_format(sent(sim), "messages")
    assert asked.text_schema is not None
    assert asked.text_schema["required"] == ["a"]
