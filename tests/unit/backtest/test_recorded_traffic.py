"""Recorded calls as the traffic of a backtest."""

import pytest
from backtest_kit import answer

from l0.backtest.recorded_traffic import OwnAttempt, served_timeline
from l0.recording.recording import RecordedAttempt

SERVED, LOST = answer(0.5), answer(0.9)


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
    assert served_timeline([recorded(ending) for ending in endings], own) is SERVED


def test_unreadable_call_has_no_answer() -> None:
    assert served_timeline([recorded("eof")], []) is None
