"""Compiled constructors build what the SDKs build: the events of recorded bodies, if these are present.

Every fifth event runs always; `TEST_FIDELITY=full` runs them all.
Set `TEST_TRAFFIC` to their folder; the default is `shared/traffic` beside the project.
"""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from fidelity_proof import prove
from fidelity_roots import Root, roots
from recordings import TRAFFIC, needs_traffic

FULL = os.environ.get("TEST_FIDELITY") == "full"
FOLDERS = {
    "openai.ChatCompletionChunk": "openai-chat",
    "openai.Completion": "openai-completion",
    "openai.ResponseStreamEvent": "responses",
    "anthropic.RawMessageStreamEvent": "anthropic",
    "anthropic.BetaRawMessageStreamEvent": "anthropic",
}
EVERY = 1 if FULL else 20  # what a user does with an object is the slow part of a comparison
STEP = 1 if FULL else 5


def events(folder: Path) -> Iterator[Any]:
    """The JSON data of every event; what is no JSON was never an event to the SDK either."""
    for path in sorted(folder.glob("*.sse")):
        for line in path.read_bytes().splitlines():
            if not line.startswith(b"data:"):
                continue
            try:
                yield json.loads(line.removeprefix(b"data:"))
            except ValueError:
                continue


@needs_traffic
@pytest.mark.parametrize("root", [root for root in roots() if root.name in FOLDERS], ids=lambda root: root.name)
def test_recorded_events(root: Root) -> None:
    tally = prove(
        root, islice(events(TRAFFIC / FOLDERS[root.name]), 0, None, STEP), behave_every=EVERY, renew_every=None
    )
    print(tally.line(f"{root.name} recorded"))
    assert tally.mismatches == []
    assert tally.cases > 0
