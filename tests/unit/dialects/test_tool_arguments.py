"""Arguments of a tool call that break off."""

import json

import pytest

from l0.dialects.tool_arguments import breaks_off

WHOLE = json.dumps({"text": 'a "b" \\ {c} é', "list": [1, -2.5e3, True, None, {"deep": []}], "empty": {}})


@pytest.mark.parametrize("end", range(1, len(WHOLE)))
def test_every_beginning_of_arguments_breaks_off(end: int) -> None:
    assert breaks_off(WHOLE[:end])


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"\n {WHOLE} \n",
        f"{WHOLE}{WHOLE}",
        f"{WHOLE}}}",
        "",
        "   ",
        "{}",
        "[1, 2",
        '"text',
        "tru",
        "free text",
        "{'a': 1",
        "{a: 1",
        '{"a": 1,}',
        '{"a": 01',
        '{"a": "line\nbreak',
        '{"a": "\ud800',
        '{"a": "\ud800"}',
    ],
)
def test_other_text_does_not_break_off(text: str) -> None:
    assert not breaks_off(text)


def test_deep_arguments_are_not_judged() -> None:
    assert not breaks_off('{"a":' * 100_000)
