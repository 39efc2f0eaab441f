"""Haystack's chat and Responses generators."""

import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from tracing import Tracing

HELLO = [ChatMessage.from_user("hi")]
KEY = Secret.from_token("k")


def chat(base_url: str) -> str:
    generator = OpenAIChatGenerator(api_key=KEY, model="gpt-4o", api_base_url=base_url)
    return str(generator.run(HELLO)["replies"][0].text)


def chat_streamed(base_url: str) -> str:
    generator = OpenAIChatGenerator(
        api_key=KEY, model="gpt-4o", api_base_url=base_url, streaming_callback=lambda chunk: None
    )
    return str(generator.run(HELLO)["replies"][0].text)


def responses_streamed(base_url: str) -> str:
    generator = OpenAIResponsesChatGenerator(
        api_key=KEY, model="gpt-4o", api_base_url=base_url, streaming_callback=lambda chunk: None
    )
    return str(generator.run(HELLO)["replies"][0].text)


CALLS = {"chat": chat, "chat, streamed": chat_streamed, "responses, streamed": responses_streamed}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.haystack import HaystackInstrumentor

    HaystackInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}
