"""A request is compared field by field, and the nearest recording is found."""

from typing import Any

import pytest

from l0.pytest_plugin.cassette_entry import CassetteRequest
from l0.pytest_plugin.request_matching import differences
from l0.recording.field_differences import ABSENT, distance

URL = "https://api.openai.com/v1/chat/completions"


def request(body: Any = None, *, method: str = "POST", url: str = URL) -> CassetteRequest:
    return CassetteRequest(method, url, body)


def json(**body: Any) -> CassetteRequest:
    return request({"json": body})


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        (json(a=1, b={"c": 2}), json(b={"c": 2.0}, a=1)),
        (request(url="https://one/v1?a=1&b=2"), request(url="http://two:80/v1?b=2&a=1")),
        (request(url="https://one/v1?api-key=11111111"), request(url="https://one/v1?api-key=2")),
        (json(text="key ********* end"), json(text="key another-one end")),
        (json(text="********"), json(text="********")),
        (request({"text": "a"}), request({"text": "a"})),
    ],
)
def test_equal_requests_have_no_differences(recorded: CassetteRequest, sent: CassetteRequest) -> None:
    assert differences(recorded, sent, []) == []


@pytest.mark.parametrize(
    ("recorded", "sent", "expected"),
    [
        (json(a=1), json(a=2), ("a", 1, 2)),
        (json(a=True), json(a=1), ("a", True, 1)),
        (json(a=None), json(), ("a", None, ABSENT)),
        (json(a=[1, {"b": 2}]), json(a=[1, {"b": 3}]), ("a[1].b", 2, 3)),
        (json(a=[1]), json(a=[1, 2]), ("a[1]", ABSENT, 2)),
        (json(a="x *** y"), json(a="x 123 y"), ("a", "x *** y", "x 123 y")),
        (json(text="******** end"), json(text="secret END"), ("text", "******** end", "secret END")),
        (request(method="GET"), request(), ("method", "GET", "POST")),
        (request(url="https://h/a"), request(url="https://h/b"), ("path", "/a", "/b")),
        (request(url="https://h/a?x=1"), request(url="https://h/a?x=2"), ("query.x", "1", "2")),
        (request({"text": "a"}), request({"text": "b"}), ("body.text", "a", "b")),
        (request({"json": [1]}), request({"json": [2]}), ("body[0]", 1, 2)),
    ],
)
def test_difference_names_its_field(
    recorded: CassetteRequest, sent: CassetteRequest, expected: tuple[Any, ...]
) -> None:
    (found,) = differences(recorded, sent, [])
    assert (found.field, found.recorded, found.sent) == expected


def test_ignored_field_includes_its_inner_fields_only() -> None:
    found = differences(json(a={"b": 1}, ab=1, c=[1]), json(a={"b": 2}, ab=2, c=[2]), ["a", "c[0]"])
    assert [one.field for one in found] == ["ab"]


def test_nearest_has_the_same_path_then_fewest_differences_then_the_most_similar_text() -> None:
    sent = json(model="m", text="Hello there")
    expected = [
        json(model="m", text="Hello, there"),
        json(model="m", text="Quite another"),
        json(model="n", text="Hello there!"),
        request({"json": {"model": "m", "text": "Hello there"}}, url="https://h/v1/messages"),
    ]
    backwards = expected[::-1]  # requests at the same distance would keep this order
    assert sorted(backwards, key=lambda one: distance(differences(one, sent, []))) == expected
