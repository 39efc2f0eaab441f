"""A source that is a patched SDK: one engine, one span, and what the SDK's side of it knows is told there."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from explicit_kit import CHATTING, Ask, asks, async_client, chat, client, messages, messages_helper, responses
from journeys_kit import Heard

import l0 as library
from l0 import RETRY_DEFAULTS, EventType, Policy, PolicyError, Retry, Timeout, l0
from l0.config import OWN_POLICY
from l0.simulator.corpus import bundled_answer
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0_openai import OpenAIInstrumentor

pytestmark = pytest.mark.anyio
QUICK = Retry(base_delay=0.001, max_delay=0.001)
SHAPES = [chat, responses, messages, messages_helper]


@asks(*SHAPES)
async def test_one_span_that_knows_provider_and_model(sim: Simulator, spans: Any, ask: Ask) -> None:
    async with async_client(sim, ask) as made:
        await (await l0(lambda: ask(made), retry=QUICK)).read()
    told = spans.only.attributes
    wanted = ("anthropic", "claude-test") if ask in (messages, messages_helper) else ("openai", "gpt-4o")
    assert (told["gen_ai.provider.name"], told["gen_ai.request.model"]) == wanted
    assert told["gen_ai.request.stream"] is True
    assert ask is chat or told["gen_ai.usage.output_tokens"] > 0
    assert told["l0.outcome"] == "ok"


@asks(*SHAPES)
async def test_attempts_hang_below_the_call(sim: Simulator, spans: Any, ask: Ask) -> None:
    sim.script(Fault.status(503), Fault.reset(at_event=0))
    async with async_client(sim, ask, max_retries=4) as made:
        await (await l0(lambda: ask(made), retry=QUICK)).read()
    *attempts, call = spans.all
    assert [one.name for one in attempts] == ["attempt 1", "attempt 2", "attempt 3"]
    assert {one.parent.span_id for one in attempts} == {call.context.span_id}
    assert (call.attributes["l0.attempts"], call.attributes["l0.outcome"]) == (3, "recovered_retry")
    assert len(sim.requests) == 3


FAILED_CALLS = {"refused": [Fault.status(503)] * 2, "before content": [Fault.cut(at_event=0)] * 2}


@pytest.mark.parametrize("kind", FAILED_CALLS)
@asks(chat, messages)
async def test_the_exception_states_the_limit_of_the_explicit_call(sim: Simulator, ask: Ask, kind: str) -> None:
    """The SDK's call is one attempt of it, so the number and the limit of its own attempts say nothing."""
    library.instrument()
    retry = Retry(max_retries=1, base_delay=0.001)
    errors = []
    sim.script(*FAILED_CALLS[kind])
    async with async_client(sim, ask) as made:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the SDK's own, which differ
            await (await l0(lambda: ask(made), retry=retry)).read()
        errors.append(raised.value)
    sim.script(*FAILED_CALLS[kind])
    with client(sim, ask) as made_sync, pytest.raises(Exception) as raised:  # noqa: PT011
        library.run_sync(lambda: ask(made_sync), retry=retry).read()
    errors.append(raised.value)
    for error in errors:
        told = [str(error), *error.__notes__]
        assert sum("all retries are used (Retry.max_retries=1)" in text for text in told) == 1
        assert not any("Retry.max_retries=0" in text or "attempt 1 of 1" in text for text in told)
        assert not any("one attempt of a call of the explicit API" in text for text in told)


async def test_a_fallback_of_another_provider_is_in_the_same_span(sim: Simulator, spans: Any) -> None:
    sim.script(Fault.status(401))
    async with async_client(sim, chat) as first, async_client(sim, messages) as second:
        await (await l0(lambda: chat(first), fallbacks=[lambda: messages(second)])).read()
    call = spans.all[-1]
    assert (call.attributes["l0.outcome"], call.attributes["l0.leg"]) == ("recovered_fallback", 1)
    assert call.attributes["gen_ai.response.model"] == "claude-test"
    attempts = [
        (span.attributes["gen_ai.provider.name"], span.attributes["l0.attempt.model"]) for span in spans.all[:-1]
    ]
    assert attempts == [("openai", CHATTING["model"]), ("anthropic", "claude-test")]


async def test_attempt_of_a_source_that_is_no_sdk_names_no_server(sim: Simulator, spans: Any) -> None:
    sim.script(Fault.status(401))
    async with async_client(sim, chat) as first:
        await (await l0(lambda: chat(first), fallbacks=[spare_text])).read()
    spare = spans.all[1].attributes
    assert (spare["l0.attempt.leg"], spare["gen_ai.provider.name"]) == (1, "unknown")
    assert spare["l0.attempt.model"].endswith("spare_text")
    assert "server.address" not in spare


async def spare_text() -> AsyncIterator[str]:
    """A source of text without an SDK."""
    yield "All is well."


