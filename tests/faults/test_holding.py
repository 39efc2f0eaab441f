"""Policy.hold: "message" holds the whole answer, so every break can be retried; "verified" holds a window for rules."""

import re
from datetime import timedelta
from itertools import accumulate

import pytest
from faults_kit import Stage, sync_and_async
from resume_kit import (
    BACKGROUND_API,
    CHAT_API,
    LINES,
    MESSAGES_API,
    POEM,
    QUICK,
    RERUN,
    Api,
    broken,
    cuts,
    interrupted,
    play,
    rerun,
    same,
)

import l0
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply

pytestmark = pytest.mark.usefixtures("on")

MESSAGE = l0.Policy(hold="message", retry=QUICK, truncation="strict")
TOOL = Answer(
    text="Let me look.", tool_calls=(SimulatedToolCall(name="weather", arguments='{"city": "Oslo", "days": 3}'),)
)
WINDOW = 40


def verified(**more: object) -> l0.Policy:
    return l0.Policy(
        **{"hold": l0.Hold(until="verified", window=WINDOW), "retry": QUICK, "truncation": "strict"} | more
    )


# "message"


@sync_and_async
@rerun
@pytest.mark.parametrize("answer", [LINES, TOOL], ids=["text", "tool call"])
def test_held_message_is_retried_without_visible_break(stage: Stage, api: Api, answer: Answer, sync: bool) -> None:
    """The second attempt may bring another answer: the user has seen nothing of the first."""
    other = Answer(text="Another answer, to the end.")
    first = play(stage, api, Reply(answer=answer), sync=sync, policy=MESSAGE)
    second = play(stage, api, Reply(answer=other), sync=sync, policy=MESSAGE)
    for fault in (*cuts(api, answer, bytes_each=4), Fault.in_band_error(at_event=9), Fault.malformed(at_event=9)):
        got = play(stage, api, broken(answer, fault), Reply(answer=other), sync=sync, policy=MESSAGE)
        wrong = same(got, second if len(got.requests) == 2 else first)
        assert wrong is None, f"{fault}: {wrong}"
        assert len(got.requests) <= 2


@sync_and_async
@rerun
@pytest.mark.parametrize("answer", [LINES, TOOL], ids=["text", "tool call"])
def test_nothing_of_a_held_message_is_delivered_if_the_call_fails(
    stage: Stage, api: Api, answer: Answer, sync: bool
) -> None:
    policy = l0.Policy(hold="message", truncation="strict", retry=l0.Retry(max_retries=1, base_delay=0.001))
    for fault in (*cuts(api, answer, bytes_each=2), Fault.in_band_error(at_event=9), Fault.malformed(at_event=9)):
        got = play(stage, api, *[broken(answer, fault)] * 2, sync=sync, policy=policy)
        if len(got.requests) == 1:  # cut after everything that makes it complete
            continue
        assert got.error is not None, fault
        assert got.events == [], fault
        assert getattr(got.error, "partial_text", "") == "", fault


@sync_and_async
@rerun
def test_held_message_is_delivered_only_at_its_end(stage: Stage, api: Api, sync: bool) -> None:
    """The server pauses before its last events. Only with the policy are the events before the pause held."""
    at = api.size(LINES)[0] - 4
    got = play(stage, api, broken(LINES, Fault.stall(at, seconds=0.15)), sync=sync, policy=MESSAGE, stop=1)
    assert stage.sim.wait_idle(120)
    assert stage.sim.requests[0].finished
    assert len(got.events) == 1
    got = play(stage, api, broken(LINES, Fault.stall(at)), sync=sync, policy=l0.Policy(), stop=1)
    assert (len(got.events), got.error) == (1, None)


@sync_and_async
@rerun
def test_text_of_the_last_attempt_is_delivered_with_the_error(stage: Stage, api: Api, sync: bool) -> None:
    policy = l0.Policy(hold="message", retry=l0.Retry(max_retries=1, base_delay=0))
    got = play(stage, api, *[broken(LINES, Fault.cut(at_event=12))] * 2, sync=sync, policy=policy)
    assert interrupted(got, "incomplete_read") is None
    assert len(got.requests) == 2
    assert len(got.ids) <= 1


@sync_and_async
def test_held_answer_falls_back(stage: Stage, sync: bool) -> None:
    policy = l0.Policy(hold="message", retry=l0.Retry(max_retries=0), fallback=l0.Fallback(model="second"))
    for api in RERUN:
        whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=policy, model="second")
        got = play(stage, api, broken(LINES, Fault.cut(at_event=12)), Reply(answer=LINES), sync=sync, policy=policy)
        assert same(got, whole) is None
        assert [request.body["model"] for request in got.requests] == [api.request["model"], "second"]


