"""Recorded calls as the traffic of a backtest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from backtest_kit import answer, refused, traffic

import l0
from l0.backtest.attempt_pool import FEWEST
from l0.backtest.recorded_traffic import OwnAttempt, RecordedTraffic, group_of, served_attempt
from l0.model.call import LegEndpoint, TerminalRule
from l0.recording.recording import RecordedAttempt
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.testing import simulator

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
    assert [call.terminal_event_seen for call in RecordedTraffic.load(tmp_path).calls] == [False, False, True]


def test_stream_of_a_fallback_shows_that_its_server_sends_terminal_events(sim: Simulator, tmp_path: Path) -> None:
    with simulator() as other, openai.OpenAI(api_key="k", base_url=other.openai) as fallback:
        sim.script(Fault.status(503))
        l0.instrument(l0.Policy(fallback=l0.Fallback(client=fallback)), record=tmp_path)
        try:
            with openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0) as client:
                for each in (client, client, fallback):
                    list(each.chat.completions.create(model="m", messages=MESSAGES, stream=True))
        finally:
            l0.uninstrument()
    assert [call.terminal_event_seen for call in RecordedTraffic.load(tmp_path).calls] == [False, False, True]


def test_attempt_of_a_fallback_is_drawn_for_its_server() -> None:
    backup = openai.OpenAI(api_key="k", base_url="https://backup.example.com/v1")
    first = OwnAttempt(leg=0, hedge=False, resume=None, started=0.0, timeline=refused())
    second = replace(first, leg=1, started=0.5, timeline=SERVED)
    made = traffic(
        *[[]] * FEWEST,
        policy=l0.Policy(fallback=l0.Fallback(client=backup)),
        fallback_rules=(TerminalRule("https://backup.example.com", strict=True),),
        fallback_endpoints=(LegEndpoint("openai", "backup.example.com", 443),),
    )
    recordings = RecordedTraffic([replace(call, attempts=[first, second]) for call in made.calls])
    last = recordings.calls[-1]
    group = group_of(last.call, "backup.example.com:443", last.call.model, None, last.started_unix)
    assert recordings.pool.draw(group, 0.5, call=-1) is SERVED


def test_call_that_a_breaker_refused_sent_no_request(sim: Simulator, tmp_path: Path) -> None:
    l0.instrument(l0.Policy(breaker=True), record=tmp_path)
    try:
        with openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0) as client:
            for _ in range(30):
                sim.script(Fault.status(503))
                with pytest.raises(openai.APIError):
                    client.chat.completions.create(model="refused", messages=MESSAGES)
    finally:
        l0.uninstrument()
        sim.reset()
    results = [call.recorded for call in RecordedTraffic.load(tmp_path).calls]
    assert {(result.reason, result.requests) for result in results} == {("unavailable", 1), ("breaker_open", 0)}
