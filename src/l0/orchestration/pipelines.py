"""Pipelines: run steps one after the other, each with the value of the step before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from l0.model.durations import SHORTEST_LIMIT_MS, milliseconds
from l0.model.former_names import former_name
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError
from l0.telemetry.fan_out_spans import FanOutSpan

from . import tasks
from .checks import check_function, check_switch
from .fan_out import parallel
from .fan_out_span import fan_out_span

Function = Callable[[Any], Any]
"""A function from a value to anything that a task may return. A `Pipeline` is such a function, too."""
StepStatus = Literal["ok", "failed", "skipped"]


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a pipeline.

    ``run``: function of the value before the step. ``when``: function of that value, sync or async; the step is skipped
    if it returns false. ``on_error``: function of the error and the value before the step; it returns a value to
    continue with, and the step counts as failed. Raises `PolicyError` if a field is not a function.
    """

    name: str
    run: Function
    when: Callable[[Any], bool | Awaitable[bool]] | None = None
    on_error: Callable[[Exception, Any], Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise PolicyError("Step.name", self.name, "a short text")
        check_function("Step.run", self.run, "the value before it", optional=False)
        check_function("Step.when", self.when, "the value before it")
        check_function("Step.on_error", self.on_error, "an error and the value before it")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The result of a step. ``value``: value for the next step. ``duration_ms``: milliseconds."""

    name: str
    status: StepStatus
    value: Any
    error: Exception | None = None
    duration_ms: float = 0.0
    duration = former_name("duration", "duration_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """The result of a pipeline. ``value``: value of the last step. ``duration_ms``: milliseconds of all steps."""

    value: Any
    steps: tuple[StepResult, ...]
    duration_ms: float
    duration = former_name("duration", "duration_ms")

    @property
    def ok(self) -> bool:
        """Return True if no step failed."""
        return not self.errors

    @property
    def errors(self) -> dict[str, Exception]:
        """Return the errors of the failed steps, by the name of the step."""
        return {step.name: step.error for step in self.steps if step.error is not None}


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePreset:
    """Error handling and time limit of a pipeline.

    ``stop_on_error``: raise the first error; if false, a failed step passes on the value that it received. ``timeout``:
    milliseconds for all steps together, a ``timedelta``, or ``None`` for no limit. Raises `PolicyError` for an invalid
    field.
    """

    stop_on_error: bool = True
    timeout: float | None = None

    def __post_init__(self) -> None:
        check_switch("PipelinePreset.stop_on_error", self.stop_on_error)
        limit = milliseconds("PipelinePreset.timeout", self.timeout, shortest=SHORTEST_LIMIT_MS)
        object.__setattr__(self, "timeout", limit)

    if TYPE_CHECKING:  # a `timedelta` is accepted, and read as a number

        def __init__(self, *, stop_on_error: bool = ..., timeout: float | timedelta | None = ...) -> None: ...


@refuses_unknown_options
class Pipeline:
    """Runs steps in order. ``steps``: `Step` objects, or functions; the step of a function takes the function's name.

    ``await pipeline.run(value)`` returns the result of every step. A pipeline is also an async function from value to
    value, so that it can be a step or a branch of another pipeline. Raises `PolicyError` for no steps, or for two steps
    with the same name.
    """

    FAST: ClassVar = PipelinePreset()
    """Stops at the first error."""
    RELIABLE: ClassVar = PipelinePreset(stop_on_error=False)
    """Continues after a failed step."""
    PRODUCTION: ClassVar = PipelinePreset(stop_on_error=False, timeout=300_000)
    """Continues after a failed step, with a limit of five minutes."""

    def __init__(self, *steps: Step | Function, preset: PipelinePreset = FAST) -> None:
        if not isinstance(preset, PipelinePreset):
            raise PolicyError("Pipeline.preset", preset, "a PipelinePreset")
        self._steps = tuple(step if isinstance(step, Step) else _step(step) for step in steps)
        self._preset = preset
        names = [step.name for step in self._steps]
        if not names or len(set(names)) < len(names):
            raise PolicyError("Pipeline.steps", names, "one or more steps with different names")

    async def run(self, value: Any) -> PipelineResult:
        """Pass a value through all steps.

        Raises the exception of a step (with ``stop_on_error``), with the name of the step in a note, and `TimeoutError`
        at the time limit.
        """
        tasks.check_loop("Pipeline.run")
        began = perf_counter()
        done: list[StepResult] = []
        limit = self._preset.timeout
        async with asyncio.timeout(None if limit is None else limit / 1e3):
            with fan_out_span("pipeline") as fan_span:
                for index, step in enumerate(self._steps):
                    done.append(await self._run(step, index, value, fan_span))
                    value = done[-1].value
        return PipelineResult(value=value, steps=tuple(done), duration_ms=(perf_counter() - began) * 1e3)

    async def __call__(self, value: Any) -> Any:
        """Run all steps and return the value of the last one."""
        return (await self.run(value)).value

    async def _run(self, step: Step, index: int, value: Any, fan_span: FanOutSpan) -> StepResult:
        began = perf_counter()

        def finished(status: StepStatus, new_value: Any, error: Exception | None = None) -> StepResult:
            duration_ms = (perf_counter() - began) * 1e3
            return StepResult(name=step.name, status=status, value=new_value, error=error, duration_ms=duration_ms)

        with fan_span.branch(index) as span:
            try:
                if step.when is not None and not await tasks.answer(partial(step.when, value)):
                    return finished("skipped", value)
                answer = await tasks.answer(partial(step.run, value))
            except Exception as error:
                span.failed(error)
                if step.on_error is not None:
                    return finished("failed", await tasks.answer(partial(step.on_error, error, value)), error)
                if self._preset.stop_on_error:
                    error.add_note(f"in step {step.name!r} of a pipeline")
                    raise
                return finished("failed", value, error)
            span.answered()
            return finished("ok", answer)


def choose(name: str, by: Callable[[Any], str | Awaitable[str]], ways: Mapping[str, Function]) -> Step:
    """Create a step that runs one of several branches: the one whose name ``by`` returns, a sync or async function.

    The step raises `LookupError` if ``by`` returns an unknown name.
    """

    async def run(value: Any) -> Any:
        way = await tasks.answer(partial(by, value))
        if way not in ways:
            raise LookupError(f"step {name!r}: unknown branch {way!r}; known: {', '.join(ways)}")
        return ways[way](value)

    return Step(name=name, run=run)


def fork(name: str, ways: Mapping[str, Function]) -> Step:
    """Create a step that runs all branches concurrently.

    Its value maps the name of each branch to its value. The first error cancels the other branches and is raised.
    """

    async def run(value: Any) -> dict[str, Any]:
        results = await parallel([partial(way, value) for way in ways.values()], fail_fast=True)
        return dict(zip(ways, results.values, strict=True))

    return Step(name=name, run=run)


def _step(function: Function) -> Step:
    return Step(name=getattr(function, "__name__", type(function).__name__), run=function)
