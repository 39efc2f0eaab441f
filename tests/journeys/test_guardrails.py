"""Rules on a text while it streams, through the real SDKs: what the user gets, what the server sees, what is told."""

import asyncio
import logging
import re
from typing import Any

import anthropic
import openai
import pytest
from journeys_kit import sync_and_async

import l0
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

CLEAN = Answer(text="The tide comes in twice a day, and the harbour fills slowly, boat by boat, until noon has gone.")
SECRET = Answer(text="The tide comes in twice a day. The password is swordfish, and the harbour fills slowly.")
FORBIDDEN = re.compile(r"swordfish", re.IGNORECASE)
ONCE = l0.CheckIntervals(guardrails=1, drift=1)
DIALECTS = ["chat", "responses", "messages"]
every = pytest.mark.parametrize("dialect", DIALECTS)


def forbidden(severity: str = "error") -> Any:
    return l0.Guardrails.pattern_rule([FORBIDDEN], "it tells the password", severity=severity, span=32)


class Got:
    """The result of one call for the user."""

    def __init__(self) -> None:
        self.text = ""
        self.error: Exception | None = None


REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
    "responses": {"model": "gpt-4o", "input": "hi", "store": False},
    "messages": {"model": "claude-haiku-4-5", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]},
}


def text_of(event: Any) -> str:
    if getattr(event, "choices", None):
        return event.choices[0].delta.content or ""
    if getattr(event, "type", "") == "response.output_text.delta":
        return str(event.delta)
    delta = getattr(event, "delta", None)
    return getattr(delta, "text", None) or ""


def call(sim: Simulator, dialect: str, *answers: Answer | Reply, sync: bool, stream: bool = True, **more: Any) -> Got:
    sim.reset()
    sim.script(*(Reply(answer=answer) if isinstance(answer, Answer) else answer for answer in answers))
    kind = {"messages": (anthropic.Anthropic, anthropic.AsyncAnthropic)}.get(
        dialect, (openai.OpenAI, openai.AsyncOpenAI)
    )
    url = sim.anthropic if dialect == "messages" else sim.openai
    got, request = Got(), REQUESTS[dialect] | more

    def create(client: Any) -> Any:
        api = client.chat.completions if dialect == "chat" else getattr(client, dialect)
        return api.create(**request, stream=stream)

    def read() -> None:
        with kind[0](api_key="k", base_url=url) as client:
            answer = create(client)
            for event in answer if stream else ():
                got.text += text_of(event)

    async def aread() -> None:
        async with kind[1](api_key="k", base_url=url) as client:
            answer = await create(client)
            if stream:
                async for event in answer:
                    got.text += text_of(event)

    try:
        read() if sync else asyncio.run(aread())
    except (openai.APIError, anthropic.APIError) as error:
        got.error = error
    return got


@sync_and_async
@every
def test_held_back_to_the_end_a_violation_is_repaired_unseen(sim, heard, dialect, sync):
    with l0.policy(guardrails=forbidden(), hold="message", check_intervals=ONCE):
        got = call(sim, dialect, SECRET, CLEAN, sync=sync)
    assert (got.text, got.error, len(sim.requests)) == (CLEAN.text, None, 2)
    assert heard.span.attributes["l0.outcome"] == "recovered_retry"
    assert heard.span.attributes["l0.retry.causes"] == ("guardrail_violation",)
    assert heard.span.attributes["l0.guardrail.violations"] == ("pattern",)


@sync_and_async
@every
def test_verified_text_violates_no_rule(sim, heard, dialect, sync):
    """The rule sees the window before the user does: the call ends where the violation begins, or is repeated."""
    with l0.policy(guardrails=forbidden(), hold="verified", retry=l0.Retry(attempts=0, max_retries=0)):
        got = call(sim, dialect, SECRET, sync=sync)
    assert isinstance(got.error, l0.StreamInterrupted)
    assert got.error.reason == "guardrail_violation"
    assert SECRET.text.startswith(got.text)
    assert not FORBIDDEN.search(got.text)
    assert not FORBIDDEN.search(got.error.partial_text)
    assert not FORBIDDEN.search(str(got.error))


