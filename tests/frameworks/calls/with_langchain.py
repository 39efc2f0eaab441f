"""LangChain's chat model, alone and as a node of a LangGraph."""

from typing import Any

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph


def model(base_url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o", base_url=base_url, api_key="k", **options)


def chat(base_url: str) -> str:
    return str(model(base_url).invoke("hi").text)


def chat_streamed(base_url: str) -> str:
    return "".join(str(chunk.text) for chunk in model(base_url).stream("hi"))


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
    "responses, streamed": responses_streamed,
    "graph": graph,
}
