"""Answers that break in the middle and are taken up: whole in the end, or an honest error; never mixed or doubled."""

from dataclasses import replace

import openai
import pytest
from faults_kit import Stage, sync_and_async
from resume_kit import (
    BACKGROUND_API,
    CHAT_API,
    EVERY,
    LINES,
    MESSAGES_API,
    POEM,
    Api,
    broken,
    cuts,
    every,
    interrupted,
    play,
    rerun,
    resuming,
    same,
)

import l0
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply

pytestmark = pytest.mark.usefixtures("on")

EXACT = resuming("exact")
LATE = 12
"""An event in the middle of the text, in every dialect."""


# exact: the same answer again


@sync_and_async
@every
def test_an_answer_that_is_cut_anywhere_is_whole_in_the_end(stage: Stage, api: Api, sync: bool) -> None:
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=EXACT)
    assert whole.text == POEM
    told = {}
    for fault in cuts(api, LINES, bytes_each=20):
        got = play(stage, api, broken(LINES, fault), *[Reply(answer=LINES)] * 3, sync=sync, policy=EXACT)
        if (wrong := same(got, whole)) is not None:
            told[str(fault)] = wrong
    assert told == {}


@sync_and_async
@rerun
def test_resume_survives_repeated_breaks_and_breaks_inside_the_overlap(stage: Stage, api: Api, sync: bool) -> None:
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=EXACT)
    faults = (Fault.cut(at_event=LATE), Fault.cut(at_event=LATE + 9), Fault.clean_end(at_event=LATE - 3), Fault.reset())
    resume_points: list[l0.types.ResumePoint] = []
    policy = resuming("exact", on_resume=resume_points.append)
    replies = [broken(LINES, fault) for fault in faults]
    got = play(stage, api, *replies, Reply(answer=LINES), sync=sync, policy=policy)
    assert same(got, whole) is None
    assert len(got.requests) == 5
    assert got.span["l0.attempts"] == 5
    text = [sum(len(api.piece(event)) for event in whole.events[: api.handed(at)]) for at in (LATE, LATE + 9)]
    assert [(resume_point.strategy, resume_point.attempt) for resume_point in resume_points] == [
        ("exact", number) for number in (2, 3, 4, 5)
    ]
    assert [resume_point.at for resume_point in resume_points] == [text[0], text[1], text[1], text[1]]


@sync_and_async
@rerun
@pytest.mark.parametrize(
    "second",
    [POEM.replace("tide", "time"), "Another answer altogether.", POEM[:20], ""],
    ids=["a word", "all of it", "shorter", "empty"],
)
def test_another_answer_is_not_mixed_in(stage: Stage, api: Api, second: str, sync: bool) -> None:
    other = [Reply(answer=Answer(text=second))] * 8
    got = play(stage, api, broken(LINES, Fault.cut(at_event=20)), *other, sync=sync, policy=EXACT)
    assert interrupted(got, None if second == "" else "diverged") is None
    assert POEM.startswith(got.text)
    assert 20 < len(got.text) < len(POEM)
    if second:
        assert len(got.requests) == 2  # a third would say something else again


@sync_and_async
@rerun
def test_the_helpers_still_work(stage: Stage, api: Api, sync: bool) -> None:
    if api.name == "completions":
        pytest.skip("has no helper")
    if api.name == "chat" and not hasattr(openai.resources.chat.Completions, "stream"):
        pytest.skip("its helper stood under beta until openai 1.92")
    stage.sim.reset()
    stage.sim.script(broken(LINES, Fault.cut(at_event=LATE)), Reply(answer=LINES))
    client = stage._clients[api.sdk, sync]
    for part in api.path.split("."):
        client = getattr(client, part)
    final = {
        "chat": lambda made: made.get_final_completion(),
        "responses": lambda made: made.get_final_response(),
        "messages": lambda made: made.get_final_message(),
    }[api.name]

    async def ahelper() -> object:
        async with client.stream(**api.request) as stream:
            async for _ in stream:
                pass
            return await final(stream)

    with l0.policy(EXACT):
        if sync:
            with client.stream(**api.request) as stream:
                for _ in stream:
                    pass
                answer = final(stream)
        else:
            answer = stage.loop.run_until_complete(ahelper())
    text = {
        "chat": lambda made: made.choices[0].message.content,
        "responses": lambda made: made.output_text,
        "messages": lambda made: made.content[0].text,
    }[api.name]
    assert text(answer) == POEM
    assert len(stage.sim.requests) == 2


@sync_and_async
@rerun
def test_a_failed_request_for_the_rest_is_retried_too(stage: Stage, api: Api, sync: bool) -> None:
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=EXACT)
    replies = (broken(LINES, Fault.cut(at_event=LATE)), Fault.status(503), Fault.refuse(), Reply(answer=LINES))
    got = play(stage, api, *replies, sync=sync, policy=EXACT)
    assert same(got, whole) is None
    assert len(got.requests) == 4


