"""Results of orchestration have their unit in the name; the former names warn and work."""

from typing import Any

import pytest

from l0.orchestration.consensus.outcome import ConsensusResult
from l0.orchestration.costs import Cost
from l0.orchestration.pipelines import PipelineResult, StepResult
from l0.orchestration.races import Race
from l0.orchestration.results import Branch, BranchStatus, Stats

RESULTS = [
    Branch(index=0, status=BranchStatus.OK, duration_ms=5.0),
    StepResult(name="a", status="ok", value=1, duration_ms=5.0),
    PipelineResult(value=1, steps=(), duration_ms=5.0),
    Race(value="a", winner=0, branches=(), duration_ms=5.0),
    ConsensusResult(value=1, status="agreed", agreement=1.0, supporters=(), branches=(), duration_ms=5.0),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_former_name_of_a_duration_warns(result: Any) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{type(result).__name__}\.duration is now duration_ms") as caught:
        assert result.duration == result.duration_ms == 5.0
    assert [warning.filename for warning in caught] == [__file__]
    assert "duration=" not in repr(result)


def test_total_duration_has_its_name_in_l0_for_python_as_well() -> None:
    stats = Stats(count=1, succeeded=1, failed=0, success_rate=100.0, total_duration_ms=5.0, cost=Cost())
    assert stats.total_duration == stats.total_duration_ms == 5.0
