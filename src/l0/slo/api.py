"""Service level objectives of this process, as its users reach them: ``import l0; l0.slo.report()``.

::

    l0.slo.start()                                  # the default objectives, in memory
    l0.slo.start("slo.yaml", store="slo.db", on_burn=print)
    print(l0.slo.report())

`l0.slo` has the arithmetic, `l0.shared_state.slo_tracker` the windows; this is their front door.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from l0.config import CONFIG
from l0.model.policy import PolicyError
from l0.shared_state.slo_storage import Storage

from .document import parse
from .objective import DEFAULTS, Indicator, Objective
from .status_report import Burn, Report, SloStatus

__all__ = ["DEFAULTS", "Burn", "Indicator", "Objective", "Report", "SloStatus", "report", "start", "stop"]


def start(
    objectives: Sequence[Objective] | str | PathLike[str] | None = None,
    *,
    store: str | PathLike[str] | None = None,
    on_burn: Callable[[Burn], None] | None = None,
) -> None:
    """Watch every instrumented call from now on, whether OpenTelemetry listens or not.

    ``objectives``: a list, the path of an ``slo.yaml``, or ``None`` for the default ones. ``store``: an SQLite file in
    which the windows outlive the process; ``None``: they do not. ``on_burn``: told once, when a budget begins to burn
    faster than an alert allows; it runs at the end of a call, in its thread, so it should be quick.

    May be called again: the windows begin anew, or with what is stored. Raises `PolicyError` or
    `l0.slo.document.ObjectivesError` (a `ValueError` too) for objectives that cannot be obeyed, and `OSError`
    for a file that cannot be read.
    """
    if on_burn is not None and not callable(on_burn):
        raise PolicyError("on_burn", on_burn, "a function of an l0.slo.Burn, or None")
    CONFIG.shared_state.slos.start(_objectives(objectives), storage=_storage(store), on_burn=on_burn)


def stop() -> None:
    """Watch no longer; what is to be stored is. A meter that listens still gets its figures."""
    CONFIG.shared_state.slos.stop()


def report() -> Report:
    """How every objective stands, by provider and model: budget, burn rates, what recovery saved. Prints as a table."""
    return CONFIG.shared_state.slos.report()


def _objectives(given: Sequence[Objective] | str | PathLike[str] | None) -> Sequence[Objective]:
    if given is None:
        return DEFAULTS
    if isinstance(given, str | PathLike):
        path = Path(given)
        return parse(path.read_text("utf-8"), str(path))
    chosen = [one for one in given if isinstance(one, Objective)] if isinstance(given, Sequence) else []
    if not chosen or len(chosen) < len(given):
        raise PolicyError("objectives", given, "a list of l0.slo.Objective, the path of an slo.yaml, or None")
    return chosen


def _storage(path: str | PathLike[str] | None) -> Storage | None:
    if path is None:
        return None
    try:
        return Storage(path)
    except (sqlite3.Error, TypeError) as error:
        raise PolicyError("store", path, f"an SQLite file that can be written, or None ({error})") from error
