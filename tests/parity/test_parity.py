"""The sync and the async driver do the same: one table, two runs, and everything that can be seen is compared."""

import pytest
from parity_table import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_both_drivers_do_the_same(stage, scenario):
    sync, other = stage.play(scenario, "sync"), stage.play(scenario, "async")
    assert sync.items == other.items
    assert sync.error == other.error
    assert sync.events == other.events
    assert sync.requests == other.requests
    assert (sync.outcome, len(sync.requests)) == (scenario.outcome, scenario.requests)
    assert (sync.error is None) == (scenario.outcome != "failed" or _typed(sync))


def _typed(trace) -> bool:
    """Return True if the failure reached the user as an event of the SDK, after which nothing may be raised."""
    return bool(trace.items) and any(kind in trace.items[-2:][0] for kind in ("ResponseFailed", "ResponseError"))


def test_the_table_is_long_enough_and_has_no_row_twice():
    names = [str(scenario) for scenario in SCENARIOS]
    assert len(names) == len(set(names)) > 100