@sync_and_async
def test_stored_answer_is_not_requested_twice_before_delivery(stage: Stage, sync: bool) -> None:
    got = play(stage, BACKGROUND_API, broken(LINES, Fault.cut(at_event=12)), sync=sync, policy=MESSAGE)
    assert interrupted(got) is None
    assert len(got.requests) == 1


# "verified"


@sync_and_async
@rerun
def test_window_of_text_is_held(stage: Stage, api: Api, sync: bool) -> None:
    """The server pauses in the middle: the user has all text that was sent by then, except one window."""
    events, _ = api.size(LINES)
    rest = events - 8
    healthy = play(stage, api, Reply(answer=LINES), sync=sync, policy=verified())
    sent = "".join(map(api.piece, healthy.events[: api.handed(rest)]))
    lengths = list(accumulate(len(api.piece(event)) for event in healthy.events))
    due = sum(length + WINDOW <= len(sent) for length in lengths)
    assert due > 5
    got = play(stage, api, broken(LINES, Fault.stall(rest)), sync=sync, policy=verified(), stop=due)
    assert got.error is None
    assert got.said == healthy.said[:due]
    got = play(stage, api, broken(LINES, Fault.stall(rest, seconds=0.2)), sync=sync, policy=verified(), stop=due + 1)
    assert stage.sim.wait_idle(120)
    assert stage.sim.requests[0].sent_events > rest
    assert got.said == healthy.said[: due + 1]


@sync_and_async
@rerun
def test_complete_answer_is_delivered_at_its_end(stage: Stage, api: Api, sync: bool) -> None:
    for answer in (LINES, TOOL, Answer(text="Yes."), Answer(text=""), Answer(reasoning="hm", text=POEM)):
        bare = play(stage, api, Reply(answer=answer), sync=sync, policy=l0.Policy())
        assert same(play(stage, api, Reply(answer=answer), sync=sync, policy=verified()), bare) is None


@sync_and_async
@rerun
def test_break_within_the_first_window_is_retried_without_visible_break(stage: Stage, api: Api, sync: bool) -> None:
    other = Answer(text="Another answer, and one that goes to the end.")
    second = play(stage, api, Reply(answer=other), sync=sync, policy=verified())
    got = play(stage, api, broken(LINES, Fault.cut(at_event=9)), Reply(answer=other), sync=sync, policy=verified())
    assert same(got, second) is None


@sync_and_async
@rerun
def test_held_text_is_not_lost_by_a_resume(stage: Stage, api: Api, sync: bool) -> None:
    policy = verified(resume="exact")
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=policy)
    for event in range(14, api.size(LINES)[0]):
        replies = (broken(LINES, Fault.cut(at_event=event)), Reply(answer=LINES))
        got = play(stage, api, *replies, sync=sync, policy=policy)
        assert same(got, whole) is None, event


KEY = "sk-ABCDEFGHIJKLMNOP"
LEAKING = Answer(text=f"The tide forgets the names we wrote, and here it is at last: {KEY} and so on.")
KEY_RULE = l0.Guardrails.pattern_rule(re.compile(r"sk-[A-Za-z0-9]{16}"), "a key", severity="fatal")
CHECKED = {"guardrails": KEY_RULE, "hold": "verified", "check_intervals": l0.CheckIntervals(guardrails=1)}


@sync_and_async
@rerun
def test_text_that_is_not_verified_is_not_delivered_if_the_call_fails(stage: Stage, api: Api, sync: bool) -> None:
    """A stream that breaks inside a secret: no rule has seen all of it, so no part of it may be delivered."""
    before = LEAKING.text.index(KEY)
    policy = verified(**CHECKED, retry=l0.Retry(max_retries=0))
    seen = set()
    for event in range(4, api.size(LEAKING)[0]):
        for fault in (Fault.cut(at_event=event), Fault.clean_end(at_event=event), Fault.in_band_error(at_event=event)):
            got = play(stage, api, broken(LEAKING, fault), sync=sync, policy=policy)
            assert len(got.text) <= before, fault
            assert getattr(got.error, "partial_text", got.text) == got.text, fault
            assert LEAKING.text.startswith(got.text)
            seen.add(len(got.text))
    assert len(seen) > 3


@sync_and_async
def test_error_says_how_much_of_the_text_had_arrived_and_was_delivered(stage: Stage, sync: bool) -> None:
    for api in (CHAT_API, MESSAGES_API):
        policy = verified(retry=l0.Retry(max_retries=0))
        got = play(stage, api, broken(LINES, Fault.cut(at_event=20)), sync=sync, policy=policy)
        assert interrupted(got) is None
        assert len(got.text) > 0
        assert POEM.startswith(got.text)
        numbers = re.search(r"(\d+) characters had arrived \(the first (\d+) of them delivered\)", str(got.error))
        assert numbers is not None
        assert int(numbers[2]) == len(got.text)
        assert int(numbers[1]) >= len(got.text) + WINDOW