@sync_and_async
def test_verified_text_that_nothing_is_wrong_with_arrives_whole(sim, heard, sync):
    with l0.policy(guardrails=forbidden(), hold="verified"):
        got = call(sim, "chat", CLEAN, sync=sync)
    assert (got.text, got.error, len(sim.requests)) == (CLEAN.text, None, 1)


@sync_and_async
def test_after_the_commit_point_an_error_is_raised(sim, heard, sync):
    with l0.policy(guardrails=forbidden(), check_intervals=ONCE):
        got = call(sim, "chat", SECRET, CLEAN, sync=sync)
    assert isinstance(got.error, openai.APIConnectionError)
    assert (got.error.reason, len(sim.requests)) == ("guardrail_violation", 1)
    assert SECRET.text.startswith(got.text)


HOLDS: list[l0.Hold] = [l0.Hold(), l0.Hold(until="verified", window=40), l0.Hold(until="message")]
BREAKS: list[tuple[Answer, Fault | None]] = [
    (SECRET, None),
    (SECRET, Fault.one_write()),
    (CLEAN, Fault.reset(at_event=12)),
    (SECRET, Fault.reset(at_event=14)),
    (CLEAN, Fault.clean_end(at_event=12)),
]
"""Rejected, event by event and at once; cut off; cut off with text that no rule has checked yet; an early end."""


@sync_and_async
@pytest.mark.parametrize(("dialect", "interval"), [("chat", 99), ("responses", 1), ("messages", 4)])
@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: hold.until)
def test_partial_text_is_what_the_user_received(sim, dialect, interval, hold, sync):
    intervals = l0.CheckIntervals(guardrails=interval)
    policy = {"guardrails": forbidden(), "hold": hold, "check_intervals": intervals, "truncation": "strict"}
    l0.instrument(l0.Policy(**policy, retry=l0.Retry(max_retries=0)))
    for answer, fault in BREAKS:
        got = call(sim, dialect, Reply(answer=answer, fault=fault), sync=sync)
        assert isinstance(got.error, l0.StreamInterrupted)
        assert got.error.partial_text == got.text
        arrived = int(re.search(r"(\d+) characters had arrived", str(got.error))[1])
        assert len(got.text) <= arrived <= len(answer.text)
        assert ("of them delivered" in str(got.error)) == (len(got.text) < arrived)


@sync_and_async
def test_a_warning_is_recorded_and_changes_nothing(sim, heard, sync):
    told: list[l0.types.Violation] = []
    with l0.policy(guardrails=forbidden("warning"), on_violation=told.append):
        got = call(sim, "chat", SECRET, sync=sync)
    assert (got.text, got.error) == (SECRET.text, None)
    assert [(found.rule, found.severity, found.at) for found in told] == [
        ("pattern", "warning", SECRET.text.index("swordfish"))
    ]
    (event,) = [event for event in heard.span.events if event.name == "l0.guardrail.violation"]
    assert event.attributes["l0.guardrail.action"] == "recorded"
    (point,) = heard.points("l0.guardrail.violations")
    assert (point.value, point.attributes["l0.guardrail.rule"]) == (1, "pattern")


@sync_and_async
def test_fatal_violation_halts_despite_fallbacks(sim, heard, sync):
    policy = l0.Policy(guardrails=forbidden("fatal"), hold="message", fallback=l0.Fallback(model="other"))
    with l0.policy(policy):
        got = call(sim, "chat", SECRET, CLEAN, sync=sync)
    assert (got.text, len(sim.requests)) == ("", 1)
    assert isinstance(got.error, l0.StreamInterrupted)


