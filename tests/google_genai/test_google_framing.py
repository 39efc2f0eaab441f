"""JSON outside of server-sent events, the form in which Google sends errors: l0 reads what the SDK reads."""

import json
from typing import Any

import pytest
from faults_kit import difference

import l0
from l0.simulator.playback import Chunks, RecordedBody

genai = pytest.importorskip("google.genai", reason="google-genai is not installed: run make test-providers")
from google_kit import GoogleStage, body_of, flavours, text_of  # noqa: E402 - it imports the SDK

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
ERROR = {"error": {"code": 503, "message": 'The "model" is {overloaded}.', "status": "UNAVAILABLE"}}
TRICKY = 'a } in "quotes", a \\ and {'
chunkings = pytest.mark.parametrize("chunks", ["one", "byte", 7], ids=str)


def _chunk(text: str, reason: str | None = None) -> dict[str, Any]:
    ended = {} if reason is None else {"finishReason": reason}
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **ended}], "responseId": "r"}


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\r\n\r\n"


def _lines(*values: object, indent: int | None = 2) -> bytes:
    """Return values as Google sends its errors: JSON over several lines, without ``data:``."""
    return "\n".join(json.dumps(value, indent=indent) for value in values).encode()


def _whole_bodies() -> dict[str, bytes]:
    chunks = (_chunk("one "), _chunk(TRICKY), _chunk(" end", "STOP"))
    return {
        "a line each": _lines(*chunks, indent=None),
        "a line each, with an end": _lines(*chunks, indent=None) + b"\n",
        "several lines each": _lines(*chunks),
        "CRLF": _lines(*chunks).replace(b"\n", b"\r\n"),
        "after an event": _event(chunks[0]) + _lines(*chunks[1:]),
        "before an event": _lines(*chunks[:2]) + b"\n\n" + _event(chunks[2]),
    }


@flavours
@chunkings
@pytest.mark.parametrize("name", _whole_bodies())
def test_answer_outside_of_events_is_that_of_the_sdk(
    stage: GoogleStage, flavour: str, name: str, chunks: Chunks
) -> None:
    body = RecordedBody(content=_whole_bodies()[name], chunks=chunks)
    bare = stage.call(body, flavour=flavour)
    stage.on()
    seen = stage.call(body, flavour=flavour)
    l0.uninstrument()
    assert (bare.error, seen.error) == (None, None)
    assert text_of(seen.chunks) == f"one {TRICKY} end"
    assert difference(seen.chunks, bare.chunks) is None


@flavours
@chunkings
@pytest.mark.usefixtures("on")
def test_error_outside_of_events_is_the_error_of_the_sdk(stage: GoogleStage, flavour: str, chunks: Chunks) -> None:
    broken = RecordedBody(content=_event(_chunk("one ")) + _event(_chunk("two")) + _lines(ERROR), chunks=chunks)
    seen = stage.call(broken, flavour=flavour)
    assert isinstance(seen.error, genai.errors.ServerError)
    assert (seen.error.code, seen.error.status) == (503, "UNAVAILABLE")
    assert seen.span is not None
    assert seen.span["error.type"] != "truncated"
    assert text_of(seen.chunks) in {"one two", ""}  # aiohttp may read the error with the content


@flavours
@chunkings
def test_error_before_content_is_retried(stage: GoogleStage, flavour: str, chunks: Chunks) -> None:
    stage.on(l0.Policy(retry=l0.Retry.recommended()))
    whole = RecordedBody(content=body_of())
    seen = stage.call_each([RecordedBody(content=_lines(ERROR), chunks=chunks), whole], flavour=flavour)
    l0.uninstrument()
    assert seen.error is None
    assert seen.requests == 2
    assert seen.span is not None
    assert seen.span["l0.outcome"] == "recovered_retry"


@flavours
@pytest.mark.usefixtures("on")
def test_object_that_is_cut_off_is_no_success(stage: GoogleStage, flavour: str) -> None:
    cut = _event(_chunk("one ")) + _lines(_chunk("two", "STOP"))[:-2]
    seen = stage.call(RecordedBody(content=cut), flavour=flavour, retries=False)
    assert seen.error is not None
