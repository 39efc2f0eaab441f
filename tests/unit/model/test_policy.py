"""Every field of a policy is checked when it is made: a bad one names the field, what was given and what is allowed."""

import math
import pickle
import warnings
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from l0 import Drift
from l0.model import policy as policy_module
from l0.model.durations import UnitWarning
from l0.model.policy import (
    TRUNCATION_MODES,
    BackoffStrategy,
    CheckIntervals,
    ErrorTypeDelays,
    Fallback,
    Hedge,
    Hold,
    Policy,
    PolicyError,
    Retry,
    RetryableErrorType,
    Timeout,
)
from l0.model.privacy import shown_briefly
from l0.model.rule import Severity
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.custom_rule import FunctionRule

LIMITS = ("initial_token", "inter_token", "liveness", "total")
HUGE = 10**400
"""An integer that no float can hold."""
NO_LIMIT = (0, -1, -0.5, math.nan, -math.inf, HUGE, True, "5000", [], object, timedelta(0), timedelta(-1))
NO_COUNT = (-1, 1.5, 2.0, True, None, "3", math.nan, timedelta(1))
NO_SECONDS = (-1, -0.001, math.nan, HUGE, None, True, "1", [1], timedelta(-1))


async def never_awaited(_):
    return True


class NeverAwaited:
    async def __call__(self, _):
        return True


ASYNC = (never_awaited, partial(never_awaited), NeverAwaited())


class Client:
    base_url = "https://a.example"


NO_ORIGIN = (
    "",
    " ",
    "https://",
    "ftp://a.example",
    "https://a.example/v1?x=1",
    "https://user@a.example",
    "a.example?x",
    "://a",
    5,
    "a b",
)

SWITCHES = ("budget", "breaker", "adaptive", "structured")
DELAYS = ("base_delay", "max_delay", "network_max_delay")

BAD = [
    *((Timeout, name, given, "milliseconds above 0") for name in LIMITS for given in NO_LIMIT),
    *((Retry, name, given, "whole number, 0 or more") for name in ("attempts", "max_retries") for given in NO_COUNT),
    *((Retry, name, given, "seconds, 0 or more") for name in DELAYS for given in NO_SECONDS),
    *((Retry, "strategy", given, "full_jitter") for given in ("quadratic", None, 3, "")),
    *((Retry, "retry_on", given, "zero_output") for given in ("timeout", b"", None, 5, {"timeout"}, iter(()))),
    *((Retry, "error_type_delays", given, "dns_error") for given in (5, "slow", ["dns_error"], {"dns": 1.0})),
    *((ErrorTypeDelays, field.name, given, "seconds") for field in fields(ErrorTypeDelays) for given in (-1, None)),
    *((Retry, "should_retry", given, "function of a Failure") for given in (True, "always", 1, lambda: True)),
    *((Hold, "frames", given, "whole number, 0 or more") for given in NO_COUNT),
    *((Hold, "seconds", given, "seconds, 0 or more") for given in NO_SECONDS),
    *((Policy, "timeout", given, "Timeout, or None") for given in (5, 5000.0, {}, Timeout, Retry())),
    *((Policy, "retry", given, "Retry, or None") for given in (3, True, Retry, Timeout())),
    *((Hold, "until", given, "first_content, verified, message") for given in ("whole", None, True)),
    *((Hold, "window", given, "whole number, 1 or more") for given in (0, *NO_COUNT) if given is not None),
    *((Hedge, "after", given, "milliseconds above 0") for given in NO_LIMIT),
    *((CheckIntervals, field.name, given, "1 or more") for field in fields(CheckIntervals) for given in (0, *NO_COUNT)),
    *((Policy, "mode", given, "active, shadow, off") for given in (None, True, "on")),
    *((Policy, "order", given, "evidence, strict, off") for given in (None, True, "on")),
    *((Policy, "hedge", given, "a Hedge, or True or False") for given in (None, 1, "on", Hedge)),
    *((Policy, "guardrails", given, "markdown_only") for given in ("some", b"", 5, None, [len], {"json": True}, Drift)),
    *((Policy, "drift", given, "an l0.Drift, True or False") for given in (None, 1, "on", Drift)),
    *((Policy, "check_intervals", given, "a CheckIntervals") for given in (None, 5, {})),
    *((Policy, "on_violation", given, "a function of a Violation") for given in (True, "print", *ASYNC)),
    *((Fallback, "model", given, "name of a model") for given in ("", 5, True)),
    *((Fallback, "client", given, "same SDK") for given in (5, "https://b.example", object(), Client)),
    *((Policy, "hold", given, "a Hold") for given in (None, 64, Hold)),
    *((Policy, "fallback", given, "a list of them") for given in (None, 5, "gpt-4o", ["gpt-4o"], b"", Fallback)),
    *((Policy, "resume", given, "off, exact, prefill, splice") for given in (None, True, "on")),
    *((Policy, "replay", given, "safe, always, never") for given in (None, True, "once")),
    *((Policy, "on_resume", given, "a function of an l0.types.ResumePoint") for given in (True, "print", *ASYNC)),
    *((Policy, name, given, "True or False") for name in SWITCHES for given in (None, 1, "on")),
    *((Policy, "truncation", {key: "off"}, "a mapping of base URLs, origins or hosts") for key in NO_ORIGIN),
    *((Policy, "truncation", given, "strict, warn, off") for given in ("loud", True, 1, ["strict"], {"http://a": "x"})),
]


