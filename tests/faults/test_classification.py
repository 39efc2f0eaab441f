"""Every row of the failure catalogue, as a real exception of a real SDK: its cause, its category, and its retries."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from faults_kit import SDKS, Stage, sdk_of, sync_and_async
from installed import needs_responses
from kinds import KINDS, Kind
from makers import settled
from traffic_kit import REQUESTS

import l0
from l0.model.call import Outcome
from l0.model.call_events import CallEnded, CallEvent
from l0.model.failure import Cause

ONE_RETRY = l0.Policy(retry=l0.Retry(attempts=1, max_retries=1, base_delay=0), truncation="strict")


class EndedCalls:
    """An observer that collects the `CallEnded` of each call."""

    def __init__(self) -> None:
        self.all: list[CallEnded] = []

    def observe(self, call: Any) -> "EndedCalls":
        return self

    def notify(self, event: CallEvent) -> None:
        if isinstance(event, CallEnded):
            self.all.append(event)

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        return {}


@pytest.fixture(scope="module")
def ends() -> Iterator[EndedCalls]:
    made = EndedCalls()
    l0.instrument(ONE_RETRY, observers=[made])
    yield made
    l0.uninstrument()


def call(stage: Stage, ends: EndedCalls, kind: Kind, *, sync: bool) -> tuple[Exception | None, CallEnded]:
    """Make one streamed call whose every attempt gets the same reply."""
    stage.sim.reset()
    stage.sim.script(*[kind.reply] * 4)
    ends.all.clear()
    client = stage._clients[sdk_of(kind.dialect), sync].with_options(timeout=kind.sdk_timeout_s)
    create = (client.chat.completions if kind.dialect == "chat" else getattr(client, kind.dialect)).create
    request = REQUESTS[kind.dialect] | {"stream": True}

    async def read() -> None:
        async for _ in await create(**request):
            pass

    error = None
    try:
        with l0.policy(**kind.policy):
            if sync:
                for _ in create(**request):
                    pass
            else:
                stage.loop.run_until_complete(read())
    except Exception as raised:
        error = raised
    (end,) = ends.all
    return error, end


@sync_and_async
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_failure_is_classified_as_in_the_catalogue(stage: Stage, ends: EndedCalls, kind: Kind, sync: bool) -> None:
    error, end = call(stage, ends, kind, sync=sync)
    shown = [(failure.cause, failure.category) for failure in end.failures]
    assert shown == ([] if kind.cause is None else [(kind.cause, kind.category)] * kind.attempts), repr(error)
    assert len(stage.sim.requests) == kind.attempts
    assert end.outcome is (Outcome.OK if kind.cause is None else Outcome.FAILED)
    assert all((failure.retry_after is not None) == kind.has_retry_after for failure in end.failures)
    if kind.anomaly is not None:
        assert end.metadata is not None
        assert kind.anomaly in end.metadata.anomalies
    if kind.raised is None:
        assert error is None
        return
    sdk = SDKS[sdk_of(kind.dialect)]
    assert isinstance(error, getattr(sdk, kind.raised, ValueError)), repr(error)
    refused = getattr(error, "status_code", 200) >= 400  # by an HTTP status: nothing had begun
    assert isinstance(error, l0.StreamInterrupted) == (_opened(kind) and not refused)
    if kind.status is not None:
        assert error.status_code == kind.status  # type: ignore[union-attr]


def _opened(kind: Kind) -> bool:
    """Return True if a stream had begun, so that something could be interrupted."""
    return kind.cause not in (Cause.CONNECTION, Cause.NO_HEADERS)


@needs_responses
def test_kinds_cover_all_rows_except_those_tested_elsewhere() -> None:
    elsewhere = {*range(18, 22), 26, 33, 59, 60, 61}
    rows = {name: {kind.number for kind in KINDS if sdk_of(kind.dialect) == name} for name in SDKS}
    only_openai, only_anthropic = {5, 29, 39, 42, 54}, {57}
    assert rows["openai"] == set(range(1, 62)) - elsewhere - only_anthropic
    assert rows["anthropic"] == set(range(1, 62)) - elsewhere - only_openai


@pytest.mark.parametrize("name", SDKS)
def test_61_cancelled_call_is_never_retried(stage: Stage, ends: EndedCalls, name: str) -> None:
    dialect = "chat" if name == "openai" else "messages"
    stage.sim.reset()
    ends.all.clear()
    stage.sim.script("stall at_event=3 seconds=5", "ok")
    client = stage._clients[name, False]
    create = (client.chat.completions if dialect == "chat" else client.messages).create

    async def read() -> None:
        async for _ in await create(**REQUESTS[dialect], stream=True):
            pass

    async def cancelled() -> None:
        task = asyncio.ensure_future(read())
        async with asyncio.timeout(120):
            while not stage.sim.requests:
                await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    stage.loop.run_until_complete(cancelled())
    (end,) = ends.all
    assert (end.outcome, end.failures, len(stage.sim.requests)) == (Outcome.CANCELLED, (), 1)
    stage.sim.script("stall at_event=3 seconds=5")
    client = stage._clients[name, True]
    create = (client.chat.completions if dialect == "chat" else client.messages).create
    iterator = iter(create(**REQUESTS[dialect], stream=True))
    next(iterator)
    del iterator  # GeneratorExit
    settled()
    assert len(ends.all) == 2
    assert ends.all[-1].failures == ()
    assert len(stage.sim.requests) == 2
