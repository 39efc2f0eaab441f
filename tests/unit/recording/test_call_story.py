"""The story of a recorded call names the field of the policy that set the limit that passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import make_call
from recording_kit import begin, calls_in, recorder

from l0.engine.machine import ADMIT_ALL
from l0.engine.signals import Begin, Ended, Failed, Opened
from l0.model.call import Outcome
from l0.model.failure import Cause, Failure
from l0.model.policy import Fallback, Policy, Timeout
from l0.recording.call_story import call_story

POLICY = Policy(timeout=Timeout(initial_token=5000), adaptive=True, fallback=[Fallback(model="other")])
SHOWN = {
    "Timeout.initial_token": "Timeout.initial_token=5000 ms",
    "Policy.adaptive": "Policy.adaptive=True",
    "": "",  # a limit of the SDK
}


@pytest.mark.parametrize("cause", [Cause.NO_HEADERS, Cause.FIRST_CONTENT_TIMEOUT])
@pytest.mark.parametrize("field", SHOWN)
def test_the_story_names_the_limit_that_passed(tmp_path: Path, field: str, cause: Cause) -> None:
    with recorder(tmp_path) as made:
        call = begin(made, policy=POLICY)
        machine = call.machine(make_call(policy=POLICY), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
        machine.step(Begin(0.0))
        machine.step(Failed(Failure(cause=cause, policy_field=field), 6.0))
        call.ended(Outcome.FAILED, None, 6.0)
    (recorded,) = calls_in(tmp_path)
    assert [event.field for event in call_story(recorded) if event.subject == "signal"] == [SHOWN[field]]


@pytest.mark.parametrize(
    ("missing", "field"), [(Cause.TRUNCATED, "Policy.truncation='strict'"), (Cause.EMPTY, ""), (Cause.NOT_A_STREAM, "")]
)
def test_the_story_names_truncation_only_where_it_decided(tmp_path: Path, missing: Cause, field: str) -> None:
    policy = Policy(truncation="strict")
    with recorder(tmp_path) as made:
        call = begin(made, policy=policy, strict=True)
        machine = call.machine(make_call(policy=policy, strict=True), lambda: 0.5, lambda number, failure: 0, ADMIT_ALL)
        for signal in (Begin(0.0), Opened(1.0), Ended(missing, 2.0)):
            machine.step(signal)
        call.ended(Outcome.FAILED, None, 6.0)
    (recorded,) = calls_in(tmp_path)
    assert [event.field for event in call_story(recorded) if event.subject == "signal"] == [field]
