"""Answers that the SDK's own ``parse()`` refuses: repeated if the policy judges whole answers, else as without L0."""

import asyncio
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openai
import pydantic
import pytest
from installed import helpers_of
from journeys_kit import (
    CHATTING,
    FAILED,
    MESSAGING,
    RESPONDING,
    Spans,
    async_chat_client,
    chat_client,
    client_of,
    sync_and_async,
)

import l0
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

NOW = l0.Retry(attempts=2, base_delay=0, max_delay=0)
RECOVERED = ("recovered_retry", "UNSET")


class City(pydantic.BaseModel):
    name: str
    people: int = 1

    @pydantic.field_validator("people")
    @classmethod
    def _inhabited(cls, people: int) -> int:
        if people < 1:
            raise ValueError("nobody lives there")
        return people


GOOD = Reply(answer=Answer(text='{"name": "Oslo", "people": 7}'))
OTHER_SHAPE = Reply(answer=Answer(text='{"city": "Oslo"}'))
REFUSED_BY_VALIDATOR = Reply(answer=Answer(text='{"name": "Oslo", "people": 0}'))
LONG = Reply(answer=Answer(text='{"name": "Os', stop="length"))

PARSE: dict[str, Callable[[Any], Any]] = {
    "chat": lambda client: helpers_of(client).parse(**CHATTING, response_format=City),
    "responses": lambda client: client.responses.parse(**RESPONDING, text_format=City),
    "messages": lambda client: client.messages.parse(**MESSAGING, output_format=City),
}


def parsed_of(dialect: str, answer: Any) -> Any:
    if dialect == "chat":
        return answer.choices[0].message.parsed
    return answer.output_parsed if dialect == "responses" else answer.parsed_output


def parsing_client(sim: Simulator, dialect: str, *, sync: bool) -> Any:
    """Return a client that can parse; skip if the SDK is too old."""
    client = client_of(sim, dialect, sync=sync)
    if dialect != "chat" and not hasattr(getattr(client, dialect, None), "parse"):
        pytest.skip(f"parse() of {dialect} came with a later version of this SDK")
    return client


def parse(sim: Simulator, dialect: str, *, sync: bool) -> Any:
    """Return the parsed value of one call."""
    client = parsing_client(sim, dialect, sync=sync)
    if sync:
        return parsed_of(dialect, PARSE[dialect](client))

    async def call() -> Any:
        async with client:
            return parsed_of(dialect, await PARSE[dialect](client))

    return asyncio.run(call())


def call_span(spans: Spans) -> dict[str, Any]:
    """Return the attributes of the span of the one call."""
    (attributes,) = [dict(span.attributes or {}) for span in spans.all if span.parent is None]
    return attributes


JUDGING = {
    "structured": l0.Policy(structured=True),
    "message": l0.Policy(hold="message"),
    "agent": replace(l0.Policy.agent(), retry=NOW),
}
every = pytest.mark.parametrize("dialect", PARSE)


@sync_and_async
@every
@pytest.mark.parametrize("policy", JUDGING)
def test_refused_answer_is_retried(sim: Simulator, spans: Spans, dialect: str, policy: str, sync: bool) -> None:
    l0.instrument(JUDGING[policy])
    sim.script(OTHER_SHAPE, REFUSED_BY_VALIDATOR, GOOD)
    assert parse(sim, dialect, sync=sync) == City(name="Oslo", people=7)
    assert len(sim.requests) == 3
    assert spans.ends == [RECOVERED]
    assert call_span(spans)["l0.retry.causes"] == ("guardrail_violation", "guardrail_violation")


@sync_and_async
@every
def test_last_refused_answer_raises_as_without_l0(sim: Simulator, spans: Spans, dialect: str, sync: bool) -> None:
    l0.instrument(l0.Policy(structured=True, retry=NOW))
    sim.script(*[OTHER_SHAPE] * 3)
    with pytest.raises(pydantic.ValidationError) as caught:
        parse(sim, dialect, sync=sync)
    assert type(caught.value) is pydantic.ValidationError
    assert any("Retry.attempts=2" in note for note in caught.value.__notes__)
    assert len(sim.requests) == 3
    assert spans.ends == [FAILED]
    assert call_span(spans)["gen_ai.usage.output_tokens"] > 0


