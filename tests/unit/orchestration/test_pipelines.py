"""Pipelines: steps, presets, branches and validation."""

import asyncio
from datetime import timedelta

import pytest
from orchestration_tasks import Gate, returning, run, turn

from l0.model.policy import PolicyError
from l0.orchestration.pipelines import Pipeline, PipelinePreset, Step, choose, fork


async def double(value):
    return value * 2


def plus(value):
    return value + 1


async def letters(value):
    for letter in str(value):
        yield letter


async def broken(value):
    raise ConnectionError("gone")


def test_pipeline_passes_the_value_from_step_to_step():
    done = run(Pipeline(double, plus, letters).run(4))
    assert done.value == "9"
    assert [(step.name, step.status, step.value) for step in done.steps] == [
        ("double", "ok", 8),
        ("plus", "ok", 9),
        ("letters", "ok", "9"),
    ]
    assert done.ok
    assert done.duration_ms >= sum(step.duration_ms for step in done.steps)


def test_pipeline_error_names_the_step():
    with pytest.raises(ConnectionError) as raised:
        run(Pipeline(double, broken, plus).run(1))
    assert raised.value.__notes__ == ["in step 'broken' of a pipeline"]


def test_reliable_pipeline_continues_after_an_error():
    done = run(Pipeline(double, broken, plus, preset=Pipeline.RELIABLE).run(1))
    assert done.value == 3
    assert [step.status for step in done.steps] == ["ok", "failed", "ok"]
    assert not done.ok
    assert isinstance(done.errors["broken"], ConnectionError)


def test_on_error_replaces_the_value_of_a_step():
    step = Step(name="ask", run=broken, on_error=lambda error, value: f"{value}: {error}")
    done = run(Pipeline(step).run("q"))
    assert (done.value, done.steps[0].status) == ("q: gone", "failed")


def test_when_skips_a_step():
    done = run(Pipeline(Step(name="double", run=double, when=lambda value: value > 5), plus).run(1))
    assert (done.value, done.steps[0].status) == (2, "skipped")


def test_choose_runs_one_branch():
    pipeline = Pipeline(choose("size", lambda value: "big" if value > 5 else "small", {"big": double, "small": plus}))
    assert [run(pipeline.run(value)).value for value in (1, 10)] == [2, 20]
    with pytest.raises(LookupError, match="unknown branch 'medium'; known: big"):
        run(Pipeline(choose("size", lambda value: "medium", {"big": double})).run(1))


def test_fork_runs_all_branches_concurrently():
    slow = Gate("slow")

    async def main():
        running = asyncio.ensure_future(Pipeline(fork("both", {"a": lambda value: slow(), "b": double}), len).run(3))
        await turn()
        begun = slow.begun
        slow.open()
        return begun, (await running)

    begun, done = run(main())
    assert begun
    assert done.steps[0].value == {"a": "slow", "b": 6}
    assert done.value == 2


def test_fork_error_cancels_the_other_branches():
    slow = Gate()
    with pytest.raises(ConnectionError):
        run(Pipeline(fork("both", {"a": lambda value: slow(), "b": broken})).run(3))
    assert slow.cancelled


def test_pipeline_can_be_a_step():
    inner = Pipeline(double, plus)
    assert run(Pipeline(Step(name="inner", run=inner), plus).run(1)).value == 4


def test_pipeline_timeout():
    slow = Gate()
    pipeline = Pipeline(lambda value: slow(), preset=PipelinePreset(timeout=timedelta(milliseconds=10)))
    with pytest.raises(TimeoutError):
        run(pipeline.run(1))
    assert slow.cancelled


@pytest.mark.parametrize("steps", [(), (plus, plus)])
def test_pipeline_rejects_invalid_steps(steps):
    with pytest.raises(PolicyError, match=r"Pipeline\.steps"):
        Pipeline(*steps)
    with pytest.raises(PolicyError, match=r"Step\.run"):
        Step(name="nothing", run=None)


def test_step_may_return_an_awaitable():
    assert run(Pipeline(lambda value: returning(value)()).run("text")).value == "text"


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("PipelinePreset.timeout", lambda: PipelinePreset(timeout=-1)),
        ("PipelinePreset.timeout", lambda: PipelinePreset(timeout=0)),
        ("PipelinePreset.timeout", lambda: PipelinePreset(timeout="5")),
        ("PipelinePreset.timeout", lambda: PipelinePreset(timeout=True)),
        ("Pipeline.preset", lambda: Pipeline(plus, preset="fast")),
        ("Step.when", lambda: Step(name="a", run=plus, when=1)),
        ("Step.on_error", lambda: Step(name="a", run=plus, on_error=1)),
    ],
)
def test_pipeline_error_names_the_invalid_field(field, make):
    with pytest.raises(PolicyError, match=field.replace(".", r"\.")):
        make()


def test_functions_that_decide_may_be_async():
    async def no(value):
        return False

    async def left(value):
        return "left"

    assert run(Pipeline(Step(name="s", run=lambda value: "ran", when=no)).run("in")).value == "in"
    assert (
        run(Pipeline(choose("c", left, {"left": lambda value: "L", "right": lambda value: "R"})).run("in")).value == "L"
    )
