"""From samples to figures: minimum, median and the ratio to the bare SDK of the same run."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .cases import Case
from .conductor import Samples
from .variants import BARE, FULL

Report = dict[str, Any]
_OTHER_OBJECTS = frozenset({"litellm", "l0-python"})
"""Variants that hand out their own objects: at least one a token, but not the bare SDK's number."""


def summarise(cases: Iterable[Case], samples: Samples, rounds: int, unavailable: dict[str, str]) -> Report:
    """The whole result of one run, as JSON: what was measured, on what, and what could not be."""
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
    import os

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


def _case(case: Case, results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    bare = results[BARE]
    events = bare[0].get("events", 0) if bare else 0
    made: dict[str, Any] = {}
    for variant, rounds in results.items():
        if not rounds:  # a peer, in a run without peers
            continue
        flaw = _flaw(case, variant, rounds, events)
        made[variant] = {"missing": flaw} if flaw else _figures(case, rounds, bare, events)
    return {"name": case.name, "group": case.group, "target": case.target, "variants": made}


def _flaw(case: Case, variant: str, rounds: list[dict[str, Any]], events: int) -> str | None:
    """Why this variant has no figures here."""
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


def _cost(case: Case, result: dict[str, Any], events: int) -> float:
    """CPU per event of the bare SDK's answer, in µs; for a cold start, of the whole process, in ms."""
    if case.group == "cold start":
        return float(result["process_cpu_ms"])
    return float(result["cpu_ms_call"] * case.calls * 1e3 / max(events, 1))


def _figures(case: Case, rounds: list[dict[str, Any]], bare: list[dict[str, Any]], events: int) -> dict[str, Any]:
    costs = [_cost(case, result, events) for result in rounds]
    figures: dict[str, Any] = {
        "min": min(costs),
        "median": statistics.median(costs),
        "first_ms": min(result["first_ms"] for result in rounds),
        "memory_mb": max(result["memory_mb"] for result in rounds),
        "switch_on_ms": min((result["switch_on_ms"] for result in rounds if "switch_on_ms" in result), default=None),
    }
    if bare and all("cpu_ms_call" in result for result in bare):
        others = [_cost(case, result, events) for result in bare]
        figures["ratio"] = min(costs) / min(others)
        figures["ratio_median"] = statistics.median(costs) / statistics.median(others)
    return figures


def table(report: Report) -> str:
    """For the terminal: a line for each case and variant."""
    told = report["machine"]
    lines = [
        f"{told['cpu']}, {told['cores']} cores, {told['system']}, {told['python']}",
        f"{report['rounds']} rounds, interleaved, {report['taken']}",
        *(f"{name}: {_said(versions)}" for name, versions in report["versions"].items()),
        "",
        f"{'case':30} {'variant':14} {'min':>9} {'median':>9} {'ratio':>7} {'(median)':>8} {'first':>9} {'memory':>9}",
    ]
    for case in report["cases"]:
        for variant, figures in case["variants"].items():
            lines.append(_line(case, variant, figures))
    lines += [f"{name}: not measured: {reason}" for name, reason in report["unavailable"].items()]
    lines += [
        "",
        "min, median: µs of CPU per event (cold start: ms of CPU from process start to the end of the answer)",
    ]
    return "\n".join(lines)


def _line(case: dict[str, Any], variant: str, figures: dict[str, Any]) -> str:
    head = f"{case['name']:30} {variant:14} "
    if "missing" in figures:
        return f"{head}{figures['missing']}"
    ratio, median = figures.get("ratio"), figures.get("ratio_median")
    text = f"{head}{figures['min']:9.1f} {figures['median']:9.1f} "
    text += f"{ratio:7.3f} {median:8.3f} " if ratio is not None and median is not None else f"{'':17}"
    text += f"{figures['first_ms']:6.1f} ms {figures['memory_mb']:6.1f} MB"
    if variant == FULL and case["target"] is not None and ratio is not None:
        text += f"  target {case['target']:.2f}: {'met' if ratio <= case['target'] else 'MISSED'}"
    return text


def _said(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
