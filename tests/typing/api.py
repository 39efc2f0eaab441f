"""The public API as users write it. Never run: mypy --strict and pyright read it (`make types`)."""

from typing import assert_type

import anthropic
import openai

import l0
from l0.simulator.faults import Fault
from l0.testing import simulator

l0.instrument()
l0.instrument(otlp=True)
l0.instrument(l0.Policy.interactive(), otlp="http://localhost:4318")
assert_type(l0.uninstrument(), None)

policy = l0.Policy(timeout=l0.Timeout(), retry=l0.Retry(attempts=3, max_retries=6), truncation="strict")
assert_type(policy, l0.Policy)
assert_type(l0.Policy.reasoning(), l0.Policy)
assert_type(l0.Policy.batch(), l0.Policy)
policy.timeout = None  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
l0.Policy(truncation="sometimes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
l0.Retry(backoff="linear")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
l0.instrument(the_policy=policy)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
l0.Guardrails.length_rule(most=9)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
l0.intrument()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def chat(client: openai.OpenAI) -> str:
    """A call under its own policy keeps the SDK's types, and so do its errors."""
    text = ""
    with l0.policy(policy):
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        try:
            for chunk in stream:
                text += chunk.choices[0].delta.content or ""
        except l0.StreamInterrupted as error:
            assert_type(error.partial_text, str)
            assert_type(error.attempts, int)
            assert_type(error.reason, str)
        except openai.APITimeoutError as error:
            print(error.request)
    return text


async def message(client: anthropic.AsyncAnthropic) -> None:
    """The same, in async code; a policy may be changed in part."""
    with l0.policy(retry=l0.Retry(attempts=1)):
        async with client.messages.stream(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            async for text in stream.text_stream:
                assert_type(text, str)


def user_test() -> None:
    """The test kit."""
    with simulator(seed=1) as sim:
        assert_type(sim.openai, str)
        sim.script(Fault.status(503))
        chat(openai.OpenAI(base_url=sim.openai, api_key="none"))
