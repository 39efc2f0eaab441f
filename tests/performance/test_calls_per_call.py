"""The guard against a call whose start and end become costlier: counted, as the cost of a token is."""

import sys

import pytest
from calls_per_token import calls_per_call

import l0

# Of the bare SDK's calls, all code counted, the transport's included: for a short stream, and for a whole answer.
SHARES = {
    ("chat", True): 0.28,
    ("responses", True): 0.44,
    ("messages", True): 0.59,
    ("chat", False): 0.34,
    ("responses", False): 0.38,
    ("messages", False): 0.59,
}
# Since Python 3.12, a comprehension is not a separate call. The bare SDK makes more of them.
LATER_PYTHON = 1.15 if sys.version_info >= (3, 12) else 1


@pytest.mark.parametrize(("api", "stream"), SHARES)
def test_a_call_costs_less_than_one_of_the_bare_sdk(api, stream):
    bare = calls_per_call(api, stream=stream)
    l0.instrument()
    try:
        ours = calls_per_call(api, stream=stream)
    finally:
        l0.uninstrument()
    assert ours <= bare * SHARES[api, stream] * LATER_PYTHON
