"""The real openai client over a transport that has its answers in memory, one chunk per read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from l0.simulator.answers import Answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest

REQUEST: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


def streaming_client(tokens: int) -> Any:
    """Return a client whose every answer is a stream of this many tokens."""
    return _client(
        "text/event-stream", list(CHAT.events(Answer(tokens=tokens), _request(True), AnswerIdentity.of(0, 0)))
    )


def whole_client(tokens: int) -> Any:
    """Return a client whose every answer is one JSON document with this many tokens."""
    answer = CHAT.complete(Answer(tokens=tokens), _request(False), AnswerIdentity.of(0, 0))
    return _client("application/json", [json.dumps(answer).encode()])


def _request(stream: bool) -> SimulatedRequest:
    return SimulatedRequest(model="m", stream=stream, choices=1, store=False)


def _client(kind: str, reads: list[bytes]) -> Any:
    import openai

    streaming: Any = openai._streaming
    transport = getattr(streaming, "httpx2", None) or streaming.httpx

    def respond(request: Any) -> Any:
        return transport.Response(200, headers={"content-type": kind}, content=_parts(reads), request=request)

    http = transport.Client(transport=transport.MockTransport(respond))
    return openai.OpenAI(api_key="x", base_url="http://origin.invalid", http_client=http, max_retries=0)


def _parts(reads: list[bytes]) -> Iterator[bytes]:
    yield from reads
