"""LangChain's chat model, alone and as a node of a LangGraph."""

import asyncio
from contextvars import copy_context
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from tracing import NOWHERE, Tracing

_CALLBACKS: list[Any] = []
"""The callbacks of a tracer."""
_LOOP = asyncio.Runner()
"""One event loop for all calls: LangChain shares its async HTTP client among models."""


def model(base_url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o", base_url=base_url, api_key="k", callbacks=_CALLBACKS, **options)


def chat(base_url: str) -> str:
    return str(model(base_url).invoke("hi").text)


def chat_streamed(base_url: str) -> str:
    return "".join(str(chunk.text) for chunk in model(base_url).stream("hi"))


async def achat(base_url: str) -> str:
    return str((await model(base_url).ainvoke("hi")).text)


async def achat_streamed(base_url: str) -> str:
    return "".join([str(chunk.text) async for chunk in model(base_url).astream("hi")])


def responses_streamed(base_url: str) -> str:
    return "".join(str(chunk.text) for chunk in model(base_url, use_responses_api=True).stream("hi"))


def graph(base_url: str) -> str:
    chatting = model(base_url)
    built = StateGraph(MessagesState)
    built.add_node("model", lambda state: {"messages": [chatting.invoke(state["messages"])]})
    built.add_edge(START, "model")
    built.add_edge("model", END)
    state = built.compile().invoke({"messages": [HumanMessage("hi")]})
    return str(state["messages"][-1].text)


CALLS = {
    "chat": chat,
    "chat, streamed": chat_streamed,
    "chat, async": lambda url: _LOOP.run(achat(url), context=copy_context()),
    "chat, streamed, async": lambda url: _LOOP.run(achat_streamed(url), context=copy_context()),
    "responses, streamed": responses_streamed,
    "graph": graph,
}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=tracing.provider)


def traceloop(tracing: Tracing) -> None:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument(tracer_provider=tracing.provider)


def langfuse(tracing: Tracing) -> None:
    from langfuse import Langfuse
    from langfuse.langchain import CallbackHandler

    Langfuse(public_key="pk", secret_key="sk", base_url=NOWHERE, tracer_provider=tracing.provider)
    _CALLBACKS.append(CallbackHandler())


TRACERS = {"langfuse": langfuse, "openinference": openinference, "traceloop": traceloop}
