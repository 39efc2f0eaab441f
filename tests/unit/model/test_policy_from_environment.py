"""``L0_*`` variables: everything that a policy can say in text, and a named error for everything else."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.policy import (
    BackoffStrategy,
    CheckIntervals,
    ErrorTypeDelays,
    Hedge,
    Hold,
    Policy,
    PolicyError,
    Retry,
    RetryableErrorType,
    Timeout,
)
from l0.model.policy_from_environment import _variables, policy_from_environment


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"PATH": "/bin", "OTEL_SERVICE_NAME": "x", "l0_retry_attempts": "1"},
        {"L0_RETRY_ATTEMPTS": "", "L0_POLICY": " "},
    ],
)
def test_environment_without_variables_sets_no_policy(environ):
    assert policy_from_environment(environ) is None


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
    assert policy_from_environment(environ) == expected


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
    ("L0_RETRY_SHOULD_RETRY", "yes", "no such variable"),  # a function cannot be told here
]


@pytest.mark.parametrize(("name", "given", "allowed"), BAD)
def test_a_bad_variable_is_named_with_what_is_allowed(name, given, allowed):
    with pytest.raises(PolicyError) as raised:
        policy_from_environment({name: given, "L0_HOLD_FRAMES": "3"})
    assert (raised.value.field, raised.value.given) == (name, given)
    assert allowed in raised.value.allowed


def test_every_field_but_functions_has_a_variable():
    said = {variable.field for variable in _variables(Policy, "L0_", ())}
    for kind in (Timeout, Retry, ErrorTypeDelays, Hold):
        parts = {"Retry.should_retry", "Retry.error_type_delays"}
        assert {f"{kind.__name__}.{field.name}" for field in fields(kind)} - parts <= said
    assert "Retry.should_retry" not in said
    names = [variable.name for variable in _variables(Policy, "L0_", ())]
    assert len(names) == len(set(names))
    assert "L0_POLICY" not in names


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
    assert policy_from_environment(environ) == Policy(**{name.lower(): part for name, part in wanted.items()})


@given(
    st.dictionaries(
        st.sampled_from([name for name, _, _ in BAD]) | st.text("LRETY0_", max_size=9), st.text(max_size=12)
    )
)
@settings(max_examples=150)
def test_nothing_but_a_policy_error_comes_of_garbage(environ):
    try:
        policy = policy_from_environment(environ)
    except PolicyError as error:
        policy, named = None, error.field
        assert named in environ
    assert policy is None or isinstance(policy, Policy)
