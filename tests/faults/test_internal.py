"""A defect of our own, in what reads an answer: told as such, never repeated, and never the silent end of a stream."""

from typing import Any

import pytest
from faults_kit import SDKS, Stage, sync_and_async
from resume_kit import CHAT_API, LINES, MESSAGES_API, POEM, Api, broken, play, resuming

import l0
from l0.runtime.body_parser import WireParser
from l0.simulator.faults import Fault

pytestmark = pytest.mark.usefixtures("on")


@sync_and_async
@pytest.mark.parametrize("api", [CHAT_API, MESSAGES_API], ids=lambda api: api.name)
@pytest.mark.parametrize("at", [2, 12])
def test_internal_defect_raises_an_internal_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, api: Api, at: int, sync: bool
) -> None:
    feed, taken = WireParser.feed, []

    def defective(self: Any, raw: bytes) -> Any:
        taken.append(1)
        if len(taken) == at:
            raise LookupError("what nobody thought of")
        return feed(self, raw)

    monkeypatch.setattr(WireParser, "feed", defective)
    healthy = broken(LINES, Fault.comments())  # an event a read
    got = play(stage, api, healthy, healthy, sync=sync, policy=resuming("exact", fallback=l0.Fallback(model="other")))
    assert isinstance(got.error, l0.StreamInterrupted)
    assert isinstance(got.error, SDKS[api.sdk].APIConnectionError)
    assert got.error.reason == "internal"
    assert isinstance(got.error.__cause__, LookupError)
    assert POEM.startswith(got.text)
    assert got.span["l0.outcome"] == "failed"
    assert len(got.requests) == 1
