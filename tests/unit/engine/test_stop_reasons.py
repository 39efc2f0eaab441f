"""The wording of the reasons why there was no further attempt, and of messages with them."""

from typing import get_args

import pytest
from makers import make_call, make_failure

from l0.engine.stop_reasons import NO_STOP, Stop, StopReason, describe_stop, policy_field
from l0.model.error_context import ErrorContext
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy, ResumeMode, Retry, Timeout

POLICY = Policy(retry=Retry(attempts=2, max_retries=4), timeout=Timeout(total=30_000), resume="exact", replay="never")
WORDING = {
    StopReason.HOPELESS: "",
    StopReason.HALTED: 'the severity of the rule is "fatal"',
    StopReason.DELIVERED: 'content had been delivered, and Policy.resume is "off"',
    StopReason.NOT_RESUMABLE: (
        'content had been delivered, and Policy.resume="exact" cannot resume this answer '
        "(needed: only text so far, and a request without lasting effects)"
    ),
    StopReason.RELEASED_BY_TIME: (
        "this answer cannot be restarted, and events without content had been delivered after 2 s (Hold.seconds)"
    ),
    StopReason.RELEASED_BY_COUNT: (
        "this answer cannot be restarted, and 64 events without content had been delivered (Hold.frames)"
    ),
    StopReason.ACCEPTED: 'a retry could have an effect twice (Policy.replay="never")',
    StopReason.RETRIES_OFF: "max_retries is 0",
    StopReason.READ_ONCE: "the body of the request can be read only once",
    StopReason.RETRIES_USED: "all retries are used (Retry.max_retries=4)",
    StopReason.ATTEMPTS_USED: "all retries for failures of the model are used (Retry.attempts=2)",
    StopReason.NOT_RETRIED_ON: 'Retry.retry_on does not contain "rate_limit"',
    StopReason.VETOED: "Retry.should_retry rejected it",
    StopReason.SERVER_WAIT: "the server asks to wait 90.5 s, more than the limit of 12.25 s",
    StopReason.WAIT_TOO_LONG: "the wait of 12.25 s would pass Timeout.total of 30,000 ms",
    StopReason.OUT_OF_TIME: "Timeout.total of 30,000 ms has passed",
    StopReason.REFUSED: "the guard {says} no",
}


@pytest.mark.parametrize("reason", StopReason)
def test_wording_of_a_stop_reason(reason):
    stop = Stop(reason, 12.25, "the guard {says} no")
    failure = make_failure(Cause.RATE_LIMIT, retry_after=90.5)
    call = make_call(policy=POLICY, read_once="the body of the request")
    assert describe_stop(stop, call, failure) == WORDING[reason]


def test_retry_limit_of_the_client_is_named():
    text = describe_stop(Stop(StopReason.RETRIES_USED), make_call(max_retries=3), make_failure())
    assert text == "all retries are used (max_retries=3)"


@pytest.mark.parametrize(
    ("stop", "field"),
    [
        (NO_STOP, "Policy.adaptive"),
        (Stop(StopReason.RETRIES_USED), "max_retries"),
        (Stop(StopReason.REFUSED), "Policy.budget"),
    ],
)
def test_field_that_ended_the_call_is_that_of_the_stop_or_of_the_limit(stop, field):
    failure = Failure(cause=Cause.FIRST_CONTENT_TIMEOUT, policy_field="Policy.adaptive")
    assert policy_field(stop, make_call(), failure) == field


STALLED = Failure(cause=Cause.STALLED, message="no further content within 10,000 ms (Timeout.inter_token)")
BEGINNING = "The answer was interrupted (stalled): no further content within 10,000 ms (Timeout.inter_token). "


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (ErrorContext(text="Hello", attempts=1), "5 characters had arrived; attempt 1."),
        (ErrorContext(text="", attempts=2, max_attempts=3), "0 characters had arrived; attempt 2 of 3."),
        (
            ErrorContext(text="Hello", attempts=3, max_attempts=3, stop="all retries are used (Retry.max_retries=2)"),
            "5 characters had arrived; attempt 3 of 3. No further attempt: all retries are used (Retry.max_retries=2).",
        ),
    ],
)
def test_message_of_an_interruption(context, message):
    assert context.describe(STALLED) == BEGINNING + message


@pytest.mark.parametrize("mode", get_args(ResumeMode))
def test_every_mode_of_resume_has_its_requirements(mode: ResumeMode) -> None:
    call = make_call(policy=Policy(resume=mode))
    text = describe_stop(Stop(StopReason.NOT_RESUMABLE), call, make_failure(Cause.RESET))
    assert f'Policy.resume="{mode}" cannot resume this answer (needed: ' in text
