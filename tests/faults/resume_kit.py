"""One streamed call whose answer breaks: what its user has in the end, what the server saw, what the span says."""

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from inspect import signature
from itertools import groupby
from typing import Any

import openai
import pytest
from faults_kit import SDKS, Stage
from installed import HAS_RESPONSES, httpx

import l0
from l0.simulator.answers import Answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.ledger import Received, Reply

_DIGITS = re.compile(r"[0-9a-f]{24}")
ASKED = [{"role": "user", "content": "hi"}]
POEM = (
    "The tide forgets the names we wrote,\n\nthe gulls forget  the shore,\n- but every *morning* lifts\n\n\nthe boat."
)
LINES = Answer(text=POEM)
"""Line breaks, doubled spaces and punctuation: what is easily lost or doubled at the seam of two answers."""
QUICK = l0.Retry(base_delay=0)


def resuming(mode: str, **more: Any) -> l0.Policy:
    """A policy that resumes, in a process that takes no truncated stream for a whole one."""
    return l0.Policy(**{"retry": QUICK, "truncation": "strict", "resume": mode} | more)


@dataclass(frozen=True, kw_only=True)
class Api:
    """The request for an answer. ``piece``: returns the text of an event; ``ended``: True for the last event."""

    name: str
    sdk: str
    path: str
    request: dict[str, Any]
    piece: Callable[[Any], str]
    ended: Callable[[Any], bool]
    dialect: Any

    def create(self, client: Any) -> Any:
        if self.path == "responses" and not HAS_RESPONSES:
            pytest.skip("the Responses API came with openai 1.66")
        for part in self.path.split("."):
            client = getattr(client, part)
        return client.create

    def handed(self, wire: int) -> int:
        """Return how many of so many events on the wire reach the user: pings do not."""
        return wire - 1 if self.name == "messages" else wire

    def size(self, answer: Answer) -> tuple[int, int]:
        """Events and bytes of an answer."""
        blocks = list(
            self.dialect.events(
                answer, SimulatedRequest(model="m" * 20, stream=True, usage=False), AnswerIdentity.of(0, 0)
            )
        )
        return len(blocks), sum(map(len, blocks))


