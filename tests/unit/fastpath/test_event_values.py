"""The places of the values of an event that vary."""

import pytest

from l0.fastpath.event_values import places, with_values

TEXT = {"content": "x"}


def found(data: bytes, fields: dict[str, str | int]) -> dict[str, bytes] | None:
    found = places(data, 0, fields)
    return None if found is None else {place.key: data[place.start : place.end] for place in found}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"content":"x"}', {"content": b"x"}),
        (b'{"id" :\n"c-1", "content" : "x"}', {"id": b"c-1", "content": b"x"}),
        (b'{"created":17,"content":"x\\"y"}', {"created": b"17", "content": b'x\\"y'}),
        (b'{"created":17.5,"content":"x"}', {"content": b"x"}),
        (b'{"created":-17,"content":"x"}', {"content": b"x"}),
        (b'{"created":1e3,"content":"x"}', {"content": b"x"}),
        (b'{"id":null,"content":"x"}', {"content": b"x"}),
        (b'{"id":"a","x":{"id":"b"},"content":"x"}', {"content": b"x"}),
        (b'{"x":"\\"id\\":\\"a\\"","content":"x"}', {"content": b"x"}),
        (b'{"content":"x","delta":{"content":"y"}}', None),
        (b'{"content":1}', None),
        (b'{"text":"x"}', None),
    ],
)
def test_places_of_values(data, expected):
    assert found(data, {**TEXT}) == expected


def test_numbered_event_has_the_place_of_its_number():
    assert found(b'{"n":3,"content":"3"}', TEXT | {"n": 3}) == {"n": b"3", "content": b"3"}
    assert found(b'{"n":"3","content":"3"}', TEXT | {"n": 3}) is None


def test_values_are_replaced_in_their_places():
    data = b'{"id":"abc","content":"x","created":1}'
    new = with_values(data, places(data, 0, TEXT) or [], {"content": "longer", "created": 22})
    assert new == b'{"id":"abc","content":"longer","created":22}'
