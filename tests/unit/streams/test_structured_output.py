"""Structured output: answers are validated, requested again if they do not fit, and partial while they arrive."""

import re
from typing import Any

import pytest
from pydantic import BaseModel
from streams_kit import CALL, QUICK, Source

from l0 import Guardrails, Policy, Retry, StreamInterrupted, l0
from l0.model.policy import PolicyError

pytestmark = pytest.mark.anyio


class Port(BaseModel):
    city: str
    ferries: int


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GOOD = ['{"city": "Ber', 'gen", "fer', 'ries": 3}']


@pytest.mark.parametrize("script", [GOOD, ["```json\n", *GOOD, "\n```"], [*GOOD[:2], 'ries": 3,}']])
async def test_a_model(script: list[str]) -> None:
    answer = await l0.structured(Port, Source(script).aplain)
    assert answer.value == Port(city="Bergen", ferries=3)
    assert bool(answer.edits) == (script is not GOOD)


async def test_a_json_schema_an_object_and_an_array() -> None:
    assert (await l0.structured(SCHEMA, Source(GOOD).aplain)).value["city"] == "Bergen"
    assert (await l0.structured_object({"city": str, "ferries": int}, Source(GOOD).aplain)).value.ferries == 3
    assert (await l0.structured_array(int, Source(["[1, 2", ", 3]"]).aplain)).value == [1, 2, 3]


@pytest.mark.parametrize("bad", [["I cannot."], ['{"city": 5}'], ['{"city": "Bergen"'], []])
async def test_what_does_not_fit_is_asked_for_again(bad: list[str]) -> None:
    source = Source(bad, GOOD)
    answer = await l0.structured(Port, source.aplain, retry=QUICK)
    assert (answer.value.ferries, answer.state.attempts, source.made) == (3, 2, 2)


async def test_in_the_end_it_raises() -> None:
    source = Source(["no"])
    with pytest.raises(StreamInterrupted) as caught:
        await l0.structured(Port, source.aplain, retry=Retry(attempts=2, base_delay=0.0))
    assert (caught.value.reason, caught.value.attempts, source.made) == ("guardrail_violation", 3, 3)


async def test_a_tool_call_is_no_value() -> None:
    source = Source([CALL])
    with pytest.raises(StreamInterrupted, match="no text") as caught:
        await l0.structured(Port, source.aplain, retry=QUICK)
    assert (caught.value.reason, source.made) == ("guardrail_violation", 1 + QUICK.attempts)
    assert len(caught.value.__notes__) == 1 + QUICK.attempts


async def test_a_tool_call_is_asked_for_again() -> None:
    source = Source([CALL], GOOD)
    answer = await l0.structured(Port, source.aplain, retry=QUICK)
    assert (answer.value.ferries, source.made) == (3, 2)


async def test_a_streamed_tool_call_is_no_value() -> None:
    stream = await l0.structured_stream(Port, Source([CALL]).aplain, retry=QUICK)
    with pytest.raises(StreamInterrupted, match="no text"):
        await stream.result()


async def test_partial_values() -> None:
    async with await l0.structured_stream(Port, Source(GOOD).aplain) as stream:
        values = [value async for value in stream]
        assert values == [{"city": "Ber"}, {"city": "Bergen"}, {"city": "Bergen", "ferries": 3}]
        assert (await stream.result()).value == Port(city="Bergen", ferries=3)


async def test_partial_values_begin_anew() -> None:
    source = Source(['{"city": "Voss"', ConnectionResetError()], GOOD)
    stream = await l0.structured_stream(Port, source.aplain, resume="restart", retry=QUICK)
    values: list[Any] = [value async for value in stream]
    assert (values[0], values[-1]) == ({"city": "Voss"}, {"city": "Bergen", "ferries": 3})
    assert (await stream.result()).value.city == "Bergen"


async def test_a_partial_value_that_does_not_fit_raises() -> None:
    stream = await l0.structured_stream(Port, Source(['{"city": 5}']).aplain, retry=QUICK)
    with pytest.raises(StreamInterrupted):
        await stream.result()


SECRET = Guardrails.pattern_rule(re.compile(r"sk-\w{8}"), "a secret", severity="fatal", span=16)
LEAK = ['{"city": "Ber', 'gen", "key": "sk-', "abcd", "efgh", '", "ferries": 3}']


@pytest.mark.parametrize("hold", ["verified", "message"])
async def test_partial_values_contain_only_what_the_policy_lets_pass(hold: Any) -> None:
    policy = Policy(hold=hold, guardrails=SECRET)
    seen: list[Any] = []
    async with await l0.structured_stream(Port, Source(LEAK).aplain, policy=policy) as stream:
        with pytest.raises(StreamInterrupted, match="a secret"):
            async for value in stream:
                seen.append(value)
    assert "sk-" not in str(seen)


async def test_hold_that_a_rule_does_not_allow_is_refused() -> None:
    late = Guardrails.rule(lambda _text: None)
    with pytest.raises(PolicyError, match=r"Policy\.hold"):
        await l0.structured_stream(Port, Source(GOOD).aplain, policy=Policy(hold="verified"), guardrails=late)
    assert (await l0.structured(Port, Source(GOOD).aplain, policy=Policy(hold="verified"), guardrails=late)).value


@pytest.mark.parametrize("guardrails", ["recommended", "strict", "minimal", "json_only"])
@pytest.mark.parametrize("text", ['Sure: {"city": "Bergen", "ferries": 12,}', '{"city": "Bergen", "ferries": 12'])
async def test_rules_on_json_do_not_fail_what_the_repair_mends(guardrails: Any, text: str) -> None:
    source = Source([text])
    answer = await l0.structured(Port, source.aplain, guardrails=guardrails)
    async with await l0.structured_stream(Port, source.aplain, guardrails=guardrails) as stream:
        assert (await stream.result()).value == answer.value == Port(city="Bergen", ferries=12)
    assert source.made == 2


async def test_other_rules_read_the_text_before_the_repair() -> None:
    rules = [Guardrails.json_rule(), Guardrails.pattern_rule("Sure")]
    with pytest.raises(StreamInterrupted, match="pattern"):
        await l0.structured(Port, Source(["Sure: ", *GOOD]).aplain, guardrails=rules, retry=Retry(attempts=0))


async def test_what_is_no_schema() -> None:
    with pytest.raises(PolicyError):
        await l0.structured("a port", Source(GOOD).aplain)
