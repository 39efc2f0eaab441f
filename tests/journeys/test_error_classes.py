"""Every break after the headers is raised as the SDK's class, the class that the bare SDK leaks, and ours at once."""

import asyncio
import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from installed import helpers_of, needs_responses
from journeys_kit import (
    CHATTING,
    FAILED,
    MESSAGING,
    RESPONDING,
    Spans,
    async_chat_client,
    body,
    chat_client,
    client_of,
    sync_and_async,
)

import l0
from l0.model.failure import Cause
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator

REQUESTS = {"chat": CHATTING, "responses": RESPONDING, "messages": MESSAGING}
AT = 8
"""The event at which an answer breaks: after its first content in every dialect."""
DEEP = b"[" * 100_000 + b"]" * 100_000
HUGE = b'{"id": ' + b"9" * 5_000 + b"}"
STREAMED: dict[str, Callable[[str], Reply]] = {
    "malformed": lambda dialect: played(dialect, Fault.malformed(at_event=AT)),
    "invalid UTF-8": lambda dialect: played(dialect, Fault.invalid_utf8(at_event=AT)),
    "deep JSON": lambda dialect: spliced(dialect, DEEP),
    "huge integer": lambda dialect: spliced(dialect, HUGE),
    "reset": lambda dialect: played(dialect, Fault.reset(at_event=AT)),
    "cut": lambda dialect: played(dialect, Fault.cut(at_event=AT)),
    "bad chunk header": lambda dialect: played(dialect, Fault.bad_chunk_header(at_event=AT)),
    "corrupt gzip": lambda dialect: played(dialect, Fault.corrupt_gzip(at_event=AT)),
    "in-band error": lambda dialect: played(dialect, Fault.in_band_error(at_event=AT)),
    "error object": lambda dialect: spliced(dialect, b'{"error": {"message": "no", "code": "server_error"}}'),
}
UNRAISED = {("in-band error", "responses"), ("error object", "messages")}
"""Events of which the bare SDK makes objects: `test_typed_events` shows the first one."""
WHOLE: dict[str, Reply] = {
    "half a JSON": Reply(body=RecordedBody(content=b'{"id": "x", "choi', content_type="application/json")),
    "invalid UTF-8": Reply(body=RecordedBody(content=b'{"id": "\xff\xfe"}', content_type="application/json")),
    "deep JSON": Reply(body=RecordedBody(content=DEEP, content_type="application/json")),
    "huge integer": Reply(body=RecordedBody(content=HUGE, content_type="application/json")),
    "reset": Reply(fault=Fault.reset(at_byte=40)),
    "cut": Reply(fault=Fault.cut(at_byte=40)),
}


def played(dialect: str, fault: Fault) -> Reply:
    return Reply(body=RecordedBody(content=body(dialect)), fault=fault)


def spliced(dialect: str, data: bytes) -> Reply:
    """Return an answer with one event replaced by ``data``."""
    events = body(dialect).split(b"\n\n")
    name = b"event: content_block_delta\n" if dialect == "messages" else b""
    return Reply(body=RecordedBody(content=b"\n\n".join([*events[:AT], name + b"data: " + data, b""])))


def call(sim: Simulator, dialect: str, way: str, *, sync: bool) -> BaseException | None:
    """Return the exception that one call raises. ``way``: ``create``, the ``helper`` ``.stream()``, or ``whole``."""
    if sync:
        with client_of(sim, dialect, max_retries=0) as client:
            return _raised(lambda: _read(client, dialect, way))

    async def run() -> BaseException | None:
        async with client_of(sim, dialect, sync=False, max_retries=0) as client:
            try:
                await _aread(client, dialect, way)
            except Exception as error:
                return error
        return None

    return asyncio.run(run())


def _raised(action: Callable[[], object]) -> BaseException | None:
    try:
        action()
    except Exception as error:
        return error
    return None


def _resource(client: Any, dialect: str, *, helper: bool = False) -> Any:
    if dialect == "chat":
        return helpers_of(client) if helper else client.chat.completions
    return getattr(client, dialect)


def _read(client: Any, dialect: str, way: str) -> None:
    request = REQUESTS[dialect]
    if way == "helper":
        with _resource(client, dialect, helper=True).stream(**request) as stream:
            for _ in stream:
                pass
        return
    answer = _resource(client, dialect).create(**request, stream=way == "create")
    for _ in answer if way == "create" else ():
        pass


async def _aread(client: Any, dialect: str, way: str) -> None:
    request = REQUESTS[dialect]
    if way == "helper":
        async with _resource(client, dialect, helper=True).stream(**request) as stream:
            async for _ in stream:
                pass
        return
    answer = await _resource(client, dialect).create(**request, stream=way == "create")
    if way == "create":
        async for _ in answer:
            pass


def both_errors(sim: Simulator, reply: Reply, dialect: str, way: str, *, sync: bool) -> tuple[Any, Any]:
    """Return what a call raises in the bare SDK, and with l0."""
    found = []
    for instrument in (l0.uninstrument, l0.instrument):
        instrument()
        sim.reset()
        sim.script(reply)
        found.append(call(sim, dialect, way, sync=sync))
    return found[0], found[1]


