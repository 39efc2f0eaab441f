"""Lets the tests here share `calls_per_token`, and gives each the same caches."""

import sys
from pathlib import Path

import pytest

from l0.stainless import addresses

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def no_addresses_of_other_tests() -> None:
    """Empty the cache of addresses: once it is full, the call that empties it costs one function call more."""
    addresses._ADDRESSES.clear()
