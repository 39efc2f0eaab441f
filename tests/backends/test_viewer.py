"""`l0 view` behind the Collector: every call of a load is listed once, with the attempts that the provider saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backends import Collector
from evidence import Evidence, Running
from found import program
from servers import wait_for
from viewer_client import ViewerClient, running_viewer


@dataclass(frozen=True, slots=True)
class Shown:
    """One load, and the calls that the viewer lists."""

    did: Evidence
    viewer: ViewerClient

    def calls(self) -> list[dict[str, Any]]:
        """Return all calls, of every page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.viewer.get("/api/calls", limit=1000, cursor=cursor)
            found += page["calls"]
            cursor = page["next"]
        return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder: Path = tmp_path_factory.mktemp("viewer")
    collector = Collector(program("otelcol-core"), folder, "core")
    with running_viewer(folder / "view.db") as viewer:
        collector.server.set(TRACES_URL=viewer.origin, METRICS_URL=viewer.origin)
        with collector.server:
            did = Running(collector.otlp, folder, "--calls", "40").evidence()
            found = Shown(did, viewer)
            wait_for("the calls are in the viewer", lambda: len(found.calls()) >= len(did.traces))
            yield found


def test_every_call_is_listed_once(shown: Shown) -> None:
    assert sorted(call["trace_id"] for call in shown.calls()) == sorted(shown.did.traces.values())


def test_attempts_are_those_of_the_ledger(shown: Shown) -> None:
    numbers = {trace: number for number, trace in shown.did.traces.items()}
    for call in shown.calls():
        made = len(shown.did.requests[numbers[call["trace_id"]]])
        assert call["attempts"] == made
        detail = shown.viewer.get(f"/api/calls/{call['trace_id']}/{call['span_id']}")
        assert len(detail["attempts"]) == made


def test_budgets_arrive(shown: Shown) -> None:
    budgets = shown.viewer.get("/api/overview")["budgets"]
    assert {(one["slo"], one["provider"]) for one in budgets if one["burn_rate"] is not None}
