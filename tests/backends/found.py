"""Which back ends there are, which were used, and which are missing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

FILE = os.environ.get("TEST_BACKENDS")
"""The file that `install.py` wrote."""
_BACKENDS: dict[str, dict[str, str]] = json.loads(Path(FILE).read_text()) if FILE else {}
MISSING = [backend["name"] for backend in _BACKENDS.values() if "missing" in backend]
ran: set[str] = set()


def program(file: str) -> str:
    """Return the path of a back end's program. Skips the test if there is none."""
    backend = _BACKENDS[file]
    if "missing" in backend:
        pytest.skip(f"{backend['name']} is missing: {backend['missing']}")
    ran.add(backend["name"])
    return backend["path"]
