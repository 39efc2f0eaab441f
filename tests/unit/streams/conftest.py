"""The kit's folder on the path; tests that are coroutines run on asyncio."""

import sys
from pathlib import Path

import pytest

# pytest's importlib mode leaves the helpers' folder off the path
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
