"""The overview of `l0 top` as text: every figure, in any size of terminal, and nothing that a terminal obeys."""

import re
from typing import Any

import pytest

from l0.cli.top.overview_screen import overview_rows
from l0.console.line import columns
from l0.viewer.api_contract import BudgetState, CauseCount, ListedCall, Overview, OverviewRow, Series

NOTHING = OverviewRow(
    provider=None,
    model=None,
    calls=0,
    succeeded=0,
    failed=0,
    cancelled=0,
    attempts=0,
    attempts_failed=0,
    recovered=0,
    first_token_p50=None,
    first_token_p95=None,
    first_token_p99=None,
    gap_p50=None,
    gap_p95=None,
    gap_p99=None,
    input_tokens=0,
    output_tokens=0,
    wasted_tokens=None,
    sdk_retries=None,
    recovery_time=None,
    unknown_waste=0,
)


def row(provider: str | None, model: str | None, calls: int, **fields: Any) -> OverviewRow:
    made = NOTHING | {"provider": provider, "model": model, "calls": calls, "succeeded": calls, "attempts": calls}
    return OverviewRow(**(made | fields))  # type: ignore[typeddict-item]


def series(*calls: int, first: list[float | None] | None = None) -> Series:
    empty = [None] * len(calls)
    return Series(
        t=[at * 30_000.0 for at in range(len(calls))],
        calls=list(calls),
        failed=[0] * len(calls),
        recovered=[0] * len(calls),
        first_token_p50=list(empty),
        first_token_p95=first or list(empty),
        gap_p95=list(empty),
    )


def overview(*rows: OverviewRow, totals: OverviewRow = NOTHING, **fields: Any) -> Overview:
    usual = {"totals": totals, "rows": list(rows), "series": series(), "causes": [], "budgets": []}
    return Overview(**(usual | fields))  # type: ignore[typeddict-item]


def text(found: Overview, width: int | None = None, height: int | None = None) -> list[str]:
    return ["".join(part for part, _ in parts).rstrip() for parts in overview_rows(found, width, height)]


TIMES = {"first_token_p50": 420.0, "first_token_p95": 1_234.0, "first_token_p99": 123_456.0, "gap_p95": 85.4}
OPENAI = row(
    "openai", "gpt-4o", 1_200, succeeded=1_190, failed=8, cancelled=2, attempts=1_300, attempts_failed=110, **TIMES
) | {"recovered": 45}
FULL = overview(
    OPENAI,  # type: ignore[arg-type]
    row(None, None, 34),
    totals=row(
        None,
        None,
        1_234,
        succeeded=1_224,
        failed=8,
        cancelled=2,
        attempts=1_334,
        attempts_failed=110,
        recovered=45,
        input_tokens=1_000_000,
        output_tokens=2_000,
        wasted_tokens=300,
        sdk_retries=60,
        recovery_time=12_345.0,
        unknown_waste=3,
    ),
    series=series(0, 4, 8, first=[None, 500.0, 1_000.0]),
    causes=[CauseCount(cause="reset", count=80), CauseCount(cause="stall", count=30)],
    budgets=[
        BudgetState(
            service="shop",
            provider="openai",
            model=None,
            slo="first word",
            layer="user",
            window="30d",
            remaining=0.832,
            burn_rate=1.4,
            severity=None,
            time=0.0,
        )
    ],
)


def test_every_figure() -> None:
    assert text(FULL) == [
        "calls      1,234: 1,224 succeeded (45 recovered), 8 failed, 2 cancelled",
        "success    99.35 % of calls, 91.7 % of attempts",
        "tokens     1,000,000 in, 2,000 out, 300 wasted, unknown for 3 calls",
        "cost       40 requests added by L0, 60 retries that the SDK makes too, 12.35 s",
        "over time   ▄█  most 8 in 30 s",
        "first p95   ▄█  most 1.00 s",
        "",
        "               calls     re-  success, %     first token, s  gap p95, ms",
        "model                covered calls tries    p50   p95   p99          p95",
        "openai gpt-4o  1,200      45 99.33  91.5   0.42  1.23   123           85",
        "-                 34       0   100   100      -     -     -            -",
        "",
        "causes     reset 80, stall 30",
        "budget     first word user openai 30d: 83.2 % left, burn rate 1.4",
    ]


@pytest.mark.parametrize(("width", "height"), [(80, 22), (60, 10), (40, 6), (20, 3), (1, 1), (0, 1)])
def test_rows_fit_the_terminal(width: int, height: int) -> None:
    rows = [row("provider", f"model {number} {'x' * 50}", 100 - number) for number in range(50)]
    found = text(FULL | {"rows": rows}, width, height)  # type: ignore[arg-type]
    assert len(found) <= height
    assert max(map(columns, found)) <= max(width, 1)


def budget(remaining: float | None, burn_rate: float | None, **fields: Any) -> BudgetState:
    made = FULL["budgets"][0] | {"remaining": remaining, "burn_rate": burn_rate, "layer": "first word"}
    return BudgetState(**(made | fields))  # type: ignore[typeddict-item]


def test_budgets_in_danger_come_first_and_the_others_are_counted() -> None:
    states = [budget(-39.0, 40.0), budget(-0.5, 0.5, model="m"), budget(0.9, 0.1, slo="b"), budget(None, None, slo="c")]
    assert text(overview(budgets=states))[-3:] == [
        "budget     first word openai 30d: spent 40 times, burn rate 40",
        "           first word openai m 30d: spent 1.5 times, burn rate 0.5",
        "           2 objectives within budget",
    ]


