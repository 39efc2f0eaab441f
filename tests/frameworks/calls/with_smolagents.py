"""The model class of smolagents' agents."""

from typing import Any

from smolagents import OpenAIModel
from tracing import Tracing

HELLO: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


def model(base_url: str) -> OpenAIModel:
    return OpenAIModel(model_id="gpt-4o", api_base=base_url, api_key="k")


def chat(base_url: str) -> str:
    return str(model(base_url).generate(HELLO).content)


def chat_streamed(base_url: str) -> str:
    return "".join(delta.content or "" for delta in model(base_url).generate_stream(HELLO))


CALLS = {"chat": chat, "chat, streamed": chat_streamed}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.smolagents import SmolagentsInstrumentor

    SmolagentsInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}
