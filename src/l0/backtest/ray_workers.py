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

_NO_REPORTS = "RAY_USAGE_STATS_ENABLED"
"""Ray reports its usage to its makers unless this variable is 0."""


class MissingRayError(ImportError):
    """Ray is not installed."""


class RayWorkers:
    """`Workers` on a Ray cluster, whose machines have the same version of L0.

    ``address``: of the cluster, as `ray.init` takes it; ``None`` for the one that ``RAY_ADDRESS`` names, or else for
    one on this machine, which ends with the backtest. ``cpus``: the CPUs of that one; ``None`` for all. A cluster that
    the program has joined before is used as it is. Raises `MissingRayError`.
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
        joined = ray.is_initialized()
        if not joined:
            self._join()
        try:
            shared = ray.put(traffic)
            run = ray.remote(run_job)
            found: list[Sequence[CallResult]] = ray.get([run.remote(shared, job) for job in jobs])
            return found
        finally:
            if not joined:
                ray.shutdown()

    def _join(self) -> None:
        os.environ.setdefault(_NO_REPORTS, "0")
        own = {} if self._address or os.environ.get("RAY_ADDRESS") else {"num_cpus": self._cpus}
        self._ray.init(address=self._address, include_dashboard=False, log_to_driver=False, **own)
