"""Category, phase, policy and history to verdict; and how long each strategy waits."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import make_call, make_failure

from l0.engine import retry as retry_decisions
from l0.engine.retry import (
    LONGEST_SDK_WAIT,
    LONGEST_SERVER_WAIT,
    SHORTEST_SERVER_WAIT,
    AttemptProgress,
    Phase,
    RetryAfter,
    attempt_limit,
    can_fall_back,
    delay,
    repeatable,
    retry_decision,
)
from l0.engine.stop_reasons import NO_STOP, Stop, StopReason
from l0.model.call import RetrySafety
from l0.model.failure import CATEGORIES, RETRY_REASONS, Category, Cause
from l0.model.policy import BackoffStrategy, Fallback, Policy, Retry, RetryableErrorType, Timeout

OPENING, HOLDING, RELAYING = Phase.OPENING, Phase.HOLDING, Phase.RELAYING
NO_WAIT = Retry(base_delay=0)
WITH = Policy(retry=NO_WAIT)
RESUMING = Policy(resume="exact")
SDK, AT_ONCE, NEVER = RetryAfter(None), RetryAfter(0.0), None

NETWORK, TRANSIENT, MODEL = Cause.RESET, Cause.OVERLOADED, Cause.EMPTY
PROVIDER, FATAL = Cause.MALFORMED, Cause.QUOTA
HOPELESS = (Category.FATAL, Category.INTERNAL)


def verdict(cause, phase, policy=None, history=(), *, call=None, accepted=False, resumable=True, **fields):
    made = make_call(policy=policy or Policy(), **(call or {}))
    past = [make_failure(cause) for cause in history]
    progress = AttemptProgress(phase, accepted, resumable)
    decision = retry_decision(made, make_failure(cause, **fields), progress, past, lambda: 0.5)
    return decision if isinstance(decision, RetryAfter) else None


@pytest.mark.parametrize(
    ("cause", "phase", "policy", "history", "expected"),
    [
        # Without a policy, before the headers: the SDK decides.
        (NETWORK, OPENING, None, (), SDK),
        (TRANSIENT, OPENING, None, (), SDK),
        (TRANSIENT, OPENING, None, (TRANSIENT,), SDK),
        (TRANSIENT, OPENING, None, (TRANSIENT, TRANSIENT), NEVER),
        (FATAL, OPENING, None, (), NEVER),
        (Cause.AUTHENTICATION, OPENING, None, (), SDK),  # `x-should-retry: true` is the SDK's to obey
        (Cause.AUTHENTICATION, HOLDING, None, (), NEVER),
        # A rule that refuses a complete answer is no failed request: the SDK's number of retries holds.
        (Cause.GUARDRAIL_VIOLATION, OPENING, None, (), SDK),
        (Cause.DRIFT, OPENING, None, (), SDK),
        (Cause.DRIFT, OPENING, None, (Cause.DRIFT, Cause.DRIFT), NEVER),
        # A policy's own figures leave nothing fatal to the SDK, which would retry all of these.
        (Cause.TLS_CERTIFICATE, OPENING, WITH, (), NEVER),
        (Cause.REDIRECTS, OPENING, WITH, (), NEVER),
        (Cause.NOT_IMPLEMENTED, OPENING, WITH, (), NEVER),
        # Without a policy, after the headers: what broke on the way is repeated at once, the rest as the SDK waits.
        (NETWORK, HOLDING, None, (), AT_ONCE),
        (NETWORK, HOLDING, None, (NETWORK,), SDK),
        (NETWORK, HOLDING, None, (NETWORK, NETWORK), NEVER),
        (TRANSIENT, HOLDING, None, (), SDK),
        (MODEL, HOLDING, None, (), AT_ONCE),
        (PROVIDER, HOLDING, None, (), AT_ONCE),
        (FATAL, HOLDING, None, (), NEVER),
        # After the commit point nothing is repeated, unless the policy resumes: then as before it.
        (NETWORK, RELAYING, None, (), NEVER),
        (NETWORK, RELAYING, WITH, (), NEVER),
        (MODEL, RELAYING, WITH, (), NEVER),
        (NETWORK, RELAYING, RESUMING, (), AT_ONCE),
        (NETWORK, RELAYING, RESUMING, (NETWORK, NETWORK), NEVER),
        (TRANSIENT, RELAYING, RESUMING, (), SDK),
        (FATAL, RELAYING, RESUMING, (), NEVER),
        (Cause.DIVERGED, RELAYING, RESUMING, (), NEVER),
        (NETWORK, RELAYING, Policy(retry=NO_WAIT, resume="splice"), (NETWORK,) * 5, AT_ONCE),
        (NETWORK, RELAYING, Policy(retry=NO_WAIT, resume="splice"), (NETWORK,) * 6, NEVER),
        (NETWORK, RELAYING, Policy(retry=Retry(retry_on=()), resume="exact"), (), NEVER),
        # With a policy its own figures hold, before the headers and after them.
        (NETWORK, OPENING, WITH, (), AT_ONCE),
        (TRANSIENT, HOLDING, WITH, (TRANSIENT,) * 5, AT_ONCE),
        (TRANSIENT, HOLDING, WITH, (TRANSIENT,) * 6, NEVER),
        (FATAL, OPENING, WITH, (), NEVER),
        (FATAL, HOLDING, WITH, (), NEVER),
        # Model failures count against `attempts`, others do not.
        (MODEL, HOLDING, Policy(retry=Retry(attempts=1, base_delay=0)), (), AT_ONCE),
        (MODEL, HOLDING, Policy(retry=Retry(attempts=1, base_delay=0)), (MODEL,), NEVER),
        (MODEL, HOLDING, Policy(retry=Retry(attempts=1, base_delay=0)), (NETWORK,) * 5, AT_ONCE),
        (NETWORK, HOLDING, Policy(retry=Retry(attempts=1, base_delay=0)), (MODEL, NETWORK), AT_ONCE),
        (MODEL, HOLDING, Policy(retry=Retry(attempts=0, base_delay=0)), (), NEVER),
        (NETWORK, HOLDING, Policy(retry=Retry(attempts=0, base_delay=0)), (), AT_ONCE),
        (NETWORK, HOLDING, Policy(retry=Retry(max_retries=0)), (), NEVER),
        # Only the reasons that the user named.
        (NETWORK, HOLDING, Policy(retry=Retry(retry_on=["rate_limit"], base_delay=0)), (), NEVER),
        (Cause.RATE_LIMIT, HOLDING, Policy(retry=Retry(retry_on=["rate_limit"], base_delay=0)), (), AT_ONCE),
        (NETWORK, HOLDING, Policy(retry=Retry(retry_on=())), (), NEVER),
    ],
)
def test_verdicts(cause, phase, policy, history, expected):
    assert verdict(cause, phase, policy, history) == expected


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("cause", Cause)
def test_max_retries_of_zero_means_none_without_a_policy(cause, phase):
    assert verdict(cause, phase, call={"max_retries": 0, "default_retries": 2}) is NEVER


@pytest.mark.parametrize(
    ("phase", "policy", "reason"),
    [
        (HOLDING, None, StopReason.ACCEPTED),
        (RELAYING, None, StopReason.DELIVERED),
        (RELAYING, RESUMING, StopReason.NOT_RESUMABLE),
    ],
)
def test_reason_why_a_request_is_not_repeatable(phase, policy, reason):
    call = make_call(policy=policy or Policy(), retry_safety=RetrySafety.UNTIL_ACCEPTED)
    decision = retry_decision(call, make_failure(NETWORK), AttemptProgress(phase), (), lambda: 0.5)
    assert decision == Stop(reason)


@pytest.mark.parametrize("policy", [Policy(), RESUMING])
@pytest.mark.parametrize(
    ("early_release", "accepted", "reason"),
    [
        ("seconds", False, StopReason.RELEASED_BY_TIME),
        ("frames", False, StopReason.RELEASED_BY_COUNT),
        ("seconds", True, StopReason.ACCEPTED),
        ("accepted", True, StopReason.ACCEPTED),
    ],
)
def test_reason_why_an_answer_without_content_is_not_repeated(policy, early_release, accepted, reason):
    progress = AttemptProgress(RELAYING, accepted, early_release=early_release)
    decision = retry_decision(make_call(policy=policy), make_failure(NETWORK), progress, (), lambda: 0.5)
    assert decision == Stop(reason)


@pytest.mark.parametrize(
    ("early_release", "accepted", "replay", "repeated"),
    [
        ("seconds", False, "safe", True),
        ("frames", False, "safe", True),
        ("seconds", True, "safe", False),
        ("accepted", True, "safe", False),
        ("accepted", True, "always", True),
        (None, False, "safe", False),
    ],
)
def test_answer_without_content_is_repeated_unless_an_effect_could_happen_twice(
    early_release, accepted, replay, repeated
):
    progress = AttemptProgress(RELAYING, accepted, resumable=True, early_release=early_release)
    assert repeatable(make_call(policy=Policy(replay=replay)), progress) is repeated


@pytest.mark.parametrize(
    ("policy", "changes", "reason"),
    [
        (Policy(), {"max_retries": 0}, StopReason.RETRIES_OFF),
        (Policy(retry=Retry(max_retries=0)), {"max_retries": 0}, StopReason.RETRIES_USED),
        (Policy(), {"max_retries": 0, "read_once": "the source"}, StopReason.READ_ONCE),
        (WITH, {"max_retries": 0, "read_once": "the source"}, StopReason.READ_ONCE),
    ],
)
def test_reason_why_retries_are_off(policy, changes, reason):
    call = make_call(policy=policy, **changes)
    stop = retry_decision(call, make_failure(NETWORK), AttemptProgress(HOLDING), (), lambda: 0.5)
    assert stop == Stop(reason)
    assert attempt_limit(call, [make_failure(NETWORK)], stop) == 1


def test_policy_without_should_retry_logs_nothing(caplog):
    assert verdict(NETWORK, OPENING, WITH) == AT_ONCE
    assert caplog.messages == []


ASKING = {"retry": WITH, "resume": RESUMING, "hold": Policy(hold="message"), "structured": Policy(structured=True)}


@pytest.mark.parametrize("policy", ASKING.values(), ids=ASKING)
def test_a_policy_that_asks_for_retries_beats_max_retries_of_zero(policy):
    zero = {"max_retries": 0, "default_retries": 2}
    assert verdict(NETWORK, HOLDING, policy, call=zero) is not NEVER
    limit = policy.retry.max_retries if policy.retry else 2
    assert verdict(NETWORK, HOLDING, policy, (NETWORK,) * limit, call=zero) is NEVER
    assert verdict(NETWORK, HOLDING, policy, call={"max_retries": 0}) is NEVER  # a body that can be read once


@pytest.mark.parametrize("policy", [Policy(hold="first_content"), Policy(timeout=Timeout()), Policy(breaker=True)])
def test_a_policy_that_asks_for_no_retries_obeys_max_retries_of_zero(policy):
    assert verdict(NETWORK, HOLDING, policy, call={"max_retries": 0, "default_retries": 2}) is NEVER


@pytest.mark.parametrize("cause", Cause)
def test_only_fatal_and_internal_categories_are_never_retried(cause):
    hopeless = CATEGORIES[cause] in HOPELESS
    assert (verdict(cause, HOLDING, WITH) is NEVER) == hopeless
    assert (verdict(cause, HOLDING, None) is NEVER) == hopeless


@pytest.mark.parametrize("reason", RetryableErrorType)
def test_retry_reason_covers_its_causes_only(reason):
    policy = Policy(retry=Retry(retry_on=[reason], base_delay=0))
    repeated = {cause for cause in Cause if verdict(cause, HOLDING, policy) is not NEVER}
    assert repeated == {c for c in Cause if RETRY_REASONS[c] is reason and CATEGORIES[c] not in HOPELESS}


@pytest.mark.parametrize("policy", [None, WITH], ids=["sdk", "policy"])
def test_accepted_request_is_not_retried_if_unsafe(policy):
    tools = {"retry_safety": RetrySafety.UNTIL_ACCEPTED}
    assert verdict(NETWORK, OPENING, policy, call=tools) is not NEVER
    assert verdict(NETWORK, HOLDING, policy, call=tools) is NEVER
    for safety in (RetrySafety.SAFE, RetrySafety.UNTIL_SEEN, RetrySafety.UNTIL_EFFECT):
        assert verdict(NETWORK, HOLDING, policy, call={"retry_safety": safety}) is not NEVER
        assert verdict(NETWORK, HOLDING, policy, call={"retry_safety": safety}, accepted=True) is NEVER


@pytest.mark.parametrize("safety", RetrySafety)
def test_replay_of_a_policy_beats_what_the_request_allows(safety):
    always, never = (Policy(retry=NO_WAIT, replay=mode) for mode in ("always", "never"))
    call = {"retry_safety": safety}
    assert verdict(NETWORK, HOLDING, always, call=call, accepted=True) is not NEVER
    assert verdict(NETWORK, OPENING, never, call=call) is not NEVER
    assert verdict(NETWORK, HOLDING, never, call=call) is NEVER


# Taking up, and falling over


@pytest.mark.parametrize("mode", ["exact", "prefill", "splice"])
@pytest.mark.parametrize("safety", RetrySafety)
def test_only_resumable_answers_are_repeatable_after_the_commit_point(mode, safety):
    made = make_call(policy=Policy(resume=mode), retry_safety=safety)
    assert repeatable(made, AttemptProgress(RELAYING, resumable=True))
    assert not repeatable(made, AttemptProgress(RELAYING, resumable=False))
    assert not repeatable(
        make_call(policy=Policy(resume=mode), resumable=False), AttemptProgress(RELAYING, resumable=True)
    )
    assert not repeatable(make_call(), AttemptProgress(RELAYING, resumable=True))


def test_no_resume_after_a_failure_delivered_as_an_event():
    assert verdict(NETWORK, RELAYING, RESUMING, typed=True) is NEVER
    assert verdict(NETWORK, HOLDING, RESUMING, typed=True) is not NEVER


@pytest.mark.parametrize("cause", Cause)
def test_causes_that_fall_back(cause):
    """Whatever another model or provider may do better; a bad request of the primary is bad everywhere."""
    everywhere = {Cause.BAD_REQUEST, Cause.TOTAL_TIMEOUT, Cause.DIVERGED, Cause.INTERNAL, Cause.LOCAL, Cause.UNKNOWN}
    made, failure = make_call(), make_failure(cause)
    assert can_fall_back(made, 0, failure, AttemptProgress(OPENING)) == (cause not in everywhere)
    assert can_fall_back(made, 0, failure, AttemptProgress(HOLDING)) == (cause not in everywhere)
    assert can_fall_back(made, 1, failure, AttemptProgress(OPENING)) == (cause not in everywhere - {Cause.BAD_REQUEST})


@pytest.mark.parametrize("policy", [Policy(), Policy(resume="exact"), Policy(resume="prefill"), WITH])
@pytest.mark.parametrize("cause", Cause)
def test_no_fallback_after_the_commit_point(cause, policy):
    progress = AttemptProgress(RELAYING, accepted=True, resumable=True)
    assert not can_fall_back(make_call(policy=policy), 0, make_failure(cause), progress)


@pytest.mark.parametrize("mode", ["splice", "restart"])
def test_continuation_or_restart_falls_back_after_the_commit_point(mode):
    call = make_call(policy=Policy(resume=mode))
    assert can_fall_back(call, 0, make_failure(), AttemptProgress(RELAYING, resumable=True))
    assert not can_fall_back(call, 0, make_failure(), AttemptProgress(RELAYING, resumable=False))
    assert not can_fall_back(call, 0, make_failure(Cause.BAD_REQUEST), AttemptProgress(RELAYING, resumable=True))
    assert not can_fall_back(call, 0, make_failure(typed=True), AttemptProgress(RELAYING, resumable=True))


def test_accepted_request_does_not_fall_back():
    """Another model would do on the server's side what the first has begun to do."""
    failure = make_failure()
    assert not can_fall_back(make_call(retry_safety=RetrySafety.UNTIL_ACCEPTED), 0, failure, AttemptProgress(HOLDING))
    assert not can_fall_back(
        make_call(retry_safety=RetrySafety.UNTIL_EFFECT), 0, failure, AttemptProgress(HOLDING, accepted=True)
    )
    assert can_fall_back(make_call(retry_safety=RetrySafety.UNTIL_EFFECT), 0, failure, AttemptProgress(HOLDING))
    assert can_fall_back(make_call(retry_safety=RetrySafety.UNTIL_ACCEPTED), 0, failure, AttemptProgress(OPENING))


