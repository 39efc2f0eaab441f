"""Former names of the fields of events warn and work."""

from typing import Any

import pytest
from makers import make_end, make_stats

from l0.model.call_events import AttemptEnded, ResponseMetadata, ShadowDecision
from l0.model.rule import Ending
from l0.slo.status_report import Report

ATTEMPT = AttemptEnded(
    number=1, failure=None, status=200, request_id=None, at=1.0, stop_reason="all retries are used", budget_refused=True
)
END = make_end(tool_calls=(("weather", "{}"),), stop_reason="all retries are used")
SHADOW = ShadowDecision(action="retry", cause=None, wait_s=0.5, at=1.0)


@pytest.mark.parametrize(
    ("event", "former", "new"),
    [
        (ATTEMPT, "stop", "stop_reason"),
        (ATTEMPT, "refused", "budget_refused"),
        (SHADOW, "seconds", "wait_s"),
        (ResponseMetadata(has_other_content=True), "other", "has_other_content"),
        (make_stats(held_s=0.2), "held", "held_s"),
        (END, "pace", "stream_stats"),
        (END, "calls", "tool_calls"),
        (END, "stop", "stop_reason"),
        (Ending(has_other_content=True), "other", "has_other_content"),
        (Report(), "standings", "statuses"),
    ],
)
def test_former_name_of_a_field_warns(event: Any, former: str, new: str) -> None:
    expected = rf"{type(event).__name__}\.{former} is now {new}"
    with pytest.warns(DeprecationWarning, match=expected) as caught:
        assert getattr(event, former) == getattr(event, new)
    assert [warning.filename for warning in caught] == [__file__]
    assert f" {former}=" not in repr(event)
