"""The guard against a call whose start and end become costlier: counted, as the cost of a token is."""

import pytest
from calls_per_token import calls_per_call

import l0

# Of the bare SDK's calls for a short stream, all code counted, the transport's included.
SHARES = {"chat": 0.31, "responses": 0.5, "messages": 0.68}


@pytest.mark.parametrize("api", SHARES)
def test_a_call_costs_less_than_one_of_the_bare_sdk(api):
    bare = calls_per_call(api)
    l0.instrument()
    try:
        ours = calls_per_call(api)
    finally:
        l0.uninstrument()
    assert ours <= bare * SHARES[api]
