"""Exceptions of the explicit API: also of the class of the SDK that served the attempt, and their notes."""

import pickle
import re
from datetime import timedelta
from typing import Any

import anthropic
import anyio
import openai
import pytest
from explicit_kit import Ask, asks, async_client, chat, chat_whole, client, messages, messages_whole, responses

import l0
from l0 import Guardrails, Retry, StreamInterrupted, Timeout
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ONCE = Retry(max_retries=0)
BREAKS: dict[str, tuple[Fault | None, dict[str, Any], str]] = {
    "rule": (
        None,
        {"guardrails": [Guardrails.pattern_rule([re.compile("[a-z]")], "no letters")]},
        "guardrail_violation",
    ),
    "stall": (Fault.stall(at_event=6), {"timeout": Timeout(inter_token=timedelta(milliseconds=20))}, "stalled"),
    "total": (Fault.stall(at_event=0), {"timeout": Timeout(total=timedelta(milliseconds=50))}, "total_timeout"),
}
BUILT_IN = {"rule": Exception, "stall": TimeoutError, "total": TimeoutError}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", BREAKS)
@asks(chat, responses, messages, chat_whole, messages_whole)
def test_failure_that_l0_finds_is_of_the_sdks_class(
    sim: Simulator, spans: Any, ask: Ask, name: str, *, is_async: bool
) -> None:
    if name == "stall" and ask in (chat_whole, messages_whole):
        pytest.skip("the answer does not stream")
    fault, options, reason = BREAKS[name]
    if ask in (chat_whole, messages_whole):
        fault = Fault.no_headers() if name == "total" else None
    sim.script(fault)

    async def call() -> None:
        async with async_client(sim, ask, max_retries=0) as made:
            await (await l0.run(lambda: ask(made), retry=ONCE, **options)).read()

    sdk = anthropic if ask in (messages, messages_whole) else openai
    with pytest.raises(sdk.APIError) as raised:
        if is_async:
            anyio.run(call)
        else:
            with client(sim, ask, max_retries=0) as made:
                l0.run_sync(lambda: ask(made), retry=ONCE, **options).read()
    for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
        assert isinstance(error, BUILT_IN[name])
        assert isinstance(error, StreamInterrupted)
        assert error.reason == reason