@sync_and_async
@rerun
def test_when_all_attempts_are_used_up_the_user_has_one_beginning(stage: Stage, api: Api, sync: bool) -> None:
    policy = resuming("exact", retry=l0.Retry(max_retries=2, base_delay=0))
    got = play(stage, api, *[broken(LINES, Fault.cut(at_event=LATE))] * 4, sync=sync, policy=policy)
    assert interrupted(got, "incomplete_read") is None
    assert len(got.requests) == 3
    assert POEM.startswith(got.text)
    assert got.span["l0.outcome"] == "failed"


@sync_and_async
def test_resume_is_off_by_default(stage: Stage, sync: bool) -> None:
    for api in EVERY:
        got = play(stage, api, broken(LINES, Fault.cut(at_event=LATE)), sync=sync, policy=resuming("off"))
        assert interrupted(got, "incomplete_read") is None
        assert len(got.requests) == 1


@sync_and_async
def test_stored_answers_are_not_made_twice(stage: Stage, sync: bool) -> None:
    stored = replace(BACKGROUND_API, request={"model": "gpt-4o", "input": "hi"})
    for mode in ("exact", "prefill", "splice"):
        got = play(stage, stored, broken(LINES, Fault.cut(at_event=LATE)), sync=sync, policy=resuming(mode))
        assert interrupted(got) is None
        assert len(got.requests) == 1


# exact: the server's own replay


@sync_and_async
def test_a_background_response_is_replayed_by_the_server(stage: Stage, sync: bool) -> None:
    whole = play(stage, BACKGROUND_API, Reply(answer=LINES), sync=sync, policy=EXACT)
    for fault in (Fault.cut(at_event=LATE), Fault.clean_end(at_event=1), Fault.reset(at_event=LATE)):
        got = play(stage, BACKGROUND_API, broken(LINES, fault), sync=sync, policy=EXACT)
        assert same(got, whole) is None, fault
        _, second = got.requests
        assert second.method == "GET"
        assert f"starting_after={fault.parts[0].at_event - 1}" in second.path
        assert "stream=true" in second.path
        assert second.body is None
        numbers = [event.sequence_number for event in got.events]
        assert numbers == list(range(len(numbers)))


@sync_and_async
def test_partial_text_equals_delivered_text_after_reasoning(stage: Stage, sync: bool) -> None:
    """A reasoning item stands first in the output, and the message second."""
    answer = Answer(text=POEM, reasoning="Well, let me think about that.")
    got = play(stage, BACKGROUND_API, broken(answer, Fault.cut(at_event=22)), sync=sync, policy=resuming("off"))
    assert interrupted(got) is None
    assert got.text


# What is seen of it


@sync_and_async
@every
def test_resume_point_is_reported_on_the_span_and_to_the_callback_only(stage: Stage, api: Api, sync: bool) -> None:
    resume_points: list[l0.types.ResumePoint] = []
    policy = resuming("exact", on_resume=resume_points.append)
    got = play(stage, api, broken(LINES, Fault.cut(at_event=LATE)), Reply(answer=LINES), sync=sync, policy=policy)
    (resume_point,) = resume_points
    at = sum(len(api.piece(event)) for event in got.events[: api.handed(LATE)])
    assert (resume_point.strategy, resume_point.at, resume_point.attempt) == ("exact", at, 2)
    assert got.span["l0.outcome"] == "recovered_resume"
    assert got.span["l0.resume.strategy"] == "exact"
    assert got.span["l0.attempts"] == 2
    told = [attributes for name, attributes in got.marks if name == "l0.resume"]
    assert [(mark["l0.resume.strategy"], mark["l0.attempt.number"]) for mark in told] == [("exact", 2)]
    assert at in told[0].values(), "where it was taken up"


@sync_and_async
def test_usage_of_all_attempts_is_summed(stage: Stage, sync: bool) -> None:
    """The usage that the first attempt reports before it breaks counts."""
    whole = play(stage, MESSAGES_API, Reply(answer=LINES), sync=sync, policy=EXACT)
    reply = broken(LINES, Fault.cut(at_event=LATE))
    got = play(stage, MESSAGES_API, reply, Reply(answer=LINES), sync=sync, policy=EXACT)
    counted = "gen_ai.usage.input_tokens"
    assert got.span[counted] == 2 * whole.span[counted]


@sync_and_async
def test_failing_resume_callback_does_not_affect_the_call(
    stage: Stage, sync: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: l0.types.ResumePoint) -> None:
        raise RuntimeError("the user's own")

    policy = resuming("exact", on_resume=fail)
    got = play(stage, CHAT_API, broken(LINES, Fault.cut(at_event=LATE)), Reply(answer=LINES), sync=sync, policy=policy)
    assert (got.error, got.text) == (None, POEM)
    assert "on_resume failed" in caplog.text


@sync_and_async
@rerun
def test_leaving_a_resumed_answer_closes_it(stage: Stage, api: Api, sync: bool) -> None:
    replies = (broken(LINES, Fault.cut(at_event=LATE)), broken(LINES, Fault.stall(at_event=LATE + 4)))
    got = play(stage, api, *replies, sync=sync, policy=EXACT, stop=LATE + 2)
    assert got.error is None
    assert got.span["l0.outcome"] == "cancelled"
    assert stage.sim.wait_idle(120)
    assert stage.sim.requests[-1].disconnected
