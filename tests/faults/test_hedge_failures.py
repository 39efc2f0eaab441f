"""Two parallel requests, of which one or both fail or are late: each has its own cause and end."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import openai
import pytest
from faults_kit import Stage, body_of, sync_and_async

import l0
from l0.model.call import Outcome
from l0.model.failure import Cause
from l0.simulator.faults import Fault

NO_HEADERS = Fault.no_headers()
HEADERS_ONLY = Fault.stall(at_event=0)
PAUSE = Fault.stall(at_event=0, seconds=1.6)
LATE_CONTENT = Fault.stall(at_event=0, seconds=2.5)
"""A fault for a hedge. A hedge is sent after one second, so its content comes at 3.5 s."""
LATENESS_S = 0.1
"""Seconds by which an end may be late: a deadline ends a read only at the second check of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A call that sends a hedge after one second.

    ``policy``: fields that are added to ``hedge`` and ``retry``, or replace them. ``faults``: of the first request and
    its hedge; later requests are answered normally. The other tuples have one value per request. ``ended_s``: the
    seconds from the start of the call to the end of the request. ``statuses``: ``None`` if no headers came. ``hedges``:
    ``True`` for a hedge.
    """

    policy: dict[str, Any]
    faults: tuple[Fault, Fault]
    outcome: Outcome
    error: type[Exception] | None = None
    message: str = ""
    causes: tuple[Cause | None, ...]
    ended_s: tuple[float, ...]
    statuses: tuple[int | None, ...]
    hedges: tuple[bool | None, ...] = (None, True)


def hedge_wins(first: Fault, cause: Cause, ended_s: float, status: int | None, **policy: Any) -> Race:
    """Return a race that the hedge wins, with content later than the end of the first request."""
    return Race(
        policy=policy,
        faults=(first, LATE_CONTENT),
        outcome=Outcome.RECOVERED_HEDGE,
        causes=(cause, None),
        ended_s=(ended_s, 3.5),
        statuses=(status, 200),
    )


times_out = partial(Race, outcome=Outcome.FAILED, error=openai.APITimeoutError)

RACES = {
    "late first, no headers": hedge_wins(
        NO_HEADERS, Cause.NO_HEADERS, 3.0, None, timeout=l0.Timeout(initial_token=3_000)
    ),
    "late first, no content": hedge_wins(
        HEADERS_ONLY, Cause.FIRST_CONTENT_TIMEOUT, 3.0, 200, timeout=l0.Timeout(initial_token=3_000)
    ),
    "failed first, no headers": hedge_wins(Fault.no_headers(seconds=1.6), Cause.CONNECTION, 1.6, None),
    "failed first, reset": hedge_wins(PAUSE | Fault.reset(at_event=0), Cause.RESET, 1.6, 200),
    "failed first, empty": hedge_wins(PAUSE | Fault.clean_end(at_event=0), Cause.EMPTY, 1.6, 200),
    "failed first, error event": hedge_wins(PAUSE | Fault.in_band_error(at_event=0), Cause.SERVER_ERROR, 1.6, 200),
    "both late, no headers": times_out(
        policy={"timeout": l0.Timeout(initial_token=2_000)},
        faults=(NO_HEADERS, NO_HEADERS),
        message="within 2,000 ms (Timeout.initial_token)",
        causes=(Cause.NO_HEADERS, Cause.NO_HEADERS),
        ended_s=(2.0, 3.0),
        statuses=(None, None),
    ),
    "both late, no content": times_out(
        policy={"timeout": l0.Timeout(initial_token=2_000)},
        faults=(HEADERS_ONLY, HEADERS_ONLY),
        message="within 2,000 ms (Timeout.initial_token)",
        causes=(Cause.FIRST_CONTENT_TIMEOUT, Cause.FIRST_CONTENT_TIMEOUT),
        ended_s=(2.0, 3.0),
        statuses=(200, 200),
    ),
    "both without a sign of life": times_out(
        policy={"timeout": l0.Timeout(initial_token=None, liveness=2_000)},
        faults=(HEADERS_ONLY, HEADERS_ONLY),
        causes=(Cause.DEAD, Cause.DEAD),
        ended_s=(2.0, 3.0),
        statuses=(200, 200),
    ),
    "both out of the total time": times_out(
        policy={"timeout": l0.Timeout(initial_token=None, total=2_500)},
        faults=(HEADERS_ONLY, NO_HEADERS),
        causes=(Cause.TOTAL_TIMEOUT, Cause.TOTAL_TIMEOUT),
        ended_s=(2.5, 2.5),
        statuses=(200, None),
    ),
    "both failed": Race(
        policy={},
        faults=(Fault.no_headers(seconds=1.6), LATE_CONTENT | Fault.reset(at_event=0)),
        outcome=Outcome.FAILED,
        error=openai.APIConnectionError,
        causes=(Cause.CONNECTION, Cause.RESET),
        ended_s=(1.6, 3.5),
        statuses=(None, 200),
    ),
    "silent hedge, first with pings": Race(
        policy={"timeout": l0.Timeout(initial_token=None, liveness=2_000)},
        faults=(Fault.pings(at_event=0, count=80), HEADERS_ONLY),  # 4 s of pings
        outcome=Outcome.OK,
        causes=(None, Cause.DEAD),
        ended_s=(4.0, 3.0),
        statuses=(200, 200),
    ),
    "refused hedge": Race(
        policy={},
        faults=(Fault.stall(at_event=0, seconds=3.0), Fault.status(503)),
        outcome=Outcome.OK,
        causes=(None, Cause.UNAVAILABLE),
        ended_s=(3.0, 1.0),
        statuses=(200, 503),
    ),
    "both late, then a fallback": Race(
        policy={"timeout": l0.Timeout(initial_token=2_000), "fallback": [l0.Fallback(model="other")]},
        faults=(HEADERS_ONLY, NO_HEADERS),
        outcome=Outcome.RECOVERED_FALLBACK,
        causes=(Cause.FIRST_CONTENT_TIMEOUT, Cause.NO_HEADERS, None),
        ended_s=(2.0, 3.0, 3.0),
        statuses=(200, None, 200),
        hedges=(None, True, None),
    ),
    "both without content, then a retry, which is no hedge": Race(
        policy={"timeout": l0.Timeout(initial_token=1_500), "retry": None},
        faults=(HEADERS_ONLY, Fault.stall(at_event=0, seconds=1.0) | Fault.clean_end(at_event=0)),
        outcome=Outcome.RECOVERED_RETRY,
        causes=(Cause.FIRST_CONTENT_TIMEOUT, Cause.EMPTY, None),
        ended_s=(1.5, 2.0, 2.0),
        statuses=(200, 200, 200),
        hedges=(None, True, None),
    ),
}


@pytest.fixture(autouse=True)
def l0_on(stage: Stage) -> Iterator[None]:
    stage.on()
    yield
    l0.uninstrument()


@sync_and_async
@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
def test_each_request_of_a_hedged_call_has_its_own_cause_and_end(stage, race, sync):
    policy = {"hedge": l0.Hedge(after=1_000), "retry": l0.Retry(max_retries=0)} | race.policy
    with l0.policy(l0.Policy(**policy)):
        seen = stage.call(body_of("chat"), *race.faults, sync=sync)
    assert isinstance(seen.error, race.error or type(None))
    assert race.message in str(seen.error)
    assert (seen.requests, seen.span["l0.outcome"]) == (len(race.causes), race.outcome)
    attempts = [span for span in stage.exporter.get_finished_spans() if span.parent is not None]
    attempts.sort(key=lambda span: span.start_time)
    facts = [span.attributes for span in attempts]
    assert tuple(fact.get("l0.attempt.cause") for fact in facts) == race.causes
    assert tuple(fact.get("l0.attempt.hedge") for fact in facts) == race.hedges
    assert tuple(fact.get("http.response.status_code") for fact in facts) == race.statuses
    assert ["l0.request.id" in fact for fact in facts] == [status is not None for status in race.statuses]
    began = attempts[0].start_time
    late_s = [(span.end_time - began) / 1e9 - at for span, at in zip(attempts, race.ended_s, strict=True)]
    assert all(-1e-3 < seconds < LATENESS_S for seconds in late_s), late_s
