"""Events without content that `Hold` released: the answer is repeated without them, or the error names the limit."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from installed import needs_responses
from journeys_kit import CHATTING, OPEN, chat_client

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

QUICK = l0.Retry(base_delay=0)
LIMITS = {"seconds": l0.Hold(seconds=0), "frames": l0.Hold(frames=1, seconds=60)}
limits = pytest.mark.parametrize("limit", LIMITS)


def kinds(stream: Any) -> list[object]:
    return [getattr(item, "type", None) or item.choices[0].delta.content for item in stream]


@limits
@pytest.mark.parametrize("dialect", ["chat", "messages", pytest.param("responses", marks=needs_responses)])
@pytest.mark.parametrize("resume", ["off", "prefill", "splice"])
@pytest.mark.parametrize("second", [Fault.reset(at_event=1), Fault.status(503)], ids=str)
def test_answer_without_content_is_repeated(
    sim: Simulator, spans: Any, limit: str, dialect: str, resume: Any, second: Fault
) -> None:
    whole = kinds(OPEN[dialect](sim))
    resume_points: list[l0.types.ResumePoint] = []
    sim.script(Fault.reset(at_event=1), second)
    with l0.policy(retry=QUICK, hold=LIMITS[limit], resume=resume, on_resume=resume_points.append):
        assert kinds(OPEN[dialect](sim)) == whole
    assert {(point.strategy, point.at) for point in resume_points} == {("exact", 0)}
    assert len(sim.requests) == 4  # with that of `whole`
    assert all(request.body == sim.requests[0].body for request in sim.requests)
    assert spans.ends[-1] == ("recovered_resume", "UNSET")


def two_choices(sim: Simulator) -> Any:
    return chat_client(sim).chat.completions.create(**CHATTING, n=2, stream=True)


def stored(sim: Simulator) -> Any:
    return chat_client(sim).chat.completions.create(**CHATTING, store=True, stream=True)


@limits
@pytest.mark.parametrize("ask", [two_choices, stored])
@pytest.mark.usefixtures("spans")
def test_error_names_the_limit_that_released_the_events(
    sim: Simulator, caplog: pytest.LogCaptureFixture, limit: str, ask: Callable[[Simulator], Any]
) -> None:
    sim.script(Fault.reset(at_event=1))
    with l0.policy(retry=QUICK, hold=LIMITS[limit]), pytest.raises(openai.APIError) as raised:
        kinds(ask(sim))
    assert "this answer cannot be restarted, and " in str(raised.value)
    assert f"(Hold.{limit})" in str(raised.value)
    assert caplog.records[-1].l0_policy_field == f"Hold.{limit}"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("spans")
def test_repeated_answer_must_have_the_events_that_were_delivered(sim: Simulator) -> None:
    sim.script(Fault.lifecycle_frames(6) | Fault.cut(at_event=5))
    with (
        l0.policy(retry=QUICK, hold=l0.Hold(seconds=0)),
        pytest.raises(openai.APIError, match="differs from the 5 events that were delivered"),
    ):
        kinds(OPEN["chat"](sim))


@pytest.mark.usefixtures("spans")
def test_answer_with_content_is_not_repeated(sim: Simulator) -> None:
    sim.script(Fault.reset(at_event=3))
    with l0.policy(retry=QUICK, hold=l0.Hold(seconds=0)), pytest.raises(openai.APIError, match=r"Policy\.resume is"):
        kinds(OPEN["chat"](sim))
