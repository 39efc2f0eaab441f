"""Calls of the real SDKs through a proxy, and the scenarios of its upstream."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anthropic
import openai
from catalogue import Endpoint

from l0.simulator import corpus
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator

TIMEOUT_S = 60
"""Only a hang takes as long."""
WAYS = [(way, sync) for way in ("create", "helper") for sync in (True, False)]
_REPEATS = 20
"""More requests than the retries of a proxy and an SDK together send for one call."""
_QUESTION = [{"role": "user", "content": "Go on."}]
_TOOLS = ("get_weather", "get_time")
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An answer of the upstream. ``fault``: breaks it. ``before``: the fault comes before any content."""

    name: str
    answer: str
    fault: Fault | None = None
    before: bool = False


def _tool(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments, **more}}


def _interleaved() -> bytes:
    """Return a chat stream whose two tool calls come in turns."""
    first = {"id": "call_a", "type": "function"}, {"id": "call_b", "type": "function"}
    deltas = [
        {"role": "assistant", "content": None},
        {"tool_calls": [_tool(0, "", name="f") | first[0], _tool(1, "", name="g") | first[1]]},
        {"tool_calls": [_tool(0, '{"city"')]},
        {"tool_calls": [_tool(1, '{"city"')]},
        {"tool_calls": [_tool(0, ': "Voss"}')]},
        {"tool_calls": [_tool(1, ': "Odda"}')]},
        {},
    ]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    chunks = [
        chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"}]}
        for delta in deltas
    ]
    usage = chunk | {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}}
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in (*chunks, usage)) + b"data: [DONE]\n\n"


_AT = 8
"""Events before a fault in the middle: in every dialect, some content is among them."""
HEALTHY = tuple(
    Scenario(name=answer.replace("_", " "), answer=answer)
    for answer in (
        "story",
        "languages",
        "parallel_tools",
        "tool_after_text",
        "tool_long_arguments",
        "reasoning",
        "reasoning_text_tool",
        "length",
    )
)
INTERLEAVED = Scenario(name="interleaved tools", answer="")
BROKEN = (
    Scenario(name="status 500", answer="story", fault=Fault.status(500), before=True),
    Scenario(name="error first", answer="story", fault=Fault.in_band_error(at_event=0), before=True),
    Scenario(name="cut first", answer="story", fault=Fault.cut(at_event=0), before=True),
    Scenario(name="end first", answer="story", fault=Fault.clean_end(at_event=0), before=True),
    Scenario(name="error after text", answer="story", fault=Fault.in_band_error(at_event=_AT)),
    Scenario(name="cut after text", answer="story", fault=Fault.cut(at_event=_AT)),
    Scenario(name="reset after text", answer="story", fault=Fault.reset(at_event=_AT)),
    Scenario(name="end after text", answer="story", fault=Fault.clean_end(at_event=_AT)),
    Scenario(name="error in tools", answer="parallel_tools", fault=Fault.in_band_error(at_event=_AT)),
    Scenario(name="cut in tools", answer="parallel_tools", fault=Fault.cut(at_event=_AT)),
    Scenario(name="end in tools", answer="parallel_tools", fault=Fault.clean_end(at_event=_AT)),
    Scenario(name="end in reasoning", answer="reasoning", fault=Fault.clean_end(at_event=_AT)),
)


def script(sim: Simulator, scenario: Scenario, *, once: bool) -> None:
    """Prepare the upstream for one call. ``once``: only the first request is answered by the fault."""
    sim.reset()
    if not scenario.answer:
        sim.script(*[RecordedBody(content=_interleaved())] * _REPEATS)
        return
    whole = Reply(answer=corpus.bundled_answer(scenario.answer))
    if scenario.fault is None:
        sim.script(*[whole] * _REPEATS)
        return
    broken = replace(whole, fault=scenario.fault)
    sim.script(*([broken] + [whole] * _REPEATS if once else [broken] * _REPEATS))