@pytest.mark.parametrize(("kind", "field", "given", "allowed"), BAD)
def test_a_bad_value_is_named_with_what_is_allowed(kind, field, given, allowed):
    with pytest.raises(PolicyError) as raised:
        kind(**{field: given})
    error = raised.value
    assert error.field == f"{kind.__name__}.{field}"
    assert error.given is given
    assert allowed in error.allowed
    assert str(error) == f"{error.field}: got {shown_briefly(given)}, allowed: {error.allowed}"
    assert isinstance(error, ValueError)


def test_every_field_of_every_part_has_bad_values_in_the_table():
    covered = {(kind, field) for kind, field, _, _ in BAD}
    kinds = (Timeout, Retry, ErrorTypeDelays, Hold, Hedge, CheckIntervals, Fallback, Policy)
    assert covered == {(kind, field.name) for kind in kinds for field in fields(kind)}


@pytest.mark.parametrize(("kind", "field"), [*((Retry, name) for name in DELAYS), (Hold, "seconds")])
def test_a_delay_that_no_clock_can_sleep_is_refused(kind, field):
    with pytest.raises(PolicyError, match=field):
        kind(**{field: math.inf})


@pytest.mark.parametrize("given", ["timeout", RetryableErrorType.TIMEOUT])
def test_a_reason_that_is_none_is_named_alone(given):
    with pytest.raises(PolicyError) as raised:
        Retry(retry_on=[given, "bad luck"])
    assert (raised.value.field, raised.value.given) == ("Retry.retry_on", "bad luck")


def test_names_become_members_and_lists_become_tuples():
    reasons = ["timeout", RetryableErrorType.DRIFT]
    retry = Retry(strategy="linear", retry_on=reasons)
    reasons.clear()
    assert retry.strategy is BackoffStrategy.LINEAR
    assert retry.retry_on == (RetryableErrorType.TIMEOUT, RetryableErrorType.DRIFT)


def test_the_figures_of_the_guide():
    assert Timeout() == Timeout(initial_token=5000, inter_token=10_000, liveness=None, total=None)
    retry = Retry()
    assert (retry.attempts, retry.max_retries, retry.base_delay, retry.max_delay) == (3, 6, 1.0, 10.0)
    assert retry.strategy is BackoffStrategy.FIXED_JITTER
    assert retry.retry_on == tuple(RetryableErrorType)


def test_delays_by_error_type_may_be_a_mapping():
    retry = Retry(error_type_delays={"dns_error": 9})
    assert retry.error_type_delays == ErrorTypeDelays(dns_error=9)
    with pytest.raises(PolicyError, match=r"ErrorTypeDelays\.dns_error"):
        Retry(error_type_delays={"dns_error": -1})


def test_meaningful_zero_and_one_are_allowed():
    assert Retry(attempts=0, max_retries=0, base_delay=0, max_delay=0, retry_on=()).retry_on == ()
    assert Hold(frames=0, seconds=0) == Hold(frames=0, seconds=0.0)
    assert Timeout(total=timedelta(microseconds=1)).total == 0.001


