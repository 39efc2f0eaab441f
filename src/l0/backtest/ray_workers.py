"""Run the jobs of a backtest on Ray, on one machine or on many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from l0.orchestration.ray_cluster import RayCluster

from .call_result import CallResult
from .policy_run import Job, run_job
from .recorded_traffic import RecordedTraffic
from .workers import check_portable


class RayWorkers:
    """`Workers` on a Ray cluster. ``address``, ``cpus``: see `RayCluster`. Raises `MissingRayError`."""

    def __init__(self, address: str | None = None, *, cpus: int | None = None) -> None:
        self._cluster = RayCluster(address, cpus=cpus)

    def __call__(self, traffic: RecordedTraffic, jobs: Sequence[Job]) -> Iterable[Sequence[CallResult]]:
        """Return the results of each job. Raises the errors of Ray."""
        check_portable(jobs, self._cluster.ray.cloudpickle.dumps)
        with self._cluster.joined() as ray:
            shared = ray.put(traffic)
            run = ray.remote(run_job)
            results: list[Sequence[CallResult]] = ray.get([run.remote(shared, job) for job in jobs])
            return results
