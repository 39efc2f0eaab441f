"""Every public class and function refuses an option that it does not have, and names those that it has.

The table comes from the public modules: a new class, method or parameter is tested without a change here.
"""

import asyncio
import enum
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

import l0
import l0.testing
from l0.orchestration.ray_tasks import RayTasks
from l0.pytest_plugin.cassette_options import CassetteOptions
from l0.recording.recording_options import RecordingOptions
from l0.simulator.answers import SimulatedToolCall
from l0.simulator.server import Item

RECEIVED = {l0.slo.Burn, l0.slo.Report, l0.slo.SloStatus}
"""Public classes that a program receives and does not build."""
OTHER_MODULES = (
    CassetteOptions,
    RayTasks,
    RecordingOptions,
    SimulatedToolCall,
    l0.types.ConsensusPreset,
    l0.types.PipelinePreset,
    *get_args(Item),
)
"""Classes that a program builds, of modules that are not public as a whole."""
NEEDED = {"schema": dict, "item": dict, "fields": {"a": str}, "tasks": [], "self": l0.Window.create("text")}
"""Arguments that are checked before the names of the options."""
UNKNOWN = "no_such_option"


def texts() -> Iterator[str]:
    yield "text"


def public_values() -> Iterator[Any]:
    """Yield what the public modules offer, and other classes of settings."""
    for module in (l0, l0.slo):
        yield from (getattr(module, name) for name in module.__all__)
    yield from (value for name, value in vars(l0.testing).items() if not name.startswith("_"))
    yield from OTHER_MODULES


def is_built(value: Any) -> bool:
    """Return True for a class that a program builds: no error, no enumeration, and no event of a stream, of which there
    are thousands."""
    others = (BaseException, enum.Enum, tuple)
    own = str(getattr(value, "__module__", "")).startswith("l0")
    return own and isinstance(value, type) and not issubclass(value, others) and value not in RECEIVED


def has_options(function: Any) -> bool:
    """Return True for a function with arguments that a call may leave out."""
    parameters = inspect.signature(function).parameters.values()
    return any(one.default is not one.empty or one.kind in (one.KEYWORD_ONLY, one.VAR_KEYWORD) for one in parameters)


def callables() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for value in public_values():
        if is_built(value):
            if value.__init__ is not object.__init__:
                found[value.__qualname__] = value
            members = (getattr(value, name) for name in vars(value) if not name.startswith("_"))
            for member in members:
                if inspect.isroutine(member) and has_options(member):
                    found[member.__qualname__] = member
        elif inspect.isfunction(value) and value.__module__.startswith("l0") and has_options(value):
            found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


CALLABLES = callables()