def test_default_policy_leaves_retries_and_timeouts_to_the_sdk():
    policy = Policy()
    assert (policy.timeout, policy.retry, policy.truncation) == (None, None, None)
    assert policy.hold == policy.holding == Hold(until="first_content", frames=64, seconds=2.0)
    assert (policy.legs, policy.resume, policy.on_resume) == ((), "off", None)
    assert not any(getattr(policy, name) for name in SWITCHES)


def test_one_fallback_is_a_list_of_one_and_lists_are_copied():
    first, second = Fallback(model="a"), Fallback(model="b")
    given = [first, second]
    policy = Policy(fallback=given)
    given.clear()
    assert policy.legs == (first, second)
    assert Policy(fallback=first).legs == (first,)


def test_a_fallback_must_differ_from_the_primary():
    with pytest.raises(PolicyError, match=r"Fallback: .* a model, a client, or both"):
        Fallback()


@pytest.mark.parametrize("mode", ["first_content", "verified", "message"])
def test_hold_mode_becomes_a_hold(mode):
    assert Policy(hold=mode).holding == Hold(until=mode)
    with pytest.raises(PolicyError, match=r"Hold\.until"):
        Policy(hold="forever")


def test_policy_presets():
    interactive, reasoning, batch = Policy.interactive(), Policy.reasoning(), Policy.batch()
    firsts = [preset.timeout.initial_token for preset in (interactive, reasoning, batch)]
    gaps = [preset.timeout.inter_token for preset in (interactive, reasoning, batch)]
    assert firsts == sorted(firsts)
    assert gaps == sorted(gaps)
    assert firsts == [5000, 120_000, 300_000]
    assert interactive.retry.max_retries < batch.retry.max_retries
    assert interactive.retry.max_delay < batch.retry.max_delay
    assert all(preset.truncation is None and preset.hold == Hold() for preset in (interactive, reasoning, batch))


def test_the_agent_preset_holds_complete_answers_and_retries():
    agent = Policy.agent()
    assert agent.holding.until == "message"
    assert agent.retry == Retry()
    assert agent.asks_for_retries


@pytest.mark.parametrize("preset", ["interactive", "reasoning", "batch", "agent"])
def test_preset_takes_fields_that_replace_its_own(preset):
    make = getattr(Policy, preset)
    changed = make(truncation="strict", timeout=None, hold="verified")
    assert changed == replace(make(), truncation="strict", timeout=None, hold="verified")
    with pytest.raises(TypeError, match="trunkation"):
        make(trunkation="strict")


