"""What the installed SDKs have: the tests run on versions that are years apart."""

from importlib.util import find_spec
from typing import Any

import openai
import pytest

httpx: Any = getattr(openai._streaming, "httpx2", None) or openai._streaming.httpx
"""The SDKs' transport: httpx2, or httpx in older versions."""

HAS_RESPONSES = find_spec("openai.resources.responses") is not None
needs_responses = pytest.mark.skipif(not HAS_RESPONSES, reason="the Responses API came with openai 1.66")
needs_chat_helpers = pytest.mark.skipif(
    not hasattr(openai.resources.chat.Completions, "stream"),
    reason="chat.completions.stream() and .parse() came with openai 1.92; before, they stood under beta",
)
