"""Track the service level objectives of this process. This is the public API: ``import l0; l0.slo.report()``.

::

    l0.slo.start()                                  # the default objectives, in memory
    l0.slo.start("slo.yaml", store="slo.db", on_burn=print)
    print(l0.slo.report())

The other modules of `l0.slo` do the arithmetic; `l0.shared_state.slo_tracker` keeps the windows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from l0.config import CONFIG
from l0.model.callback_check import check_callback
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError
from l0.shared_state.slo_storage import Storage

from .document import parse
from .objective import DEFAULTS, Indicator, Objective
from .status_report import Burn, Report, SloStatus

__all__ = ["DEFAULTS", "Burn", "Indicator", "Objective", "Report", "SloStatus", "report", "start", "stop"]


@refuses_unknown_options
def start(
    objectives: Sequence[Objective] | str | PathLike[str] | None = None,
    *,
    store: str | PathLike[str] | None = None,
    on_burn: Callable[[Burn], None] | None = None,
) -> None:
    """Track every instrumented call from now on, even without OpenTelemetry.

    ``objectives``: a list, the path of an ``slo.yaml``, or ``None`` for the default ones. ``store``: an SQLite file in
    which the windows outlive the process; ``None`` keeps them in memory only. Processes that run at the same time and
    share it do not see each other's events. ``on_burn``: called once each time that a budget begins to burn faster than
    an alert allows, but not for a burn that an earlier process with this store has reported. It runs at the end of a
    call, in the call's thread, so it must be fast. If it raises an exception, it is called again with later events.

    A second call starts again with empty windows, or with the stored ones.

    Raises:
        PolicyError: invalid arguments or objectives.
        l0.slo.document.ObjectivesError: an invalid file (also a `ValueError`).
        OSError: a file that cannot be read.
    """
    check_callback("on_burn", on_burn, "an l0.slo.Burn")
    CONFIG.shared_state.slos.start(_objectives(objectives), storage=_storage(store), on_burn=on_burn)


def stop() -> None:
    """Stop tracking, and store new events if ``store`` was given. An existing meter still exports its metrics."""
    CONFIG.shared_state.slos.stop()


def report() -> Report:
    """Return the status of every objective, by provider and model: budgets, burn rates, and calls saved by recovery.

    ``str`` of the report is a table.
    """
    return CONFIG.shared_state.slos.report()


def _objectives(argument: Sequence[Objective] | str | PathLike[str] | None) -> Sequence[Objective]:
    if argument is None:
        return DEFAULTS
    if isinstance(argument, str | PathLike):
        path = Path(argument)
        return parse(path.read_text("utf-8"), str(path))
    valid = [each for each in argument if isinstance(each, Objective)] if isinstance(argument, Sequence) else []
    if not valid or len(valid) < len(argument):
        raise PolicyError("objectives", argument, "a list of l0.slo.Objective, the path of an slo.yaml, or None")
    return valid


def _storage(path: str | PathLike[str] | None) -> Storage | None:
    if path is None:
        return None
    try:
        return Storage(path)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise PolicyError("store", path, f"a writable SQLite file, or None ({error})") from error
