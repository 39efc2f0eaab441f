"""``L0_*`` variables: everything that a policy can say in text, and a named problem for everything else."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model import policy as policy_module
from l0.model import policy_from_environment
from l0.model.policy import (
    BackoffStrategy,
    CheckIntervals,
    ErrorTypeDelays,
    Hedge,
    Hold,
    Policy,
    Retry,
    RetryableErrorType,
    Timeout,
)
from l0.model.policy_from_environment import EnvironmentSettings, _variables, read_environment


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"PATH": "/bin", "OTEL_SERVICE_NAME": "x", "l0_retry_attempts": "1"},
        {"L0_RETRY_ATTEMPTS": "", "L0_POLICY": " "},
    ],
)
def test_environment_without_variables_sets_no_policy(environ):
    assert read_environment(environ) == EnvironmentSettings()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"L0_POLICY": "interactive"}, Policy.interactive()),
        ({"L0_POLICY": "REASONING"}, Policy.reasoning()),
        ({"L0_RETRY_ATTEMPTS": "5"}, Policy(retry=Retry(attempts=5))),
        ({"L0_RETRY_STRATEGY": "full_jitter"}, Policy(retry=Retry(strategy=BackoffStrategy.FULL_JITTER))),
        ({"L0_RETRY_STRATEGY": "Linear"}, Policy(retry=Retry(strategy="linear"))),
        ({"L0_RETRY_RETRY_ON": "timeout, drift"}, Policy(retry=Retry(retry_on=["timeout", "drift"]))),
        ({"L0_RETRY_NETWORK_MAX_DELAY": "12.5"}, Policy(retry=Retry(network_max_delay=12.5))),
        ({"L0_TIMEOUT_INITIAL_TOKEN": " 3000 "}, Policy(timeout=Timeout(initial_token=3000))),
        ({"L0_TIMEOUT_INTER_TOKEN": "none"}, Policy(timeout=Timeout(inter_token=None))),
        ({"L0_TRUNCATION": "strict"}, Policy(truncation="strict")),
        ({"L0_TRUNCATION": "none"}, Policy()),
        ({"L0_GUARDRAILS": "recommended"}, Policy(guardrails="recommended")),
        ({"L0_CHECK_INTERVALS_GUARDRAILS": "9"}, Policy(check_intervals=CheckIntervals(guardrails=9))),
        ({"L0_DRIFT": "true", "L0_STRUCTURED": "1"}, Policy(drift=True, structured=True)),
        ({"L0_HEDGE": "true"}, Policy(hedge=True)),
        ({"L0_HEDGE_AFTER": "800"}, Policy(hedge=Hedge(after=800))),
        ({"L0_MODE": "shadow"}, Policy(mode="shadow")),
        ({"L0_HOLD": "verified", "L0_RETRY_ATTEMPTS": "1"}, Policy(hold="verified", retry=Retry(attempts=1))),
        ({"L0_HOLD_WINDOW": "64"}, Policy(hold=Hold(window=64))),
        ({"L0_HOLD_FRAMES": "8", "L0_HOLD_SECONDS": "0.5"}, Policy(hold=Hold(frames=8, seconds=0.5))),
        (
            {"L0_RETRY_ERROR_TYPE_DELAYS_DNS_ERROR": "7", "L0_RETRY_ATTEMPTS": "1"},
            Policy(retry=Retry(attempts=1, error_type_delays=ErrorTypeDelays(dns_error=7))),
        ),
        (
            {"L0_POLICY": "batch", "L0_RETRY_ATTEMPTS": "1", "L0_TIMEOUT_TOTAL": "900000"},
            Policy(
                timeout=replace(Policy.batch().timeout, total=900_000), retry=replace(Policy.batch().retry, attempts=1)
            ),
        ),
    ],
)
def test_policy_from_variables(environ, expected):
    settings = read_environment(environ)
    assert (settings.policy, settings.problems) == (expected, ())


BAD = [
    ("L0_POLICY", "fast", "one of interactive, reasoning, batch"),
    ("L0_RETRY_ATTEMPTS", "many", "a whole number"),
    ("L0_RETRY_ATTEMPTS", "1.5", "a whole number"),
    ("L0_RETRY_ATTEMPTS", "-1", "a whole number, 0 or more"),
    ("L0_RETRY_BASE_DELAY", "nan", "a number of seconds, 0 or more"),
    ("L0_RETRY_BASE_DELAY", "none", "a number"),
    ("L0_RETRY_STRATEGY", "quadratic", "one of fixed, linear, exponential, full_jitter, fixed_jitter"),
    ("L0_RETRY_RETRY_ON", "timeout,luck", ", ".join(RetryableErrorType)),
    ("L0_RETRY_ERROR_TYPE_DELAYS_TIMEOUT", "-2", "a number of seconds, 0 or more"),
    ("L0_TIMEOUT_TOTAL", "0", "milliseconds above 0"),
    ("L0_TIMEOUT_TOTAL", "soon", "a number, or none"),
    ("L0_TRUNCATION", "loud", "one of strict, warn, off, or none"),
    ("L0_RETRY_ATEMPTS", "3", "did you mean L0_RETRY_ATTEMPTS?"),
    ("L0_TRUNKATION", "strict", "did you mean L0_TRUNCATION?"),
    ("L0_POLICE", "batch", "did you mean L0_POLICY?"),
    ("L0_ZZZ", "1", "L0_RETRY_ATTEMPTS, "),
    ("L0_ENABLED", "false", "no such variable; L0_MODE=off turns L0 off"),
    ("L0_DISABLED", "1", "no such variable; L0_MODE=off turns L0 off"),
    ("L0_OFF", "1", "no such variable; L0_MODE=off turns L0 off"),
    ("L0_RETRY_SHOULD_RETRY", "yes", "no such variable"),  # a function cannot be told here
]


@pytest.mark.parametrize(("name", "given", "allowed"), BAD)
def test_bad_variable_is_named_with_what_is_allowed_and_the_others_apply(name, given, allowed):
    settings = read_environment({name: given, "L0_HOLD_FRAMES": "3", "L0_MODE": "shadow"})
    (problem,) = settings.problems
    assert problem.startswith(f"{name}: got {given!r}, allowed: ")
    assert problem.endswith("; it is ignored")
    assert allowed in problem
    assert settings.policy == Policy(hold=Hold(frames=3), mode="shadow")
    assert name not in settings.sources.values()


def test_every_bad_variable_is_a_problem_of_its_own():
    settings = read_environment({name: given for name, given, _ in BAD})
    assert [problem.partition(":")[0] for problem in settings.problems] == sorted(
        {name for name, _, _ in BAD}, key=lambda name: (name != "L0_POLICY", name)
    )
    assert settings.policy is None


def test_nearest_name_is_found_in_another_case_and_for_other_variables():
    (problem,) = read_environment({"L0_retry_attempts": "3"}).problems
    assert "did you mean L0_RETRY_ATTEMPTS?" in problem
    (problem,) = read_environment({"L0_DIRECTT": "1"}).problems
    assert "did you mean L0_DIRECT?" in problem


@pytest.mark.parametrize("switch", ["console", "direct", "timeline"])
@pytest.mark.parametrize(("said", "on"), [("1", True), ("true", True), ("False", False), ("0", False)])
def test_switch_is_read_without_a_policy(switch, said, on):
    assert read_environment({f"L0_{switch.upper()}": said}) == EnvironmentSettings(**{switch: on})


@pytest.mark.parametrize("name", ["L0_CONSOLE", "L0_DIRECT", "L0_TIMELINE"])
def test_bad_switch_is_a_problem(name):
    settings = read_environment({name: "perhaps", "L0_POLICY": "batch"})
    assert settings.problems == (f"{name}: got 'perhaps', allowed: true or false; it is ignored",)
    assert settings.policy == Policy.batch()


@pytest.mark.parametrize("name", ["L0_ATTEMPT_SPANS", "L0_CHUNK_METRICS", "L0_RULE_METRICS"])
def test_variables_of_telemetry_are_checked(name):
    assert read_environment({name: "All"}) == EnvironmentSettings()
    assert read_environment({name: "yes"}).problems == (f"{name}: got 'yes', allowed: all; it is ignored",)


def test_each_field_names_its_variable():
    settings = read_environment({"L0_POLICY": "batch", "L0_RETRY_ATTEMPTS": "1", "L0_MODE": "shadow"})
    assert settings.sources == {
        (): "L0_POLICY",
        ("mode",): "L0_MODE",
        ("retry", "attempts"): "L0_RETRY_ATTEMPTS",
    }


def test_number_in_the_wrong_unit_is_used_and_reported():
    settings = read_environment({"L0_TIMEOUT_TOTAL": "60", "L0_RETRY_BASE_DELAY": "500"})
    assert (settings.policy.timeout.total, settings.policy.retry.base_delay) == (60.0, 500.0)
    assert [problem.partition(" If")[0] for problem in settings.problems] == [
        "L0_RETRY_BASE_DELAY: Retry.base_delay=500 means 500 s.",
        "L0_TIMEOUT_TOTAL: Timeout.total=60 means 60 ms.",
    ]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"L0_HOLD": "verified", "L0_HOLD_FRAMES": "8"}, Policy(hold=Hold(until="verified", frames=8))),
        ({"L0_HEDGE": "true", "L0_HEDGE_AFTER": "800"}, Policy(hedge=Hedge(after=800))),
    ],
)
def test_variables_of_a_field_and_of_its_part_go_together(environ, expected):
    settings = read_environment(environ)
    assert (settings.policy, settings.problems) == (expected, ())


def test_field_of_a_part_that_is_off_is_a_problem():
    settings = read_environment({"L0_HEDGE": "false", "L0_HEDGE_AFTER": "800"})
    assert settings.policy == Policy(hedge=False)
    (problem,) = settings.problems
    assert problem == "L0_HEDGE_AFTER: got '800', allowed: a value only if L0_HEDGE is not set to false; it is ignored"


def test_variable_that_leads_to_rules_that_cannot_hold_is_ignored():
    settings = read_environment({"L0_HOLD": "verified", "L0_GUARDRAILS": "json_only", "L0_BUDGET": "true"})
    (problem,) = settings.problems
    assert problem.startswith("L0_HOLD: got 'verified', allowed: \"message\"")
    assert settings.policy == Policy(guardrails="json_only", budget=True)


def test_variable_that_needs_a_missing_extra_is_a_problem(monkeypatch):
    monkeypatch.setattr(policy_module, "_importable", lambda _: False)
    settings = read_environment({"L0_STRUCTURED": "true", "L0_BUDGET": "true"})
    assert settings.policy == Policy(budget=True)
    assert "pip install 'l0-otel[structured]'" in settings.problems[0]


def test_every_field_but_functions_has_a_variable():
    said = {variable.field for variable in _variables(Policy, "L0_", ())}
    for kind in (Timeout, Retry, ErrorTypeDelays, Hold):
        parts = {"Retry.should_retry", "Retry.error_type_delays"}
        assert {f"{kind.__name__}.{field.name}" for field in fields(kind)} - parts <= said
    assert "Retry.should_retry" not in said
    names = [variable.name for variable in _variables(Policy, "L0_", ())]
    assert len(names) == len(set(names))
    assert "L0_POLICY" not in names


def test_annotations_are_evaluated_once_per_class(monkeypatch):
    """Each SDK that is instrumented reads the environment, and annotations take most of that time."""
    evaluated = []
    real = policy_from_environment.get_type_hints
    monkeypatch.setattr(policy_from_environment, "get_type_hints", lambda kind: evaluated.append(kind) or real(kind))
    policy_from_environment._hints.cache_clear()
    read_environment({})
    read_environment({"L0_RETRY_ATTEMPTS": "5"})
    assert Policy in evaluated
    assert len(evaluated) == len(set(evaluated))


def text(value: object) -> str:
    if value is None:
        return "none"
    return ",".join(value) if isinstance(value, tuple) else str(value)


clocks = st.none() | st.floats(100, 1e6)
seconds = st.floats(0, 99)
parts = {
    "TIMEOUT": st.builds(Timeout, initial_token=clocks, inter_token=clocks, liveness=clocks, total=clocks),
    "HOLD": st.builds(Hold, frames=st.integers(0, 1000), seconds=seconds),
    "RETRY": st.builds(
        Retry,
        attempts=st.integers(0, 99),
        max_retries=st.integers(0, 99),
        base_delay=seconds,
        max_delay=seconds,
        network_max_delay=seconds,
        strategy=st.sampled_from(BackoffStrategy),
        retry_on=st.lists(st.sampled_from(RetryableErrorType), min_size=1, unique=True),
    ),
}


@given(st.fixed_dictionaries({}, optional=parts).filter(bool))
@settings(max_examples=80)
def test_variables_round_trip(wanted):
    environ = {
        f"L0_{name}_{field.name}".upper(): text(getattr(part, field.name))
        for name, part in wanted.items()
        for field in fields(part)
        if field.name not in {"should_retry", "error_type_delays"}
    }
    settings = read_environment(environ)
    assert settings.problems == ()
    assert settings.policy == Policy(**{name.lower(): part for name, part in wanted.items()})


@given(
    st.dictionaries(
        st.sampled_from([name for name, _, _ in BAD]) | st.text("LRETY0_", max_size=9), st.text(max_size=12)
    )
)
@settings(max_examples=150)
def test_garbage_in_variables_raises_nothing(environ):
    settings = read_environment(environ)
    assert settings.policy is None or isinstance(settings.policy, Policy)
    assert len(settings.problems) <= 2 * len(environ)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("localhost:8000=vllm", {"localhost:8000": "vllm"}),
        ("llm.example = mine, localhost:1 = x_ai", {"llm.example": "mine", "localhost:1": "x_ai"}),
    ],
)
def test_names_of_providers(text: str, names: dict[str, str]) -> None:
    settings = read_environment({"L0_PROVIDER_NAMES": text})
    assert (settings.provider_names, settings.problems, settings.policy) == (names, (), None)


@pytest.mark.parametrize("text", ["vllm", "=vllm", "localhost=", "localhost=vllm,"])
def test_names_of_providers_that_are_not_understood_are_ignored(text: str) -> None:
    settings = read_environment({"L0_PROVIDER_NAMES": text})
    assert settings.provider_names == {}
    (problem,) = settings.problems
    assert "host=name or host:port=name" in problem
