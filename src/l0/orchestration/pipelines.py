"""Steps one after the other, each with the answer of the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, ClassVar, Literal

from l0.telemetry.branches import Fan
from l0.values.policy import PolicyError

from . import tasks
from .running import parallel

Function = Callable[[Any], Any]
"""Makes a task's answer of a value: anything that a task may return. A `Pipeline` is one, too."""
StepStatus = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``run``: what is done with the value. ``when``: whether it is done at all. ``on_error``: gives a value in place
    of the one that an error prevented; then the step counts as failed, and the pipeline goes on."""

    name: str
    run: Function
    when: Callable[[Any], bool] | None = None
    on_error: Callable[[Exception, Any], Any] | None = None

    def __post_init__(self) -> None:
        if not callable(self.run):
            raise PolicyError("Step.run", self.run, "a function of the value before it")
        for name in ("when", "on_error"):
            given = getattr(self, name)
            if given is not None and not callable(given):
                raise PolicyError(f"Step.{name}", given, "a function, or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of a step. ``value``: what the next one got; ``duration``: milliseconds."""

    name: str
    status: StepStatus
    value: Any
    error: Exception | None = None
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """``value``: of the last step; ``duration``: milliseconds of all."""

    value: Any
    steps: tuple[StepResult, ...]
    duration: float

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return not self.errors

    @property
    def errors(self) -> dict[str, Exception]:
        """By the name of the step."""
        return {step.name: step.error for step in self.steps if step.error is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePreset:
    """``stop_on_error``: the first error is raised; else a failed step passes on the value that it got. ``timeout``:
    milliseconds for all steps together; ``None``: no limit."""

    stop_on_error: bool = True
    timeout: float | None = None

    def __post_init__(self) -> None:
        given = self.timeout
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if given is not None and not (number and given > 0):
            raise PolicyError("PipelinePreset.timeout", given, "milliseconds, more than 0, or None")


class Pipeline:
    """Runs its steps in order. ``steps``: `Step`, or functions, whose names they get.

    ``await pipeline.run(value)`` says what became of each; a pipeline itself is a function from value to value, so that
    one may be a step, or a branch, of another. Raises `PolicyError` for no steps, or for two of one name.
    """

    FAST: ClassVar = PipelinePreset()
    """Ends with the first error."""
    RELIABLE: ClassVar = PipelinePreset(stop_on_error=False)
    """Goes on without what failed."""
    PRODUCTION: ClassVar = PipelinePreset(stop_on_error=False, timeout=300_000)
    """As reliable, within five minutes."""

    def __init__(self, *steps: Step | Function, preset: PipelinePreset = FAST) -> None:
        if not isinstance(preset, PipelinePreset):
            raise PolicyError("Pipeline.preset", preset, "a PipelinePreset")
        self._steps = tuple(step if isinstance(step, Step) else _step(step) for step in steps)
        self._preset = preset
        names = [step.name for step in self._steps]
        if not names or len(set(names)) < len(names):
            raise PolicyError("Pipeline.steps", names, "one or more, each with a name of its own")

    async def run(self, value: Any) -> PipelineResult:
        """Pass a value through all steps.

        Raises a step's own exception, with the step's name in a note, and `TimeoutError`.
        """
        tasks.check_loop("Pipeline.run")
        began = perf_counter()
        done: list[StepResult] = []
        limit = self._preset.timeout
        async with asyncio.timeout(None if limit is None else limit / 1e3):
            with Fan("pipeline") as fan:
                for index, step in enumerate(self._steps):
                    done.append(await self._run(step, index, value, fan))
                    value = done[-1].value
        return PipelineResult(value=value, steps=tuple(done), duration=(perf_counter() - began) * 1e3)

    async def __call__(self, value: Any) -> Any:
        """The value of the last step."""
        return (await self.run(value)).value

    async def _run(self, step: Step, index: int, value: Any, fan: Fan) -> StepResult:
        began = perf_counter()

        def over(status: StepStatus, made: Any, error: Exception | None = None) -> StepResult:
            took = (perf_counter() - began) * 1e3
            return StepResult(name=step.name, status=status, value=made, error=error, duration=took)

        with fan.branch(index) as span:
            try:
                if step.when is not None and not step.when(value):
                    return over("skipped", value)
                made = await tasks.answer(partial(step.run, value))
            except Exception as error:
                span.failed(error)
                if step.on_error is not None:
                    return over("failed", await tasks.answer(partial(step.on_error, error, value)), error)
                if self._preset.stop_on_error:
                    error.add_note(f"in step {step.name!r} of a pipeline")
                    raise
                return over("failed", value, error)
            span.answered()
            return over("ok", made)


def choose(name: str, by: Callable[[Any], str], ways: Mapping[str, Function]) -> Step:
    """A step that takes one of several ways: the one that ``by`` names. Raises `LookupError` for a way that is none."""

    def run(value: Any) -> Any:
        way = by(value)
        if way not in ways:
            raise LookupError(f"step {name!r}: {way!r} is no way; there are {', '.join(ways)}")
        return ways[way](value)

    return Step(name=name, run=run)


def fork(name: str, ways: Mapping[str, Function]) -> Step:
    """A step that goes all ways at once. Its value is a mapping of each way's name to its value; the first error ends
    the others."""

    async def run(value: Any) -> dict[str, Any]:
        results = await parallel([partial(way, value) for way in ways.values()], fail_fast=True)
        return dict(zip(ways, results.values, strict=True))

    return Step(name=name, run=run)


def _step(function: Function) -> Step:
    return Step(name=getattr(function, "__name__", type(function).__name__), run=function)
