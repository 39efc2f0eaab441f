"""Fallbacks to other models and providers: each has its own budget, and answers are never mixed."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from faults_kit import SDKS, Stage, sync_and_async
from resume_kit import (
    CHAT_API,
    LINES,
    MESSAGES_API,
    POEM,
    RESPONSES_API,
    Api,
    broken,
    every,
    interrupted,
    play,
    rerun,
    same,
)

import l0
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.stainless import usable_fallbacks
from l0.testing import simulator

pytestmark = pytest.mark.usefixtures("on")

ONCE = l0.Retry(max_retries=0)
OTHER = Answer(text="An answer of the other model, with words of its own.")


def falling(*models: str, **more: Any) -> l0.Policy:
    legs = [l0.Fallback(model=model) for model in models]
    return l0.Policy(**{"retry": ONCE, "truncation": "strict", "fallback": legs} | more)


def models(requests: Any) -> list[str]:
    return [request.body["model"] for request in requests]


def check_served(got: Any, api: Api, *fallbacks: str) -> None:
    """Check that the last of these models served the answer, after one request to the primary and to each."""
    assert (got.error, got.text) == (None, OTHER.text)
    assert models(got.requests) == [api.request["model"], *fallbacks]


@pytest.fixture(scope="module")
def second() -> Iterator[Simulator]:
    """Another provider."""
    with simulator(seed=1) as running:
        yield running


@pytest.fixture(scope="module")
def spare(stage: Stage, second: Simulator) -> Iterator[dict[tuple[str, bool], Any]]:
    """Clients of the other provider, by SDK and flavour (sync is true)."""
    kinds = {
        ("openai", True): openai.OpenAI,
        ("openai", False): openai.AsyncOpenAI,
        ("anthropic", True): anthropic.Anthropic,
        ("anthropic", False): anthropic.AsyncAnthropic,
    }
    urls = {"openai": second.openai, "anthropic": second.anthropic}
    made = {key: kind(api_key="spare-key", base_url=urls[key[0]], timeout=120) for key, kind in kinds.items()}
    yield made
    for (_, sync), client in made.items():
        if sync:
            client.close()
        else:
            stage.loop.run_until_complete(client.close())


# Before anything was handed over


@sync_and_async
@every
@pytest.mark.parametrize(
    "fault",
    [Fault.status(503), Fault.status(429), Fault.status(401), Fault.status(404), Fault.refuse(), Fault.empty()],
    ids=str,
)
def test_the_other_model_answers(stage: Stage, api: Api, fault: Fault, sync: bool) -> None:
    got = play(stage, api, fault, Reply(answer=OTHER), sync=sync, policy=falling("other-model"))
    check_served(got, api, "other-model")
    assert len(got.ids) <= 1
    if api.name not in ("responses", "background"):
        assert got.models == {"other-model"}
    assert got.span["l0.outcome"] == "recovered_fallback"
    assert got.span["l0.leg"] == 1
    assert got.span["l0.attempts"] == 2
    assert got.span["gen_ai.response.model"] == "other-model"
    assert got.span["gen_ai.request.model"] == api.request["model"]


@sync_and_async
@rerun
@pytest.mark.parametrize("at", [0, 1])
def test_failure_before_content_falls_back_without_mixed_answers(stage: Stage, api: Api, at: int, sync: bool) -> None:
    policy = falling("other-model")
    whole = play(stage, api, Reply(answer=OTHER), sync=sync, policy=policy, model="other-model")
    if api.name == "completions" and at:
        pytest.skip("its first event is content")
    for fault in (Fault.cut(at_event=at), Fault.clean_end(at_event=at), Fault.in_band_error(at_event=at)):
        got = play(stage, api, broken(LINES, fault), Reply(answer=OTHER), sync=sync, policy=policy)
        assert same(got, whole) is None, fault
        assert len(got.requests) == 2


@sync_and_async
@every
def test_no_fallback_after_delivered_content(stage: Stage, api: Api, sync: bool) -> None:
    got = play(stage, api, broken(LINES, Fault.cut(at_event=12)), sync=sync, policy=falling("other-model"))
    assert interrupted(got, "incomplete_read") is None
    assert POEM.startswith(got.text)
    assert models(got.requests) == [api.request["model"]]
    assert "l0.leg" not in got.span


@sync_and_async
@every
@pytest.mark.parametrize(
    ("fault", "base_delay"),
    [(Fault.status(429, {"retry-after": "20"}), 0.0), (Fault.status(503), 9.0)],
    ids=["wait of the server", "own wait"],
)
def test_a_wait_beyond_the_time_limit_falls_back_at_once(
    stage: Stage, api: Api, fault: Fault, base_delay: float, sync: bool
) -> None:
    retry = l0.Retry(max_retries=1, base_delay=base_delay, strategy="fixed")
    limit = l0.Timeout(initial_token=None, inter_token=None, total=8000)
    policy = falling("second", "third", retry=retry, timeout=limit)
    got = play(stage, api, fault, fault, Reply(answer=OTHER), sync=sync, policy=policy)
    check_served(got, api, "second", "third")


@sync_and_async
@every
def test_a_bad_request_of_a_fallback_goes_on_with_the_next(stage: Stage, api: Api, sync: bool) -> None:
    body = {"error": {"type": "invalid_request_error", "message": "unknown parameter"}}
    faults = [Fault.status(503), Fault.status(400, body=body)]
    got = play(stage, api, *faults, Reply(answer=OTHER), sync=sync, policy=falling("second", "third"))
    check_served(got, api, "second", "third")


@sync_and_async
@rerun
@pytest.mark.parametrize(("fault", "status"), [(Fault.status(429), 429), (Fault.cut(at_event=0), None)], ids=str)
def test_failure_before_a_fallback_without_the_model_is_raised(
    stage: Stage, api: Api, fault: Fault, status: int | None, sync: bool
) -> None:
    got = play(stage, api, fault, Fault.status(404), Fault.status(404), sync=sync, policy=falling("second", "third"))
    assert isinstance(got.error, SDKS[api.sdk].APIError)
    assert isinstance(got.error, l0.StreamInterrupted) is (status is None)
    assert getattr(got.error, "status_code", None) == status
    notes = [note for note in got.error.__notes__ if "failed" in note]
    assert ["not_found" in note for note in notes] == [False, True, True]
    assert got.span["l0.attempts"] == 3


@sync_and_async
@rerun
def test_a_bad_request_does_not_fall_over(stage: Stage, api: Api, sync: bool) -> None:
    body = {"error": {"type": "invalid_request_error", "message": "no"}}
    for status in (400, 422, 413):
        got = play(stage, api, Fault.status(status, body=body), sync=sync, policy=falling("other-model"))
        assert isinstance(got.error, SDKS[api.sdk].APIStatusError)
        assert got.error.status_code == status
        assert len(got.requests) == 1


@sync_and_async
def test_what_the_provider_has_begun_to_keep_does_not_fall_over(stage: Stage, sync: bool) -> None:
    kept = {"conversation": "conv_1"}
    got = play(stage, RESPONSES_API, broken(LINES, Fault.cut(at_event=2)), sync=sync, policy=falling("b"), **kept)
    assert isinstance(got.error, l0.StreamInterrupted)
    assert len(got.requests) == 1


# Budgets and orders


@sync_and_async
@rerun
def test_every_leg_has_its_own_retry_count(stage: Stage, api: Api, sync: bool) -> None:
    policy = falling("second", "third", retry=l0.Retry(max_retries=2, base_delay=0))
    got = play(stage, api, *[Fault.status(503)] * 20, sync=sync, policy=policy)
    assert isinstance(got.error, SDKS[api.sdk].InternalServerError)
    assert models(got.requests) == [api.request["model"]] * 3 + ["second"] * 3 + ["third"] * 3
    assert got.span["l0.attempts"] == 9
    assert got.span["l0.outcome"] == "failed"


@sync_and_async
@rerun
def test_last_attempt_of_the_last_leg_may_succeed(stage: Stage, api: Api, sync: bool) -> None:
    policy = falling("second", "third", retry=l0.Retry(max_retries=1, base_delay=0))
    faults = [Fault.status(503), Fault.cut(at_event=0), Fault.status(429), Fault.refuse(), Fault.empty()]
    got = play(stage, api, *faults, Reply(answer=OTHER), sync=sync, policy=policy)
    assert (got.error, got.text) == (None, OTHER.text)
    assert models(got.requests) == [api.request["model"]] * 2 + ["second"] * 2 + ["third"] * 2
    assert got.span["l0.leg"] == 2


@sync_and_async
def test_without_retry_policy_each_leg_has_the_sdk_retry_count(stage: Stage, sync: bool) -> None:
    policy = l0.Policy(fallback=l0.Fallback(model="second"))
    got = play(stage, CHAT_API, *[Fault.status(503)] * 20, sync=sync, policy=policy)
    assert models(got.requests) == ["gpt-4o"] * 3 + ["second"] * 3


@sync_and_async
@rerun
def test_a_server_that_wants_an_hour_is_not_waited_for_but_left(stage: Stage, api: Api, sync: bool) -> None:
    policy = falling("second", retry=l0.Retry(max_retries=3, base_delay=0))
    asked = Fault.status(429, {"retry-after": "3600"})
    got = play(stage, api, asked, Reply(answer=OTHER), sync=sync, policy=policy)
    check_served(got, api, "second")


@sync_and_async
def test_exhausted_quota_falls_back_at_once(stage: Stage, sync: bool) -> None:
    empty = {"error": {"code": "insufficient_quota", "message": "pay first", "type": "insufficient_quota"}}
    policy = falling("second", retry=l0.Retry(max_retries=3, base_delay=0))
    got = play(stage, CHAT_API, Fault.status(429, body=empty), Reply(answer=OTHER), sync=sync, policy=policy)
    assert (got.error, models(got.requests)) == (None, ["gpt-4o", "second"])


@sync_and_async
def test_a_tool_call_of_the_fallback_is_as_good_as_any(stage: Stage, sync: bool) -> None:
    answer = Answer(tool_calls=(SimulatedToolCall(name="weather", arguments='{"city": "Oslo"}'),))
    got = play(stage, CHAT_API, Fault.status(503), Reply(answer=answer), sync=sync, policy=falling("second"))
    calls = [call for chunk in got.events for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert "".join(call.function.arguments or "" for call in calls) == '{"city": "Oslo"}'


@sync_and_async
@rerun
def test_answer_of_a_fallback_is_resumed_by_the_fallback(stage: Stage, api: Api, sync: bool) -> None:
    policy = falling("second", retry=l0.Retry(max_retries=1, base_delay=0), resume="exact")
    replies = [Fault.status(503)] * 2 + [broken(LINES, Fault.cut(at_event=12)), Reply(answer=LINES)]
    got = play(stage, api, *replies, sync=sync, policy=policy)
    assert (got.error, got.text) == (None, POEM)
    assert models(got.requests) == [api.request["model"]] * 2 + ["second"] * 2
    assert len(got.ids) <= 1


# Another provider


@sync_and_async
@rerun
def test_another_client_answers(
    stage: Stage, spare: dict[tuple[str, bool], Any], second: Simulator, api: Api, sync: bool
) -> None:
    second.reset()
    second.script(Fault.status(500), Reply(answer=OTHER))
    legs = [l0.Fallback(client=spare[api.sdk, sync], model="their-model")]
    policy = l0.Policy(retry=l0.Retry(max_retries=1, base_delay=0), fallback=legs, truncation="strict")
    got = play(stage, api, Fault.status(503), Fault.cut(at_event=0), sync=sync, policy=policy)
    assert (got.error, got.text) == (None, OTHER.text)
    assert [len(got.requests), len(second.requests)] == [2, 2]
    assert models(second.requests) == ["their-model"] * 2
    for request in second.requests:
        key = request.headers.get("authorization") or request.headers.get("x-api-key")
        assert key in ("Bearer spare-key", "spare-key")
    keys = [request.headers.get("authorization") or request.headers.get("x-api-key") for request in got.requests]
    assert set(keys) <= {"Bearer k", "k"}


@sync_and_async
@rerun
def test_another_client_may_ask_for_the_same_model(
    stage: Stage, spare: dict[tuple[str, bool], Any], second: Simulator, api: Api, sync: bool
) -> None:
    second.reset()
    policy = l0.Policy(retry=ONCE, fallback=l0.Fallback(client=spare[api.sdk, sync]))
    got = play(stage, api, Fault.refuse(), sync=sync, policy=policy)
    assert got.error is None
    assert models(second.requests) == [api.request["model"]]


@sync_and_async
@rerun
def test_complete_answer_falls_back(
    stage: Stage, spare: dict[tuple[str, bool], Any], second: Simulator, api: Api, sync: bool
) -> None:
    second.reset()
    second.script(Reply(answer=OTHER))
    stage.sim.reset()
    stage.sim.script(Fault.status(503))
    legs = [l0.Fallback(client=spare[api.sdk, sync], model="their-model")]
    create = api.create(stage._clients[api.sdk, sync])
    with l0.policy(l0.Policy(retry=ONCE, fallback=legs)):
        answer = create(**api.request) if sync else stage.loop.run_until_complete(create(**api.request))
    assert answer.model == "their-model"
    assert OTHER.text in answer.to_json(indent=None)
    assert [len(stage.sim.requests), len(second.requests)] == [1, 1]


def unserving(spare: dict[tuple[str, bool], Any], api: Api, sync: bool) -> list[Any]:
    """Return clients that cannot serve a call: of the other SDK, and of the other flavour."""
    other = "anthropic" if api.sdk == "openai" else "openai"
    return [spare[other, sync], spare[api.sdk, not sync]]


@sync_and_async
@pytest.mark.parametrize("scope", ["all calls", "block", "shadow"])
@pytest.mark.parametrize("api", [CHAT_API, MESSAGES_API], ids=lambda api: api.name)
def test_a_client_that_cannot_serve_is_skipped_with_one_warning(
    stage: Stage,
    spare: dict[tuple[str, bool], Any],
    second: Simulator,
    api: Api,
    sync: bool,
    scope: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A policy for all calls or for a block meets calls of every SDK, and must not fail the healthy ones."""
    monkeypatch.setattr(usable_fallbacks, "_logged", set())
    second.reset()
    second.script(Reply(answer=OTHER))
    flavour = "a sync" if sync else "an async"
    fitting = l0.Fallback(client=spare[api.sdk, sync], model="their-model")
    for client in unserving(spare, api, sync):
        caplog.clear()
        mode = "shadow" if scope == "shadow" else "active"
        policy = l0.Policy(retry=ONCE, fallback=[l0.Fallback(client=client), fitting], mode=mode)
        if scope == "all calls":
            l0.instrument(policy)
            policy = None
        for _ in range(2):
            assert play(stage, api, sync=sync, policy=policy).error is None
        warnings = [record.getMessage() for record in caplog.records if "Fallback.client" in record.getMessage()]
        kind = type(client).__name__
        wanted = f"Fallback.client: got <{kind}>, allowed: {flavour} client of the {api.sdk} SDK; other calls skip"
        assert [text.startswith(wanted) for text in warnings] == [True]
        if scope != "shadow":
            second.reset()
            second.script(Reply(answer=OTHER))
            got = play(stage, api, Fault.status(503), sync=sync, policy=policy)
            assert (got.text, got.span["l0.leg"], models(second.requests)) == (OTHER.text, 1, ["their-model"])
            second.reset()
            second.script(Fault.status(503), Fault.status(503))
            error = play(stage, api, Fault.status(503), Fault.status(503), sync=sync, policy=policy).error
            skipped = [note for note in error.__notes__ if "skipped" in note]
            assert skipped == [f"l0: a fallback was skipped: {wanted.partition(';')[0]}"]


