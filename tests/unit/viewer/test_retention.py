"""The limits of the store: calls and bytes, the oldest arrivals first."""

import time
from pathlib import Path
from typing import Any

import pytest
from viewer_client import call, running_viewer, span

from l0.viewer.retention import StoreLimits


def attempt(number: int, of: int) -> dict[str, Any]:
    return span(number, {"l0.attempt.number": 1}, trace=of, parent=of, kind=1)


def test_oldest_calls_go_with_their_attempts(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db", StoreLimits(max_calls=5)) as viewer:
        for number in range(1, 9):
            viewer.send(attempt(100 + number, number), call(number, at=-number))
        kept = [int(one["span_id"], 16) for one in viewer.get("/api/calls")["calls"]]
        assert kept == [4, 5, 6, 7, 8]  # by arrival; the list is by start
        about = viewer.get("/api/about")
        assert (about["calls"], about["spans"]) == (5, 10)


def test_limit_holds_within_one_request_and_after_a_restart(tmp_path: Path) -> None:
    for count, limit in ((20, 7), (1, 3)):
        with running_viewer(tmp_path / "view.db", StoreLimits(max_calls=limit)) as viewer:
            viewer.send(*(call(1_000 * count + number) for number in range(count)))
            assert viewer.get("/api/about")["calls"] == limit


def test_bytes_are_bounded(tmp_path: Path) -> None:
    limit = 3_000_000
    with running_viewer(tmp_path / "view.db", StoreLimits(max_bytes=limit)) as viewer:
        for number in range(1, 101):
            viewer.send(call(number, {"text": "x" * 100_000}))
        about = viewer.get("/api/about")
        newest = viewer.get("/api/calls", limit=1)["calls"][0]["span_id"]
    assert about["bytes"] <= limit
    assert 10 <= about["calls"] < 30
    assert int(newest, 16) == 100
    assert (tmp_path / "view.db").stat().st_size < 2 * limit


def test_spans_that_are_no_calls_are_bounded_too(tmp_path: Path) -> None:
    limit = 1_000_000
    with running_viewer(tmp_path / "view.db", StoreLimits(max_bytes=limit)) as viewer:
        for number in range(1, 41):
            viewer.send(span(number, {"text": "x" * 100_000}))
        assert viewer.get("/api/about")["bytes"] <= limit


def test_a_span_larger_than_the_store(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db", StoreLimits(max_bytes=200_000)) as viewer:
        viewer.send(call(1, {f"text {n}": "x" * 200_000 for n in range(5)}))
        viewer.send(call(2))
        assert viewer.get("/api/calls")["total"] == 1


def test_gauges_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.viewer.retention._MAX_GAUGES", 2)
    with running_viewer(tmp_path / "view.db") as viewer:
        points = [
            {"asDouble": 1.0, "timeUnixNano": str(time.time_ns() + at * 10**6), "attributes": []} for at in range(3)
        ]
        metrics = [{"name": "l0.slo.burn_rate", "gauge": {"dataPoints": [point]}} for point in points]
        resources = [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": f"s{at}"}}]},
                "scopeMetrics": [{"metrics": [metric]}],
            }
            for at, metric in enumerate(metrics)
        ]
        assert viewer.post_json("metrics", {"resourceMetrics": resources}).status == 200
        assert sorted(state["service"] for state in viewer.get("/api/overview")["budgets"]) == ["s1", "s2"]
