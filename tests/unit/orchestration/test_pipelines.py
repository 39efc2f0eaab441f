"""Steps one after the other."""

import asyncio

import pytest
from orchestration_tasks import Gate, run, saying, turn

from l0.orchestration.pipelines import Pipeline, PipelinePreset, Step, choose, fork
from l0.values.policy import PolicyError


async def double(value):
    return value * 2


def plus(value):
    return value + 1


async def letters(value):
    for letter in str(value):
        yield letter


async def broken(value):
    raise ConnectionError("gone")


def test_each_step_gets_the_value_before_it():
    done = run(Pipeline(double, plus, letters).run(4))
    assert done.value == "9"
    assert [(step.name, step.status, step.value) for step in done.steps] == [
        ("double", "ok", 8),
        ("plus", "ok", 9),
        ("letters", "ok", "9"),
    ]
    assert done.ok
    assert done.duration >= sum(step.duration for step in done.steps)


def test_the_first_error_is_raised_and_says_where():
    with pytest.raises(ConnectionError) as raised:
        run(Pipeline(double, broken, plus).run(1))
    assert raised.value.__notes__ == ["in step 'broken' of a pipeline"]


def test_or_passed_over_where_the_preset_says_so():
    done = run(Pipeline(double, broken, plus, preset=Pipeline.RELIABLE).run(1))
    assert done.value == 3
    assert [step.status for step in done.steps] == ["ok", "failed", "ok"]
    assert not done.ok
    assert isinstance(done.errors["broken"], ConnectionError)


def test_a_step_may_have_a_value_in_place_of_its_error():
    step = Step(name="ask", run=broken, on_error=lambda error, value: f"{value}: {error}")
    done = run(Pipeline(step).run("q"))
    assert (done.value, done.steps[0].status) == ("q: gone", "failed")


def test_a_step_may_be_left_out():
    done = run(Pipeline(Step(name="double", run=double, when=lambda value: value > 5), plus).run(1))
    assert (done.value, done.steps[0].status) == (2, "skipped")


def test_one_of_several_ways():
    pipeline = Pipeline(choose("size", lambda value: "big" if value > 5 else "small", {"big": double, "small": plus}))
    assert [run(pipeline.run(value)).value for value in (1, 10)] == [2, 20]
    with pytest.raises(LookupError, match="'medium' is no way; there are big"):
        run(Pipeline(choose("size", lambda value: "medium", {"big": double})).run(1))


def test_all_ways_at_once():
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


def test_a_way_that_fails_ends_the_others():
    slow = Gate()
    with pytest.raises(ConnectionError):
        run(Pipeline(fork("both", {"a": lambda value: slow(), "b": broken})).run(3))
    assert slow.cancelled


def test_a_pipeline_is_a_step():
    inner = Pipeline(double, plus)
    assert run(Pipeline(Step(name="inner", run=inner), plus).run(1)).value == 4


def test_time_runs_out():
    slow = Gate()
    pipeline = Pipeline(lambda value: slow(), preset=PipelinePreset(timeout=10))
    with pytest.raises(TimeoutError):
        run(pipeline.run(1))
    assert slow.cancelled


@pytest.mark.parametrize("steps", [(), (plus, plus)])
def test_steps_are_checked(steps):
    with pytest.raises(PolicyError, match=r"Pipeline\.steps"):
        Pipeline(*steps)
    with pytest.raises(PolicyError, match=r"Step\.run"):
        Step(name="nothing", run=None)


def test_a_task_may_be_what_a_step_makes():
    assert run(Pipeline(lambda value: saying(value)()).run("text")).value == "text"


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
def test_what_is_not_allowed_is_named(field, make):
    with pytest.raises(PolicyError, match=field.replace(".", r"\.")):
        make()