@sync_and_async
@every
def test_refused_answer_falls_back(sim: Simulator, spans: Spans, dialect: str, sync: bool) -> None:
    retry = l0.Retry(max_retries=0)
    l0.instrument(l0.Policy(structured=True, retry=retry, fallback=l0.Fallback(model="other")))
    sim.script(REFUSED_BY_VALIDATOR, GOOD)
    assert parse(sim, dialect, sync=sync) == City(name="Oslo", people=7)
    assert [request.body["model"] for request in sim.requests][1:] == ["other"]


@sync_and_async
@every
@pytest.mark.parametrize("policy", [None, l0.Policy(retry=NOW)], ids=["default", "retry"])
def test_refused_answer_is_not_retried_unasked(
    sim: Simulator, spans: Spans, dialect: str, policy: l0.Policy | None, sync: bool
) -> None:
    l0.instrument(policy)
    sim.script(OTHER_SHAPE, GOOD)
    with pytest.raises(pydantic.ValidationError):
        parse(sim, dialect, sync=sync)
    assert len(sim.requests) == 1
    assert spans.ends == [FAILED]


STREAM: dict[str, Callable[[Any], Any]] = {
    "chat": lambda client: helpers_of(client).stream(**CHATTING, response_format=City),
    "responses": lambda client: client.responses.stream(**RESPONDING, text_format=City),
    "messages": lambda client: client.messages.stream(**MESSAGING, output_format=City),
}


def stream(sim: Simulator, dialect: str, *, sync: bool) -> None:
    """Read one stream of the SDK's helper, which parses the answer at its end."""
    client = parsing_client(sim, dialect, sync=sync)
    if sync:
        with STREAM[dialect](client) as events:
            for _ in events:
                pass
        return

    async def read() -> None:
        async with client, STREAM[dialect](client) as events:
            async for _ in events:
                pass

    asyncio.run(read())


@sync_and_async
@every
def test_streaming_helper_gets_an_answer_that_fits_the_schema(
    sim: Simulator, spans: Spans, dialect: str, sync: bool
) -> None:
    """Its own parsing comes after the delivery: what only a validator refuses raises as without L0."""
    l0.instrument(l0.Policy(structured=True, retry=NOW))
    sim.script(OTHER_SHAPE, GOOD)
    stream(sim, dialect, sync=sync)
    assert len(sim.requests) == 2
    sim.reset()
    sim.script(REFUSED_BY_VALIDATOR, GOOD)
    with pytest.raises(pydantic.ValidationError):
        stream(sim, dialect, sync=sync)
    assert len(sim.requests) == 1
    assert spans.ends == [RECOVERED, FAILED]


@sync_and_async
@every
@pytest.mark.parametrize("policy", JUDGING)
def test_answer_that_is_too_long_is_never_retried(
    sim: Simulator, spans: Spans, dialect: str, policy: str, sync: bool
) -> None:
    l0.instrument(JUDGING[policy])
    sim.script(LONG, GOOD)
    with pytest.raises(openai.LengthFinishReasonError if dialect == "chat" else pydantic.ValidationError):
        parse(sim, dialect, sync=sync)
    assert len(sim.requests) == 1


@sync_and_async
@pytest.mark.parametrize("rules", [{"structured": True}, {"guardrails": "json_only", "hold": "message"}], ids=str)
def test_answer_that_a_rule_refuses_is_retried_without_a_retry_policy(
    sim: Simulator, spans: Spans, rules: dict[str, Any], sync: bool
) -> None:
    """The SDK's own number of retries holds for whole answers as it does for streams."""
    l0.instrument(l0.Policy(**rules))
    sim.script(Reply(answer=Answer(text="Oslo")), GOOD)
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": City.model_json_schema()}}
    asked = {**CHATTING, "response_format": schema}
    if sync:
        answer = chat_client(sim).chat.completions.create(**asked)
    else:

        async def call() -> Any:
            async with async_chat_client(sim) as client:
                return await client.chat.completions.create(**asked)

        answer = asyncio.run(call())
    assert answer.choices[0].message.content == GOOD.answer.text
    assert len(sim.requests) == 2


