"""A recorder, and calls that it records."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from makers import make_call, make_failure

from l0.engine.machine import ADMIT_ALL
from l0.engine.signals import Begin, Ended, Failed, Opened, Released, Waited
from l0.model.call import Outcome
from l0.recording.call_recorder import CallRecorder
from l0.recording.recorder import FlightRecorder
from l0.recording.recording import Recording
from l0.recording.recording_options import RecordingOptions


@contextmanager
def recorder(folder: Path, **options: Any) -> Iterator[FlightRecorder]:
    """Yield a recorder. At the end, everything is written."""
    made = FlightRecorder(RecordingOptions(folder=folder, **options))
    try:
        yield made
    finally:
        made.close()


def begin(recorder: FlightRecorder, **call: Any) -> CallRecorder:
    """Begin a call."""
    begun = recorder.record(make_call(**call), (), perf_counter())
    assert begun is not None
    return begun


def record_retried_call(recorder: FlightRecorder, reads: list[bytes]) -> CallRecorder:
    """Record a call whose first attempt fails, and whose second one brings ``reads``."""
    call = begin(recorder)
    machine = call.machine(make_call(), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
    at = perf_counter()
    spec = machine.step(Begin(at))
    call.sending(spec, None, "", at)
    failure = make_failure(error=ConnectionError("lost"))
    machine.step(Failed(failure, at + 1))
    call.attempt_ended(1, failure, at + 1)
    call.sending(machine.step(Waited(at + 2)), None, "", at + 2)
    machine.step(Opened(at + 3))
    machine.step(Released(at + 4))
    for data in reads:
        call.read(2, data)
        call.delivered(1, len(data))
    call.body_ended(2, "eof")
    machine.step(Ended(None, at + 5))
    call.attempt_ended(2, None, at + 5)
    call.ended(Outcome.RECOVERED_RETRY, None, at + 5)
    return call


def calls_in(folder: Path) -> list[Any]:
    """Return all recorded calls, with everything read."""
    with Recording.open(folder) as recording:
        calls = list(recording)
        for call in calls:
            _ = call.attempts, call.decisions, call.deliveries
        assert recording.problems == []
        return calls
