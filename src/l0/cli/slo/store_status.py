"""`l0 slo status --store FILE`: show the objectives of a store, as `l0.slo.report()` does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from l0.shared_state.slo_storage import stored_rows
from l0.shared_state.slo_tracker import stored_report
from l0.slo.objective import Objective
from l0.slo.status_report import SloStatus

from ..inputs import InputError


def store_status(path: Path, objectives: Sequence[Objective]) -> int:
    """Print the report. Return 1 if a budget is spent or a page burns, else 0. Raises `InputError`."""
    try:
        rows = stored_rows(path)
    except sqlite3.Error as error:
        raise InputError(f"cannot read {path} as a file of l0.slo.start(store=...): {error}") from error
    if not rows:
        raise InputError(f"{path} has no events of objectives")
    report = stored_report(rows, objectives, time.time())
    print(report)
    return 1 if any(map(_in_danger, report.statuses)) else 0


def _in_danger(status: SloStatus) -> bool:
    is_spent = status.budget_left is not None and status.budget_left <= 0
    return is_spent or any(pair.severity == "page" for pair in status.burning)
