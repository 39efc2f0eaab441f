"""Service level objectives of this process: ``import l0; l0.slo.start(); print(l0.slo.report())``.

Names resolve lazily, because `api` imports `l0.config`, which itself needs single modules of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import warn

if TYPE_CHECKING:
    from .api import DEFAULTS, Burn, Indicator, Objective, Report, SloStatus, report, start, stop

__all__ = ["DEFAULTS", "Burn", "Indicator", "Objective", "Report", "SloStatus", "report", "start", "stop"]


if not TYPE_CHECKING:  # type checkers would take this function as a sign that every name exists

    def __getattr__(name: str) -> Any:
        if name == "Standing":
            warn("l0.slo.Standing is now l0.slo.SloStatus", DeprecationWarning, stacklevel=2)
            name = "SloStatus"
        if name not in __all__:
            raise AttributeError(f"module 'l0.slo' has no attribute {name!r}")
        return getattr(import_module(".api", __name__), name)


def __dir__() -> list[str]:
    return __all__
