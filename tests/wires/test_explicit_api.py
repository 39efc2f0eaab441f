"""Odd wires as sources of the explicit API: the text and the tool calls that the engine finds, with L0 below or not."""

from collections.abc import Iterator
from typing import Any

import pytest
from own_wires import OWN
from wires_kit import Reader, Wire, shared, usable

import l0
from l0 import EventType

WIRES = usable((*shared(), *OWN))
PROVEN_BY_THE_WIRE = ("another_answer_in_the_middle", "_differs", "_differ", "_differ_at_the_end", "_doubled", "_lost")
PROVEN_BY_THE_WIRE += ("_lost_unnumbered", "_swapped")
"""Endings of the names of broken wires whose proof only L0 below reads."""
COMPLETE_ON_THE_WIRE = (
    "choice_index_is_a_token_number",
    "finish_empty_string",
    "no_finish_but_done",
    "retry_field_first",
)
"""Wires that L0 below accepts as complete; the objects of the SDK do not prove it, or the SDK cannot parse them."""


@pytest.fixture(scope="module", params=[False, True], ids=["sdk as it is", "l0 below"])
def patched(request: pytest.FixtureRequest) -> Iterator[bool]:
    l0.uninstrument()
    if request.param:
        l0.instrument()
    yield request.param
    l0.uninstrument()


@pytest.mark.parametrize("wire", WIRES, ids=str)
def test_odd_wire(patched: bool, reader: Reader, wire: Wire) -> None:
    text, calls, error = read(reader, wire)
    if wire.broken:
        assert (error is not None) is (patched or not wire.name.endswith(PROVEN_BY_THE_WIRE))
        return
    expected = wire.telemetry
    if wire.kind == "an answer without any content":
        assert getattr(error, "reason", None) == "empty"
    else:
        assert (error is None) is (patched or wire.name not in COMPLETE_ON_THE_WIRE)
    if error is None:
        assert text == expected.get("captured_text", text)
        assert sorted(calls) == sorted(expected.get("tool_calls", calls))


@pytest.mark.parametrize("order", ["evidence", "off"])
def test_order_off_delivers_a_tool_call_that_breaks_off(patched: bool, reader: Reader, order: str) -> None:
    (wire,) = (wire for wire in WIRES if str(wire) == "chat-tool_arguments_break_off")
    with l0.policy(order=order):
        _, calls, error = read(reader, wire)
    assert (calls, error is None) == ([["f", '{"a"']], order == "off")


def read(reader: Reader, wire: Wire) -> tuple[str, list[Any], Exception | None]:
    source = reader.source(wire, reader.server.route(wire))
    text, calls = "", list[Any]()
    try:
        with l0.run_sync(source, retry=l0.Retry(max_retries=0)) as stream:
            for event in stream:
                text += event.text if event.type is EventType.TOKEN else ""
                calls += [[event.data.name, event.data.raw]] if event.type is EventType.TOOL_CALL else []
    except Exception as error:
        return text, calls, error
    return text, calls, None
