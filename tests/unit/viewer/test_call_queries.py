"""The list of calls: filters, search, pages; and the values to filter by."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from viewer_client import START, ViewerClient, call, running_viewer, span

from l0.model.failure import Cause

SLOW = {"gen_ai.response.time_to_first_chunk": 0.9, "l0.stop.reason": "a limit", "l0.request.id": "req_only"}
NAMES = {1: "plain", 2: "failed", 3: "recovered", 4: "other", 5: "cancelled"}


def attempt_of_3(number: int, request_id: str) -> dict[str, object]:
    known = {"l0.attempt.number": number, "l0.request.id": request_id}
    return span(number, known, trace=3, parent=3, kind=1)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as viewer:
        viewer.send(
            call(1, {"gen_ai.response.time_to_first_chunk": 0.1}, at=0),
            attempt_of_3(6, "req_early"),
            call(2, {"l0.outcome": "failed", "l0.cause": "reset", "error.type": "APIConnectionError"} | SLOW, at=1_000),
            call(
                3,
                {"l0.outcome": "recovered_retry", "l0.attempts": 3, "l0.retry.causes": ["stall", "reset"]},
                at=2_000,
                ms=3_000,
            ),
            call(5, {"l0.outcome": "cancelled", "gen_ai.response.id": "resp_100%_x"}, at=4_000),
            attempt_of_3(7, "req_late"),
            span(9, {"http.route": "/"}, name="GET /"),
        )
        viewer.send(
            call(4, {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude"}, at=3_000), service="b"
        )
        yield viewer


def found(viewer: ViewerClient, **parameters: object) -> list[str]:
    page = viewer.get("/api/calls", **parameters)
    assert page["total"] == len(page["calls"])
    return [NAMES[int(one["span_id"], 16)] for one in page["calls"]]


def test_newest_call_is_first(filled: ViewerClient) -> None:
    assert found(filled) == ["cancelled", "other", "recovered", "failed", "plain"]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"provider": "anthropic"}, ["other"]),
        ({"model": ["claude", "gpt-4o"], "outcome": "ok"}, ["other", "plain"]),
        ({"outcome": ["failed", "cancelled"]}, ["cancelled", "failed"]),
        ({"cause": "stall"}, ["recovered"]),
        ({"cause": "reset"}, ["recovered", "failed"]),
        ({"cause": "res"}, []),
        ({"service": "b"}, ["other"]),
        ({"since": START + 1_000, "until": START + 3_000}, ["recovered", "failed"]),
        ({"q": "APIConnection"}, ["failed"]),
        ({"q": "RECOVERED stall"}, ["recovered"]),
        ({"q": "100%_x"}, ["cancelled"]),
        ({"q": "100__x"}, []),
        ({"q": "req_early"}, ["recovered"]),
        ({"q": "req_late"}, ["recovered"]),
        ({"q": "req_only"}, ["failed"]),
        ({"min_duration": 2_000}, ["recovered"]),
        ({"sort": "duration"}, ["recovered", "other", "cancelled", "failed", "plain"]),
        ({"sort": "first_token", "order": "asc"}, ["plain", "failed"]),
        ({"sort": "start", "order": "asc"}, ["plain", "failed", "recovered", "other", "cancelled"]),
        ({"q": f"{4:032x}"}, ["other"]),
        ({"q": "nothing like it"}, []),
        ({"provider": "' OR 1=1 --"}, []),
        ({"provider": "", "q": ""}, ["cancelled", "other", "recovered", "failed", "plain"]),
    ],
)
def test_filter(filled: ViewerClient, parameters: dict[str, object], names: list[str]) -> None:
    assert found(filled, **parameters) == names


def test_failed_call_says_why_it_ended(filled: ViewerClient) -> None:
    reasons = [one["stop_reason"] for one in filled.get("/api/calls")["calls"]]
    assert reasons == [None, None, None, "a limit", None]


@pytest.mark.parametrize("order", [{}, {"sort": "duration"}, {"sort": "duration", "order": "asc"}])
def test_pages_have_every_call_once(filled: ViewerClient, order: dict[str, str]) -> None:
    ids: list[str] = []
    cursor = ""
    for _ in range(3):
        page = filled.get("/api/calls", limit=2, cursor=cursor, **order)
        assert page["total"] == 5
        ids += [one["span_id"] for one in page["calls"]]
        cursor = page["next"]
    assert cursor is None
    assert [NAMES[int(one, 16)] for one in ids] == found(filled, **order)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "1001", "-1", "many", "²", "9" * 30)),
        *(("limit", f"{'1':0>10}{more}") for more in ("999", "9" * 5_000)),
        *(("since", value) for value in ("yesterday", "nan", "inf", "-1e300")),
        ("until", "1e999"),
        ("min_duration", "long"),
        ("sort", "model"),
        ("outcome", "bogus"),
        ("order", "up"),
        *(("cursor", value) for value in ("x", "1_", "_1", "1.5_x")),
    ],
)
def test_invalid_parameter_is_named(filled: ViewerClient, name: str, value: str) -> None:
    answer = filled.request("GET", f"/api/calls?{name}={quote(value)}")
    assert answer.status == 400
    assert answer.json["error"].startswith(f"{name}: got ")


@pytest.mark.parametrize(
    "path",
    [
        "/api/calls?search=req_1",
        "/api/overview?search=req_1",
        "/api/overview?outcome=ok&limit=1",
        "/api/facets?model=m",
        "/api/about?calls=1",
        "/api/live?model=m",
        f"/api/calls/{0:032x}/{0:016x}?offset=1",
        f"/api/calls/{0:032x}/{0:016x}/recording?offset=1",
        f"/api/calls/{0:032x}/{0:016x}/recording/1/answer?limit=1",
    ],
)
def test_unknown_parameter_is_named(filled: ViewerClient, path: str) -> None:
    name = path.partition("?")[2].rpartition("&")[2].partition("=")[0]
    answer = filled.request("GET", path)
    assert answer.status == 400
    assert answer.json["error"].startswith(f"{name}: no such parameter, allowed: ")


def test_unknown_parameter_says_what_is_allowed(filled: ViewerClient) -> None:
    allowed = filled.request("GET", "/api/calls?search=req_1").json["error"].partition("allowed: ")[2].split(", ")
    assert {"q", "outcome", "limit"} <= {*allowed}


def test_too_many_values(filled: ViewerClient) -> None:
    assert filled.request("GET", "/api/calls?" + "model=m&" * 51).status == 400


def test_facets(filled: ViewerClient) -> None:
    assert filled.get("/api/facets") == {
        "providers": ["anthropic", "openai"],
        "models": ["claude", "gpt-4o"],
        "outcomes": ["cancelled", "failed", "ok", "recovered_retry"],
        "causes": ["reset", "stall"],
        "services": ["app", "b"],
    }


def test_about(filled: ViewerClient) -> None:
    about = filled.get("/api/about")
    assert (about["name"], about["calls"], about["spans"], about["max_calls"]) == ("l0 view", 5, 8, 100_000)
    assert about["bytes"] > 0
    assert about["causes"]["reset"] == "the connection broke"
    assert set(about["causes"]) == set(Cause)
