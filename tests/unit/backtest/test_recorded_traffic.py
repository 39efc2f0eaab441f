"""Recorded calls as the traffic of a backtest."""

from pathlib import Path
from typing import Any

import openai
import pytest
from backtest_kit import answer

import l0
from l0.backtest.recorded_traffic import OwnAttempt, RecordedTraffic, served_attempt
from l0.recording.recording import RecordedAttempt
from l0.simulator.server import Simulator

SERVED, LOST = answer(0.5), answer(0.9)
MESSAGES: Any = [{"role": "user", "content": "Hello"}]


def recorded(ending: str) -> RecordedAttempt:
    return RecordedAttempt(
        number=1,
        leg=0,
        hedge=False,
        started=0.0,
        request={},
        status=200,
        response_headers=(),
        head_at=0.1,
        ended=1.0,
        ending=ending,
        failure=None,
        reads=(),
    )


@pytest.mark.parametrize("endings", [("eof", "lost"), ("lost", "eof"), ("lost", "eof", "lost"), ("error", "eof")])
def test_loser_of_a_hedge_did_not_serve_the_answer(endings: tuple[str, ...]) -> None:
    own = [
        OwnAttempt(leg=0, hedge=False, resume=None, started=0.0, timeline=SERVED if ending == "eof" else LOST)
        for ending in endings
    ]
    served = served_attempt([recorded(ending) for ending in endings], own)
    assert served is not None
    assert served.timeline is SERVED


def test_unreadable_call_has_no_answer() -> None:
    assert served_attempt([recorded("eof")], []) is None


def test_only_streams_show_that_their_source_sends_terminal_events(sim: Simulator, tmp_path: Path) -> None:
    l0.instrument(record=tmp_path)
    try:
        with openai.OpenAI(api_key="k", base_url=sim.openai) as client:
            client.chat.completions.create(model="m", messages=MESSAGES)
            for _ in range(2):
                list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    finally:
        l0.uninstrument()
    assert [call.ends_known for call in RecordedTraffic.load(tmp_path).calls] == [False, False, True]
