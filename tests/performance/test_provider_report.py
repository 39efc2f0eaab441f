"""The table of `make bench-providers` in docs/providers.md."""

import json

from benchmarks.providers import PAGE, RESULT, SDKS, fresh, table
from benchmarks.variants import BARE, FULL


def test_table_has_the_ratio_of_each_round() -> None:
    report = {
        "taken": "2026-01-02T03:04:05",
        "machine": {"cpu": "C", "cores": 2, "system": "S", "python": "P"},
        "rounds": 3,
        "versions": {"groq": "1.0"},
        "sdks": {"groq": {BARE: [100.0, 200.0, 300.0], FULL: [10.0, 60.0, 60.0]}},
    }
    assert table(report).splitlines()[-1] == "| `groq` | 1.0 | 200 (100-300) | 0.20 (0.10-0.30) |"


def test_table_of_the_page_is_that_of_the_result() -> None:
    report = json.loads(RESULT.read_text("utf-8"))
    assert set(report["sdks"]) == set(SDKS)
    page = PAGE.read_text("utf-8")
    assert fresh(page, report) == page
