"""Without OpenTelemetry providers nothing is recorded, built or timed. A profile hook counts the function calls."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider

import l0
from l0.config import CONFIG
from l0.shared_state.shared import SharedState
from l0.simulator.answers import Answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator
from l0_openai import OpenAIInstrumentor

OURS = str(Path(l0.__file__).parent)
ANSWER = Answer(text="The tide comes in twice a day, and the harbour fills slowly, boat by boat, until noon has gone.")
ASKING = {"observe", "__call__", "<lambda>", "suppressed"}
"""Functions that look for a tracer and a meter. They run once per call."""
HOLDING = {"_hold", "_held_for", "add_before_commit"}
"""Functions that hold frames before the first content for at most 2 s, with or without telemetry."""
LIMITS = {"perf_counter", "perf_counter_ns", "monotonic", "time", "time_ns"}


@pytest.fixture(autouse=True)
def _off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """L0 is off after each case. Objectives and breakers of other tests, which also listen to calls, are not there."""
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())
    yield
    l0.uninstrument()


class Counted:
    """Counts of one call: calls of telemetry functions, and clock reads by l0's code."""

    def __init__(self) -> None:
        self.telemetry: Counter[str] = Counter()
        self.clocks = 0
        self.timed_rules = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if event == "call" and path.startswith(f"{OURS}/telemetry/"):
            self.telemetry[name] += 1
        if event == "c_call" and path.startswith(OURS) and argument.__name__ in LIMITS and name not in HOLDING:
            self.clocks += 1
            self.timed_rules += "/guardrails/" in path


def counted(sim: Simulator, fault: Fault, policy: l0.Policy) -> Counted:
    """Count one streamed call, byte by byte or at once."""
    ask = SimulatedRequest(model="m", stream=True, choices=1, store=False)
    answer = RecordedBody(content=b"".join(CHAT.events(ANSWER, ask, AnswerIdentity.of(0, 0))))
    made = Counted()
    with openai.OpenAI(api_key="k", base_url=sim.openai) as client, l0.policy(policy):
        for spied in (False, True):  # the first call fills caches
            sim.script(Reply(body=answer, fault=fault))
            sys.setprofile(made if spied else None)
            try:
                stream: Any = client.chat.completions.create(model="m", messages=[], stream=True)
                text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            finally:
                sys.setprofile(None)
            assert text == ANSWER.text
    return made


def rules() -> l0.Policy:
    return l0.Policy(guardrails=(l0.Guardrails.pattern_rule([re.compile("swordfish")], "a password", span=32),))


@pytest.mark.parametrize("policy", [l0.Policy(), rules()], ids=["no rules", "rules"])
def test_without_an_sdk_nothing_is_built_and_no_read_is_timed(sim: Simulator, policy: l0.Policy) -> None:
    l0.instrument()
    at_once = counted(sim, Fault.one_write(), policy)
    bytewise = counted(sim, Fault.bytewise(), policy)
    assert set(at_once.telemetry) | set(bytewise.telemetry) <= ASKING
    asked = 4 * 3  # each of the four observers is asked once, in three calls, and does not listen
    assert sum(bytewise.telemetry.values()) == sum(at_once.telemetry.values()) <= asked
    # A clock per read would count more than a hundred. One or two belong to the end of the answer's headers.
    assert abs(bytewise.clocks - at_once.clocks) <= 2
    assert bytewise.timed_rules == 0


def test_observer_adds_counted_clock_reads(sim: Simulator) -> None:
    OpenAIInstrumentor().instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
    at_once = counted(sim, Fault.one_write(), rules())
    bytewise = counted(sim, Fault.bytewise(), rules())
    assert "of_engine" in at_once.telemetry
    assert bytewise.clocks > at_once.clocks + 100
    assert bytewise.timed_rules > 0
    assert sum(bytewise.telemetry.values()) == sum(at_once.telemetry.values())  # not one call more, read by read
