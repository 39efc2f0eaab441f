"""Calls that meet the faults of the catalogue are the same for their user while they are recorded.

A sample of the faults runs always; `TEST_RECORDED=full` runs them all.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from faults_kit import DIALECTS, Seen, Stage, body_of, difference
from matrix import TIMED, every, played
from rows import Row

import l0
from l0.recording.decision_rerun import differing
from l0.recording.recording import RecordedCall, Recording

FULL = os.environ.get("TEST_RECORDED") == "full"
SHARE = 1 if FULL else 16
"""A run that is not full takes one fault of so many."""
_ID = re.compile("[0-9a-f]{24}")
"""The simulator's ids of requests, which errors name."""
CELLS = [
    (row, dialect, mode, sync)
    for row, dialect in [cell for cell in every() if cell[0] not in TIMED][::SHARE]
    for mode in ("off", "exact")
    for sync in (True, False)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """All cells without and with recording, and the recorded calls."""

    plain: list[Seen]
    recorded: list[Seen]
    calls: list[RecordedCall]
    differing: list[list[int]]


def play(stage: Stage, row: Row, dialect: str, mode: str, sync: bool) -> Seen:
    with l0.policy(resume=mode):
        return played(stage, row, dialect, sync=sync, times=row.times)


@pytest.fixture(scope="module")
def found(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("recorded")
    stage.on()
    for dialect in DIALECTS:  # l0 learns that this origin ends its streams
        stage.call(body_of(dialect), sync=True)
    plain = [play(stage, *cell) for cell in CELLS]
    l0.instrument(record=folder)
    recorded = [play(stage, *cell) for cell in CELLS]
    l0.uninstrument()
    with Recording.open(folder) as recording:
        calls = list(recording)
        reruns = [differing(call) for call in calls]
        assert recording.problems == []
        yield Played(plain=plain, recorded=recorded, calls=calls, differing=reruns)


def test_user_gets_the_same_objects_and_errors_while_calls_are_recorded(found: Played) -> None:
    for cell, plain, recorded in zip(CELLS, found.plain, found.recorded, strict=True):
        assert difference(plain.chunks, recorded.chunks) is None, cell
        assert type(plain.error) is type(recorded.error), cell
        assert _ID.sub("", str(plain.error)) == _ID.sub("", str(recorded.error)), cell
        assert plain.requests == recorded.requests, cell
        assert (plain.spans, (plain.span or {}).keys()) == (recorded.spans, (recorded.span or {}).keys()), cell


def test_recording_holds_every_request_and_the_same_decisions(found: Played) -> None:
    for cell, seen, call in zip(CELLS, found.recorded, found.calls, strict=True):
        assert len([attempt for attempt in call.attempts if attempt.request]) == seen.requests, cell
        assert call.delivered_items == len(seen.chunks), cell
        assert call.outcome is not None, cell
        assert (call.failure is None) == (seen.error is None), cell
    assert found.differing == [[]] * len(CELLS)
