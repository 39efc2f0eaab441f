"""Tool calls whose indices do not tell them apart, and choices whose indices count tokens."""

import pytest

from l0.dialects.deltas import ToolCallDelta
from l0.dialects.token_numbers import TokenNumbers
from l0.dialects.tool_places import ToolPlaces


def delta(index: int, id_: str = "", name: str = "", choice: int = 0) -> ToolCallDelta:
    return ToolCallDelta((choice, index), id_, name, "", choice)


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        ([delta(0, "a", "f"), delta(0), delta(1, "b", "g"), delta(1)], [0, 0, 1, 1]),
        ([delta(0, "a", "f"), delta(0), delta(0, "b", "g"), delta(0)], [0, 0, 1, 1]),
        ([delta(0, "a", "f"), delta(1), delta(2)], [0, 0, 0]),
        ([delta(0, "a", "f"), delta(0, "a", "f")], [0, 0]),
        ([delta(0, "a", "f"), delta(0, "b")], [0, 0]),  # an id per event, as an old vLLM has it
        ([delta(0, "a", "f"), delta(0, "b", "g", 1), delta(0, choice=0)], [0, 1, 0]),
    ],
    ids=["by index", "one index", "index counts tokens", "repeated", "id per event", "two choices"],
)
def test_calls_are_told_apart(deltas, calls):
    places = ToolPlaces()
    found = [places.place_of(one) for one in deltas]
    order = list(dict.fromkeys(found))
    assert [order.index(place) for place in found] == calls


@pytest.mark.parametrize(
    ("indices", "found"),
    [((1, 2, 3), True), ((1,), False), ((1, 1, 2), False), ((2, 1), False), ((1, 3), False)],
    ids=str,
)
def test_indices_that_count_tokens(indices, found):
    numbers = TokenNumbers()
    pieces = [piece for index in indices for piece in numbers.add(index, str(index))]
    assert numbers.found is found
    assert pieces == ([str(index) for index in indices] if found else [])