@dataclass(slots=True, kw_only=True)
class Got:
    """The part of an answer that the user has. ``tools``: names and arguments."""

    text: str = ""
    reasoning: str = ""
    tools: list[list[Any]] = field(default_factory=list)
    finish: str | None = None
    output_tokens: int | None = None
    error: Exception | None = None
    requests: int = 0

    @property
    def content(self) -> tuple[Any, ...]:
        """Return the values that the user compares."""
        return self.text, self.reasoning, [(name, _json(arguments)) for name, arguments, *_ in self.tools], self.finish

    @property
    def has_whole_tools(self) -> bool:
        """Return False if the arguments of a tool call break off."""
        return all(isinstance(_json(arguments), dict) for _, arguments, *_ in self.tools)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Caller:
    """Clients of one endpoint."""

    def __init__(self, endpoint: Endpoint, origin: str, sim: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self._endpoint = endpoint
        self._dialect = _DIALECTS[endpoint.dialect]
        self._sim = sim
        self._loop = loop
        sdk: Any = anthropic if endpoint.dialect == "messages" else openai
        base_url = origin if sdk is anthropic else f"{origin}/v1"
        name = "Anthropic" if sdk is anthropic else "OpenAI"
        options = {"api_key": "k", "base_url": base_url, "timeout": TIMEOUT_S}
        self._client = getattr(sdk, name)(**options)
        self._async_client = getattr(sdk, f"Async{name}")(**options)

    def call(self, scenario: Scenario, way: str, *, sync: bool, once: bool = False) -> Got:
        """Make one call."""
        script(self._sim, scenario, once=once)
        got = Got()
        try:
            if sync:
                self._read(got, helper=way == "helper")
            else:
                self._loop.run_until_complete(self._aread(got, helper=way == "helper"))
        except Exception as error:
            got.error = error
        got.requests = sum(request.dialect is not None for request in self._sim.requests)
        return got

    def _open(self, client: Any, helper: bool) -> Any:
        resource = getattr(client, self._endpoint.dialect)
        options = {} if helper else {"stream": True}
        return (resource.stream if helper else resource.create)(
            model=self._endpoint.model, **self._dialect.request, **options
        )

    def _read(self, got: Got, *, helper: bool) -> None:
        with self._open(self._client, helper) as stream:
            for event in stream:
                self._dialect.read(got, event)
            if helper:
                self._dialect.whole(got, getattr(stream, self._dialect.final)())

    async def _aread(self, got: Got, *, helper: bool) -> None:
        opened = self._open(self._async_client, helper)
        async with opened if helper else await opened as stream:
            async for event in stream:
                self._dialect.read(got, event)
            if helper:
                self._dialect.whole(got, await getattr(stream, self._dialect.final)())

    def close(self) -> None:
        """Close the clients."""
        self._client.close()
        self._loop.run_until_complete(self._async_client.close())


def _read_message(got: Got, event: Any) -> None:
    """Read an event of a message. The helper adds events of other types."""
    match event.type:
        case "content_block_start" if event.content_block.type == "tool_use":
            got.tools.append([event.content_block.name, "", event.index])
        case "content_block_delta":
            delta = event.delta
            if delta.type == "text_delta":
                got.text += delta.text
            elif delta.type == "thinking_delta":
                got.reasoning += delta.thinking
            elif delta.type == "input_json_delta":
                [*_, tool] = [one for one in got.tools if one[2] == event.index]
                tool[1] += delta.partial_json
        case "message_delta":
            got.finish = event.delta.stop_reason
            got.output_tokens = event.usage.output_tokens


def _read_response(got: Got, event: Any) -> None:
    match event.type:
        case "response.output_text.delta":
            got.text += event.delta
        case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
            got.reasoning += event.delta
        case "response.output_item.done" if event.item.type == "function_call":
            got.tools.append([event.item.name, event.item.arguments])
        case "response.completed" | "response.incomplete" | "response.failed":
            got.finish = event.response.status
            got.output_tokens = getattr(event.response.usage, "output_tokens", None)


def _whole_message(got: Got, message: Any) -> None:
    """Replace what the events brought by what the SDK folded of them."""
    blocks = message.content
    got.text = "".join(block.text for block in blocks if block.type == "text")
    got.reasoning = "".join(block.thinking for block in blocks if block.type == "thinking")
    got.tools = [[block.name, json.dumps(block.input)] for block in blocks if block.type == "tool_use"]
    got.finish = message.stop_reason


def _whole_response(got: Got, response: Any) -> None:
    got.text = response.output_text
    got.tools = [[item.name, item.arguments] for item in response.output if item.type == "function_call"]
    got.finish = response.status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """``final``: the method of the helper that returns the whole answer."""

    read: Callable[[Got, Any], None]
    final: str
    whole: Callable[[Got, Any], None]
    request: Mapping[str, Any]


_DIALECTS = {
    "messages": _Dialect(
        read=_read_message,
        final="get_final_message",
        whole=_whole_message,
        request={
            "max_tokens": 512,
            "messages": _QUESTION,
            "tools": [{"name": name, "input_schema": _CITY} for name in _TOOLS],
        },
    ),
    "responses": _Dialect(
        read=_read_response,
        final="get_final_response",
        whole=_whole_response,
        request={
            "input": _QUESTION,
            "tools": [{"type": "function", "name": name, "parameters": _CITY, "strict": False} for name in _TOOLS],
        },
    ),
}
