"""Broken answers that the model itself continues: from its own text, or as it is told to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from faults_kit import Stage, sync_and_async
from installed import httpx
from resume_kit import (
    CHAT_API,
    COMPLETIONS_API,
    LINES,
    MESSAGES_API,
    POEM,
    RESPONSES_API,
    Api,
    Got,
    broken,
    client_of,
    cuts,
    interrupted,
    play,
    resuming,
)
from server_time import ServerTime

import l0
from l0.dialects.overlap import MIN_OVERLAP
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.testing import simulator

pytestmark = pytest.mark.usefixtures("on")

spliced = pytest.mark.parametrize("api", [CHAT_API, MESSAGES_API], ids=lambda api: api.name)
LATE = 12
SERVERS = {
    "deepseek": ("https://api.deepseek.com/beta", "deepseek-chat"),
    "mistral": ("https://api.mistral.ai/v1", "mistral-large-latest"),
}
PREFILL, SPLICE = resuming("prefill"), resuming("splice")


@pytest.fixture(scope="module")
def sim(clock: ServerTime) -> Iterator[Simulator]:
    """A simulator that also answers to the names of the providers."""
    with simulator(host_names=[httpx.URL(url).host for url, _ in SERVERS.values()]) as running:
        yield running


@pytest.fixture(scope="module")
def servers(stage: Stage) -> Iterator[dict[tuple[str, bool], Any]]:
    made = {
        (name, sync): client_of(stage, url, sync=sync) for name, (url, _) in SERVERS.items() for sync in (True, False)
    }
    yield made
    for (_, sync), client in made.items():
        client.close() if sync else stage.loop.run_until_complete(client.close())


def whole(got: Got, healthy: Got) -> str | None:
    """Return ``None`` if the user has all of the text, in events that belong together; else the flaw."""
    if got.error is not None:
        return f"{got.error!r} after {got.text!r}"
    if got.text != healthy.text:
        return f"{got.text!r}"
    if len(got.ids) > 1:
        return f"two ids: {got.ids}"
    if got.shape == healthy.shape:
        return None
    if len(got.requests) == 1 and got.shape == healthy.shape[: len(got.shape)] and any(map(got.api.ended, got.events)):
        return None
    return f"{got.shape}, not {healthy.shape}"


def wrong(stage: Stage, api: Api, sync: bool, policy: l0.Policy, *, second: Fault, **more: Any) -> dict[str, str]:
    """Return the errors in an answer that is cut before every event and at some bytes; empty if there are none."""
    healthy = play(stage, api, Reply(answer=LINES), sync=sync, policy=policy, **more)
    assert healthy.text == POEM
    told = {}
    for fault in cuts(api, LINES, bytes_each=10):
        rest = [broken(LINES, second)] * 3
        got = play(stage, api, broken(LINES, fault), *rest, sync=sync, policy=policy, **more)
        # Nothing tells a short repetition that is intended from one that is not. Mistral always repeats a prefill.
        repeats = policy.resume == "splice" or "mistral" in api.request["model"]
        short = repeats and 0 < len(got.text) < MIN_OVERLAP
        found = interrupted(got) if short else whole(got, healthy)
        if found is not None:
            told[str(fault)] = found
    return told


# prefill: from the model's own text


@sync_and_async
def test_a_message_goes_on_from_its_own_text(stage: Stage, sync: bool) -> None:
    assert wrong(stage, MESSAGES_API, sync, PREFILL, second=Fault()) == {}


@sync_and_async
@pytest.mark.parametrize("server", SERVERS)
def test_chat_resumes_if_the_provider_has_a_prefix_flag(
    stage: Stage, servers: dict[tuple[str, bool], Any], server: str, sync: bool
) -> None:
    api = replace(CHAT_API, request=CHAT_API.request | {"model": SERVERS[server][1]})
    client = servers[server, sync]
    for second in (Fault(), Fault.starts_over()) if server == "mistral" else (Fault(),):
        assert wrong(stage, api, sync, PREFILL, second=second, client=client) == {}
    got = play(stage, api, broken(LINES, Fault.cut(at_event=LATE)), sync=sync, policy=PREFILL, client=client)
    first, second = (request.body for request in got.requests)
    said = {"role": "assistant", "content": "The tide forgets the names we wrote,\n\nthe", "prefix": True}
    assert second == first | {"messages": [*first["messages"], said | {"content": second["messages"][-1]["content"]}]}
    assert POEM.startswith(second["messages"][-1]["content"])


@sync_and_async
def test_resume_request_body(stage: Stage, sync: bool) -> None:
    reply = broken(LINES, Fault.cut(at_event=LATE))
    got = play(stage, MESSAGES_API, reply, Reply(answer=LINES), sync=sync, policy=PREFILL, system="Be brief.")
    first, second = (request.body for request in got.requests)
    *before, last = second["messages"]
    assert (before, last["role"]) == (first["messages"], "assistant")
    assert POEM.startswith(last["content"])
    assert last["content"] == last["content"].rstrip()
    assert {**second, "messages": first["messages"]} == first


@sync_and_async
@pytest.mark.parametrize(
    ("api", "request_"),
    [
        (MESSAGES_API, {"model": "claude-opus-4-6"}),
        (MESSAGES_API, {"model": "claude-sonnet-4-7-20260301"}),
        (MESSAGES_API, {"model": "claude-opus-5"}),
        (MESSAGES_API, {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}),
        (CHAT_API, {}),
        (COMPLETIONS_API, {}),
        (RESPONSES_API, {}),
    ],
    ids=lambda value: value.name if isinstance(value, Api) else "-".join(map(str, value.values()))[:20] or "plain",
)
def test_who_cannot_is_not_asked(stage: Stage, api: Api, request_: dict[str, Any], sync: bool) -> None:
    got = play(stage, api, broken(LINES, Fault.cut(at_event=LATE)), sync=sync, policy=PREFILL, **request_)
    assert interrupted(got) is None
    assert got.text
    assert len(got.requests) == 1


# splice: as it is told to


@sync_and_async
@spliced
@pytest.mark.parametrize("second", [Fault(), Fault.repeats_overlap(16), Fault.repeats_overlap(60)], ids=str)
def test_an_instruction_makes_it_whole(stage: Stage, api: Api, second: Fault, sync: bool) -> None:
    assert wrong(stage, api, sync, SPLICE, second=second) == {}


@sync_and_async
@spliced
def test_a_model_that_begins_from_the_start_is_not_doubled(stage: Stage, api: Api, sync: bool) -> None:
    long = Answer(tokens=400)
    for answer, late in ((LINES, LATE + 8), (long, 300)):
        replies = (broken(answer, Fault.cut(at_event=late)), broken(answer, Fault.starts_over()))
        got = play(stage, api, *replies, sync=sync, policy=SPLICE)
        assert (got.error, got.text) == (None, answer.text_of(0))


@sync_and_async
@pytest.mark.parametrize("policy", [PREFILL, SPLICE], ids=["prefill", "splice"])
def test_a_continuation_that_is_nothing_but_an_end_does_not_end_the_answer(
    stage: Stage, policy: l0.Policy, sync: bool
) -> None:
    whole = play(stage, MESSAGES_API, Reply(answer=LINES), sync=sync, policy=policy)
    replies = (broken(LINES, Fault.cut(at_event=LATE)), broken(LINES, Fault.done_only()), Reply(answer=LINES))
    got = play(stage, MESSAGES_API, *replies, sync=sync, policy=policy)
    assert (got.error, got.text, len(got.requests)) == (None, LINES.text, 3)
    assert got.shape == whole.shape


@sync_and_async
@spliced
@pytest.mark.parametrize("policy", [PREFILL, SPLICE], ids=["prefill", "splice"])
def test_an_answer_whose_end_the_user_has_is_not_continued(
    stage: Stage, api: Api, policy: l0.Policy, sync: bool
) -> None:
    events, _ = api.size(LINES)
    for event in (events - 1, events):
        replies = (broken(LINES, Fault.in_band_error(at_event=event)), Reply(answer=LINES))
        got = play(stage, api, *replies, sync=sync, policy=policy)
        assert got.text == LINES.text
        assert (interrupted(got) if got.error else None, len(got.requests)) == (None, 1)
        assert len(list(filter(api.ended, got.events))) == 1, event
        assert len(got.shape) == len(set(got.shape)), event


@sync_and_async
@spliced
def test_true_repetition_is_kept(stage: Stage, api: Api, sync: bool) -> None:
    answer = Answer(text="He laughed: ha ha ha ha ha ha ha! And again: ha ha ha ha ha!")
    events, _ = api.size(answer)
    for event in range(9, events):
        got = play(
            stage, api, broken(answer, Fault.cut(at_event=event)), Reply(answer=answer), sync=sync, policy=SPLICE
        )
        assert (got.error, got.text) == (None, answer.text), event


@sync_and_async
@spliced
def test_an_instruction_is_a_message_of_the_user(stage: Stage, api: Api, sync: bool) -> None:
    resume_points: list[l0.types.ResumePoint] = []
    policy = resuming("splice", on_resume=resume_points.append)
    got = play(stage, api, broken(LINES, Fault.cut(at_event=LATE)), Reply(answer=LINES), sync=sync, policy=policy)
    first, second = (request.body for request in got.requests)
    *before, said, asked = second["messages"]
    assert before == first["messages"]
    assert (said["role"], asked["role"]) == ("assistant", "user")
    assert POEM.startswith(said["content"])
    assert "cut off" in asked["content"]
    assert [(resume_point.strategy, resume_point.attempt) for resume_point in resume_points] == [("splice", 2)]
    assert got.span["l0.resume.strategy"] == "splice"


@sync_and_async
@spliced
@pytest.mark.parametrize("mode", ["prefill", "splice"])
def test_a_continuation_may_break_too(stage: Stage, api: Api, mode: str, sync: bool) -> None:
    if (api, mode) == (CHAT_API, "prefill"):
        pytest.skip("OpenAI's own models take no prefill")
    healthy = play(stage, api, Reply(answer=LINES), sync=sync, policy=resuming(mode))
    replies = [broken(LINES, Fault.cut(at_event=at)) for at in (8, 7, 1, 6)]
    resume_points: list[l0.types.ResumePoint] = []
    policy = resuming(mode, on_resume=resume_points.append)
    got = play(stage, api, *replies, Reply(answer=LINES), sync=sync, policy=policy)
    assert whole(got, healthy) is None
    assert len(got.requests) == 5
    sent = [request.body["messages"][1]["content"] for request in got.requests[1:]]
    assert [len(text) for text in sent] == sorted(len(text) for text in sent)
    assert all(POEM.startswith(text) for text in sent)
    assert [resume_point.at for resume_point in resume_points] == sorted(
        resume_point.at for resume_point in resume_points
    )
    assert all(len(request.body["messages"]) <= 3 for request in got.requests)


@sync_and_async
@pytest.mark.parametrize("api", [COMPLETIONS_API, RESPONSES_API], ids=lambda api: api.name)
def test_what_is_no_conversation_is_not_spliced(stage: Stage, api: Api, sync: bool) -> None:
    got = play(stage, api, broken(LINES, Fault.cut(at_event=LATE)), sync=sync, policy=SPLICE)
    assert interrupted(got) is None
    assert len(got.requests) == 1
