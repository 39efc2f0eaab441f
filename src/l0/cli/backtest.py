"""The `l0 backtest` command: recorded calls under other policies."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from l0.backtest.policy_backtest import PolicyResult, backtest, recorded_result
from l0.backtest.policy_plot import plot
from l0.backtest.policy_search import search
from l0.backtest.ray_workers import RayWorkers
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.backtest.report_text import changes, report, search_table
from l0.backtest.workers import Workers
from l0.model.policy import Policy
from l0.model.policy_error import PolicyError
from l0.model.policy_from_environment import preset
from l0.orchestration.ray_cluster import MissingRayError
from l0.recording.recording import RecordingError

from .inputs import InputError

_FORM = "a preset, or FILE.py:NAME of a Policy or of a function that returns one"


def run_backtest(given: argparse.Namespace) -> int:
    """Run the command. Raises `InputError`."""
    policies = {one: policy_argument(one) for one in given.policy}
    if not policies and not given.search:
        raise InputError(f"--policy: none given, allowed: {_FORM}; or --search")
    workers = _workers(given)
    try:
        traffic = RecordedTraffic.load(given.recording)
        if given.search:
            base = next(iter(policies.values()), Policy())
            found = search(traffic, base, seed=given.seed, workers=workers)
            print(search_table(found))
            _write_plot(given.plot, [recorded_result(traffic), *(one.result for one in found)])
            return 0
        results = backtest(traffic, policies, seed=given.seed, workers=workers)
    except (PolicyError, RecordingError) as error:
        raise InputError(str(error)) from error
    _write_plot(given.plot, results)
    if given.json:
        print(json.dumps([_as_json(result) for result in results], indent=2))
        return 0
    print(report(results))
    for result in results[1:] if given.changes else ():
        print(f"\n{changes(results[0], result)}")
    return 0


def _write_plot(path: Path | None, results: Sequence[PolicyResult]) -> None:
    if path is None:
        return
    try:
        path.write_text(plot(results), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--plot {path}: {error.strerror}") from error


def _workers(given: argparse.Namespace) -> int | Workers:
    if given.workers < 1:
        raise InputError(f"--workers: got {given.workers}, allowed: 1 or more")
    if given.ray is None:
        return int(given.workers)
    try:
        return RayWorkers(given.ray or None)
    except MissingRayError as error:
        raise InputError(f"--ray: {error}") from error


def policy_argument(text: str) -> Policy:
    """Return the policy that an argument names. Raises `InputError`."""
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py"):
        try:
            return preset(text, "--policy")
        except PolicyError as error:
            raise InputError(f"{error}; or {_FORM.partition(', or ')[2]}") from error
    found = getattr(_module(Path(file)), name, None)
    made = _called(found, text) if callable(found) else found
    if not isinstance(made, Policy):
        raise InputError(f"--policy {text}: got {type(made).__name__}, allowed: {_FORM}")
    return made


def _called(found: Callable[[], Any], text: str) -> Any:
    try:
        return found()
    except Exception as error:
        raise InputError(f"--policy {text}: it raised {error!r}") from error


def _module(path: Path) -> Any:
    spec = spec_from_file_location(f"l0_backtest_{path.stem}", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise InputError(f"--policy: {path} is not a file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"--policy: {path} raised {error!r}") from error
    finally:
        del sys.modules[spec.name]  # Ray sends functions along only if no module has them
    return module


def _as_json(result: PolicyResult) -> dict[str, Any]:
    calls = [
        {
            "id": call.id,
            "verdict": call.verdict.value,
            "first_token_s": call.first_token_s,
            "total_s": call.total_s,
            "requests": call.requests,
            "extra_tokens": call.extra_tokens,
            "reason": call.reason,
            "budget_paid": call.budget_paid,
            "budget_refused": call.budget_refused,
        }
        for call in result.calls
    ]
    return {"policy": result.name, "calls": calls}
