"""Tasks on Ray have the answers, errors, usage and ends of the same tasks in this process."""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import openai
import pytest
import ray
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import l0
from l0.orchestration.ray_cluster import RayCluster
from l0.orchestration.ray_tasks import RayTasks
from l0.simulator.corpus import bundled_answer
from l0.simulator.server import Simulator
from l0.testing import simulator

PATIENT = l0.Policy(retry=l0.Retry(max_retries=2, base_delay=1))
PROMPTS = ["one", "two [[simulate: answer japanese]]", "three [[simulate: status 503; ok]]", "four", "five", "six"]
HANGS_S = 60


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def cluster(sim: Simulator) -> Iterator[None]:
    """A cluster whose workers have the environment of a user."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_API_KEY", "k")
        environment.setenv("OPENAI_BASE_URL", sim.openai)
        RayCluster(cpus=2).join()
        yield
        ray.shutdown()


@pytest.fixture(autouse=True)
def instrumented(sim: Simulator) -> Iterator[None]:
    sim.reset()
    l0.instrument(PATIENT)
    yield
    l0.uninstrument()


def asking(sim: Simulator, prompt: str) -> Callable[[], Any]:
    """Return a task that opens its own client."""
    url = sim.openai

    async def ask() -> str:
        messages = [{"role": "user", "content": prompt}]
        async with openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
            stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    return ask


def length(chunk: Any) -> int:
    return len(chunk.content)


class Workers:
    """Two workers, in a loop that lasts longer than one test, since they take seconds to start."""

    def __init__(self, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._on_ray: AbstractAsyncContextManager[RayTasks] = RayTasks(workers=2, **options)

    def __enter__(self) -> "Workers":
        self.on_ray = self._runner.run(self._on_ray.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._on_ray.__aexit__(None, None, None))
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(asyncio.wait_for(work, HANGS_S), context=copy_context())

    def parallel(self, *work: Any) -> Any:
        return self.run(l0.parallel(list(map(self.on_ray, work))))


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers() as started:
        yield started


def test_results_are_those_of_this_process(sim: Simulator, workers: Workers) -> None:
    work = [asking(sim, prompt) for prompt in PROMPTS]
    here = workers.run(l0.parallel(work))
    sim.reset()
    there = workers.parallel(*work)
    assert there.values == here.values
    assert [branch.usage for branch in there] == [branch.usage for branch in here]
    assert there.stats.usage.requests == 7


def test_tasks_run_in_several_processes(workers: Workers) -> None:
    used = workers.parallel(*[os.getpid] * 20).values
    assert len(set(used)) == 2
    assert os.getpid() not in used


def test_tasks_of_a_worker_run_concurrently(sim: Simulator, workers: Workers) -> None:
    """More tasks stall than there are workers, and another one answers meanwhile."""
    slow = [asking(sim, "[[simulate: stall at_event=6 seconds=600]]")] * 6
    won = workers.run(l0.race(list(map(workers.on_ray, [*slow, asking(sim, "fast")]))))
    assert won.winner == 6
    sim.wait_idle(HANGS_S)


def test_error_is_that_of_the_sdk(sim: Simulator, workers: Workers) -> None:
    work = [asking(sim, "[[simulate: status 401]]"), asking(sim, "[[simulate: reset at_event=6]]")]
    here = workers.run(l0.parallel(work))
    sim.reset()
    there = workers.parallel(*work)
    for one, other in zip(here.errors, there.errors, strict=True):
        assert (type(other).__mro__[1:], str(other)) == (type(one).__mro__[1:], str(one))
        assert type(other.__cause__) is type(one.__cause__)
    refused, cut = there.errors
    assert isinstance(refused, openai.AuthenticationError)
    assert refused.status_code == refused.response.status_code == 401
    assert refused.body
    assert isinstance(cut, openai.APIConnectionError)


def test_answer_that_cannot_be_sent_is_a_failure(workers: Workers) -> None:
    (error,) = workers.parallel(Lock).errors
    assert isinstance(error, TypeError)
    assert "the answer, of type lock, cannot be sent" in str(error)


def test_loser_of_a_race_is_cancelled_in_its_worker(sim: Simulator, workers: Workers) -> None:
    slow = workers.on_ray(asking(sim, "[[simulate: stall at_event=6 seconds=600]]"))
    won = workers.run(l0.race([slow, workers.on_ray(asking(sim, "fast"))]))
    assert won.winner == 1
    assert won.branches[0].status == "cancelled"
    assert won.branches[0].usage.calls == 1
    sim.wait_idle(HANGS_S)


def test_policy_of_a_block_applies_in_the_worker(sim: Simulator, workers: Workers) -> None:
    with l0.policy(l0.Policy(retry=l0.Retry(attempts=0, max_retries=0))):
        (error,) = workers.parallel(asking(sim, "[[simulate: status 503; ok]]")).errors
    assert isinstance(error, openai.InternalServerError)


def test_windows_consensus_and_pools_run_on_it(sim: Simulator, workers: Workers) -> None:
    on_ray = workers.on_ray
    window = l0.Window.create("a sentence of a text. " * 50, size=100, strategy="char")
    assert workers.run(window.process_all(on_ray(length))).values == [len(chunk.content) for chunk in window]

    asked = on_ray(asking(sim, "capital? [[simulate: answer story]]"))
    alike = workers.run(l0.Consensus.run([asked] * 3, threshold=1.0))
    assert (alike.status, alike.value) == ("agreed", bundled_answer("story").text)

    async def pooled() -> Any:
        async with l0.Pool(2) as pool:
            return await pool.map(on_ray(len), ["a", "bb"])

    assert workers.run(pooled()).values == [1, 2]


def test_trace_continues_in_the_worker(workers: Workers) -> None:
    def current() -> int:
        return trace.get_current_span().get_span_context().trace_id

    with TracerProvider().get_tracer("app").start_as_current_span("job") as span:
        assert workers.parallel(current).values == [span.get_span_context().trace_id]


def test_worker_that_dies_fails_its_tasks_only_and_is_started_again(workers: Workers) -> None:
    assert isinstance(workers.parallel(lambda: os._exit(1)).errors[0], ray.exceptions.RayError)
    later = workers.parallel(*[lambda: 1] * 4)
    while later.errors:  # until Ray has started it again
        later = workers.parallel(*[lambda: 1] * 4)
    assert later.values == [1, 1, 1, 1]


def test_workers_run_their_exit_functions(tmp_path: Path) -> None:
    def setup() -> None:
        import atexit

        atexit.register((tmp_path / f"{os.getpid()}").touch)

    with Workers(setup=setup) as started:
        used = set(started.parallel(*[os.getpid] * 8).values)
    assert {int(file.name) for file in tmp_path.iterdir()} == used


def test_block_of_the_docs_runs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "orchestration.md").read_text(encoding="utf-8")
    (block,) = [
        one for one in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if "RayTasks" in one
    ]
    exec(block, room := {"l0": l0, "__name__": "__main__"})
    results = asyncio.run(room["run"](["one [[simulate: answer story]]"] * 2))
    assert results.values == [bundled_answer("story").text] * 2


@pytest.mark.parametrize("given", [partial(max, Lock()), 3, {"no": "stream"}], ids=["lock", "number", "mapping"])
def test_task_that_cannot_be_sent_is_refused_where_it_is_given(given: Any) -> None:
    with pytest.raises(l0.PolicyError, match="RayTasks: got"):
        RayTasks()(given)


@pytest.mark.parametrize("given", [{"workers": 0}, {"setup": 3}], ids=["workers", "setup"])
def test_wrong_option_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(l0.PolicyError, match=f"RayTasks.{next(iter(given))}: got"):
        RayTasks(**given)


def test_task_outside_of_the_block_is_refused() -> None:
    with pytest.raises(RuntimeError, match="only inside of"):
        asyncio.run(RayTasks()(len)("a"))
