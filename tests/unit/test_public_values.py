"""Every field of every public value and function refuses what is not of its kind, and names the field.

The kinds come from the annotations, so a new parameter is tested without a change here. ``KINDS`` holds the values that
an annotation alone does not describe.
"""

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

import l0
from l0.model.function_observer import EventFunction
from l0.recording.recording_options import RecordingOptions

JUNK = (
    42, -1, 0, True, math.nan, math.inf, "", "no such choice", b"bytes", None, [42], {"a": 1}, (None,), object(), int,
    timedelta(-1),
)  # fmt: skip


async def task() -> str:
    return "text"


def texts() -> Iterator[str]:
    yield "text"


def run(function: Callable[..., Any], *before: Any) -> Callable[..., Any]:
    """Return a function that calls ``function``, and awaits what it returns."""

    def called(**given: Any) -> None:
        returned = function(*before, **given)
        if inspect.isawaitable(returned):
            asyncio.run(returned)  # type: ignore[arg-type]

    return called


@dataclass(frozen=True)
class Target:
    """A public callable. ``needed``: arguments that every call needs. ``skipped``: parameters that accept anything."""

    call: Callable[..., Any]
    of: Callable[..., Any]
    needed: Mapping[str, Any]
    skipped: frozenset[str] = frozenset()


def value(kind: Any, skipped: str = "", **needed: Any) -> Target:
    return Target(kind, kind, needed, frozenset(skipped.split()))


def function(of: Any, *before: Any, skipped: str = "", **needed: Any) -> Target:
    return Target(run(of, *before), of, needed, frozenset(skipped.split()))


TARGETS = {
    "Policy": value(l0.Policy, skipped="on_seam"),
    "Timeout": value(l0.Timeout),
    "Retry": value(l0.Retry),
    "ErrorTypeDelays": value(l0.ErrorTypeDelays),
    "Hold": value(l0.Hold),
    "Hedge": value(l0.Hedge),
    "CheckIntervals": value(l0.CheckIntervals),
    "Fallback": value(l0.Fallback, client=None, model="other", skipped="client"),
    "Drift": value(l0.Drift),
    "Step": value(l0.Step, name="a", run=print),
    "PipelinePreset": value(l0.types.PipelinePreset),
    "ConsensusPreset": value(l0.types.ConsensusPreset),
    "Restore": value(l0.Restore),
    "Pool": value(l0.Pool, size=1),
    "Objective": value(l0.slo.Objective, name="a", indicator="attempts.stall", target=0.9, skipped="threshold"),
    "instrument": value(l0.instrument, skipped="otlp"),
    "race": function(l0.race, [task]),
    "parallel": function(l0.parallel, [task]),
    "sequential": function(l0.sequential, [task]),
    "batched": function(l0.batched, [task], size=1),
    "Consensus.run": function(l0.Consensus.run, [task, task]),
    "Window.create": function(l0.Window.create, "text", skipped="tokenizer"),
    "process_all": function(l0.Window.create("text").process_all, function=print),
    "Pool.map": function(l0.Pool(1).map, items=[1], function=print, skipped="items"),
    "Guardrails.check": function(l0.Guardrails.check, "text"),
    "Guardrails.pattern_rule": value(l0.Guardrails.pattern_rule, patterns=["a"], message="found"),
    "Guardrails.length_rule": value(l0.Guardrails.length_rule, minimum=1),
    "Guardrails.repetition_rule": value(l0.Guardrails.repetition_rule),
    "run": function(l0.run, texts, skipped="stream context"),
    "run_sync": function(l0.run_sync, texts, skipped="stream context"),
    "wrap": function(l0.wrap, texts, skipped="policy"),
}
LATE_TYPES = {kind.__name__: kind for kind in (l0.Policy, l0.types.Observer, RecordingOptions)} | {
    "EventFunction": EventFunction
}
"""The types in the annotations of `l0.instrument`, which does not import them."""


def parameters(target: Target) -> dict[str, Any]:
    """Return the annotations of the parameters that can be given by name, with those of ``**options``."""
    of = target.of.__init__ if isinstance(target.of, type) else target.of
    hints = get_type_hints(of, localns=LATE_TYPES if of is l0.instrument else None)
    hints.pop("return", None)
    options = hints.pop("options", None)
    if options is not None:
        hints |= get_type_hints(get_args(options)[0] if get_args(options) else options)
    positional = {"self", "work", "document", "stream", "tasks", "text", "thing", "client"}
    return {name: hint for name, hint in hints.items() if name not in target.skipped | positional}


def fits(given: Any, hint: Any) -> bool:
    """Return True if an annotation allows a value, as far as its type tells."""
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(given, one) for one in get_args(hint))
    if origin is Literal:
        return any(given is one or given == one for one in get_args(hint))
    if origin is Callable:
        return callable(given)
    if origin is Sequence:
        return isinstance(given, Sequence) and not isinstance(given, str | bytes) and not given
    if origin is Mapping:
        return isinstance(given, Mapping) and not given
    if origin is not None:  # such as a compiled pattern
        return isinstance(given, origin)
    if hint in (int, float):
        return isinstance(given, int | float) and not isinstance(given, bool)
    if getattr(hint, "_is_protocol", False):
        return False
    if hint is NoneType:
        return given is None
    return isinstance(given, hint) and (hint is not str or bool(given))


CASES = [(name, field) for name, target in TARGETS.items() for field in parameters(target)]


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    with suppress(l0.PolicyError):
        l0.uninstrument()


@pytest.mark.parametrize(("name", "field"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_value_of_another_kind_is_refused_with_its_field(name: str, field: str) -> None:
    target = TARGETS[name]
    hint = parameters(target)[field]
    accepted, unnamed = [], []
    for given in JUNK:
        if fits(given, hint):
            continue
        try:
            target.call(**{**target.needed, field: given})
        except l0.PolicyError as error:
            if field not in f"{error.field} {error.allowed}".lower():
                unnamed.append((given, str(error)))
        except TypeError as error:
            if field not in str(error):
                unnamed.append((given, str(error)))
        else:
            accepted.append(given)
    assert (accepted, unnamed) == ([], [])
