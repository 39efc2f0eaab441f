"""Run the tasks of an orchestration on Ray, on one machine or on many."""

from __future__ import annotations

import asyncio
import atexit
import pickle
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, cast

from l0.config import block_observers, observed_by, policy, policy_of_code
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import Policy, PolicyError
from l0.stainless.discovery import instrument
from l0.telemetry.remote_context import carried_context, remote_context

from . import tasks
from .checks import check_count, check_function
from .portable_error import PortableError
from .ray_cluster import RayCluster
from .task_usage import Usage, UsageObserver
from .tasks import Task

Dumps = Callable[[Any], bytes]


@refuses_unknown_options
class RayTasks:
    """Worker processes on a Ray cluster that run tasks. Each worker runs many tasks concurrently.

    ``async with RayTasks() as on_ray``: ``on_ray(task)`` is a task that runs in a worker. Use it wherever a task can be
    used: in `parallel`, a race, a consensus or a pool. ``on_ray(function)`` does the same for a function of a window or
    of an item. Answers, errors and usage are those of the same task in this process. If a task is cancelled, its worker
    cancels it as well. When the block ends, the workers export their telemetry and end.

    ``workers``: the number of processes; ``None``: one for each CPU of the cluster. ``setup``: the function that each
    worker calls first, `instrument` by default. A task follows the policy that the program has set in code, if any,
    else that of ``setup``. ``address``, ``cpus``: see `RayCluster`.

    Raises `MissingRayError`, and `PolicyError` for an invalid argument.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        setup: Callable[[], object] = instrument,
        cpus: int | None = None,
    ) -> None:
        if workers is not None:
            check_count("RayTasks.workers", workers)
        if not callable(setup):
            raise PolicyError("RayTasks.setup", setup, "a function without arguments")
        self._cluster = RayCluster(address, cpus=cpus)
        self._worker_count = workers
        self._setup = self._dumped("RayTasks.setup", setup)
        self._job_numbers = count()
        self._workers: list[_Worker] = []
        self._joined = False

    def __call__(self, task: Task | Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Return a task, or a function with the same arguments, that runs in a worker.

        Raises `PolicyError` if the task cannot be sent to another process. Open clients cannot: create them in the
        task.
        """
        if isinstance(task, Mapping):
            tasks.check("RayTasks", task)
        else:
            check_function("RayTasks", task, "a window or an item, or a task", optional=False)
        return partial(self._run, self._dumped("RayTasks", task))

    async def __aenter__(self) -> RayTasks:
        self._joined = await asyncio.to_thread(self._cluster.join)
        ray = self._cluster.ray
        worker_count = self._worker_count or max(1, int(ray.cluster_resources().get("CPU", 1)))
        # A worker that ended by itself is started again, but its tasks are not: they have sent requests.
        actor_class = ray.remote(max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD")(_RayWorker)
        self._workers = [_Worker(actor_class.remote(self._setup)) for _ in range(worker_count)]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        workers, self._workers = self._workers, []
        ended = [asyncio.wrap_future(worker.actor.end.remote().future()) for worker in workers]
        await asyncio.gather(*ended, return_exceptions=True)  # a worker that died has nothing to export
        for worker in workers:
            self._cluster.ray.kill(worker.actor)
        if self._joined:
            await asyncio.to_thread(self._cluster.ray.shutdown)

    def _dumped(self, field: str, value: object) -> bytes:
        try:
            dumped: bytes = self._cluster.ray.cloudpickle.dumps(value)
        except Exception as error:
            raise PolicyError(field, value, f"one that can be sent to another process ({error})") from error
        return dumped

    async def _run(self, task: bytes, *arguments: Any) -> Any:
        if not self._workers:
            raise RuntimeError("a task can run on Ray only inside of `async with RayTasks()`")
        job = _Job(
            number=next(self._job_numbers),
            task=task,
            arguments=arguments,
            policy=self._dumped("policy", policy_of_code()),
            context=carried_context(),
        )
        answer = await min(self._workers, key=lambda worker: worker.tasks).run(job)
        if answer.error is not None:
            raise answer.error.restored()
        return answer.value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A task for a worker. ``task``, ``policy``: pickled, since this proves that they can be sent."""

    number: int
    task: bytes
    arguments: tuple[Any, ...]
    policy: bytes
    context: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RayAnswer:
    """The end of a task in a worker."""

    value: Any = None
    error: PortableError | None = None
    usage: Usage


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker process. ``tasks``: the number of tasks that it is running."""

    actor: Any
    tasks: int = 0

    async def run(self, job: _Job) -> _RayAnswer:
        """Return the answer, and add its usage here. If cancelled, cancel the task in the worker and wait for its
        end."""
        self.tasks += 1
        future = asyncio.wrap_future(self.actor.run.remote(job).future())
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            self.actor.cancel.remote(job.number)
            await asyncio.wait([future])
            raise
        finally:
            self.tasks -= 1
            if future.done() and future.exception() is None:
                _add_usage(future.result().usage)
        answer: _RayAnswer = future.result()
        return answer


class _RayWorker:
    """The actor in a worker process."""

    def __init__(self, setup: bytes) -> None:
        pickle.loads(setup)()
        self._running: dict[int, asyncio.Task[Any]] = {}

    async def run(self, job: _Job) -> _RayAnswer:
        """Run a task. Its exceptions, and its cancellation, are part of the answer."""
        dumps = RayCluster().ray.cloudpickle.dumps

        usage_observer = UsageObserver()
        self._running[job.number] = cast(asyncio.Task[Any], asyncio.current_task())
        try:
            with observed_by(usage_observer), remote_context(job.context):
                value = await _answer(job)
            _check_answer(value, dumps)
        except (Exception, asyncio.CancelledError) as error:
            return _RayAnswer(error=PortableError.of(error, dumps), usage=usage_observer.usage)
        finally:
            del self._running[job.number]
        return _RayAnswer(value=value, usage=usage_observer.usage)

    async def cancel(self, number: int) -> None:
        """Cancel a task that is running. Ray's own way to cancel discards the usage."""
        if number in self._running:
            self._running[number].cancel()

    async def end(self) -> None:
        """Run the exit functions, which export telemetry. Ray ends its processes without them."""
        atexit._run_exitfuncs()


async def _answer(job: _Job) -> Any:
    task: Any = pickle.loads(job.task)
    programs_policy: Policy | None = pickle.loads(job.policy)
    bound_task = partial(task, *job.arguments) if callable(task) else task
    if programs_policy is None:
        return await tasks.answer(bound_task)
    with policy(programs_policy):
        return await tasks.answer(bound_task)


def _check_answer(value: object, dumps: Dumps) -> None:
    try:
        dumps(value)
    except Exception as error:
        kind = type(value).__qualname__
        raise TypeError(f"the answer, of type {kind}, cannot be sent to another process: {error}") from error


def _add_usage(usage: Usage) -> None:
    """Add usage to that of the tasks that are running here."""
    for observer in block_observers():
        if isinstance(observer, UsageObserver):
            observer.usage += usage