def test_sdk_veto_holds_without_a_policy():
    assert verdict(TRANSIENT, OPENING, sdk_retries=False) is NEVER


def test_server_veto_holds_with_a_policy_unless_the_connection_broke():
    assert verdict(TRANSIENT, OPENING, WITH, status=503, sdk_retries=False) is NEVER
    assert verdict(TRANSIENT, OPENING, WITH, status=503) == AT_ONCE
    assert verdict(NETWORK, OPENING, WITH) == AT_ONCE


@pytest.mark.parametrize("status", [400, 401, 404])
def test_sdk_that_retries_a_refused_request_has_a_reason_which_holds_with_a_policy(status):
    cause = {400: Cause.BAD_REQUEST, 401: Cause.AUTHENTICATION, 404: Cause.NOT_FOUND}[status]
    assert verdict(cause, OPENING, WITH, status=status) == AT_ONCE
    assert verdict(cause, OPENING, WITH, status=status, sdk_retries=False) is NEVER
    assert verdict(cause, HOLDING, WITH, status=status) is NEVER
    assert verdict(cause, OPENING, WITH, (cause,) * NO_WAIT.max_retries, status=status) is NEVER


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (Cause.NOT_IMPLEMENTED, 501),
        (Cause.QUOTA, 402),
        (Cause.AUTHENTICATION, 429),
        (Cause.TLS_CERTIFICATE, None),
        (Cause.REDIRECTS, None),
    ],
)
def test_a_retry_of_the_sdk_without_a_reason_is_none_with_a_policy(cause, status):
    assert verdict(cause, OPENING, WITH, status=status) is NEVER


