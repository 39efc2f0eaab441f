"""litellm, which sets ``max_retries=0`` on the clients that it makes."""

import asyncio
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from tracing import Tracing

litellm.suppress_debug_info = True
ASK: dict[str, Any] = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}], "api_key": "k"}


def chat(base_url: str) -> str:
    return str(litellm.completion(**ASK, api_base=base_url, max_retries=0).choices[0].message.content)


def chat_streamed(base_url: str) -> str:
    stream = litellm.completion(**ASK, api_base=base_url, stream=True, max_retries=0)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


async def achat_streamed(base_url: str) -> str:
    stream = await litellm.acompletion(**ASK, api_base=base_url, stream=True, max_retries=0)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.litellm import LiteLLMInstrumentor

    LiteLLMInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}
CALLS = {
    "chat": chat,
    "chat, streamed": chat_streamed,
    "chat, streamed, async": lambda url: asyncio.run(achat_streamed(url)),
}
