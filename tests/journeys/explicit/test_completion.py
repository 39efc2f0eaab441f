"""A complete answer tells its usage, finish reason, model and time to the first token, with L0 below and without."""

from typing import Any

import pytest
from explicit_kit import ANTHROPIC, OPENAI, Ask, asks, async_client, chat, chat_helper, client, completions

from l0 import EventType, l0
from l0.simulator.server import Simulator
from l0.streams.stream_state import State

WITHOUT_USAGE = (chat, chat_helper, completions)
"""Streams that state their usage only if asked with `stream_options`."""


def check(ask: Ask, last: Any, ended: list[State], state: State) -> None:
    metadata = state.metadata
    assert (last.type, last.data) == (EventType.COMPLETE, metadata)
    assert ended == [state]
    assert metadata.model
    assert metadata.finish_reasons in (("stop",), ("end_turn",), ("completed",))
    assert metadata.response_id
    if ask not in WITHOUT_USAGE:
        assert metadata.input_tokens
        assert metadata.output_tokens
    assert state.time_to_first_token is not None
    assert 0 < state.time_to_first_token <= state.duration


@pytest.mark.anyio
@asks(*OPENAI, *ANTHROPIC)
async def test_complete_answer_in_async_code(sim: Simulator, standing: str, ask: Ask) -> None:
    ended: list[State] = []
    async with async_client(sim, ask) as made, await l0(lambda: ask(made), on_complete=ended.append) as stream:
        events = [event async for event in stream]
    check(ask, events[-1], ended, stream.state)


@asks(*OPENAI, *ANTHROPIC)
def test_complete_answer_in_sync_code(sim: Simulator, standing: str, ask: Ask) -> None:
    ended: list[State] = []
    with client(sim, ask) as made, l0.run_sync(lambda: ask(made), on_complete=ended.append) as stream:
        events = list(stream)
    check(ask, events[-1], ended, stream.state)