KEY = "sk-ABCDEFGHIJKLMNOP"
SECRET = Reply(answer=Answer(text=f'{{"city": "{KEY}"}}'))
SECRET_IN_FIELD = Reply(answer=Answer(text=f'{{"name": "{KEY}", "people": 0}}'))
HOLDS: dict[str, dict[str, Any]] = {"plain": {}, "structured": {"structured": True}, "message": {"hold": "message"}}
holds = pytest.mark.parametrize("hold", HOLDS)


def key_rule(severity: Any, found: list[l0.Violation], **fields: Any) -> l0.Policy:
    rule = l0.Guardrails.pattern_rule(re.compile(r"sk-[A-Z]{16}"), "a key", severity=severity, name="secret")
    return l0.Policy(guardrails=rule, on_violation=found.append, **fields)


@sync_and_async
@every
@holds
def test_fatal_rule_ends_the_call_whose_answer_the_parser_refused(
    sim: Simulator, spans: Spans, dialect: str, hold: str, sync: bool
) -> None:
    found: list[l0.Violation] = []
    l0.instrument(key_rule("fatal", found, **HOLDS[hold]))
    sim.script(SECRET, GOOD)
    with pytest.raises(l0.StreamInterrupted, match="secret: a key") as caught:
        parse(sim, dialect, sync=sync)
    assert len(sim.requests) == 1
    assert "secret" in [violation.rule for violation in found]
    assert pickle.loads(pickle.dumps(caught.value)).rule == "secret"
    assert KEY not in "".join(map(repr, (caught.value, caught.value.__cause__, caught.value.__context__)))
    assert spans.ends == [FAILED]


@sync_and_async
@every
def test_rule_rejects_every_answer_that_the_parser_refused(
    sim: Simulator, spans: Spans, dialect: str, sync: bool
) -> None:
    """After the last one, the error is that of the rule: the parser's would show the text that the rule rejects."""
    found: list[l0.Violation] = []
    l0.instrument(key_rule("error", found, retry=NOW, structured=True))
    sim.script(*[SECRET, SECRET_IN_FIELD] * 2)
    with pytest.raises(l0.StreamInterrupted, match="secret: a key") as caught:
        parse(sim, dialect, sync=sync)
    assert len(sim.requests) == 3
    assert [violation.rule for violation in found if violation.rule == "secret"] == ["secret"] * 3
    assert KEY not in "".join(map(repr, (caught.value, caught.value.__cause__, caught.value.__context__)))


@sync_and_async
@every
@holds
def test_rule_that_only_warns_leaves_the_parser_its_error(
    sim: Simulator, spans: Spans, dialect: str, hold: str, sync: bool
) -> None:
    found: list[l0.Violation] = []
    l0.instrument(key_rule("warning", found, retry=l0.Retry(max_retries=0), **HOLDS[hold]))
    sim.script(SECRET)
    with pytest.raises(pydantic.ValidationError):
        parse(sim, dialect, sync=sync)
    assert "secret" in [violation.rule for violation in found]


@sync_and_async
@every
def test_rule_over_the_complete_answer_reads_it_before_the_parser(
    sim: Simulator, spans: Spans, dialect: str, sync: bool
) -> None:
    """Both the rule and the schema find a flaw: the rule, which asks for a halt, decides."""
    rule = l0.Guardrails.rule(lambda text: "a key" if KEY in text else None, name="secret", severity="fatal")
    l0.instrument(l0.Policy(guardrails=rule, structured=True, retry=NOW))
    sim.script(SECRET, GOOD)
    with pytest.raises(l0.StreamInterrupted, match="secret"):
        parse(sim, dialect, sync=sync)
    assert len(sim.requests) == 1


