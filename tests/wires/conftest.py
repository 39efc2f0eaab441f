"""A server of odd wires, and readers over the real SDKs."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

import l0

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves the helpers' folder off the path

from wires_kit import Reader, WireServer


@pytest.fixture(scope="module")
def reader(loop: asyncio.AbstractEventLoop) -> Iterator[Reader]:
    patch = pytest.MonkeyPatch()
    for sdk in (openai, anthropic):
        patch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
    patch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    server = WireServer()
    made = Reader(server, loop)
    yield made
    l0.uninstrument()
    made.close()
    server.close()
    patch.undo()