# What the server asks for, and what the user vetoes


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (0.0, RetryAfter(3.0)),
        (0.001, RetryAfter(3.0)),
        (0.25, RetryAfter(3.0)),
        (3.0, RetryAfter(3.0)),
        (3.001, RetryAfter(3.001, by_server=True)),
        (59.9, RetryAfter(59.9, by_server=True)),
        (60.0, RetryAfter(60.0, by_server=True)),
    ],
)
def test_retry_after_wins_over_the_strategy_and_never_shortens_it(wait, expected):
    policy = Policy(retry=Retry(base_delay=3.0, max_delay=5.0, strategy=BackoffStrategy.FIXED))
    assert verdict(Cause.RATE_LIMIT, OPENING, policy, status=429, retry_after=wait) == expected


@pytest.mark.parametrize("strategy", BackoffStrategy)
@pytest.mark.parametrize("past", range(6))
def test_short_retry_after_uses_the_delay_of_the_strategy(strategy, past):
    policy = Policy(retry=Retry(base_delay=1.0, max_delay=60.0, strategy=strategy))
    history = (TRANSIENT,) * past
    usual = verdict(Cause.RATE_LIMIT, OPENING, policy, history, status=429)
    assert verdict(Cause.RATE_LIMIT, OPENING, policy, history, status=429, retry_after=0.0) == usual
    assert verdict(Cause.RATE_LIMIT, OPENING, policy, history, status=429, retry_after=0.01) == usual