def _chat_piece(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def _chat_ended(chunk: Any) -> bool:
    return bool(chunk.choices and chunk.choices[0].finish_reason)


def _event_piece(event: Any) -> str:
    return event.delta if event.type == "response.output_text.delta" else ""


def _message_piece(event: Any) -> str:
    return event.delta.text if event.type == "content_block_delta" and event.delta.type == "text_delta" else ""


CHAT_API = Api(
    name="chat",
    sdk="openai",
    path="chat.completions",
    request={"model": "gpt-4o", "messages": ASKED},
    piece=_chat_piece,
    ended=_chat_ended,
    dialect=CHAT,
)
COMPLETIONS_API = Api(
    name="completions",
    sdk="openai",
    path="completions",
    request={"model": "gpt-3.5-turbo-instruct", "prompt": "hi"},
    piece=lambda chunk: chunk.choices[0].text if chunk.choices else "",
    ended=_chat_ended,
    dialect=COMPLETIONS,
)
RESPONSES_API = Api(
    name="responses",
    sdk="openai",
    path="responses",
    request={"model": "gpt-4o", "input": "hi", "store": False},
    piece=_event_piece,
    ended=lambda event: event.type in ("response.completed", "response.incomplete"),
    dialect=RESPONSES,
)
BACKGROUND_API = replace(
    RESPONSES_API, name="background", request={"model": "gpt-4o", "input": "hi", "background": True}
)
MESSAGES_API = Api(
    name="messages",
    sdk="anthropic",
    path="messages",
    request={"model": "claude-haiku-4-5", "max_tokens": 4096, "messages": ASKED},
    piece=_message_piece,
    ended=lambda event: event.type == "message_delta" and event.delta.stop_reason is not None,
    dialect=MESSAGES,
)
RERUN = (CHAT_API, COMPLETIONS_API, RESPONSES_API, MESSAGES_API)
EVERY = (*RERUN, BACKGROUND_API)
rerun = pytest.mark.parametrize("api", RERUN, ids=lambda api: api.name)
every = pytest.mark.parametrize("api", EVERY, ids=lambda api: api.name)


@dataclass(frozen=True, kw_only=True)
class Got:
    """The result of one call. ``span``: attributes; ``marks``: the span's events, by name."""

    api: Api
    events: list[Any] = field(repr=False)
    error: Exception | None
    requests: list[Received] = field(repr=False)
    span: dict[str, Any]
    marks: list[tuple[str, dict[str, Any]]]

    @property
    def text(self) -> str:
        return "".join(map(self.api.piece, self.events))

    @property
    def said(self) -> list[Any]:
        """The events as JSON, with ids blotted out: every request has its own."""
        return [
            json.loads(_DIGITS.sub("ID", json.dumps(event.to_dict(mode="json", warnings=False))))
            for event in self.events
        ]

    @property
    def ids(self) -> set[str]:
        """Ids of the provider's that stand in the events: of one request, or something was mixed."""
        return {
            found
            for event in self.events
            for found in _DIGITS.findall(json.dumps(event.to_dict(mode="json", warnings=False)))
        }

    @property
    def shape(self) -> list[Any]:
        """Kinds and places of the events, repetitions of a kind together: the same for any cutting of the text."""
        return [kind for kind, _ in groupby(map(_kind, self.said))]

    @property
    def models(self) -> set[Any]:
        """Return the model that the events name."""
        found = [event.get("model") or (event.get("message") or {}).get("model") for event in self.said]
        return {model for model in found if model}


def _kind(event: dict[str, Any]) -> Any:
    if event.get("object") in ("chat.completion.chunk", "text_completion"):
        (choice,) = event["choices"] or [{}]
        return event["object"], "role" in (choice.get("delta") or {}), choice.get("finish_reason")
    return event["type"], event.get("index"), event.get("output_index"), event.get("content_index")


def play(
    stage: Stage,
    api: Api,
    *replies: Any,
    sync: bool,
    policy: l0.Policy | None,
    client: Any = None,
    stop: int | None = None,
    **request: Any,
) -> Got:
    """One streamed call; ``replies`` are what the server answers, in order. ``stop``: read no more than that."""
    stage.sim.reset()
    stage.sim.script(*replies)
    stage.exporter.clear()
    events: list[Any] = []
    error: Exception | None = None
    create = api.create(client or stage._clients[api.sdk, sync])
    arguments = api.request | request
    if unknown := arguments.keys() - signature(create).parameters.keys() if not HAS_RESPONSES else set():
        pytest.skip(f"SDKs of that age do not know {', '.join(unknown)}")
    try:
        with l0.policy(policy) if policy is not None else nullcontext():
            if sync:
                _read(create, arguments, events, stop)
            else:
                stage.loop.run_until_complete(_aread(create, arguments, events, stop))
    except Exception as raised:
        error = raised
    (span,) = [span for span in stage.exporter.get_finished_spans() if span.parent is None]
    return Got(
        api=api,
        events=events,
        error=error,
        requests=stage.sim.requests,
        span=dict(span.attributes or {}),
        marks=[(event.name, dict(event.attributes or {})) for event in span.events],
    )


def _read(create: Any, request: dict[str, Any], events: list[Any], stop: int | None) -> None:
    with create(**request, stream=True) as stream:
        for event in stream:
            events.append(event)
            if len(events) == stop:
                return


async def _aread(create: Any, request: dict[str, Any], events: list[Any], stop: int | None) -> None:
    async with asyncio.timeout(120), await create(**request, stream=True) as stream:
        async for event in stream:
            events.append(event)
            if len(events) == stop:
                return


def broken(answer: Answer, fault: Fault) -> Reply:
    """An answer with a fault."""
    return Reply(answer=answer, fault=fault)


def cuts(api: Api, answer: Answer, *, bytes_each: int) -> Iterator[Fault]:
    """Before every event, and at random bytes (seeded): ends that look proper, and ends that do not, in turn."""
    makes = (Fault.clean_end, Fault.cut)
    events, size = api.size(answer)
    for event in range(events):
        yield makes[event % 2](at_event=event)
    rnd = random.Random(api.name)
    for number in range(bytes_each):
        yield makes[number % 2](at_byte=rnd.randrange(size))


def same(got: Got, whole: Got) -> str | None:
    """Return ``None`` if the user has the whole answer, each event once, under one id; else the flaw."""
    if got.error is not None:
        return f"{got.error!r} after {got.text!r}"
    if len(got.ids) > 1:
        return f"two ids: {got.ids}"
    if got.said == whole.said:
        return None
    if len(got.requests) == 1 and any(map(got.api.ended, got.events)) and got.said == whole.said[: len(got.said)]:
        return None  # it said why it ended; only what follows that (usage, the terminal event) was cut off
    return f"{len(got.said)} events, not {len(whole.said)}: {got.text!r}, {got.shape}"


def interrupted(got: Got, reason: str | None = None) -> str | None:
    """Return ``None`` if the call ended in an honest error of the SDK's class; else the flaw."""
    error = got.error
    if not isinstance(error, l0.StreamInterrupted) or not isinstance(error, SDKS[got.api.sdk].APIError):
        return f"{error!r} after {got.text!r}"
    if error.partial_text != got.text:
        return f"partial text {error.partial_text!r}, handed over {got.text!r}"
    return None if reason in (None, error.reason) else f"reason {error.reason!r}"


def client_of(stage: Stage, url: str, *, sync: bool) -> Any:
    """An openai client that believes to be at ``url``, and speaks to the simulator."""
    base = httpx.HTTPTransport if sync else httpx.AsyncHTTPTransport
    port = httpx.URL(stage.sim.origin).port

    def here(request: Any) -> Any:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        return request

    class Here(base):  # type: ignore[misc, valid-type]
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(here(request))

        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(here(request))

    if sync:
        return openai.OpenAI(api_key="k", base_url=url, http_client=openai.DefaultHttpxClient(transport=Here()))
    return openai.AsyncOpenAI(api_key="k", base_url=url, http_client=openai.DefaultAsyncHttpxClient(transport=Here()))
