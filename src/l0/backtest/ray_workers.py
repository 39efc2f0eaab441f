"""Run the jobs of a backtest on Ray, on one machine or on many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from .call_result import CallResult
from .policy_run import Job, run_job
from .recorded_traffic import RecordedTraffic
from .workers import check_portable

_USAGE_STATS_VARIABLE = "RAY_USAGE_STATS_ENABLED"
"""Ray sends usage statistics to its developers unless this variable is 0."""


class MissingRayError(ImportError):
    """Ray is not installed."""


class RayWorkers:
    """`Workers` on a Ray cluster, whose machines have the same version of L0.

    ``address``: the cluster's address, in the form that `ray.init` accepts. If it is ``None``, L0 uses the cluster in
    ``RAY_ADDRESS``. If that is not set, Ray uses the cluster that ``ray start`` has started on this machine; if there
    is none, L0 starts a local cluster and stops it after the backtest. ``cpus``: the number of CPUs of that local
    cluster (``None``: all CPUs); ignored for a cluster with an address, and an error of Ray for that of ``ray start``.
    If the program has initialized Ray before, L0 uses that cluster and ignores both. Raises `MissingRayError`.
    """

    def __init__(self, address: str | None = None, *, cpus: int | None = None) -> None:
        try:
            self._ray: Any = import_module("ray")
        except ImportError as error:
            raise MissingRayError("Ray is not installed: pip install 'l0-otel[ray]'") from error
        self._address = address
        self._cpus = cpus

    def __call__(self, traffic: RecordedTraffic, jobs: Sequence[Job]) -> Iterable[Sequence[CallResult]]:
        """Return the results of each job. Raises the errors of Ray."""
        ray = self._ray
        check_portable(jobs, ray.cloudpickle.dumps)
        was_initialized = ray.is_initialized()
        if not was_initialized:
            self._initialize()
        try:
            shared = ray.put(traffic)
            run = ray.remote(run_job)
            found: list[Sequence[CallResult]] = ray.get([run.remote(shared, job) for job in jobs])
            return found
        finally:
            if not was_initialized:
                ray.shutdown()

    def _initialize(self) -> None:
        os.environ.setdefault(_USAGE_STATS_VARIABLE, "0")
        local_options = {} if self._address or os.environ.get("RAY_ADDRESS") else {"num_cpus": self._cpus}
        self._ray.init(address=self._address, include_dashboard=False, log_to_driver=False, **local_options)
