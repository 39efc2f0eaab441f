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
    assert (sync.error is None) == (scenario.outcome != "failed")


def test_the_table_is_long_enough_and_has_no_row_twice():
    names = [str(scenario) for scenario in SCENARIOS]
    assert len(names) == len(set(names)) > 100
