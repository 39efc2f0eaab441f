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

_ALLOWED_POLICIES = "a preset, or FILE.py:NAME of a Policy or of a function that returns one"


def run_backtest(args: argparse.Namespace) -> int:
    """Run the command. Raises `InputError`."""
    policies = {text: policy_argument(text) for text in args.policy}
    if not policies and not args.search:
        raise InputError(f"--policy: none given, allowed: {_ALLOWED_POLICIES}; or --search")
    workers = _workers(args)
    try:
        traffic = RecordedTraffic.load(args.recording)
        if args.search:
            base = next(iter(policies.values()), Policy())
            candidates = search(traffic, base, seed=args.seed, workers=workers)
            results: Sequence[PolicyResult] = [recorded_result(traffic), *(one.result for one in candidates)]
            text = search_table(candidates)
        else:
            results = backtest(traffic, policies, seed=args.seed, workers=workers)
            text = report(results)
    except (PolicyError, RecordingError) as error:
        raise InputError(str(error)) from error
    _write_plot(args.plot, results)
    if args.json:
        print(json.dumps([_as_json(result) for result in results], indent=2))
        return 0
    print(text)
    for result in results[1:] if args.changes else ():
        print(f"\n{changes(results[0], result)}")
    return 0


def _write_plot(path: Path | None, results: Sequence[PolicyResult]) -> None:
    if path is None:
        return
    try:
        path.write_text(plot(results), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--plot {path}: {error.strerror}") from error


def _workers(args: argparse.Namespace) -> int | Workers:
    if args.workers < 1:
        raise InputError(f"--workers: got {args.workers}, allowed: 1 or more")
    if args.ray is None:
        return int(args.workers)
    try:
        return RayWorkers(args.ray or None)
    except MissingRayError as error:
        raise InputError(f"--ray: {error}") from error


def policy_argument(text: str) -> Policy:
    """Return the policy that an argument names. Raises `InputError`."""
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py"):
        try:
            return preset(text, "--policy")
        except PolicyError as error:
            raise InputError(f"{error}; or {_ALLOWED_POLICIES.partition(', or ')[2]}") from error
    value = getattr(_module(Path(file)), name, None)
    policy = _result_of(value, text) if callable(value) else value
    if not isinstance(policy, Policy):
        raise InputError(f"--policy {text}: got {type(policy).__name__}, allowed: {_ALLOWED_POLICIES}")
    return policy


def _result_of(function: Callable[[], Any], text: str) -> Any:
    try:
        return function()
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
        del sys.modules[spec.name]  # Ray sends the code of a function only if its module cannot be imported by name
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