@sync_and_async
@pytest.mark.parametrize("api", [CHAT_API, MESSAGES_API], ids=lambda api: api.name)
def test_a_client_that_cannot_serve_is_refused_in_a_clients_own_policy(
    stage: Stage, spare: dict[tuple[str, bool], Any], api: Api, sync: bool
) -> None:
    """It never serves, which is said before anything is sent, not when it is needed."""
    stage.sim.reset()
    flavour = "a sync" if sync else "an async"
    for client in unserving(spare, api, sync):
        wrapped = l0.wrap(stage._clients[api.sdk, sync], policy=l0.Policy(fallback=l0.Fallback(client=client)))
        create = api.create(wrapped)
        told = rf"Fallback\.client: .* allowed: {flavour} client of the {api.sdk}"
        with pytest.raises(l0.PolicyError, match=told):
            if sync:
                create(**api.request, stream=True)
            else:
                stage.loop.run_until_complete(create(**api.request, stream=True))
    assert stage.sim.requests == []


def post(stage: Stage, sync: bool, policy: l0.Policy, *faults: Fault, **options: Any) -> Exception | None:
    """Make a chat with these options of ``post()``. Return its error."""
    stage.sim.reset()
    stage.sim.script(*faults)
    client = stage._clients["openai", sync]
    with l0.policy(policy):
        try:
            answer = client.post("/chat/completions", cast_to=object, **options)
            if not sync:
                stage.loop.run_until_complete(answer)
        except openai.APIError as error:
            return error
    return None


