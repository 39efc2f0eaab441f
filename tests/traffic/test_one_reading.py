"""An answer has one meaning: on the wire, as objects of the SDK, and in one piece."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import anthropic
import openai
import pytest
from installed import HAS_RESPONSES, httpx
from traffic_kit import REQUESTS, Sample, recorded, shipped

from l0.dialects.answer_fold import complete_answer
from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.dialect_catalogue import DIALECTS
from l0.dialects.messages import MessagesReader
from l0.dialects.responses import ResponsesReader
from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.runtime.body_parser import WireParser
from l0.simulator import corpus
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.streams.decoders.delta_decoder import DeltaDecoder
from l0.streams.stream_events import Event, EventType

SAMPLES = (*recorded(), *shipped())
SERVERS = {each.name: each for each in (CHAT, COMPLETIONS, RESPONSES, MESSAGES) if each.name in REQUESTS}
ANSWERS = [(name, dialect) for name in corpus.answers() for dialect in SERVERS]
_REQUEST = httpx.Request("POST", "http://origin.invalid/")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The facts of one answer: text of the first choice, and of its tools names and arguments."""

    text: str
    calls: list[tuple[str, Any]]
    metadata: ResponseMetadata
    complete: bool


def built(dialect: str, event: Any) -> Any:
    """The SDK's object of one event, or of an answer."""
    sdk: Any = anthropic if dialect.startswith("messages") else openai
    return sdk._models.construct_type(value=event, type_=types()[dialect])


@lru_cache(maxsize=1)
def types() -> dict[str, Any]:
    found: dict[str, Any] = {
        "chat": openai.types.chat.ChatCompletionChunk,
        "completions": openai.types.Completion,
        "messages": anthropic.types.RawMessageStreamEvent,
        "chat answer": openai.types.chat.ChatCompletion,
        "completions answer": openai.types.Completion,
        "messages answer": anthropic.types.Message,
    }
    if HAS_RESPONSES:
        found |= {
            "responses": openai.types.responses.ResponseStreamEvent,
            "responses answer": openai.types.responses.Response,
        }
    return found


def reader_of(sample: Sample) -> Any:
    def build(event: Any) -> Any:
        return built(sample.dialect, event)

    def make_error(message: str, body: object) -> Exception:
        return openai.APIError(message, request=_REQUEST, body=body)

    def refuse(data: bytes) -> Failure:
        return Failure(cause=Cause.IN_BAND_ERROR, detail=data.decode())

    stream = "text/event-stream"
    if sample.dialect == "messages":
        return MessagesReader(build, stream, names=None, typed=False, refuse=refuse)
    if sample.dialect == "responses":
        return ResponsesReader(build, stream, kept=False, replays=False, make_error=make_error)
    kind = ChatReader if sample.dialect == "chat" else CompletionsReader
    return kind(build, stream, choices=sample.choices, wraps=frozenset(), make_error=make_error)


def parsed(arguments: str) -> Any:
    """A tool without parameters is called with nothing, or with an empty object."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def facts(metadata: ResponseMetadata) -> ResponseMetadata:
    """Anomalies are of the wire only."""
    return replace(metadata, anomalies=(), has_other_content=False)


def from_the_wire(sample: Sample) -> tuple[Reading, list[Any]]:
    reader = reader_of(sample)
    items = WireParser(reader).feed(sample.content)
    calls = [
        (call.name, parsed("".join(call.arguments)))
        for place, call in reader.tools.items()
        if not isinstance(place, tuple) or place[0] == 0
    ]
    # If the failure is not typed, the SDK raises: no object states it.
    complete = reader.incomplete_cause() is None and not (reader.failure is not None and reader.failure.typed)
    metadata = facts(reader.metadata())
    return Reading(text="".join(reader.text), calls=calls, metadata=metadata, complete=complete), list(items)


def from_objects(dialect: str, items: list[Any]) -> Reading:
    decoder = DeltaDecoder(DIALECTS[dialect])
    events: list[Event] = [event for item in items for event in decoder.decode(item)]
    calls = [(event.data.name, parsed(event.data.raw)) for event in events if event.type is EventType.TOOL_CALL]
    text = "".join(event.text for event in events if event.type is EventType.TOKEN)
    failed = any(event.type is EventType.ERROR for event in events)
    return Reading(
        text=text,
        calls=calls,
        metadata=facts(decoder.metadata()),
        complete=decoder.is_complete() is True and not failed,
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_stream_is_read_alike_on_the_wire_and_as_objects(sample: Sample) -> None:
    wire, items = from_the_wire(sample)
    assert from_objects(sample.dialect, items) == wire


@pytest.mark.parametrize(("name", "dialect"), ANSWERS, ids=str)
def test_complete_answer_is_read_alike_as_json_as_object_and_streamed(name: str, dialect: str) -> None:
    answer = corpus.answers()[name]
    answer = replace(answer, tokens=min(answer.tokens, 50))
    request = SimulatedRequest(model="a-model", store=False)
    whole = json.loads(json.dumps(SERVERS[dialect].complete(answer, request, AnswerIdentity.of(0, 0))))
    found = complete_answer(DIALECTS[dialect], whole)
    assert found.metadata is not None
    calls = [(called, parsed(arguments)) for called, arguments in found.calls]
    as_json = Reading(text=found.text, calls=calls, metadata=facts(found.metadata), complete=True)
    assert from_objects(dialect, [built(f"{dialect} answer", whole)]) == as_json
    events = SERVERS[dialect].events(answer, replace(request, stream=True), AnswerIdentity.of(0, 0))
    streamed, _ = from_the_wire(Sample(name=name, dialect=dialect, content=b"".join(events)))
    assert (streamed.text, streamed.calls) == (as_json.text, as_json.calls)
    assert streamed.metadata == as_json.metadata
