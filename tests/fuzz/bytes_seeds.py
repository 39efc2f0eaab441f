"""The seeds of the fuzzer: one answer of every API, as the simulator writes it, and the words in bodies."""

from collections.abc import Iterator
from typing import Any

from bytes_oracle import APIS

from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect

_DIALECTS: dict[str, Dialect] = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
_CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
_REQUESTS: dict[str, dict[str, Any]] = {
    "chat": _CHAT,
    "completions": {"model": "m", "prompt": "x", "stream": True},
    "messages": _CHAT | {"max_tokens": 4096},
    "responses": {"model": "m", "input": "x", "stream": True},
}
_ANSWERS = (
    Answer(text="Hi é."),
    Answer(tool_calls=(SimulatedToolCall(name="f", arguments='{"a":1}'),)),
    Answer(text="Hi", reasoning="hm"),
)
_READS = (0, 1, 7)
WORDS = (
    *(b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80"),
    *(b"data: ", b"data:", b"event: ", b": x\n", b"id: 1\n", b"retry: 1\n", b"[DONE]", b"data: [DONE]\n\n"),
    *(b"null", b"true", b"{}", b"[]", b"NaN", b"-0", b"1e999", b"18446744073709551616", b"\\ud800", b"\\u0000"),
    *(b"[" * 60, b'{"a":' * 12, b'"error":', b'{"error":{"message":"m"}}', b"error", b"ping", b"thread."),
    *(b'"type":', b'"index":', b'"choices":', b'"delta":', b'"content":', b'"usage":', b'"finish_reason":'),
    *(b'"sequence_number":', b'"response":', b'"output":', b"response.completed", b"response.output_text.delta"),
    *(b"message_start", b"content_block_delta", b"message_stop"),
)
"""The fragments that the fuzzer inserts, at most 64 bytes each."""


def body(name: str, answer: Answer) -> bytes:
    """One streamed answer, as it stands on the wire."""
    dialect = _DIALECTS[name]
    return b"".join(dialect.events(answer, dialect.read_request(_REQUESTS[name]), AnswerIdentity.of(0, 0)))


def seeds() -> Iterator[bytes]:
    """Inputs, as `bytes_oracle.difference` takes them."""
    for number, name in enumerate(APIS):
        for answer in _ANSWERS:
            for size in _READS:
                yield bytes((number, size)) + body(name, answer)
