"""One simulator, one instrumented process and one pair of clients for the whole table."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from parity_runs import Stage

import l0


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Yield the stage on which scenarios run. L0 is switched off at the end, for other tests."""
    l0.instrument()
    try:
        with Stage.built() as made:
            yield made
    finally:
        l0.uninstrument()
