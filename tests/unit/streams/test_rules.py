"""Guardrails and drift in the explicit API: what they find is told, and acted on."""

import re
from typing import Any

import pytest
from streams_kit import DRIVERS, QUICK, Log, Source

from l0 import CheckIntervals, Guardrails, PolicyError, StreamInterrupted, l0

EVERY = CheckIntervals(guardrails=1, drift=1)
FORBIDDEN = Guardrails.pattern_rule([re.compile("secret")], "no secrets")
TURNING = ["As an AI language model, ", "I cannot ", "answer that. "] * 3


def nothing(stream: Any, events: list[Any]) -> bool:
    return False


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_violation_before_the_first_word_is_repeated(driver: str) -> None:
    log = Log()
    source = Source(["a secret"], ["all clear"])
    _, error, stream = DRIVERS[driver](
        [source], nothing, guardrails=[FORBIDDEN], check_intervals=EVERY, retry=QUICK, **log.callbacks()
    )
    assert error is None
    assert stream.state.content == "all clear"
    assert log.names[:4] == ["on_start", "on_violation", "on_retry", "on_event"]
    assert [violation.rule for violation in stream.state.violations] == [FORBIDDEN.name]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_violation_after_delivery_raises(driver: str) -> None:
    log = Log()
    events, error, _ = DRIVERS[driver](
        [Source(["a ", "secret ", "here"])], nothing, guardrails=[FORBIDDEN], check_intervals=EVERY, **log.callbacks()
    )
    assert isinstance(error, StreamInterrupted)
    assert error.reason == "guardrail_violation"
    assert "secret" not in "".join(event.text for event in events)
    assert log.names[-2:] == ["on_violation", "on_error"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_drift_has_a_callback_of_its_own(driver: str) -> None:
    log = Log()
    _, _, stream = DRIVERS[driver]([Source(TURNING)], nothing, drift=True, check_intervals=EVERY, **log.callbacks())
    assert "on_drift" in log.names
    assert "on_violation" not in log.names
    assert {violation.rule.partition(".")[0] for violation in stream.state.violations} == {"drift"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"guardrails": ["json"]}, "guardrails"),
        ({"guardrails": "severe"}, "guardrails"),
        ({"drift": "yes"}, "drift"),
        ({"fallbacks": ["gpt-4o"]}, "fallbacks"),
        ({"resume": "prefill"}, "resume"),
        ({"resume": "splice"}, "stream"),
        ({"timeout": 5}, "timeout"),
        ({"retry": 3}, "retry"),
        ({"on_token": "print"}, "on_token"),
        ({"policy": "interactive"}, "policy"),
        ({"colour": "blue"}, "colour"),
    ],
    ids=str,
)
def test_bad_options_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        l0.run_sync(lambda: ["a"], **options)