@pytest.mark.parametrize("stands_in", ["options", "policy"])
async def test_restarted_answer_is_reported_as_restart(sim: Simulator, stands_in: str) -> None:
    heard, resume_points = Heard(), list[library.types.ResumePoint]()
    OpenAIInstrumentor().instrument(tracer_provider=heard.tracers, meter_provider=heard.meters)
    policy = Policy(on_resume=resume_points.append, resume="restart" if stands_in == "policy" else "off")
    asked: Any = {"resume": "restart"} if stands_in == "options" else {}
    sim.script(Fault.cut(at_event=4))
    async with async_client(sim, chat) as made, await l0(lambda: chat(made), policy=policy, **asked) as stream:
        events = [event async for event in stream]
    had = "".join(event.text for event in events[: [event.type for event in events].index(EventType.RESTART)])
    assert (stream.state.content, stream.state.restarts) == (bundled_answer("greeting").text, 1)
    told = heard.span.attributes
    assert (told["l0.outcome"], told["l0.resume.strategy"]) == ("recovered_resume", "restart")
    (taken_up,) = [event for event in heard.span.events if event.name == "l0.resume"]
    assert (taken_up.attributes["l0.resume.strategy"], taken_up.attributes["l0.resume.at"]) == ("restart", len(had))
    (point,) = heard.points("l0.resumes")
    assert (point.attributes["l0.resume.strategy"], point.value) == ("restart", 1)
    assert [(resume_point.strategy, resume_point.at, resume_point.attempt) for resume_point in resume_points] == [
        ("restart", len(had), 2)
    ]


async def test_an_sdks_own_stream_never_begins_anew(sim: Simulator, spans: Any) -> None:
    spans.instrument(Policy(resume="restart", retry=QUICK))
    sim.script(Fault.cut(at_event=4))
    async with async_client(sim, chat) as made:
        stream = await chat(made)
        with pytest.raises(library.StreamInterrupted):
            [chunk async for chunk in stream]
    assert len(sim.requests) == 1


async def test_a_source_that_calls_only_when_it_is_read(sim: Simulator, spans: Any) -> None:
    async with async_client(sim, messages) as made:

        async def words() -> Any:
            async with messages_helper(made) as stream:
                async for text in stream.text_stream:
                    yield text

        sim.script(Fault.status(529))
        assert (await (await l0(words, retry=QUICK)).read()).startswith("Hello")
    assert len(sim.requests) == 2
    assert len([one for one in spans.all if "l0.outcome" in one.attributes]) == 1


async def test_a_source_that_is_no_sdk_has_a_span_as_well(sim: Simulator, spans: Any) -> None:
    await (await l0(lambda: ["a", "b"])).read()
    assert spans.only.attributes["l0.outcome"] == "ok"


async def test_what_only_the_providers_package_knows_decides(sim: Simulator, spans: Any) -> None:
    sim.script(
        Fault.status(429, body={"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}})
    )
    async with async_client(sim, chat) as made:
        with pytest.raises(openai.RateLimitError):
            await l0(lambda: chat(made), retry=QUICK)
    assert len(sim.requests) == 1


# -- clients with their own policy ------------------------------------------------------------------------------


async def test_a_wrapped_client_is_a_client_with_a_policy(sim: Simulator) -> None:
    async with async_client(sim, chat, max_retries=3) as made:
        patient = l0.wrap(made, policy=Policy(retry=Retry(max_retries=1, base_delay=0.001)))
        assert isinstance(patient, openai.AsyncOpenAI)
        assert patient.base_url == made.base_url
        sim.script(*[Fault.status(500)] * 9)
        for client_ in (patient, patient.with_options(timeout=5)):
            sim.reset()
            sim.script(*[Fault.status(500)] * 9)
            with pytest.raises(openai.InternalServerError):
                await client_.chat.completions.create(**CHATTING)
            assert len(sim.requests) == 2
        with library.policy(Policy(retry=Retry(max_retries=0))):
            sim.reset()
            sim.script(Fault.status(500))
            with pytest.raises(openai.InternalServerError):
                await patient.chat.completions.create(**CHATTING)
            assert len(sim.requests) == 1


def test_a_wrapped_sync_client(sim: Simulator) -> None:
    with client(sim, chat) as made:
        quick = library.wrap(made, policy=Policy(timeout=Timeout(initial_token=100), retry=Retry(max_retries=0)))
        sim.script(Fault.no_headers())
        with pytest.raises(openai.APITimeoutError):
            quick.chat.completions.create(**CHATTING, stream=True)


def test_what_wrap_refuses(sim: Simulator) -> None:
    with client(sim, chat) as made:
        with pytest.raises(PolicyError, match="policy"):
            l0.wrap(made, policy="patient")
        with pytest.raises(PolicyError, match=r"on_token.*one of policy"):
            l0.wrap(made, on_token=print)
        with pytest.raises(PolicyError, match="not allowed beside a policy"):
            l0.wrap(made, policy=Policy(), timeout=Timeout())


async def test_a_wrapped_client_has_a_policy_by_default_or_by_its_fields(sim: Simulator) -> None:
    async with async_client(sim, chat, max_retries=0) as made:
        assert getattr(l0.wrap(made), OWN_POLICY) == Policy(retry=RETRY_DEFAULTS)
        quick = l0.wrap(made, retry=Retry(max_retries=1, base_delay=0.001), continue_from_last_good_token=True)
        assert getattr(quick, OWN_POLICY).resume == "exact"
        sim.script(*[Fault.status(500)] * 9)
        with pytest.raises(openai.InternalServerError):
            await quick.chat.completions.create(**CHATTING)
        assert len(sim.requests) == 2


@pytest.mark.parametrize("shape", ["function", "coroutine", "stream"])
async def test_a_wrapped_stream_is_a_context_manager(sim: Simulator, standing: str, shape: str) -> None:
    async with async_client(sim, chat) as made:
        source = {"function": lambda: lambda: chat(made), "coroutine": lambda: chat(made)}.get(shape)
        async with l0.wrap(source() if source is not None else await chat(made)) as stream:
            assert (await stream.read()).startswith("Hello")
        assert stream.state.completed
