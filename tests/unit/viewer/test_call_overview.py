"""The summary of calls: success as users saw it and of attempts, percentiles, causes and the series over time."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from viewer_client import START, ViewerClient, attributes, call, running_viewer

from l0.viewer.api_contract import BudgetState, Overview, OverviewRow, Series
from l0.viewer.call_overview import MAX_INTERVALS, MAX_ROWS, SILENT_MS, intervals, percentile


def timed(first: float, gap: float) -> dict[str, float]:
    return {"gen_ai.response.time_to_first_chunk": first, "l0.gap.p95": gap}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as viewer:
        recovered = {"l0.outcome": "recovered_retry", "l0.attempts": 2, "l0.retry.causes": ["reset"]}
        wasted = {"l0.wasted_tokens": 7, "l0.sdk_retries": 1, "l0.recovery_time": 1.5}
        lost = {"l0.outcome": "failed", "l0.attempts": 2, "l0.retry.causes": ["reset"], "l0.cause": "stall"}
        lost |= {"l0.wasted_tokens.unknown": True}
        tokens = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
        viewer.send(
            *(call(number, timed(number / 100, 0.01) | tokens, at=number * 100) for number in range(1, 11)),
            call(11, recovered | timed(1.0, 0.5) | wasted, at=5_000),
            call(12, lost, at=9_000),
            call(13, {"l0.outcome": "cancelled"}, at=9_500),
            call(14, {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude"}, at=9_900),
        )
        yield viewer


def test_totals_and_rows(filled: ViewerClient) -> None:
    overview = filled.get("/api/overview")
    assert set(overview) == set(Overview.__annotations__)
    assert {frozenset(row) for row in [overview["totals"], *overview["rows"]]} == {
        frozenset(OverviewRow.__annotations__)
    }
    counts = ("calls", "succeeded", "failed", "cancelled", "attempts", "attempts_failed", "recovered")
    assert [overview["totals"][name] for name in counts] == [14, 12, 1, 1, 16, 3, 1]
    first, second = overview["rows"]
    assert (first["provider"], first["model"], first["calls"]) == ("openai", "gpt-4o", 13)
    assert (second["provider"], second["model"], second["calls"]) == ("anthropic", "claude", 1)
    assert (first["first_token_p50"], first["first_token_p95"], first["first_token_p99"]) == (60.0, 1000.0, 1000.0)
    assert (first["gap_p50"], first["gap_p99"]) == (10.0, 500.0)
    assert (first["input_tokens"], first["output_tokens"], first["wasted_tokens"]) == (100, 50, 7)
    assert (second["first_token_p50"], second["gap_p95"]) == (None, None)
    assert (first["sdk_retries"], first["recovery_time"], first["unknown_waste"]) == (1, 1_500.0, 1)
    assert (second["input_tokens"], second["sdk_retries"], second["unknown_waste"]) == (None, None, 0)
    assert overview["causes"] == [{"cause": "reset", "count": 2}, {"cause": "stall", "count": 1}]


def test_series(filled: ViewerClient) -> None:
    series = filled.get("/api/overview")["series"]
    assert set(series) == set(Series.__annotations__)
    assert {len(values) for values in series.values()} == {10}
    assert series["t"] == [START + 1_000 * step for step in range(10)]
    assert series["calls"] == [9, 1, 0, 0, 0, 1, 0, 0, 0, 3]
    assert series["recovered"] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert series["failed"] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert series["first_token_p50"][:3] == [50.0, 100.0, None]
    assert series["gap_p95"][5] == 500.0


def test_filtered_overview(filled: ViewerClient) -> None:
    overview = filled.get("/api/overview", provider="anthropic", since=START, until=START + 60_000)
    assert (overview["totals"]["calls"], len(overview["rows"]), overview["causes"]) == (1, 1, [])
    assert (overview["series"]["t"][0], len(overview["series"]["t"])) == (START, 61)
    assert sum(overview["series"]["calls"]) == 1


def test_empty_overview(viewer: ViewerClient) -> None:
    overview = viewer.get("/api/overview")
    assert overview["rows"] == overview["causes"] == overview["series"]["t"] == []
    assert (overview["totals"]["calls"], overview["totals"]["first_token_p50"]) == (0, None)


def test_invalid_time_is_named(viewer: ViewerClient) -> None:
    answer = viewer.request("GET", "/api/overview?since=now")
    assert (answer.status, answer.json["error"][:11]) == (400, "since: got ")


def test_last_value_of_a_budget_counts(viewer: ViewerClient) -> None:
    def send(name: str, value: float, at_ms: int, slo: str = "first word") -> None:
        point = {"asDouble": value, "timeUnixNano": str(at_ms * 10**6), "attributes": attributes({"l0.slo": slo})}
        metric = {"name": f"l0.slo.{name}", "gauge": {"dataPoints": [point]}}
        answer = viewer.post_json("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
        assert answer.status == 200

    now = round(time.time() * 1e3)
    send("error_budget.remaining", 0.9, now)
    send("error_budget.remaining", 0.4, now + 1)
    send("burn_rate", 3.0, now + 2)
    send("burn_rate", float("inf"), now + 3)
    send("error_budget.remaining", -0.5, now, slo="worse")
    worse, first = viewer.get("/api/overview")["budgets"]
    assert set(first) == set(BudgetState.__annotations__)
    assert (worse["slo"], worse["remaining"]) == ("worse", -0.5)
    assert (first["remaining"], first["burn_rate"], first["time"]) == (0.4, 3.0, now + 2)


def sent_budget(viewer: ViewerClient, at_ms: float, rates: dict[str, float], slo: str) -> None:
    points = [
        {
            "asDouble": rate,
            "timeUnixNano": str(round(at_ms * 1e6)),
            "attributes": attributes({"l0.slo": slo, "l0.slo.window": window}),
        }
        for window, rate in rates.items()
    ]
    metric = {"name": "l0.slo.burn_rate", "gauge": {"dataPoints": points}}
    viewer.post_json("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})


def test_budget_that_is_no_longer_reported_goes_away(viewer: ViewerClient) -> None:
    now = time.time() * 1e3
    sent_budget(viewer, now - SILENT_MS - 1, {"1h": 62.0}, "ended")
    sent_budget(viewer, now, {"1h": 61.0}, "reports")
    names = {one["slo"] for one in viewer.get("/api/overview")["budgets"]}
    assert "reports" in names
    assert "ended" not in names
    before = viewer.get(f"/api/overview?until={now - 2_000}")["budgets"]
    assert "ended" in {one["slo"] for one in before}


def test_severity_of_the_alert_that_fires_is_at_its_long_window(viewer: ViewerClient) -> None:
    now = time.time() * 1e3
    sent_budget(viewer, now, {"5m": 20.0, "1h": 15.0, "6h": 15.0, "30m": 15.0}, "pages")
    sent_budget(viewer, now, {"5m": 2.0, "1h": 20.0, "3d": 1.2, "6h": 1.2}, "tickets")
    states = viewer.get("/api/overview")["budgets"]
    assert {(one["slo"], one["window"], one["severity"]) for one in states if one["severity"]} == {
        ("pages", "1h", "page"),
        ("tickets", "3d", "ticket"),
    }


def test_burning_budgets_are_not_crowded_out(viewer: ViewerClient) -> None:
    def send(name: str, value: float, model: int) -> dict[str, Any]:
        known = attributes({"l0.slo": "up", "gen_ai.request.model": f"m{model}", "l0.slo.window": "1h"})
        point = {"asDouble": value, "timeUnixNano": str(time.time_ns()), "attributes": known}
        return {"name": f"l0.slo.{name}", "gauge": {"dataPoints": [point]}}

    metrics = [*(send("error_budget.remaining", 0.9, model) for model in range(MAX_ROWS)), send("burn_rate", 20.0, 999)]
    viewer.post_json("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]})
    states = viewer.get("/api/overview")["budgets"]
    assert ("m999", 20.0) in {(one["model"], one["burn_rate"]) for one in states}
    assert len(states) == MAX_ROWS


@pytest.mark.parametrize("length", [0, 1, 999, 60_000, 86_400_000, 10**13])
@pytest.mark.parametrize("begin", [0.0, 1_234.5, 1_800_000_000_123.0])
def test_intervals_cover_the_time(begin: float, length: float) -> None:
    first, width, number = intervals(begin, begin + length)
    assert first <= begin < first + width
    assert first + width * number > begin + length
    assert 1 <= number <= MAX_INTERVALS
    assert width % 1_000 == 0


@pytest.mark.parametrize("bounds", [(None, None), (1.0, None), (2.0, 1.0)])
def test_no_interval_without_a_time(bounds: tuple[float | None, float | None]) -> None:
    assert intervals(*bounds)[2] == 0


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ([], 0.5, None),
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([1.0, 2.0, 3.0], 0.5, 2.0),
        ([*range(100)], 0.95, 94),
    ],
)
def test_percentile(values: list[float], share: float, found: float | None) -> None:
    assert percentile(values, share) == found
