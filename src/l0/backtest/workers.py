"""Run the jobs of a backtest: in this process, in several, or elsewhere."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from l0.model.policy import Policy
from l0.model.policy_error import PolicyError

from .call_result import CallResult
from .policy_run import Job, jobs_of, run_job
from .recorded_traffic import RecordedTraffic

Workers = Callable[[RecordedTraffic, Sequence[Job]], Iterable[Sequence[CallResult]]]
"""A function that runs jobs. It returns the results of each job, in the order of the jobs."""


def run_policies(
    traffic: RecordedTraffic, policies: Sequence[Policy], *, seed: int = 0, workers: int | Workers = 1
) -> Sequence[Sequence[CallResult]]:
    """Return the results of all calls under each policy. ``workers``: a number of processes, or a `Workers` function.

    Raises `PolicyError` if a policy cannot be sent to another process.
    """
    jobs = [(number, job) for number, policy in enumerate(policies) for job in jobs_of(traffic, policy, seed)]
    jobs.sort(key=_size, reverse=True)  # a large job that starts last would run alone
    run = workers if callable(workers) else _processes(workers)
    by_policy: list[dict[int, CallResult]] = [{} for _ in policies]
    for (number, job), results in zip(jobs, run(traffic, [job for _, job in jobs]), strict=True):
        by_policy[number].update(zip(job.places, results, strict=True))
    return [[by_place[place] for place in range(len(traffic.calls))] for by_place in by_policy]


def _size(numbered: tuple[int, Job]) -> int:
    return len(numbered[1].places)


def check_portable(jobs: Sequence[Job], dumps: Callable[[Any], bytes] = pickle.dumps) -> None:
    """Raise `PolicyError` if the policy of a job cannot be sent to another process. ``dumps``: as `pickle.dumps`."""
    for job in jobs:
        try:
            dumps(job.policy)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            allowed = f"a policy that can be pickled, because jobs run in other processes ({error})"
            raise PolicyError("Policy", job.policy, allowed) from error


def _processes(number: int) -> Workers:
    """Return workers that run in this many processes; for 1, in this process."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"workers: got {number!r}, allowed: a number of processes, 1 or more, or a Workers function")

    def run(traffic: RecordedTraffic, jobs: Sequence[Job]) -> Iterable[Sequence[CallResult]]:
        if number == 1:
            return [run_job(traffic, job) for job in jobs]
        check_portable(jobs)
        context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
        with TemporaryDirectory() as folder:
            # Passed as an argument, much traffic would block this process forever if a worker dies before it has
            # read all of it.
            path = Path(folder) / "traffic"
            path.write_bytes(pickle.dumps(traffic))
            with ProcessPoolExecutor(number, context, _receive, (path,)) as pool:
                return list(pool.map(_run_received, jobs))

    return run


class _Received:
    """The traffic of a worker process. The process receives it once, for all jobs."""

    traffic: RecordedTraffic


def _receive(path: Path) -> None:
    _Received.traffic = pickle.loads(path.read_bytes())


def _run_received(job: Job) -> Sequence[CallResult]:
    return run_job(_Received.traffic, job)
