"""The words for the events of a call."""

import pytest

from l0.model.call_events import ShadowDecision
from l0.model.failure import Cause
from l0.telemetry.call_phrases import shadow_decision


@pytest.mark.parametrize(
    ("action", "seconds", "text"),
    [
        ("fallback", None, "in shadow mode the policy would fall back because of quota_exhausted"),
        ("retry", 0.5, "in shadow mode the policy would retry because of quota_exhausted (after 0.50 s)"),
    ],
)
def test_shadow_decision_is_a_sentence(action: str, seconds: float | None, text: str) -> None:
    assert shadow_decision(ShadowDecision(action=action, cause=Cause.QUOTA, wait_s=seconds, at=0.0)) == text