EXTRA = {"extra_json": {"model": "m", "user": "u"}}


@sync_and_async
@pytest.mark.parametrize("body", [CHAT_API.request, None], ids=["beside a body", "alone"])
def test_model_in_the_extra_body_is_replaced(stage: Stage, body: Any, sync: bool) -> None:
    extra = EXTRA if body else {"extra_json": {**CHAT_API.request, "user": "u"}}
    assert post(stage, sync, falling("b", "c"), Fault.status(503), Fault.status(503), body=body, options=extra) is None
    assert models(stage.sim.requests)[1:] == ["b", "c"]
    assert {request.body["user"] for request in stage.sim.requests} == {"u"}


@sync_and_async
def test_a_model_that_does_not_fit_into_the_body_is_skipped(stage: Stage, sync: bool) -> None:
    content = json.dumps(CHAT_API.request).encode()
    error = post(stage, sync, falling("b"), Fault.status(503), content=content)
    assert isinstance(error, openai.InternalServerError)
    assert "a fallback was skipped: Fallback.model: got 'b', but the body" in "".join(error.__notes__)
    assert len(stage.sim.requests) == 1


@sync_and_async
def test_a_client_serves_a_body_without_a_model(
    stage: Stage, spare: dict[tuple[str, bool], Any], second: Simulator, sync: bool
) -> None:
    second.reset()
    policy = falling("b", fallback=[l0.Fallback(model="b"), l0.Fallback(client=spare["openai", sync])])
    content = json.dumps(CHAT_API.request).encode()
    assert post(stage, sync, policy, Fault.status(503), content=content) is None
    assert models(second.requests) == [CHAT_API.request["model"]]


@sync_and_async
@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_key_of_the_user_goes_with_the_body_that_it_identifies(stage: Stage, name: str, sync: bool) -> None:
    policy = falling("b", retry=l0.Retry(max_retries=1, base_delay=0))
    options = {"headers": {name: "mine", "x-mine": "1"}}
    assert post(stage, sync, policy, *[Fault.status(503)] * 3, body=CHAT_API.request, options=options) is None
    keys = [(request.body["model"], request.headers.get("idempotency-key")) for request in stage.sim.requests]
    own = CHAT_API.request["model"]
    assert keys == [(own, "mine"), (own, "mine"), ("b", None), ("b", None)]
    assert {request.headers["x-mine"] for request in stage.sim.requests} == {"1"}