@sync_and_async
@rerun
def test_close_by_the_user_delivers_nothing_more(stage: Stage, api: Api, sync: bool) -> None:
    before = LEAKING.text.index(KEY)
    got = play(stage, api, Reply(answer=LEAKING), sync=sync, policy=verified(**CHECKED), stop=6)
    assert (got.error, len(got.events)) == (None, 6)
    assert len(got.text) <= before


@sync_and_async
@rerun
def test_text_that_is_not_verified_stays_held_while_the_answer_is_resumed(stage: Stage, api: Api, sync: bool) -> None:
    """The secret lies across the joint: its first half arrives with the first attempt, its second with the next."""
    before = LEAKING.text.index(KEY)
    policy = verified(**CHECKED, resume="exact")
    for event in range(4, api.size(LEAKING)[0]):
        replies = (broken(LEAKING, Fault.cut(at_event=event)), Reply(answer=LEAKING))
        got = play(stage, api, *replies, sync=sync, policy=policy)
        assert got.error is not None, event
        assert len(got.text) <= before, event
        assert getattr(got.error, "partial_text", got.text) == got.text, event


@sync_and_async
@rerun
def test_resume_that_fails_as_well_delivers_only_verified_text(stage: Stage, api: Api, sync: bool) -> None:
    before = LEAKING.text.index(KEY)
    policy = verified(**CHECKED, resume="exact", retry=l0.Retry(max_retries=1, attempts=1, base_delay=0))
    last = api.size(LEAKING)[0] - 1
    seconds = [broken(LEAKING, Fault.cut(at_event=event)) for event in (0, 2, 8, last // 2)]
    for event in range(4, last, 2):
        for second in (*seconds, Reply(fault=Fault.status(400))):
            got = play(stage, api, broken(LEAKING, Fault.cut(at_event=event)), second, sync=sync, policy=policy)
            assert got.error is not None
            assert len(got.text) <= before, event
            assert getattr(got.error, "partial_text", got.text) == got.text, event


@sync_and_async
@rerun
def test_warned_early_end_has_passed_the_last_check(stage: Stage, api: Api, sync: bool) -> None:
    """The answer counts as ended, so all its text is delivered, unless a rule rejects it. This rule waits for the end:
    more text could undo its match."""
    rule = l0.Guardrails.pattern_rule(re.compile(r"sk-[A-Z]{4}\b"), "a key", severity="fatal")
    policies = [
        l0.Policy(guardrails=rule, hold=hold, truncation="warn", retry=l0.Retry(max_retries=0))
        for hold in ("verified", "first_content")
    ]
    for text, passes in (("Here it is at last: sk-A", True), ("Here it is at last: sk-ABCD", False)):
        answer = Answer(text=text)
        for event in range(4, api.size(answer)[0]):
            cut = broken(answer, Fault.clean_end(at_event=event))
            bare = play(stage, api, cut, sync=sync, policy=l0.Policy(truncation="warn"))
            if bare.text == text:
                break
        assert bare.error is None
        for policy in policies:
            got = play(stage, api, cut, sync=sync, policy=policy)
            assert (got.error is None) == passes, policy.hold
            assert got.text == text or not passes


# What telemetry says of it


@sync_and_async
@rerun
def test_events_released_with_the_failure_are_no_first_chunk(stage: Stage, api: Api, sync: bool) -> None:
    """The first events of an answer have no content: they are held, and the user gets them with the exception."""
    policy = l0.Policy(retry=l0.Retry(max_retries=0))
    got = play(stage, api, broken(LINES, Fault.cut(at_event=1)), sync=sync, policy=policy)
    assert got.error is not None
    if not got.text:  # completions begin with text
        assert "gen_ai.response.time_to_first_chunk" not in got.span
    got = play(stage, api, broken(LINES, Fault.cut(at_event=12)), sync=sync, policy=policy)
    assert "gen_ai.response.time_to_first_chunk" in got.span


@sync_and_async
@rerun
def test_silence_that_a_time_limit_ended_is_a_gap(stage: Stage, api: Api, sync: bool) -> None:
    policy = l0.Policy(retry=l0.Retry(max_retries=0), timeout=l0.Timeout(inter_token=timedelta(milliseconds=80)))
    got = play(stage, api, broken(LINES, Fault.stall(12)), sync=sync, policy=policy)
    assert interrupted(got, "stalled") is None
    assert got.span["l0.gap.max"] >= 0.08