@sync_and_async
def test_message_of_a_fatal_violation_gives_the_reason(sim, heard, sync):
    with l0.policy(guardrails=forbidden("fatal"), retry=l0.Retry(max_retries=2)):
        got = call(sim, "chat", SECRET, sync=sync, stream=False)
    message = f"{len(SECRET.text)} characters had arrived (none of them delivered); attempt 1. No further attempt: "
    assert str(got.error).endswith(f'{message}the severity of the rule is "fatal".')


@sync_and_async
@pytest.mark.parametrize("stream", [False, True])
def test_message_states_the_limit_of_retries_for_content(sim, heard, sync, stream):
    retry = l0.Retry(attempts=2, max_retries=6, base_delay=0)
    with l0.policy(guardrails=forbidden(), retry=retry, hold="message"):
        got = call(sim, "chat", SECRET, SECRET, SECRET, sync=sync, stream=stream)
    arrived = 61 if stream else len(SECRET.text)  # a stream ends at the violation
    assert f"{arrived} characters had arrived (none of them delivered); attempt 3 of 3. " in str(got.error)
    assert str(got.error).endswith("(Retry.attempts=2).")


SECRET_KEY = "sk-ABCDEFGHIJKLMNOP1234"
KEYED = Answer(text=f"The key is {SECRET_KEY} for all of the harbour and its boats. " + "More text follows. " * 30)
KEYS = {
    "bounded": re.compile(r"sk-[A-Za-z0-9]{16,64}"),
    "unbounded": re.compile(r"\bsk-[A-Za-z0-9]{16,}"),
    "fixed": re.compile(r"sk-[A-Za-z0-9]{16}"),
}


@sync_and_async
@pytest.mark.parametrize("pattern", KEYS)
@pytest.mark.parametrize("hold", ["first_content", "verified"])
def test_fatal_pattern_stops_a_stream_as_soon_as_it_matches(sim, heard, pattern, hold, sync):
    rule = l0.Guardrails.pattern_rule(KEYS[pattern], "a key", severity="fatal")
    with l0.policy(guardrails=rule, hold=hold, check_intervals=ONCE):
        got = call(sim, "chat", KEYED, sync=sync)
    assert isinstance(got.error, l0.StreamInterrupted)
    begin = KEYED.text.index(SECRET_KEY)
    assert len(got.text) < begin + len("sk-") + 16
    if hold == "verified":
        assert len(got.text) <= begin


@sync_and_async
def test_violation_falls_back_to_another_model(sim, heard, sync):
    policy = l0.Policy(
        guardrails=forbidden(),
        hold="message",
        fallback=l0.Fallback(model="other"),
        retry=l0.Retry(attempts=1, base_delay=0),
    )
    with l0.policy(policy):
        got = call(sim, "chat", SECRET, SECRET, CLEAN, sync=sync)
    assert (got.text, got.error) == (CLEAN.text, None)
    assert [request.body["model"] for request in sim.requests] == ["gpt-4o", "gpt-4o", "other"]


@sync_and_async
@every
def test_rules_check_complete_answers(sim, heard, dialect, sync):
    with l0.policy(guardrails=forbidden(), retry=l0.Retry(base_delay=0)):
        got = call(sim, dialect, SECRET, CLEAN, sync=sync, stream=False)
    assert (got.error, len(sim.requests)) == (None, 2)


TOOL_CALL = SimulatedToolCall(name="tide", arguments='{"word": "swordfish"}')
UNREAD = {
    "tool arguments": Answer(text="I look.", tool_calls=(TOOL_CALL,)),
    "reasoning": Answer(text="I look.", reasoning="The password is swordfish."),
    "a refusal": Answer(refusal="I do not tell the password swordfish."),
}


@sync_and_async
@every
@pytest.mark.parametrize("part", UNREAD)
@pytest.mark.parametrize("stream", [True, False])
def test_rules_read_no_part_of_an_answer_but_its_text(sim, heard, part, dialect, sync, stream):
    with l0.policy(guardrails=[forbidden("fatal")], hold="verified", check_intervals=ONCE):
        got = call(sim, dialect, UNREAD[part], sync=sync, stream=stream)
    refused_in_text = part == "a refusal" and dialect == "messages"  # anthropic has no field for refusals
    assert (got.error is not None, len(sim.requests)) == (refused_in_text, 1)


