"""The `l0 backtest` command: recorded calls under other policies."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from l0.backtest.policy_backtest import PolicyResult, backtest, recorded_result
from l0.backtest.policy_plot import plot
from l0.backtest.policy_search import search
from l0.backtest.ray_workers import RayWorkers
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.backtest.report_text import changes, report, search_table
from l0.backtest.workers import Workers
from l0.model.named_policy import ALLOWED, named_policy
from l0.model.policy import Policy
from l0.model.policy_error import PolicyError
from l0.orchestration.ray_cluster import MissingRayError
from l0.recording.recording import RecordingError

from .inputs import InputError


def run_backtest(args: argparse.Namespace) -> int:
    """Run the command. Raises `InputError`."""
    if not args.policy and not args.search:
        raise InputError(f"--policy: none given, allowed: {ALLOWED}; or --search")
    workers = _workers(args)
    found: Sequence[PolicyResult] = ()
    try:
        policies = {text: named_policy(text, "--policy") for text in args.policy}
        traffic = RecordedTraffic.load(args.recording)
        results = backtest(traffic, policies, seed=args.seed, workers=workers) or [recorded_result(traffic)]
        if args.search:
            base = next(iter(policies.values()), Policy())
            found = [candidate.result for candidate in search(traffic, base, seed=args.seed, workers=workers)]
    except (PolicyError, RecordingError) as error:
        raise InputError(str(error)) from error
    _write_plot(args.plot, [*results, *found])
    if args.json:
        print(json.dumps([_as_json(result) for result in (*results, *found)], indent=2))
        return 0
    print(search_table(results, found) if args.search else report(results))
    for result in (*results[1:], *found) if args.changes else ():
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