@every
def test_shadow_policy_reads_an_answer_that_the_parser_refused(sim: Simulator, spans: Spans, dialect: str) -> None:
    rule = l0.Guardrails.pattern_rule(re.compile(r"sk-[A-Z]{16}"), "a key", severity="fatal", name="secret")
    l0.instrument(l0.Policy(guardrails=rule, mode="shadow"))
    sim.script(SECRET)
    with pytest.raises(pydantic.ValidationError):
        parse(sim, dialect, sync=True)
    events = [event for span in spans.all for event in span.events]
    assert any("secret" in (event.attributes or {}).values() for event in events)


@every
@pytest.mark.parametrize("cut", ["length", "filter"])
def test_rules_read_an_answer_that_was_cut(sim: Simulator, spans: Spans, dialect: str, cut: str) -> None:
    found: list[l0.Violation] = []
    l0.instrument(key_rule("fatal", found))
    sim.script(Reply(answer=Answer(text=f'{{"name": "{KEY}', stop="length" if cut == "length" else "content_filter")))
    with pytest.raises(l0.StreamInterrupted, match="secret"):
        parse(sim, dialect, sync=True)
    assert [violation.rule for violation in found] == ["secret"]


def test_fatal_rule_of_the_explicit_api_reads_an_answer_that_the_parser_refused(sim: Simulator) -> None:
    l0.instrument()
    sim.script(SECRET, GOOD)
    client = chat_client(sim)
    rule = l0.Guardrails.pattern_rule(re.compile(r"sk-[A-Z]{16}"), "a key", severity="fatal", name="secret")

    async def call() -> Any:
        answer = await l0.run(lambda: PARSE["chat"](client), guardrails=[rule], retry=NOW)
        return await answer.read()

    with pytest.raises(l0.StreamInterrupted, match="secret: a key"):
        asyncio.run(call())
    assert len(sim.requests) == 1


NO_ANSWERS = {
    "page": Fault.html(),
    "nothing": Fault.empty(),
    "half a JSON": Fault.clean_end(),
    "nothing, as JSON": Fault.status(200, {"content-type": "application/json"}, b""),
    "error": Fault.status(200, {"content-type": "application/json"}, b'{"error": {"code": "overloaded"}}'),
}


@sync_and_async
@every
@pytest.mark.parametrize("fault", NO_ANSWERS)
def test_answer_that_is_none_is_retried_before_the_parser_decides(
    sim: Simulator, spans: Spans, dialect: str, fault: str, sync: bool
) -> None:
    """As `create()`: the parser fails at such a body with an error of its own code."""
    l0.instrument()
    sim.script(NO_ANSWERS[fault], GOOD)
    assert parse(sim, dialect, sync=sync) == City(name="Oslo", people=7)
    assert spans.ends == [RECOVERED]


FILTERED = Reply(answer=Answer(text='{"name": "Os', stop="content_filter"))


@sync_and_async
@every
@pytest.mark.parametrize(
    ("reply", "reason"),
    [(OTHER_SHAPE, "does not fit the type"), (LONG, "reached the length limit"), (FILTERED, "content filter|not fit")],
    ids=["other shape", "length", "filter"],
)
def test_failure_names_the_reason_why_the_parser_refused_the_answer(
    sim: Simulator, spans: Spans, dialect: str, reply: Reply, reason: str, sync: bool
) -> None:
    l0.instrument()
    sim.script(reply)
    with pytest.raises((openai.OpenAIError, pydantic.ValidationError)) as caught:
        parse(sim, dialect, sync=sync)
    assert type(caught.value).__module__.partition(".")[0] in ("openai", "pydantic_core")
    (span,) = [span for span in spans.all if span.parent is None]
    assert spans.ends == [FAILED]
    assert re.match(f"local: parse: .*({reason})", span.status.description or "")
