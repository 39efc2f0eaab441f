"""`l0 slo status --store FILE`: show the objectives of a store, as `l0.slo.report()` does."""

from __future__ import annotations

import shlex
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from l0.shared_state.slo_history import key_of, stored_objectives
from l0.shared_state.slo_storage import Key, stored_rows
from l0.shared_state.slo_tracker import stored_report
from l0.slo.objective import Objective

from ..inputs import InputError
from .exit_code import exit_code


def store_status(path: Path, objectives: Sequence[Objective], fail_on: str, *, has_file: bool) -> int:
    """Print the report, and return the exit code. Raises `InputError`.

    ``has_file``: the objectives are those of a file, not the default ones.
    """
    try:
        rows = stored_rows(path)
    except sqlite3.Error as error:
        raise InputError(f"cannot read {path} as a file of l0.slo.start(store=...): {error}") from error
    keys = {key for key, _ in rows}
    stored = stored_objectives(keys)
    others = stored - {key_of(objective) for objective in objectives}
    note = f"events of: {', '.join(sorted(others))}. {_advice(path, has_file=has_file)}"
    if not any(_has_events(objective, keys) for objective in objectives):
        # Without events no alert fires, so a check would pass although it checked nothing.
        which = "objectives" if not stored else "the objectives in FILE" if has_file else "the default objectives"
        raise InputError(f"{path} has no events of {which}{f'; it has {note}' if others else ''}")
    report = stored_report(rows, objectives, time.time())
    print(report)
    if others:
        print(f"\n{path} also has {note}")
    return exit_code(
        fail_on,
        is_spent=any(status.is_spent for status in report.statuses),
        burning=(pair for status in report.statuses for pair in status.burning),
    )


def _has_events(objective: Objective, keys: Iterable[Key]) -> bool:
    """Return True if a key of the store is that of the objective at a provider and model that it holds for."""
    name = key_of(objective)
    return any(stored == name and objective.holds_for(*target) for stored, *target in keys)


def _advice(path: Path, *, has_file: bool) -> str:
    if has_file:
        return "The file of objectives does not have these, or not with this indicator and threshold."
    return f"To show them, pass their FILE: l0 slo status slo.yaml --store {shlex.quote(str(path))}"