def test_retry_after_of_milliseconds_is_not_exempt_from_the_budget():
    assert verdict(Cause.RATE_LIMIT, OPENING, WITH, status=429, retry_after=0.001) == RetryAfter(0.001)
    real = verdict(Cause.RATE_LIMIT, OPENING, WITH, status=429, retry_after=SHORTEST_SERVER_WAIT)
    assert real == RetryAfter(SHORTEST_SERVER_WAIT, by_server=True)


@pytest.mark.parametrize("asked", [60.001, 3600.0])
def test_retry_after_above_a_minute_is_not_waited_for(asked):
    assert asked > LONGEST_SERVER_WAIT
    failure = {"status": 429, "retry_after": asked}
    assert verdict(Cause.RATE_LIMIT, OPENING, WITH, **failure) is NEVER
    assert verdict(Cause.RATE_LIMIT, HOLDING, None, **failure) is NEVER
    assert verdict(Cause.RATE_LIMIT, OPENING, Policy(fallback=[Fallback(model="other")]), **failure) is NEVER


def test_without_a_policy_the_sdk_decides_how_long_it_waits_up_to_two_minutes():
    assert verdict(Cause.RATE_LIMIT, OPENING, None, status=429, retry_after=LONGEST_SDK_WAIT) == SDK
    assert verdict(Cause.RATE_LIMIT, OPENING, None, status=429, retry_after=3600.0) is NEVER
    assert verdict(Cause.RATE_LIMIT, OPENING, None, status=429, retry_after=90.0, sdk_retries=False) is NEVER