@sync_and_async
@pytest.mark.parametrize("stream", [True, False])
def test_rules_read_only_the_first_choice(sim, heard, sync, stream):
    answer = Answer(text=CLEAN.text, alternatives=(SECRET.text,))
    with l0.policy(guardrails=[forbidden("fatal")], hold="verified", check_intervals=ONCE):
        got = call(sim, "chat", answer, sync=sync, stream=stream, n=2)
    assert (got.error, len(sim.requests)) == (None, 1)


@sync_and_async
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_only_calls_a_tool_is_not_empty(sim, heard, sync, stream):
    answer = Answer(text="", tool_calls=(SimulatedToolCall(name="tide", arguments='{"at": "noon"}'),))
    with l0.policy(guardrails="recommended", hold="message"):
        got = call(sim, "chat", answer, sync=sync, stream=stream)
    assert (got.error, len(sim.requests)) == (None, 1)


@sync_and_async
def test_a_request_for_json_gets_json_that_fits_or_an_error(sim, heard, sync):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    policy = l0.Policy(structured=True, retry=l0.Retry(attempts=2, base_delay=0))
    wrong, cut, right = (Answer(text=text) for text in ('{"n": "one"}', '{"n": 1', '{"n": 1}'))
    with l0.policy(policy):
        got = call(sim, "chat", wrong, cut, right, sync=sync, response_format=form)
        assert (got.text, got.error, len(sim.requests)) == ('{"n": 1}', None, 3)
        got = call(sim, "chat", wrong, wrong, wrong, sync=sync, response_format=form)
    assert (got.text, len(sim.requests)) == ("", 3)
    assert isinstance(got.error, openai.APIConnectionError)


TIDE = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
TOOLS: dict[str, Any] = {
    "chat": {"type": "function", "function": {"name": "tide", "strict": True, "parameters": TIDE}},
    "responses": {"type": "function", "name": "tide", "strict": True, "parameters": TIDE},
    "messages": {"name": "tide", "strict": True, "input_schema": TIDE},
}


@sync_and_async
@every
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_tool_calls_fit_their_schema_or_are_asked_for_again(sim, heard, dialect, sync, stream):
    wrong, right = (
        Answer(text="Let me see.", tool_calls=(SimulatedToolCall(name="tide", arguments=arguments),))
        for arguments in ('{"at": 12}', '{"at": "noon"}')
    )
    with l0.policy(structured=True, retry=l0.Retry(base_delay=0)):
        got = call(sim, dialect, wrong, right, sync=sync, stream=stream, tools=[TOOLS[dialect]])
        assert (got.error, len(sim.requests)) == (None, 2)
        loose = {key: part for key, part in TOOLS[dialect].items() if key != "strict"}
        loose |= {"function": {**loose["function"], "strict": False}} if dialect == "chat" else {}
        got = call(sim, dialect, wrong, sync=sync, stream=stream, tools=[loose])
    assert (got.error, len(sim.requests)) == (None, 1)


@sync_and_async
def test_drift_is_reported_by_type(sim, heard, sync):
    text = "The harbour fills slowly. " + "As an AI language model, I cannot have opinions on tides. " * 2
    with l0.policy(drift=True, check_intervals=ONCE):
        got = call(sim, "chat", Answer(text=text), sync=sync)
    assert (got.text, got.error) == (text, None)
    assert "meta_commentary" in heard.span.attributes["l0.drift.types"]
    assert {point.attributes["l0.drift.type"] for point in heard.points("l0.drift.detections")} >= {"meta_commentary"}


@sync_and_async
def test_rules_are_timed_only_for_an_observer(sim, heard, sync):
    with l0.policy(guardrails="recommended"):
        call(sim, "chat", CLEAN, sync=sync)
    points = [point.attributes for point in heard.points("l0.guardrail.duration")]
    timed = {(point["l0.guardrail.rule"], point["l0.guardrail.phase"]) for point in points}
    rules, phases = ("zero_output", "json", "markdown", "pattern"), ("streaming", "final")
    assert timed >= {(rule, phase) for rule in rules for phase in phases}


