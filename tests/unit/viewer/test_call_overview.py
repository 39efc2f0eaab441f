"""The summary of calls: success as users saw it and of attempts, percentiles, causes and the series over time."""

from collections.abc import Iterator
from typing import Any

import pytest
from viewer_client import START, ViewerClient, attributes, call, running_viewer

from l0.viewer.api_contract import BudgetState, Overview, OverviewRow, Series
from l0.viewer.call_overview import MAX_INTERVALS, MAX_ROWS, intervals, percentile


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
    def send(name: str, value: float, at: int, slo: str = "first word") -> None:
        point = {"asDouble": value, "timeUnixNano": str(at), "attributes": attributes({"l0.slo": slo})}
        metric = {"name": f"l0.slo.{name}", "gauge": {"dataPoints": [point]}}
        answer = viewer.post_json("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
        assert answer.status == 200

    send("error_budget.remaining", 0.9, 10**9)
    send("error_budget.remaining", 0.4, 2 * 10**9)
    send("burn_rate", 3.0, 3 * 10**9)
    send("burn_rate", float("inf"), 4 * 10**9)
    send("error_budget.remaining", -0.5, 10**9, slo="worse")
    worse, first = viewer.get("/api/overview")["budgets"]
    assert set(first) == set(BudgetState.__annotations__)
    assert (worse["slo"], worse["remaining"]) == ("worse", -0.5)
    assert (first["remaining"], first["burn_rate"], first["time"]) == (0.4, 3.0, 3_000.0)


def test_burning_budgets_are_not_crowded_out(viewer: ViewerClient) -> None:
    def send(name: str, value: float, model: int) -> dict[str, Any]:
        known = attributes({"l0.slo": "up", "gen_ai.request.model": f"m{model}", "l0.slo.window": "1h"})
        point = {"asDouble": value, "timeUnixNano": "1", "attributes": known}
        return {"name": f"l0.slo.{name}", "gauge": {"dataPoints": [point]}}

    metrics = [*(send("error_budget.remaining", 0.9, model) for model in range(MAX_ROWS)), send("burn_rate", 20.0, 999)]
    viewer.post_json("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]})
    *others, last = viewer.get("/api/overview")["budgets"]
    assert (last["model"], last["burn_rate"]) == ("m999", 20.0)
    assert len(others) == MAX_ROWS - 1


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
