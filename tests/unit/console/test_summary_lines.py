"""The summary at the end of a process."""

from dataclasses import replace

import pytest

from l0.console.call_summary import ModelSummary, Percentiles, Summary
from l0.console.layout import ConsoleLayout
from l0.console.line import columns
from l0.console.summary_lines import _MAX_MODELS, summary_lines

MODEL = ModelSummary(
    provider="openai",
    model="gpt-4o",
    calls=1234,
    failed=5,
    first_token=Percentiles(p50=0.31, p95=0.82, p99=12.04),
    gap=Percentiles(p50=0.012, p95=0.048, p99=1.203),
    longest_gap=12.018,
    input_tokens=1,
    output_tokens=2,
)
SUMMARY = Summary(
    process=7,
    seconds=63.04,
    calls=1237,
    running=1,
    whole=1200,
    recovered={"reset": 18, "hedge": 9},
    doubtful=2,
    failed={"unavailable": 4, "not_found": 1},
    cancelled=3,
    stopped={'content had been delivered, and Policy.resume is "off"': 4, "a limit": 1},
    extra_requests=41,
    sdk_retries=30,
    recovery_seconds=12.345,
    wasted_tokens=1530,
    unknown_waste=3,
    models=(MODEL, replace(MODEL, model="mini", calls=3, first_token=Percentiles(), gap=Percentiles())),
)
QUIET = replace(
    SUMMARY,
    calls=1200,
    running=0,
    recovered={},
    doubtful=0,
    failed={},
    cancelled=0,
    stopped={},
    extra_requests=0,
    sdk_retries=0,
    recovery_seconds=0.0,
    wasted_tokens=0,
    unknown_waste=0,
    models=(),
)


def texts(summary: Summary, width: int | None = 80) -> list[str]:
    rows = [row for line in summary_lines(summary, ConsoleLayout(width=width)) for row in line.rows(width)]
    return ["".join(text for text, _ in row).rstrip() for row in rows]


def test_summary() -> None:
    assert texts(SUMMARY) == [
        "l0 summary of process 7, after 63.0 s",
        "  calls      1,237: 1,200 whole, 27 recovered, 2 perhaps truncated, 5 failed, 3",
        "             cancelled, 1 still running",
        "  recovered  reset 18, hedge 9",
        "  failed     unavailable 4, not_found 1",
        '  no retry   4: content had been delivered, and Policy.resume is "off"',
        "             1: a limit",
        "  cost       11 requests added by L0; 30 retries that the SDK makes too; 12.35 s",
        "             in failed attempts and waits; 1,530 wasted tokens, unknown for 3",
        "             calls",
        "  gaps       the longest took 12.02 s (openai gpt-4o)",
        "                             first token, s gap p95 per call, ms",
        "  model          calls    p50    p95    p99    p50    p95    p99",
        "  openai gpt-4o  1,234   0.31   0.82  12.04     12     48  1,203",
        "  openai mini        3      -      -      -      -      -      -",
    ]


def test_summary_of_a_quiet_process_is_short() -> None:
    assert texts(QUIET) == ["l0 summary of process 7, after 63.0 s", "  calls      1,200: 1,200 whole"]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"extra_requests": 1}, "1 request added by L0"),
        ({"extra_requests": 1, "sdk_retries": 1}, "1 retry that the SDK makes too"),
        ({"unknown_waste": 1}, "wasted tokens unknown for 1 call"),
        ({"wasted_tokens": 7}, "7 wasted tokens"),
    ],
)
def test_only_known_costs_are_shown(fields: dict[str, int], shown: str) -> None:
    assert texts(replace(QUIET, **fields))[2] == f"  cost       {shown}"


@pytest.mark.parametrize("width", [60, 80, None])
@pytest.mark.parametrize("name", ["x", "a-model-with-a-name-longer-than-the-column-of-names-20251112", "模型" * 9])
def test_rows_fit_and_figures_align(width: int | None, name: str) -> None:
    rows = texts(replace(QUIET, models=(MODEL, replace(MODEL, model=name))), width)
    assert name in "".join(row.strip() for row in rows)
    assert all(columns(row) <= (width or 80) for row in rows)
    assert len({columns(row) for row in rows if row.endswith(("1,203", "p99"))}) == 1


def test_rare_models_are_counted_only() -> None:
    models = tuple(replace(MODEL, model=f"model-{number}") for number in range(_MAX_MODELS + 3))
    rows = texts(replace(SUMMARY, models=models))
    assert rows[-1] == "  and 3 more"
    assert f"model-{_MAX_MODELS}" not in "".join(rows)