def call(function: Callable[..., Any], **options: Any) -> None:
    """Call a function with values for the arguments that it needs, and await what it returns."""
    parameters = inspect.signature(function).parameters.values()
    needed = [
        one for one in parameters if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    arguments = [NEEDED.get(one.name, texts) for one in needed if one.kind != one.KEYWORD_ONLY]
    named = {one.name: 1 for one in needed if one.kind == one.KEYWORD_ONLY}
    returned = function(*arguments, **named, **options)
    if inspect.isawaitable(returned):
        asyncio.run(returned)  # type: ignore[arg-type]


def takes_only_names(function: Callable[..., Any]) -> bool:
    """Return True for a function whose arguments all need their names."""
    return all(one.kind == one.KEYWORD_ONLY for one in inspect.signature(function).parameters.values())


def lists_all(function: Callable[..., Any]) -> bool:
    """Return True for a function without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    return not any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)


def test_table_has_every_kind_of_callable() -> None:
    expected = {"Policy", "Retry", "Objective", "RateLimits", "Drift", "Guardrails.length_rule", "Simulator.on"}
    assert expected <= CALLABLES.keys()
    assert {"l0.stainless.discovery.instrument", "l0.streams.wrap.wrap", "l0.slo.api.start"} <= CALLABLES.keys()


@pytest.mark.parametrize("name", CALLABLES)
def test_unknown_option_is_refused_with_the_names_of_all_others(name: str) -> None:
    with pytest.raises(l0.PolicyError, match=rf"{UNKNOWN}: no such option; one of \w+") as raised:
        call(CALLABLES[name], **{UNKNOWN: 5})
    assert isinstance(raised.value, TypeError)
    assert raised.value.field.endswith(UNKNOWN)
    assert raised.value.given == 5


@pytest.mark.parametrize("name", [name for name, function in CALLABLES.items() if takes_only_names(function)])
def test_option_without_its_name_is_refused_with_the_names_to_write(name: str) -> None:
    first = next(iter(inspect.signature(CALLABLES[name]).parameters))
    with pytest.raises(l0.PolicyError, match=rf"{name.rpartition('.')[2]}: .* write {first}=\.\.\.") as raised:
        CALLABLES[name](30)
    assert isinstance(raised.value, TypeError)


@pytest.mark.parametrize("name", [name for name, function in CALLABLES.items() if lists_all(function)])
def test_too_many_arguments_are_refused_with_names(name: str) -> None:
    parameters = inspect.signature(CALLABLES[name]).parameters.values()
    only_named = [one.name for one in parameters if one.kind == one.KEYWORD_ONLY]
    with pytest.raises(l0.PolicyError) as raised:
        returned = CALLABLES[name](*[1] * (len(parameters) + 1))
        asyncio.run(returned)
    expected = (
        f"write {only_named[0]}=..." if only_named else ", ".join(one.name for one in parameters if one.name != "self")
    )
    assert expected in str(raised.value)


def test_value_of_an_unknown_option_is_not_shown() -> None:
    with pytest.raises(l0.PolicyError) as raised:
        l0.Fallback(api_key="sk-secret")  # type: ignore[call-arg]
    assert "secret" not in str(raised.value)


MEANINGS = [
    ("Retry", "backoff", "strategy"),
    ("Retry", "max_atempts", "attempts"),
    ("Retry", "max_attempts", "max_retries=<one less>"),
    ("Retry", "timeout", "timeout=l0.Timeout(total=<milliseconds>) of the policy"),
    ("Timeout", "connect", "timeout=httpx.Timeout(...) of the client"),
    ("Timeout", "seconds", "total=<milliseconds>"),
    ("Fallback", "base_url", "client=OpenAI(base_url=...)"),
    ("Fallback", "modle", "model"),
    ("Hedge", "delay", "after=<milliseconds>"),
    ("Policy", "retries", "retry=l0.Retry(max_retries=...)"),
    ("Policy", "max_retries", "retry=l0.Retry(max_retries=...)"),
    ("Policy", "total", "timeout=l0.Timeout(total=...)"),
    ("Policy", "backoff", "retry=l0.Retry(strategy=...)"),
    ("Policy", "deadline", "timeout=l0.Timeout(total=<milliseconds>)"),
    ("Policy", "circuit_breaker", "breaker"),
    ("Policy.batch", "circuit_breaker", "breaker"),
    ("l0.config.policy", "base_url", "fallback=l0.Fallback(client=OpenAI(base_url=...))"),
    ("l0.stainless.discovery.instrument", "retry", "policy=l0.Policy(retry=...)"),
    ("l0.stainless.discovery.instrument", "max_retries", "policy=l0.Policy(retry=l0.Retry(max_retries=...))"),
    ("l0.streams.run.run", "max_retries", "retry=l0.Retry(max_retries=...)"),
    ("l0.streams.run.run", "truncation", "policy=l0.Policy(truncation=...)"),
    ("l0.streams.run.run", "hedge", "a policy for l0.instrument() or l0.wrap(client)"),
    ("l0.streams.wrap.wrap", "fallback", "fallbacks"),
    ("l0.orchestration.fan_out.parallel", "max_concurrency", "concurrency"),
    ("Guardrails.length_rule", "min", "minimum"),
    ("Window.create", "overlaps", "overlap"),
    ("Simulator.on", "replay", "reply"),
    ("l0.testing.simulator", "sed", "seed"),
    ("Objective", "metric", "indicator"),
]


@pytest.mark.parametrize(("name", "option", "meaning"), MEANINGS)
def test_error_names_the_option_that_may_be_meant(name: str, option: str, meaning: str) -> None:
    with pytest.raises(l0.PolicyError) as raised:
        call(CALLABLES[name], **{option: 5})
    assert f"{option}: no such option; did you mean {meaning}? One of " in str(raised.value)


@pytest.mark.parametrize("name", ["Policy", "l0.config.policy", "l0.stainless.discovery.instrument"])
def test_error_of_a_switch_names_the_option_that_turns_l0_off(name: str) -> None:
    with pytest.raises(l0.PolicyError, match=r'enabled: no such option; .*mode="off"\)? turns L0 off\. One of'):
        call(CALLABLES[name], enabled=False)


def test_signature_stays_that_of_the_function() -> None:
    assert list(inspect.signature(l0.Fallback).parameters) == ["model", "client"]
    assert "observers" in inspect.signature(l0.instrument).parameters
    assert inspect.iscoroutinefunction(l0.race)
