"""The result of a run as JSON, with the costs of every round, and the figures that are computed from it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from .cases import Case
from .conductor import Samples
from .variants import BARE, OWN, TITLES

Report = dict[str, Any]
CaseReport = dict[str, Any]
_OTHER_OBJECTS = frozenset({"litellm", "l0-python"})
"""Variants that deliver their own objects: at least one per token, but not as many as the bare SDK."""
_KEPT = ("first_ms", "memory_mb", "idle_us", "switch_on_ms")
"""Fields of the worker's results that are kept for each round, besides the cost."""
UNITS = {"whole": "µs a call", "cold start": "ms", "idle": "kB a stream"}
"""The unit of the costs of a group: CPU time, or memory. An answer that does not stream is one event."""
PER_EVENT = "µs an event"
"""The unit of the other groups, CPU time."""


class Spread(NamedTuple):
    """The median of all rounds, with the lowest and the highest round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return self.text()

    def text(self, more: int = 0) -> str:
        """Return the figures as a text. ``more``: further decimals."""
        return f"{number(self.median, more)} ({number(self.low, more)}-{number(self.high, more)})"


def spread(rounds: Sequence[float]) -> Spread | None:
    """Return the median and the range of the rounds; None without rounds."""
    return Spread(median(rounds), min(rounds), max(rounds)) if rounds else None


def number(value: float, more: int = 0) -> str:
    """Return a figure with about three digits. ``more``: further decimals."""
    decimals = 3 if 0 < value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals + more}f}"


def rounds_of(case: CaseReport, variant: str, what: str = "cost") -> list[float]:
    """Return one figure of each round: the cost, or a field of the worker's result. Empty if it was not measured."""
    found: list[float] = case["variants"].get(variant, {}).get(what, [])
    return found


def ratio(case: CaseReport, variant: str) -> Spread | None:
    """Return the costs relative to those of the bare SDK in the same round."""
    return spread([own / bare for own, bare in zip(rounds_of(case, variant), rounds_of(case, BARE), strict=False)])


def beside_peers(report: Report) -> list[CaseReport]:
    """Return the cases in which other libraries have figures as well."""
    return [case for case in report["cases"] if peers_of([case])]


def peers_of(cases: Iterable[CaseReport]) -> list[str]:
    """Return the other libraries that have figures in these cases."""
    return [name for name in TITLES if name not in OWN and any(ratio(case, name) for case in cases)]


def summarise(cases: Iterable[Case], samples: Samples, rounds: int, unavailable: dict[str, str]) -> Report:
    """Return the whole result of one run: what was measured, on what, and what could not be."""
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": rounds,
        "versions": _versions(samples),
        "unavailable": unavailable,
        "cases": [_case(case, samples[case.name]) for case in cases],
    }


def machine() -> dict[str, str | int]:
    """Describe the machine and the versions that were measured."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _versions(samples: Samples) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for variants in samples.values():
        for variant, results in variants.items():
            for result in results:
                if "versions" in result:
                    found[variant] = result["versions"]
    return found


def _case(case: Case, results: dict[str, list[dict[str, Any]]]) -> CaseReport:
    bare = results[BARE]
    events = bare[0].get("events", 0) if bare else 0
    made: dict[str, Any] = {}
    for variant, rounds in results.items():
        if not rounds:  # a peer, in a case without peers
            continue
        flaw = _flaw(case, variant, rounds, events)
        made[variant] = {"missing": flaw} if flaw else _figures(case, rounds, events)
    return {"name": case.name, "label": case.label, "group": case.group, "target": case.target, "variants": made}


def _flaw(case: Case, variant: str, rounds: list[dict[str, Any]], events: int) -> str | None:
    """Return why this variant has no figures here."""
    for result in rounds:
        if reason := result.get("failed") or result.get("unsupported"):
            return str(reason)
        if variant in _OTHER_OBJECTS:
            tokens = case.calls * (1 if case.how == "whole" else case.tokens)
            if result["events"] < tokens:
                return f"handed out {result['events']:,} objects for {tokens:,} tokens"
        elif result["events"] != events:
            return f"handed out {result['events']:,} events, and the bare SDK {events:,}"
    return None


def _figures(case: Case, rounds: list[dict[str, Any]], events: int) -> dict[str, list[float]]:
    figures = {"cost": [_cost(case, result, events) for result in rounds]}
    for name in _KEPT:
        if found := [result[name] for result in rounds if name in result]:
            figures[name] = found
    return {name: [float(f"{value:.5g}") for value in found] for name, found in figures.items()}


def _cost(case: Case, result: dict[str, Any], events: int) -> float:
    """Return the cost in the unit of the group; events are those of the bare SDK's answer."""
    if case.group == "cold start":
        return float(result["process_cpu_ms"])
    if case.group == "idle":
        return float(result["memory_mb"] * 1024 / case.at_once)
    return float(result["cpu_ms"] * 1e3 / max(events, 1))
