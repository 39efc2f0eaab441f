"""A defect of our own, in what reads an answer: told as such, never repeated, and never the silent end of a stream."""

from typing import Any

import pytest
from faults_kit import SDKS, Stage, both
from resume_kit import CHAT_API, LINES, MESSAGES_API, POEM, Api, broken, play, resuming

import l0
from l0.dialects.chat import ChatReader
from l0.dialects.messages import MessagesReader
from l0.simulator.faults import Fault

pytestmark = pytest.mark.usefixtures("on")

READERS = {"chat": ChatReader, "messages": MessagesReader}


@both
@pytest.mark.parametrize("api", [CHAT_API, MESSAGES_API], ids=lambda api: api.name)
@pytest.mark.parametrize("at", [2, 12])
def test_internal_defect_raises_an_internal_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, api: Api, at: int, sync: bool
) -> None:
    reader: Any = READERS[api.name]
    read_event, taken = reader.read_event, []

    def defective(self: Any, name: bytes | None, data: bytes) -> Any:
        taken.append(1)
        if len(taken) == at:
            raise LookupError("what nobody thought of")
        return read_event(self, name, data)

    monkeypatch.setattr(reader, "read_event", defective)
    healthy = broken(LINES, Fault.comments())  # an event a read
    got = play(stage, api, healthy, healthy, sync=sync, policy=resuming("exact", fallback=l0.Fallback(model="other")))
    assert isinstance(got.error, l0.StreamInterrupted)
    assert isinstance(got.error, SDKS[api.sdk].APIConnectionError)
    assert got.error.reason == "internal"
    assert isinstance(got.error.__cause__, LookupError)
    assert POEM.startswith(got.text)
    assert got.span["l0.outcome"] == "failed"
    assert len(got.requests) == 1
