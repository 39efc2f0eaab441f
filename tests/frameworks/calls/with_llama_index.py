"""LlamaIndex's chat and Responses models."""

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI, OpenAIResponses
from tracing import Tracing

HELLO = [ChatMessage(role="user", content="hi")]


def chat(base_url: str) -> str:
    return str(OpenAI(model="gpt-4o", api_base=base_url, api_key="k").chat(HELLO).message.content)


def chat_streamed(base_url: str) -> str:
    parts = OpenAI(model="gpt-4o", api_base=base_url, api_key="k").stream_chat(HELLO)
    return "".join(part.delta or "" for part in parts)


def responses_streamed(base_url: str) -> str:
    parts = OpenAIResponses(model="gpt-4o", api_base=base_url, api_key="k").stream_chat(HELLO)
    return str(list(parts)[-1].message.content)


CALLS = {"chat": chat, "chat, streamed": chat_streamed, "responses, streamed": responses_streamed}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    LlamaIndexInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}
