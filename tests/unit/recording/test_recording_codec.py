"""Every signal, command and call goes to JSON and comes back equal."""

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from math import inf
from typing import Any, get_args

import pytest
from makers import make_call, make_failure

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.engine.signals import Answered, Begin, Closed, Ended, Failed, Opened, Released, Signal, Slow, Waited
from l0.engine.stop_reasons import Stop, StopReason
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome, RetrySafety, TerminalRule
from l0.model.failure import Category, Cause
from l0.model.policy import Fallback, Hedge, Hold, Policy, Retry, Timeout
from l0.model.resume_state import ResumeState
from l0.recording.recording_codec import Unrecorded, decode, encode, recorded_types
from l0.rules.guardrails.catalogue import Guardrails

STATE = ResumeState(text="so far \ud83d", other_events=2, response_id="r", reader_state={"at": 3, "$": [1, None]})
POLICY = Policy(
    timeout=Timeout(total=90_000),
    retry=Retry(attempts=2, retry_on=("network_error",), error_type_delays={"timeout": 2.0}),
    truncation={"https://a.example/v1": "warn"},
    fallback=(Fallback(model="other"),),
    hedge=Hedge(after=500),
    hold=Hold(until="verified"),
    drift=True,
)
VALUES: list[Any] = [
    Begin(1.5),
    Slow(2.0),
    Answered(2.0),
    Opened(2.0, hedge=True),
    Released(2.0),
    Ended(Cause.TRUNCATED, 3.0, accepted=True, resume_state=STATE),
    Failed(make_failure(Cause.RATE_LIMIT, status=429, retry_after=2.5, code="slow_down", request_id="q"), 3.0),
    Waited(4.0, vetoed=True),
    Closed(4.0),
    AttemptSpec(number=2, leg=1, waited_s=0.25, remaining_s=inf, resume="splice", resume_state=STATE, hedge=True),
    Relay(True),
    Wait(0.5, Stop(StopReason.REFUSED, 1.0, "the budget"), asks=True),
    Finish(Outcome.RECOVERED_RETRY, ("truncated",)),
    Raise(make_failure(Cause.DNS), Stop(StopReason.RETRIES_USED)),
    make_call(
        policy=POLICY, fallback_rules=(TerminalRule("https://b.example", None),), unresumable_legs=frozenset({1})
    ),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_equal(value: Any) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert_equal(value, back)


def assert_equal(value: Any, back: Any) -> None:
    """Compare by fields, as several classes compare by identity."""
    assert type(back) is type(value)
    if not is_dataclass(value):
        expected = (
            value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if type(value) is str else value
        )
        assert back == expected
        return
    for field in fields(value):
        if field.name in ("body", "tracer_provider", "detail"):
            continue
        assert_equal(getattr(value, field.name), getattr(back, field.name))


def test_every_signal_and_command_is_in_the_table() -> None:
    assert {type(value) for value in VALUES} == {*get_args(Signal), *get_args(Command), Call}


def test_the_recorded_types_have_names_of_their_own_and_reach_the_policy() -> None:
    kinds = recorded_types()
    assert {"Policy", "Timeout", "Retry", "Failure", "ResumeState", "Stop", "Hold", "Hedge", "Fallback"} <= set(kinds)
    assert all(kind.__name__ == name for name, kind in kinds.items())


def test_functions_rules_and_exceptions_are_recorded_by_name() -> None:
    policy = Policy(guardrails=(Guardrails.json_rule(),), retry=Retry(should_retry=lambda failure: True))
    failure = make_failure(error=KeyError("secret"))
    back = decode(encode(make_call(policy=policy)))
    assert isinstance(back.policy.guardrails[0], Unrecorded)
    assert back.policy.retry.should_retry.name.endswith("<lambda>")
    assert decode(encode(failure)).error == Unrecorded("builtins.KeyError")
    assert "secret" not in json.dumps(encode(failure))


def test_a_class_and_a_field_of_another_version_are_no_error() -> None:
    assert decode({"$": "Later", "x": 1}) == Unrecorded("Later")
    back = decode({"$": "Failure", "cause": "a_later_cause", "unknown": 1})
    assert (back.cause, back.status) == ("a_later_cause", None)


def test_enumerations_come_back_as_members() -> None:
    back = decode(encode(make_failure(Cause.QUOTA)))
    assert back.cause is Cause.QUOTA
    assert back.category is Category.FATAL
    assert isinstance(decode(encode(make_call())).retry_safety, Enum)


def test_a_field_of_format_1_has_its_present_name() -> None:
    written = encode(make_call(retry_safety=RetrySafety.UNTIL_SEEN))
    written["replay"] = written.pop("retry_safety")
    assert decode(written).retry_safety is RetrySafety.UNTIL_SEEN