def check(bare: Any, ours: Any, dialect: str) -> None:
    sdk = anthropic if dialect == "messages" else openai
    assert bare is not None
    assert set(type(bare).__mro__) <= set(type(ours).__mro__), (type(bare), type(ours).__mro__)
    assert isinstance(ours, sdk.APIError)
    assert isinstance(ours, l0.StreamInterrupted)
    assert Cause(ours.reason)
    assert ours.attempts == 1
    kept = ("body", "code", "type", "param", "message") if isinstance(bare, sdk.APIError) else ()
    for travel in (lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy):
        other = travel(ours)
        assert (type(other), str(other), other.reason) == (type(ours), str(ours), ours.reason)
        assert other.partial_text == ours.partial_text
    if not isinstance(bare, sdk.APIConnectionError):
        assert [_without_ids(ours, name) for name in kept] == [_without_ids(bare, name) for name in kept]
        assert not kept or re.sub(r"req_\w+", "ID", str(ours)) == re.sub(r"req_\w+", "ID", str(bare))
    if isinstance(bare, sdk.APIStatusError):
        assert ours.status_code == bare.status_code
        assert ours.response.status_code == bare.response.status_code
    for name in ("doc", "pos", "encoding", "errno"):
        assert getattr(ours, name, None) == getattr(bare, name, None)
    if isinstance(bare, UnicodeDecodeError):
        assert ours.object[ours.start : ours.end] == bare.object[bare.start : bare.end]


def _without_ids(error: Any, name: str) -> str:
    return re.sub(r"req_\w+", "ID", repr(getattr(error, name, None)))


@sync_and_async
@pytest.mark.parametrize("way", ["create", "helper"])
@pytest.mark.parametrize(("fault", "dialect"), [(f, d) for f in STREAMED for d in REQUESTS if (f, d) not in UNRAISED])
def test_classes_of_a_broken_stream(sim: Simulator, fault: str, dialect: str, way: str, sync: bool) -> None:
    bare, ours = both_errors(sim, STREAMED[fault](dialect), dialect, way, sync=sync)
    check(bare, ours, dialect)
    assert ours.partial_text
    assert ours.request_id


TYPED = {
    "error": Fault.in_band_error(at_event=AT),
    "response.failed": Fault.failed(at_event=AT, code="server_error", message="no"),
}


@needs_responses
@sync_and_async
@pytest.mark.parametrize("fault", TYPED.values(), ids=TYPED)
def test_typed_events_are_delivered_and_then_raised(spans: Spans, sim: Simulator, fault: Fault, sync: bool) -> None:
    sim.script(played("responses", fault))
    events: list[Any] = []

    async def read() -> None:
        async with async_chat_client(sim) as client:
            async for event in await client.responses.create(**RESPONDING, stream=True):
                events.append(event)

    with pytest.raises(openai.APIError) as raised:
        if sync:
            events.extend(chat_client(sim).responses.create(**RESPONDING, stream=True))  # keeps what came
        else:
            asyncio.run(read())
    error: Any = raised.value
    assert isinstance(error, l0.StreamInterrupted)
    assert (error.code, error.reason) == ("server_error", "server_error")
    assert error.partial_text
    assert events[-1].type in TYPED
    assert len(sim.requests) == 1
    assert spans.ends == [FAILED]


@needs_responses
@pytest.mark.parametrize("fault", TYPED.values(), ids=TYPED)
def test_a_user_who_stops_at_a_typed_event_gets_no_exception(spans: Spans, sim: Simulator, fault: Fault) -> None:
    sim.script(played("responses", fault))
    with chat_client(sim).responses.create(**RESPONDING, stream=True) as stream:
        for event in stream:
            if event.type in TYPED:
                break
    assert spans.ends == [FAILED]


@needs_responses
@sync_and_async
@pytest.mark.parametrize("fault", TYPED.values(), ids=TYPED)
def test_a_helper_raises_a_typed_event_for_its_final_response(sim: Simulator, fault: Fault, sync: bool) -> None:
    async def finish() -> None:
        async with async_chat_client(sim) as client, client.responses.stream(**RESPONDING) as stream:
            await stream.get_final_response()

    def ended() -> Any:
        sim.script(Reply(fault=fault))  # with one id in all events: the helper checks that
        if not sync:
            return asyncio.run(finish())
        with chat_client(sim).responses.stream(**RESPONDING) as stream:
            return stream.get_final_response()

    bare = _raised(ended)
    l0.instrument()
    ours = _raised(ended)
    assert set(type(bare).__mro__) <= set(type(ours).__mro__)
    assert isinstance(ours, openai.APIError)
    assert isinstance(ours, l0.StreamInterrupted)


@sync_and_async
@pytest.mark.parametrize("dialect", REQUESTS)
@pytest.mark.parametrize("fault", WHOLE)
def test_classes_of_a_broken_whole_answer(sim: Simulator, fault: str, dialect: str, sync: bool) -> None:
    bare, ours = both_errors(sim, WHOLE[fault], dialect, "whole", sync=sync)
    check(bare, ours, dialect)


SPELLINGS = [
    b'{"error": {"message": "no", "code": 400}}',
    b'{"error": {"message": "no", "code": "400"}}',
    b'{"error": {"message": "no", "type": "invalid_request_error"}}',
    b'{"error": {"message": "no", "code": "context_length_exceeded"}}',
]


@pytest.mark.parametrize("data", SPELLINGS)
def test_deterministic_error_in_a_stream_is_not_retried(sim: Simulator, data: bytes) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0)))
    sim.script(*[Reply(body=RecordedBody(content=b"data: " + data + b"\n\n"))] * 2)
    with pytest.raises(openai.APIError) as raised:
        list(chat_client(sim).chat.completions.create(**CHATTING, stream=True))
    assert isinstance(raised.value, l0.StreamInterrupted)
    assert (len(sim.requests), raised.value.attempts) == (1, 1)
