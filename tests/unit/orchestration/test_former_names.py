"""Former names of the fields of results warn and work."""

from typing import Any

import pytest

from l0.orchestration.consensus.outcome import ConsensusResult
from l0.orchestration.pipelines import PipelineResult, StepResult
from l0.orchestration.races import Race
from l0.orchestration.results import Branch, BranchStatus, Stats
from l0.orchestration.task_usage import Usage

RESULTS: list[Any] = [
    Branch(index=0, status=BranchStatus.OK, duration_ms=5.0),
    StepResult(name="a", status="ok", value=1, duration_ms=5.0),
    PipelineResult(value=1, steps=(), duration_ms=5.0),
    Race(value="a", winner=0, branches=(), duration_ms=5.0),
    ConsensusResult(value=1, status="agreed", agreement=1.0, supporters=(), branches=(), duration_ms=5.0),
]
STATS = Stats(count=1, succeeded=1, failed=0, success_rate=100.0, total_duration_ms=5.0, usage=Usage())


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_former_name_of_a_duration_warns(result: Any) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{type(result).__name__}\.duration is now duration_ms") as caught:
        assert result.duration == result.duration_ms == 5.0
    assert [warning.filename for warning in caught] == [__file__]
    assert "duration=" not in repr(result)


@pytest.mark.parametrize("result", [RESULTS[0], *RESULTS[3:], STATS], ids=lambda result: type(result).__name__)
def test_former_name_of_the_usage_warns(result: Any) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{type(result).__name__}\.cost is now usage") as caught:
        assert result.cost == result.usage == Usage()
    assert [warning.filename for warning in caught] == [__file__]
    assert "cost=" not in repr(result)


def test_total_duration_has_its_name_in_l0_for_python_as_well() -> None:
    assert STATS.total_duration == STATS.total_duration_ms == 5.0