def reported(slo: str, remaining: float, **rates: float) -> list[BudgetState]:
    """Return the reported states of one objective: its budget, and the burn rate in each window."""
    fields = {"slo": slo, "layer": "attempts", "provider": "anthropic", "model": "claude"}
    windows = {"5m": 0.0, "30m": 0.0, "1h": 0.0, "2h": 0.0, "6h": 0.0, "1d": 0.0, "3d": 0.0, **rates}
    burns = [budget(None, rate, window=window, **fields) for window, rate in windows.items()]
    return [budget(remaining, None, **fields), *burns]


def test_an_objective_counts_once_and_the_page_that_burns_is_named() -> None:
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
    slow = reported("slow", 0.5, **{"3d": 1.4, "6h": 1.2})
    spent = reported("spent", -1.0)
    page = reported("anthropic-first-token", -14.0, **dict.fromkeys(windows, 15.0))
    calm = [state for number in range(4) for state in reported(f"calm-{number}", 1.0)]
    found = overview(budgets=[*spent, *slow, *page, *calm])
    assert text(found)[-4:] == [
        "budget     anthropic-first-token attempts anthropic claude 30d: spent 15 times, burn rate 15 in 1h (page)",
        "           slow attempts anthropic claude 30d: 50.0 % left, burn rate 1.4 in 3d (ticket)",
        "           spent attempts anthropic claude 30d: spent 2.0 times",
        "           4 objectives within budget",
    ]
    assert text(found, 80)[-6:-3] == [
        "budget     anthropic-first-token attempts anthropic claude",
        "             30d: spent 15 times, burn rate 15 in 1h (page)",
        "           slow attempts anthropic claude",
    ]


def test_a_high_burn_rate_has_no_exponent() -> None:
    found = text(overview(budgets=reported("up", -14.0, **{"5m": 200.0, "1h": 1234.0})))
    assert "burn rate 1,234 in 1h (page)" in found[-1]


@pytest.mark.parametrize("width", range(1, 110))
def test_no_number_is_cut_into_another(width: int) -> None:
    numbers = re.compile(r"\d[\d,.]*")
    found = overview(budgets=reported("up", -14.0, **{"5m": 15.0, "1h": 15.0}))
    whole, shown = (numbers.findall("\n".join(rows)) for rows in (text(found), text(found, width)))
    assert set(shown) <= set(whole)


def listed(**fields: Any) -> ListedCall:
    made = {"start": 0.0, "duration": 2_500.0, "model": "gpt-4o", "attempts": 3, "outcome": "failed", "cause": "reset"}
    return made | {"stop_reason": "all retries are used (Retry.max_retries=2)"} | fields  # type: ignore[return-value]


def test_failed_and_slowest_calls_say_why() -> None:
    slow = listed(outcome="ok", cause=None, stop_reason=None, attempts=1, duration=90_000.0, model="x\x1b[2J")
    rows = overview_rows(overview(), 60, None, [listed()], [slow])
    found = ["".join(part for part, _ in row).rstrip() for row in rows]
    assert re.sub(r"\d\d:\d\d:\d\d", "CLOCK", "\n".join(found[-4:])).splitlines() == [
        "failed     CLOCK  2.50 s  gpt-4o  3 attempts  failed",
        "             reset; all retries are used",
        "             (Retry.max_retries=2)",
        "slowest    CLOCK  90.00 s  x�[2J  1 attempt  ok",
    ]


def test_unknown_tokens_are_not_zero() -> None:
    unknown = row(None, None, 1, input_tokens=None, output_tokens=None, unknown_waste=1)
    assert text(overview(totals=unknown))[2] == "tokens     unknown in, unknown out, wasted ones unknown for 1 call"


def test_models_that_do_not_fit_are_counted() -> None:
    rows = [row("openai", f"m{number}", 100 - number) for number in range(50)]
    found = text(FULL | {"rows": rows}, 80, 22)  # type: ignore[arg-type]
    assert found[-4] == "and 41 more"
    assert [line for line in found if line.startswith("openai m")] == found[9:18]


def test_long_and_wide_names_are_cut() -> None:
    found = text(overview(row("openai", "x" * 300, 1), row("openai", "模型" * 30, 2)), 80, 22)
    assert [columns(line) for line in found[-2:]] == [80, 80]
    assert all("…" in line for line in found[-2:])


def test_a_name_cannot_control_the_terminal() -> None:
    hostile = "\x1b[2J\x9b31m\r\n\u202e"
    found = overview(
        row(hostile, hostile, 1),
        causes=[CauseCount(cause=hostile, count=1)],
        budgets=[FULL["budgets"][0] | {"slo": hostile}],
    )
    for line in text(found):
        assert line.isprintable(), line


@pytest.mark.parametrize(
    ("succeeded", "calls", "shown"),
    [(0, 0, "-"), (0, 9, "0"), (9, 9, "100"), (99_999, 100_000, "99.99"), (1, 100_000, "0.0"), (2, 3, "66.6")],
)
def test_a_share_is_whole_only_if_nothing_is_missing(succeeded: int, calls: int, shown: str) -> None:
    found = text(overview(totals=row(None, None, calls, succeeded=succeeded)))
    assert found[1].startswith(f"success    {shown} % of calls")


def test_no_calls() -> None:
    assert text(overview())[-1] == "no calls"