def test_should_retry_vetoes_and_gets_the_failure():
    seen = []
    policy = Policy(retry=Retry(base_delay=0, should_retry=lambda failure: bool(seen.append(failure))))
    assert verdict(NETWORK, HOLDING, policy) is NEVER
    assert [failure.cause for failure in seen] == [NETWORK]


def test_should_retry_cannot_force_a_retry():
    policy = Policy(retry=Retry(base_delay=0, should_retry=lambda _: True))
    assert verdict(FATAL, HOLDING, policy) is NEVER
    assert verdict(NETWORK, RELAYING, policy) is NEVER
    assert verdict(NETWORK, HOLDING, policy, (NETWORK,) * 6) is NEVER


def test_failing_should_retry_is_ignored():
    policy = Policy(retry=Retry(base_delay=0, should_retry=lambda failure: failure.no_such_field))
    assert verdict(NETWORK, HOLDING, policy) == AT_ONCE


# Delays: strategies of the guide, in seconds

delays = st.builds(
    Retry,
    base_delay=st.floats(0, 99),
    max_delay=st.floats(0, 99),
    strategy=st.sampled_from(list(BackoffStrategy)),
)
chances = st.floats(0, 1, exclude_max=True)


DELAYS = [
    ("fixed", 0.9, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ("linear", 0.9, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ("exponential", 0.9, [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]),
    ("full_jitter", 0.0, [0.0] * 6),
    ("full_jitter", 0.5, [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]),
    ("fixed_jitter", 0.0, [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]),
    ("fixed_jitter", 0.5, [0.75, 1.5, 3.0, 6.0, 7.5, 7.5]),
]
"""Strategy, chance, and the delays of retries 1 to 6 in seconds, for a base of 1 s and at most 10 s."""


@pytest.mark.parametrize(("strategy", "chance", "expected"), DELAYS)
def test_delays_of_each_backoff_strategy(strategy, chance, expected):
    retry = Retry(strategy=strategy, base_delay=1.0, max_delay=10.0)
    assert [delay(retry, number, chance) for number in range(1, 7)] == expected


def test_every_backoff_strategy_has_its_delays_in_the_table():
    assert {strategy for strategy, _, _ in DELAYS} == set(BackoffStrategy)


@given(retry=delays, number=st.integers(1, 5000), chance=chances)
@settings(max_examples=150)
def test_no_delay_is_negative_or_above_the_longest(retry, number, chance):
    assert 0.0 <= delay(retry, number, chance) <= retry.max_delay


@given(retry=delays, chance=chances)
@settings(max_examples=80)
def test_delays_never_shrink(retry, chance):
    waits = [delay(retry, number, chance) for number in range(1, 12)]
    assert all(early <= late for early, late in pairwise(waits))


@given(base=st.floats(0.001, 50), number=st.integers(1, 40), chance=chances)
@settings(max_examples=80)
def test_jitter_stays_within_its_bounds(base, number, chance):
    full = Retry(strategy="full_jitter", base_delay=base, max_delay=100)
    fixed = Retry(strategy="fixed_jitter", base_delay=base, max_delay=100)
    doubled = min(base * 2 ** (number - 1), 100)
    assert delay(full, number, chance) <= doubled
    assert 0.5 * doubled <= delay(fixed, number, chance) <= doubled


@pytest.mark.parametrize(
    ("cause", "field"),
    [(Cause.DNS, "dns_error"), (Cause.RESET, "econnreset"), (Cause.TRUNCATED, "sse_aborted"), (Cause.DEAD, "no_bytes")],
)
def test_a_failure_of_the_network_starts_from_the_delay_of_its_type(cause, field):
    made = {"strategy": "exponential", "base_delay": 1.0, "max_delay": 2.0, "network_max_delay": 20.0}
    policy = Policy(retry=Retry(**made, error_type_delays={field: 7.0}))
    assert verdict(cause, HOLDING, policy) == RetryAfter(7.0)
    assert verdict(cause, HOLDING, policy, (NETWORK, NETWORK)) == RetryAfter(20.0)
    assert verdict(TRANSIENT, HOLDING, policy) == RetryAfter(1.0)
    assert verdict(cause, HOLDING, Policy(retry=Retry(**made))) == RetryAfter(1.0)


def test_the_number_of_the_retry_counts_all_failures():
    policy = Policy(retry=Retry(strategy="linear", base_delay=1.0, max_delay=60.0))
    assert verdict(NETWORK, HOLDING, policy, (TRANSIENT, NETWORK)) == RetryAfter(3.0)


@pytest.mark.parametrize(
    ("wait", "own", "asked"),
    [(0.1, 0.0, True), (0.099, 0.0, False), (1.0, 0.9, True), (1.0, 1.0, False), (None, 0.0, False)],
)
def test_requested_wait_is_at_least_100_ms_and_longer_than_the_backoff(wait, own, asked):
    assert retry_decisions.server_requires_wait(make_failure(retry_after=wait), own) is asked


def test_progress_is_not_resumable_by_default():
    assert not retry_decisions.AttemptProgress(retry_decisions.Phase.RELAYING).resumable


@pytest.mark.parametrize("cause", [Cause.GUARDRAIL_VIOLATION, Cause.DRIFT])
def test_fatal_violation_does_not_fall_back(cause):
    assert can_fall_back(make_call(), 0, make_failure(cause), AttemptProgress(HOLDING))
    assert not can_fall_back(make_call(), 0, make_failure(cause, category=Category.FATAL), AttemptProgress(HOLDING))


@pytest.mark.parametrize("cause", [cause for cause in Cause if CATEGORIES[cause] in (Category.MODEL, Category.CONTENT)])
def test_failures_of_model_and_content_count_against_attempts(cause):
    policy = Policy(retry=Retry(attempts=1, base_delay=0))
    assert verdict(cause, HOLDING, policy) == AT_ONCE
    assert verdict(cause, HOLDING, policy, (cause,)) is NEVER


IN_TRANSIT = {
    Cause.RESET, Cause.INCOMPLETE_READ, Cause.CORRUPT, Cause.TRUNCATED, Cause.EMPTY, Cause.NOT_A_STREAM,
    Cause.MALFORMED, Cause.OUT_OF_ORDER, Cause.READ_TIMEOUT, Cause.FIRST_CONTENT_TIMEOUT,
}  # fmt: skip


@pytest.mark.parametrize("cause", Cause)
def test_first_retry_without_policy_is_immediate_only_after_a_failure_in_transit(cause):
    assert (verdict(cause, HOLDING) == AT_ONCE) == (cause in IN_TRANSIT)


def test_server_veto_needs_a_status_and_holds_before_the_headers_only():
    assert verdict(NETWORK, OPENING, WITH, sdk_retries=False) == AT_ONCE
    assert verdict(TRANSIENT, HOLDING, WITH, status=200, sdk_retries=False) == AT_ONCE


def test_retry_after_of_exactly_the_longest_wait_is_waited_for():
    failure = {"status": 429, "retry_after": LONGEST_SERVER_WAIT}
    assert verdict(Cause.RATE_LIMIT, OPENING, WITH, **failure) == RetryAfter(LONGEST_SERVER_WAIT, by_server=True)
    assert verdict(Cause.RATE_LIMIT, HOLDING, None, **failure) == SDK


def test_should_retry_that_returns_a_coroutine_is_ignored(caplog):
    async def veto():
        return False

    policy = Policy(retry=Retry(base_delay=0, should_retry=lambda _: veto()))
    assert verdict(NETWORK, HOLDING, policy) == AT_ONCE
    assert "returned a coroutine" in caplog.text


LIMITED = Policy(retry=Retry(attempts=2, max_retries=6))


@pytest.mark.parametrize(
    ("policy", "causes", "limit"),
    [
        (LIMITED, [MODEL], 3),
        (LIMITED, [MODEL] * 3, 3),
        (LIMITED, [NETWORK, MODEL, MODEL], 4),
        (LIMITED, [NETWORK], 7),
        (LIMITED, [MODEL, NETWORK], 7),
        (Policy(retry=Retry(attempts=5, max_retries=1)), [MODEL], 2),
        (Policy(retry=Retry(attempts=0)), [MODEL], 1),
        (Policy(), [MODEL], 3),
        (Policy(retry=Retry(), fallback=Fallback(model="other")), [MODEL], None),
        (Policy(retry=Retry(), hedge=True), [MODEL], None),
        (LIMITED, [], None),
    ],
)
def test_attempt_limit_is_that_of_the_failure(policy, causes, limit):
    failures = [make_failure(cause) for cause in causes]
    assert attempt_limit(make_call(policy=policy), failures, Stop(StopReason.DELIVERED)) == limit
    assert attempt_limit(make_call(policy=policy), failures, NO_STOP) is None
    assert attempt_limit(make_call(policy=policy), failures, Stop(StopReason.HALTED)) is None


@pytest.mark.parametrize("policy", [Policy(), WITH])
@pytest.mark.parametrize("cause", [Cause.GUARDRAIL_VIOLATION, Cause.DRIFT])
def test_fatal_rule_is_the_reason_for_no_retry(policy, cause):
    failure = make_failure(cause, category=Category.FATAL)
    decision = retry_decision(make_call(policy=policy), failure, AttemptProgress(HOLDING, True, True), [], lambda: 0.5)
    assert decision == Stop(StopReason.HALTED)
