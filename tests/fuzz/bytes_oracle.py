"""The oracle of the fuzzer: for any bytes in any reads, L0 yields what the SDK's own loop yields, or fails cleanly.

An input consists of a byte for the API, a byte for the size of a read (0: the whole body), and a body. The body goes
through L0's splitter, decoder, reader and constructors, and through the SDK's unpatched `Stream`. There is no client,
socket or engine between them, so that a fuzzer makes hundreds of comparisons per second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import anthropic
import openai
from fidelity_check import structure
from openai.types.chat import ChatCompletionChunk
from openai.types.completion import Completion

from l0.fastpath.event_template import EventTemplates
from l0.model.call import RetrySafety
from l0.model.failure import Cause
from l0.model.inference_request import InferenceRequest
from l0.model.ports import Reader
from l0.runtime.body_parser import WireParser
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_call_adapter import Provider, ReaderContext, compiled
from l0_anthropic.provider import AnthropicProvider
from l0_openai.provider import OpenAIProvider

APIS = ("chat", "completions", "messages", "responses")
TRIES = (UnicodeDecodeError, ValueError, RecursionError)
"""The exceptions that the SDK's loop raises for an event that it cannot decode."""
ADDED = frozenset({"unnamed_event"})
DROPPED = frozenset({"data_after_end", "duplicate_event"})
"""Anomalies of events that only L0 reads, since a proxy dropped their names (ADDED), or that it omits (DROPPED)."""
MARK = b"\xef\xbb\xbf"
"""A byte order mark. The SDK loses the first event after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Both ways to read one API's streams."""

    sdk: Sdk
    provider: Provider
    client: Any
    type_: Any
    inference: InferenceRequest

    def bare(self, reads: Iterator[bytes]) -> Iterator[Any]:
        """Yield the SDK's objects from its own loop. Raises what that raises."""
        stream: Any = self.sdk.streaming.Stream
        yield from stream(cast_to=self.type_, response=self._response(reads), client=self.client)

    def ours(self, reads: Iterator[bytes]) -> tuple[list[Any], Reader]:
        """Return the objects from L0's own loop, and the reader that read them."""
        response, loop = self._response(iter(())), self.sdk.loop
        build = compiled(self.sdk, self.type_)
        assert build is not None
        assert loop is not None
        reading = ReaderContext(
            inference=self.inference,
            loop=loop,
            build=build,
            response=response,
            request=response.request,
            client=self.client,
            order="evidence",
        )
        reader = self.provider.reader(reading)
        parser = WireParser(reader, EventTemplates(build, self.sdk.constructors))
        items: list[Any] = []
        for raw in reads:
            items += parser.feed(raw)
            if reader.stopped:
                break
        return items, reader

    def _response(self, reads: Iterator[bytes]) -> Any:
        transport: Any = self.sdk.transport
        request = transport.Request("POST", "http://origin.invalid/")
        headers = {"content-type": "text/event-stream"}
        return transport.Response(200, headers=headers, content=reads, request=request)


@cache
def api(name: str) -> Api:
    """Return one API of the installed SDKs."""
    of_openai = name != "messages"
    sdk = Sdk("openai" if of_openai else "anthropic")
    kind: Callable[..., Any] = openai.OpenAI if of_openai else anthropic.Anthropic
    return Api(
        sdk=sdk,
        provider=OpenAIProvider(sdk) if of_openai else AnthropicProvider(sdk),
        client=kind(api_key="none", base_url="http://origin.invalid"),
        type_=_TYPES[name](),
        inference=InferenceRequest(
            dialect=name, operation="chat", provider=sdk.name, model="m", retry_safety=RetrySafety.SAFE, body={},
            attributes={},
            certain=False,
        ),
    )  # fmt: skip


def _responses_event() -> Any:
    from openai.types.responses import ResponseStreamEvent  # came with openai 1.66

    return ResponseStreamEvent


_TYPES: dict[str, Callable[[], Any]] = {
    "chat": lambda: ChatCompletionChunk,
    "completions": lambda: Completion,
    "messages": lambda: anthropic.types.RawMessageStreamEvent,
    "responses": _responses_event,
}


def cut(body: bytes, size: int) -> Iterator[bytes]:
    """Return the body in reads of ``size`` bytes; in one read if ``size`` is 0."""
    step = size or len(body) or 1
    return (body[start : start + step] for start in range(0, len(body), step))


def difference(data: bytes) -> str | None:
    """Return the difference between L0 and the SDK for an input; ``None`` if there is none."""
    if len(data) < 2:
        return None
    name, size, body = APIS[data[0] % len(APIS)], data[1], data[2:]
    both = api(name)
    theirs, error = _collected(both.bare(cut(body, 0)))
    complete_answer, reader = both.ours(cut(body, 0))
    pieces, reader_of_pieces = both.ours(cut(body, size))
    if _state(reader) != _state(reader_of_pieces):
        return f"{name}: {_state(reader)} in one read, {_state(reader_of_pieces)} in reads of {size}"
    found = structure(complete_answer, pieces, path=f"{name}, in reads of {size}: $")
    if found is None:
        broken = error is not None or reader.failure is not None
        anomalies = frozenset(reader.metadata().anomalies)
        adds = bool(anomalies & ADDED) or body.startswith(MARK)
        found = _answer_difference(theirs, complete_answer, adds=adds, drops=bool(anomalies & DROPPED), broken=broken)
    if found is None and error is None and _state(reader)[0] is Cause.MALFORMED and name != "messages":
        found = f"{reader.failure}, and the SDK sees none"  # of messages it ignores all events without a name
    return found and f"{name}: {found}"


def _collected(items: Iterator[Any]) -> tuple[list[Any], Exception | None]:
    got: list[Any] = []
    try:
        got.extend(item for item in items if item is not None)  # an event of `null` is nothing
    except (openai.OpenAIError, anthropic.AnthropicError, *TRIES) as error:
        return got, error
    return got, None


def _state(reader: Reader) -> tuple[Cause | None, Cause | None, int, tuple[str, ...]]:
    """Return the rest of a reader's state: its failure, the missing end, its content and its anomalies."""
    failure = reader.failure.cause if reader.failure is not None else None
    return failure, reader.incomplete_cause(), reader.content, reader.metadata().anomalies


def _answer_difference(theirs: list[Any], ours: list[Any], *, adds: bool, drops: bool, broken: bool) -> str | None:
    """Return the first difference of two answers. If one is ``broken``, the other may be longer.

    ``adds``: L0 read events that the SDK ignores. ``drops``: it omitted events that the SDK yields.
    """
    if adds and drops:
        return None
    if adds or drops:
        few, many = (theirs, ours) if adds else (ours, theirs)
        return None if broken else _within(few, many)
    if not broken and len(theirs) != len(ours):
        return f"{len(theirs)} items became {len(ours)}"
    common = min(len(theirs), len(ours))
    return structure(theirs[:common], ours[:common])


def _within(few: list[Any], many: list[Any]) -> str | None:
    """Return the items of ``few`` that ``many`` does not contain in this order."""
    rest = iter(many)
    return next((f"{item!r} is missing, or not in order" for item in few if not _found_in(item, rest)), None)


def _found_in(item: Any, rest: Iterator[Any]) -> bool:
    return any(structure(item, other) is None for other in rest)
