"""The table of docs/faults.md has a row for each fault."""

from fault_table import folded

RST = [
    ["24", "RST", "chat", "1 partial", "2 whole", "1 partial", "2 whole"],
    ["24", "RST", "messages", "1 partial", "2 whole", "2 whole", "2 whole"],
]
REFUSED = [["6", "status 401", "chat", *["1 none"] * 4], ["6", "status 401", "messages", *["1 none"] * 4]]
FAILED = [["39", "failed", "responses", *["2 whole"] * 4]]


def test_equal_results_of_dialects_and_modes_are_folded() -> None:
    assert list(folded([*REFUSED, *RST, *FAILED], dialects=2)) == [
        "| # | fault | off | exact | prefill | splice |",
        "|---|---|---|---|---|---|",
        "| 6 | status 401 | 1 none | | | |",
        "| 24 | RST | 1 partial | 2 whole | chat: 1 partial; messages: 2 whole | 2 whole |",
        "| 39 | failed (responses) | 2 whole | | | |",
    ]
