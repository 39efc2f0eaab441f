"""The JSON bodies of the requests that litellm sends, whatever form they have."""

from typing import Any

import pytest

from l0_litellm.describe import body_of


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({"json": {"a": 1}}, {"a": 1}),
        ({"data": '{"a": 1}'}, {"a": 1}),
        ({"data": '{"a": 1}', "json": {"b": 2}}, {"b": 2}),
        ({"data": b'{"a": 1}'}, None),
        ({"data": "[1]"}, None),
        ({"data": "a=1"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_body_of_a_request(arguments: dict[str, Any], body: dict[str, Any] | None) -> None:
    assert body_of(arguments) == body