def test_presets_say_in_the_docs_what_they_hold():
    page = (Path(__file__).parents[3] / "docs" / "policy.md").read_text()
    presets = [name for name, kind in vars(Policy).items() if type(kind) is classmethod]
    for name in presets:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` ")]
        assert f"`{getattr(Policy, name)().holding.until}`" in row


@pytest.mark.parametrize("mode", [*TRUNCATION_MODES, None])
def test_one_mode_holds_for_every_origin(mode):
    assert Policy(truncation=mode).truncation_at("https://anything.example") == mode


def test_truncation_per_origin():
    policy = Policy(truncation={"https://a.example": "strict", "http://b.example:8080": "off"})
    assert policy.truncation_at("https://a.example") == "strict"
    assert policy.truncation_at("https://a.example/") == "strict"
    assert policy.truncation_at("http://b.example:8080") == "off"
    assert policy.truncation_at("http://b.example") is None
    assert policy.truncation_at("http://a.example") is None


@pytest.mark.parametrize(
    "key", ["https://a.example/", "HTTPS://A.example", "https://a.example:443", " https://a.example ", "a.example:443"]
)
def test_an_origin_in_another_spelling_is_the_same_origin(key):
    policy = Policy(truncation={key: "off"})
    assert policy.truncation_at("https://a.example") == "off"
    assert policy.truncation_at("http://a.example") is None
    assert replace(policy, mode="shadow").truncation == {"https://a.example": "off"}


@pytest.mark.parametrize(
    ("key", "matches", "differs"),
    [
        ("a.example", ["https://a.example", "http://a.example", "https://a.example:8443"], ["https://b.a.example"]),
        ("a.example:8080", ["http://a.example:8080", "https://a.example:8080"], ["http://a.example"]),
        ("a.example:80", ["http://a.example"], ["https://a.example"]),
        ("[::1]:8000", ["http://[::1]:8000"], ["http://[::1]"]),
        ("[::1]", ["http://[::1]:8000", "https://[::1]"], ["http://[::2]"]),
    ],
)
def test_truncation_of_a_host_alone_holds_for_every_scheme_and_port(key, matches, differs):
    policy = Policy(truncation={key: "off"})
    assert [policy.truncation_at(origin) for origin in matches] == ["off"] * len(matches)
    assert [policy.truncation_at(origin) for origin in differs] == [None] * len(differs)


def test_truncation_of_an_origin_comes_before_that_of_its_host():
    policy = Policy(truncation={"a.example": "off", "a.example:8080": "warn", "http://a.example:8080": "strict"})
    origins = ("http://a.example:8080", "https://a.example:8080", "https://a.example")
    assert [policy.truncation_at(origin) for origin in origins] == ["strict", "warn", "off"]


@pytest.mark.parametrize("key", ["https://a.example/v1", "HTTPS://A.example:443/v1/", "a.example/v1"])
def test_truncation_of_a_base_url_holds_for_its_path_alone(key):
    policy = Policy(truncation={key: "off", "a.example": "warn"})
    urls = ("https://a.example/v1/", "https://a.example/v1", "https://a.example/v2/", "https://a.example/v1/deep/")
    assert [policy.truncation_at(url) for url in urls] == ["off", "off", "warn", "warn"]


LIMIT_FIELDS = [*((Timeout, name) for name in LIMITS), (Hedge, "after")]
DELAY_FIELDS = [
    *((Retry, name) for name in DELAYS),
    *((ErrorTypeDelays, field.name) for field in fields(ErrorTypeDelays)),
    (Hold, "seconds"),
]


@pytest.mark.parametrize(("kind", "field"), LIMIT_FIELDS)
def test_time_limit_may_be_a_timedelta(kind, field):
    assert getattr(kind(**{field: timedelta(seconds=1.5)}), field) == 1500.0
    assert getattr(kind(**{field: timedelta(milliseconds=1)}), field) == 1.0


@pytest.mark.parametrize(("kind", "field"), DELAY_FIELDS)
def test_delay_may_be_a_timedelta(kind, field):
    assert getattr(kind(**{field: timedelta(milliseconds=250)}), field) == 0.25
    assert getattr(kind(**{field: timedelta(hours=1)}), field) == 3600.0


def test_delays_by_error_type_may_be_a_mapping_of_timedeltas():
    assert Retry(error_type_delays={"dns_error": timedelta(seconds=2)}).error_type_delays.dns_error == 2.0


def warned_at(create):
    """Return the message of the one warning that ``create`` causes, which must point to the line of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create()
    (warning,) = caught
    assert (warning.filename, warning.category) == (__file__, UnitWarning)
    assert warning.lineno == create.__code__.co_firstlineno
    return str(warning.message)


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (
            lambda: Timeout(total=60),
            (
                "Timeout.total=60 means 60 ms. If you mean seconds, write 60000 or timedelta(seconds=60); "
                "if not, timedelta(milliseconds=60)."
            ),
        ),
        (
            lambda: Retry(base_delay=500),
            (
                "Retry.base_delay=500 means 500 s. If you mean milliseconds, write 0.5 or timedelta(milliseconds=500); "
                "if not, timedelta(seconds=500)."
            ),
        ),
        (lambda: replace(Timeout(), initial_token=5), "Timeout.initial_token=5 means 5 ms. "),
        (lambda: Timeout(inter_token=0.5), "Timeout.inter_token=0.5 means 0.5 ms. "),
        (lambda: Hedge(after=2), "Hedge.after=2 means 2 ms. "),
        (lambda: Hold(seconds=2000), "Hold.seconds=2000 means 2000 s. "),
        (lambda: Retry(max_delay=10_000), "Retry.max_delay=10000 means 10000 s. "),
        (lambda: Retry(network_max_delay=30_000), "Retry.network_max_delay=30000 means 30000 s. "),
        (lambda: Retry(error_type_delays={"dns_error": 300}), "ErrorTypeDelays.dns_error=300 means 300 s. "),
    ],
)
def test_a_number_in_the_wrong_unit_warns_at_the_line_of_the_caller(create, message):
    assert warned_at(create).startswith(message)


@pytest.mark.parametrize(("kind", "field"), [*LIMIT_FIELDS, *DELAY_FIELDS])
def test_every_duration_warns_of_a_mistaken_unit(kind, field):
    mistaken = 5 if (kind, field) in LIMIT_FIELDS else 5000
    with pytest.warns(UnitWarning, match=rf"{kind.__name__}\.{field}={mistaken} means"):
        kind(**{field: mistaken})


def test_the_structured_field_requires_its_extra(monkeypatch):
    monkeypatch.setattr(policy_module, "_importable", lambda name: name != "jsonschema")
    with pytest.raises(PolicyError, match=r"Policy\.structured: got True, .* pip install 'l0-otel\[structured\]'"):
        Policy(structured=True)
    assert Policy().structured is False


VALUES = [
    Timeout(total=500),
    Retry(attempts=1, strategy="full_jitter", retry_on=["drift"]),
    Hold(frames=1),
    Fallback(model="other"),
    Policy(fallback=Fallback(model="other"), resume="splice", hold="message"),
    Policy.interactive(),
    Policy.batch(),
    Policy(truncation={"https://a.example": "warn"}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_policies_are_pickled_and_compared_by_value(value):
    copy = pickle.loads(pickle.dumps(value))
    assert copy == value
    assert type(copy) is type(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_cannot_be_changed(value):
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
    assert not hasattr(value, "__dict__")


def test_a_changed_copy_is_checked_again():
    with pytest.raises(PolicyError, match=r"Timeout\.total"):
        replace(Timeout(), total=-1)


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Timeout(5000)


def test_former_name_of_on_resume_works_and_warns():
    with pytest.warns(DeprecationWarning, match=r"Policy\.on_seam is now Policy\.on_resume") as caught:
        policy = Policy(on_seam=print)
    assert policy.on_resume is print
    assert caught[0].filename == __file__


LATE = FunctionRule(function=bool, name="late")


@pytest.mark.parametrize(
    ("fields", "late"),
    [
        ({"guardrails": "recommended"}, "json"),
        ({"guardrails": "strict"}, "json, markdown, latex"),
        ({"guardrails": [LATE]}, "late"),
        ({"drift": LATE}, "late"),
        ({"guardrails": "json_only", "drift": LATE}, "strict_json, late"),
    ],
)
def test_verified_hold_refuses_rules_that_only_the_end_decides(fields: dict[str, Any], late: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(hold="verified", **fields)
    assert caught.value.field == "Policy.hold"
    assert f"decide only at the end of the answer: {late}." in str(caught.value)
    assert 'severity="warning"' in str(caught.value)
    with pytest.raises(PolicyError, match=r"Policy\.hold"):
        replace(Policy(**fields), hold=Hold(until="verified"))
    assert Policy(hold="message", **fields)


def test_verified_hold_accepts_rules_that_decide_in_time_or_only_warn() -> None:
    warning = FunctionRule(function=bool, severity=Severity.WARNING)
    early = FunctionRule(function=bool, span=40)
    assert Policy(hold="verified", guardrails=[warning, early], drift=True)
    assert Policy(hold="verified", guardrails="none")
    with pytest.raises(PolicyError, match=r"Hold\.window: got 39, allowed: at least 40"):
        Policy(hold=Hold(until="verified", window=39), guardrails=early)


def test_preset_in_a_list_of_guardrails_is_explained() -> None:
    with pytest.raises(PolicyError, match=r"a preset in a list as \*Guardrails\.recommended\(\)"):
        Policy(guardrails=["recommended", LATE])  # type: ignore[list-item]


def test_list_in_a_list_of_guardrails_is_explained() -> None:
    for wrong in ([Guardrails.recommended(), LATE], [[LATE], LATE]):
        with pytest.raises(PolicyError, match=r"a list in a list as \*rules, such as \*Guardrails\.recommended\(\)"):
            Policy(guardrails=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [[Guardrails.recommended(), LATE], ["a" * 150, "b" * 150], {"a" * 300: 1}, range(9)])
def test_error_shows_the_beginning_of_a_long_value(given: object) -> None:
    error = PolicyError("field", given, "less")
    assert len(str(error)) <= len("field: got ") + 205 + len(", allowed: less")
    assert str(error).endswith(", allowed: less")
    assert error.given is given


def test_policy_does_not_print_the_bundled_patterns() -> None:
    assert len(repr(Policy(guardrails=Guardrails.recommended()))) < 3_000
