"""Several calls at a time, in any order of steps, under any policy, whatever their providers do.

Drawn anew, but always the same: `TEST_EXAMPLES=2000 pytest tests/stateful` draws more of them, at random.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from drawn import policies, scripts
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from installed import HAS_RESPONSES
from makers import settled
from world import APIS, Made, Place, World, built

import l0
from l0.recording.decision_rerun import differing
from l0.recording.recorder import FlightRecorder
from l0.recording.recording import Recording
from l0.recording.recording_options import RecordingOptions
from l0.simulator.faults import Fault

PLACES = 3
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "60"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=14,
    deadline=None,
    derandomize="TEST_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # what hangs on time cannot be shrunk: it is told as it was drawn
    database=None,
)
_numbers = count()
_names = st.sampled_from([name for name in APIS if name != "responses" or HAS_RESPONSES])


class Calls(RuleBasedStateMachine):
    """One call at each place at a time. Which steps there are never depends on how a call went, as that takes time."""

    def __init__(self, world: World, recorder: FlightRecorder) -> None:
        super().__init__()
        self.world = world
        self.recorder = recorder
        self.calls: dict[int, Made] = {}
        self.ended = 0

    @initialize(recorded=st.booleans())
    def renew(self, recorded: bool) -> None:
        settled()  # calls that a failed example left behind are not counted in this one
        self.world.renew(self.recorder if recorded else None)

    # -- steps ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.calls) < PLACES)
    @rule(
        name=_names, sync=st.booleans(), policy=policies, script=scripts, retries=st.sampled_from([2, 2, 0]),
    )  # fmt: skip
    def begin(self, name: str, sync: bool, policy: l0.Policy, script: list[Fault], retries: int) -> None:
        number = min(set(range(PLACES)) - self.calls.keys())
        place = self.world.places[number]
        headers = place.begin(script, next(_numbers))
        call = self.calls[number] = Made(APIS[name], sync, policy, retries)
        client = place.clients[call.api.sdk, sync].with_options(max_retries=retries, default_headers=headers)
        client._calculate_retry_timeout = lambda *_: 0.0
        request = call.api.request | {"model": "primary", "stream": True}
        with l0.policy(policy):
            self._step(number, lambda: self._run(call, call.api.create(client)(**request)), _keep)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), events=st.integers(1, 25))
    def read(self, data: st.DataObject, events: int) -> None:
        number = self._some(data)
        call = self.calls[number]
        for _ in range(events):
            if call.over:
                break
            self._step(number, lambda: self._run(call, _next(call)), _add)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def read_to_the_end(self, data: st.DataObject) -> None:
        number = self._some(data)
        call = self.calls[number]
        while not call.over:
            self._step(number, lambda: self._run(call, _next(call)), _add)
        self._settle(number)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        number = self._some(data)
        self._close(number)

    @precondition(lambda self: any(call.sync for call in self.calls.values()))
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        """The user forgets the stream in the middle: the collector closes it."""
        number = self._some(data, sync=True)
        call = self.calls[number]
        if not call.events:  # a stream that was never read holds its connection, as the bare SDK's does
            self._close(number)
            return
        call.stream, call.over = None, True
        settled()
        self._settle(number)

    @precondition(lambda self: any(not call.sync for call in self.calls.values()))
    @rule(data=st.data(), turns=st.integers(0, 3))
    def cancel(self, data: st.DataObject, turns: int) -> None:
        """The user's task is cancelled while it reads."""
        number = self._some(data, sync=False)
        call = self.calls[number]
        if call.over:
            self._settle(number)
            return

        async def cancelled() -> None:
            task = asyncio.ensure_future(anext(call.stream))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                call.events.append(await task)
            await call.stream.close()

        self.world.loop.run_until_complete(cancelled())
        call.over = True
        self._settle(number)

    # -- what is behind them ----------------------------------------------------------------------------------------

    def _some(self, data: st.DataObject, sync: bool | None = None) -> int:
        there = [number for number, call in self.calls.items() if sync in (None, call.sync)]
        return int(data.draw(st.sampled_from(sorted(there))))

    def _run(self, call: Made, result: Any) -> Any:
        return result if call.sync else self.world.loop.run_until_complete(result)

    def _step(self, number: int, do: Any, then: Any) -> None:
        call = self.calls[number]
        try:
            then(call, do())
        except (StopIteration, StopAsyncIteration):
            call.over = call.whole = True
        except Exception as error:
            call.over, call.error = True, error
        self.world.check(self.world.places[number], call)

    def _close(self, number: int) -> None:
        call = self.calls[number]
        if call.stream is not None:
            self._run(call, call.stream.close())
        call.over = True
        self._settle(number)

    def _settle(self, number: int) -> None:
        """The call is over: its server has nothing more to do, and its span is there, once."""
        call, place = self.calls.pop(number), self.world.places[number]
        assert place.server.wait_idle(120), "a request is still under way"
        self.world.check(place, call)
        self.ended += 1
        # An answer that has come to its end is over before its user has read the last of it.
        reported = len(self.world.spans())
        most = self.ended + len(self.calls)
        assert self.ended <= reported <= most, f"{self.ended} to {most} calls are over, {reported} are reported"

    def teardown(self) -> None:
        for number in list(self.calls):
            self._close(number)
        settled()
        assert len(self.world.spans()) == self.ended
        ends = [span.context.span_id for span in self.world.exporter.get_finished_spans() if span.context]
        assert len(ends) == len(set(ends)), "a span ended twice"


async def _anext(call: Made) -> Any:
    return await anext(call.stream)


def _next(call: Made) -> Any:
    return next(call.stream) if call.sync else _anext(call)


def _keep(call: Made, stream: Any) -> None:
    call.stream = stream


def _add(call: Made, event: Any) -> None:
    call.events.append(event)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with built(PLACES) as made:
        yield made


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[FlightRecorder]:
    made = FlightRecorder(RecordingOptions(folder=tmp_path))
    yield made
    made.close()


def test_any_steps_of_any_calls(world: World, recorder: FlightRecorder, tmp_path: Path) -> None:
    """Half of the runs are recorded. The engine decides again as it did."""
    run_state_machine_as_test(lambda: Calls(world, recorder), settings=SETTINGS)
    assert all(isinstance(place, Place) for place in world.places)
    recorder.close()
    with Recording.open(tmp_path) as recording:
        calls = list(recording)
        assert [call.id for call in calls if call.outcome is None or differing(call) != []] == []
        assert recording.problems == []
    assert len(calls) >= EXAMPLES
