"""Features of the installed SDKs: the tests run on versions that are years apart."""

from importlib.util import find_spec
from inspect import signature
from typing import Any

import anthropic
import openai
import pytest


def transport_of(sdk: Any) -> Any:
    """An SDK's transport: httpx2, or httpx in older versions. Both SDKs' need not be the same."""
    return getattr(sdk._streaming, "httpx2", None) or sdk._streaming.httpx


httpx: Any = transport_of(openai)

HAS_RESPONSES = find_spec("openai.resources.responses") is not None
needs_responses = pytest.mark.skipif(not HAS_RESPONSES, reason="the Responses API came with openai 1.66")
needs_trio = pytest.mark.skipif(
    not hasattr(openai._utils._sync, "sniffio"), reason="SDKs of that age run under asyncio only, bare as well"
)
needs_counting = pytest.mark.skipif(
    not hasattr(anthropic.resources.Messages, "count_tokens"),
    reason="count_tokens() stood under beta until anthropic 0.42",
)
needs_server_tools = pytest.mark.skipif(
    "web_search_options" not in signature(openai.resources.chat.Completions.create).parameters,
    reason="chats got a server tool with openai 1.66",
)
needs_chat_helpers = pytest.mark.skipif(
    not hasattr(openai.resources.chat.Completions, "stream"),
    reason="chat.completions.stream() and .parse() stood under beta until openai 1.92",
)


def helpers_of(client: Any) -> Any:
    """The resource of ``parse()`` and ``stream()`` for chats: until openai 1.92 they stood under beta."""
    own = client.chat.completions
    return own if hasattr(own, "stream") else client.beta.chat.completions
