"""The fleet of processes: without a Collector it says so; with a receiver, the spans of all processes arrive."""

import re
from pathlib import Path

from examples_kit import run
from viewer_client import running_viewer

NOBODY_LISTENS = "http://127.0.0.1:9"


def test_missing_collector_is_named_with_what_starts_it() -> None:
    ended = run("fleet.py", OTEL_EXPORTER_OTLP_ENDPOINT=NOBODY_LISTENS)
    assert ended.returncode == 1
    assert re.match(
        rf"No Collector at {NOBODY_LISTENS} \(.*\)\. Start it as this file's .*, or run `l0 view`", ended.stderr
    )


def test_calls_of_all_processes_arrive(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db") as viewer:
        ended = run("fleet.py", OTEL_EXPORTER_OTLP_ENDPOINT=viewer.origin)
        assert ended.returncode == 0, ended.stderr
        assert sum(int(count) for count in re.findall(r"^ +(\d+)  ", ended.stdout, re.MULTILINE)) == 100
        assert viewer.get("/api/overview")["totals"]["calls"] == 100