def test_a_hold_that_cannot_keep_its_word_is_refused_at_once():
    with pytest.raises(l0.PolicyError, match=r"Policy.hold.*json"), l0.policy(guardrails="minimal", hold="verified"):
        raise AssertionError("not reached")
    narrow = l0.Hold(until="verified", window=4)
    with pytest.raises(l0.PolicyError, match=r"Hold.window: got 4.*9"), l0.policy(guardrails=forbidden(), hold=narrow):
        raise AssertionError("not reached")


@sync_and_async
@every
def test_a_pattern_without_end_never_holds_up_an_answer(sim, heard, dialect, sync, caplog):
    bait = Answer(text="a" * 80 + "! and then it goes on.")
    evil = l0.Guardrails.pattern_rule([re.compile(r"(?:a|aa)+$")], "never said", name="endless")
    policy = l0.Policy(guardrails=[evil, forbidden()], hold="message", retry=l0.Retry(base_delay=0.001))
    with caplog.at_level("WARNING", "l0"), l0.policy(policy):
        got = call(sim, dialect, Answer(text=bait.text + " swordfish"), bait, sync=sync)
    assert (got.text, got.error) == (bait.text, None)
    said = [record.getMessage() for record in caplog.records if "budget" in record.getMessage()]
    assert said == [
        "guardrail endless took longer than its budget of 100 ms for one check, and is not run again for this call"
    ]


@every
@sync_and_async
def test_a_sentence_that_guardrails_and_drift_find_is_reported_once(sim, heard, dialect, sync):
    meta = Answer(text="The soup is warm. As an AI language model, I cannot taste it. The bread is old.")
    found: list[l0.types.Violation] = []
    with l0.policy(guardrails="strict", drift=True, check_intervals=ONCE, on_violation=found.append):
        got = call(sim, dialect, meta, sync=sync)
    assert got.text == meta.text
    assert [violation.rule for violation in found] == ["pattern"]


def test_a_warning_that_waits_is_on_the_span_of_a_stream_that_the_user_closes(sim, heard):
    looping = Answer(text="The lamp is on the table and it is not going to move. " * 3 + "Then the sun came up. " * 2)
    sim.script(Reply(answer=looping))
    got = ""
    with (
        l0.policy(guardrails="strict", drift=True, check_intervals=ONCE),
        openai.OpenAI(api_key="k", base_url=sim.openai) as client,
    ):
        stream = client.chat.completions.create(**REQUESTS["chat"], stream=True)
        for event in stream:
            got += text_of(event)
            if "sun came" in got:
                break
        stream.close()
    assert heard.span.attributes["l0.outcome"] == "cancelled"
    assert heard.span.attributes["l0.drift.types"] == ("repetition",)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"type": "object", "properties": {"city": {"type": "map"}}},
            (
                "the schemas of a request cannot be used, so its answer is not checked: the JSON Schema, at "
                "/properties/city/type: allowed: one of array, boolean, integer, null, number, object, string"
            ),
        ),
        (
            {"$ref": "#/nowhere"},
            (
                "guardrail schema is skipped for the rest of this answer: the JSON Schema's references: got "
                "'/nowhere', allowed: references within the schema"
            ),
        ),
    ],
)
def test_schema_that_cannot_be_used_is_logged_with_its_fault(
    sim: Simulator, caplog: pytest.LogCaptureFixture, schema: dict[str, Any], message: str
) -> None:
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with l0.policy(structured=True), caplog.at_level(logging.WARNING, "l0"):
        got = call(sim, "chat", Answer(text='{"city": "Bergen"}'), sync=True, response_format=shape)
    assert got.text == '{"city": "Bergen"}'
    assert [record.getMessage() for record in caplog.records] == [message]
