"""Providers that answer by model, clients of both SDKs and flavours, and everything that calls leave behind."""

import asyncio
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import anthropic
import openai
from drawn import ANSWERS
from faults_kit import SDKS
from installed import transport_of
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from resume_kit import RERUN, Api

import l0
from l0.config import CONFIG
from l0.shared_state.shared import SharedState
from l0.simulator.faults import HEALTHY, Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.testing import simulator
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

_IDS = re.compile(r"[0-9a-f]{24}")
CALL = "x-call"
"""Header that says whose a request is: one that was given up may still be on its way when the next call begins."""
APIS = {api.name: api for api in RERUN}


_DEFAULT_RETRIES = 2
"""Of both SDKs: a policy that asks for repeats beats a client's zero."""


@dataclass
class Place:
    """One provider with its clients. ``serves``: the call of now; ``faults``: what its next requests meet.
    ``responses``: all that were opened."""

    server: Simulator
    serves: str = ""
    faults: deque[Fault] = field(default_factory=deque)
    clients: dict[tuple[str, bool], Any] = field(default_factory=dict)
    responses: list[Callable[[], Any]] = field(default_factory=list)

    def begin(self, script: list[Fault], number: int) -> dict[str, str]:
        """Serve another call, by this script. Returns the headers of its requests."""
        self.server.reset()
        self.responses.clear()
        self.faults = deque(script)
        self.serves = str(number)
        return {CALL: self.serves}

    def met(self) -> list[str]:
        """Return the answers to the requests of the call."""
        return [request.answered for request in self.server.requests if request.headers[CALL] == self.serves]

    def answer(self, request: Any, *_: Any) -> Reply:
        ours = request.headers[CALL] == self.serves
        fault = self.faults.popleft() if ours and self.faults else HEALTHY
        return Reply(answer=ANSWERS[request.json["model"]], fault=fault)


@dataclass
class Made:
    """One call: what was allowed, and what its user has so far."""

    api: Api
    sync: bool
    policy: l0.Policy
    retries: int
    stream: Any = None
    events: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    over: bool = False
    whole: bool = False

    @property
    def text(self) -> str:
        """The text of the answer so far. If a Responses answer has no deltas, its terminal event holds the text."""
        text = "".join(map(self.api.piece, self.events))
        if text or self.api.name != "responses":
            return text
        return "".join(event.response.output_text for event in self.events if self.api.ended(event))

    @property
    def most(self) -> int:
        """Requests that the policy allows."""
        retry = self.policy.retry
        limit = self.retries or (_DEFAULT_RETRIES if self.policy.asks_for_retries else 0)
        each = 0 if limit == 0 else limit if retry is None else retry.max_retries
        return (1 + each) * (1 + len(self.policy.legs)) + bool(self.policy.hedge)


class _Ids(IdGenerator):
    """Ids that count on: hypothesis seeds `random`, from which they are drawn otherwise."""

    def __init__(self) -> None:
        self._next = count(1).__next__

    def generate_span_id(self) -> int:
        return self._next()

    def generate_trace_id(self) -> int:
        return self._next()


class World:
    """Some places, one loop, one exporter of spans."""

    def __init__(self, places: list[Place], loop: asyncio.AbstractEventLoop) -> None:
        self.places = places
        self.loop = loop
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(id_generator=_Ids())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def renew(self, recorder: Any = None) -> None:
        """As in a process that has made no call yet. ``recorder``: records the calls from now on."""
        self.exporter.clear()
        CONFIG.shared_state = SharedState()
        CONFIG.shared_state.recorder = recorder

    def check(self, place: Place, call: Made) -> None:
        """Check the conditions that hold after every step of a call."""
        text = call.text
        parts = 1 + len(call.policy.legs) if call.policy.resume == "splice" else 1
        assert not text or _composed(text, parts, whole=False), f"{text!r} is the beginning of no answer"
        met = place.met()
        if call.whole and not (call.policy.truncation in ("warn", "off") and _ends_early(met)):
            assert _composed(text, parts, whole=True), f"a part was handed over as the whole: {text!r}"
            assert any(map(call.api.ended, call.events)), f"the end of the answer is missing: {call.events[-3:]}"
        assert len(met) <= call.most, f"{len(met)} requests, {call.most} allowed: {met}"
        _once(call)
        if call.error is not None:
            assert isinstance(call.error, SDKS[call.api.sdk].APIError | ValueError), repr(call.error)
        if isinstance(call.error, l0.StreamInterrupted):
            assert call.error.partial_text == text
        if call.over:
            _let_losers_close()
            left = [response for each in place.responses if (response := each()) is not None]
            assert all(response.is_closed for response in left), "a response was left open"

    def spans(self) -> list[Any]:
        """The spans of calls that have ended; those of their attempts are below them."""
        return [span for span in self.exporter.get_finished_spans() if span.parent is None]


def _composed(text: str, parts: int, *, whole: bool) -> bool:
    """Return True if a text is the beginning of an answer; ``whole``: a whole answer.

    With more ``parts``, the beginning of another answer may precede it: a fallback continues what another model began.
    """
    answers = [answer.text for answer in ANSWERS.values()]
    if (text in answers) if whole else any(answer.startswith(text) for answer in answers):
        return True
    if parts == 1:
        return False
    beginnings = [at for at in range(1, len(text)) if any(answer.startswith(text[:at]) for answer in answers)]
    return any(_composed(text[at:], parts - 1, whole=whole) for at in beginnings)


def _ends_early(met: Iterable[str]) -> bool:
    """Return True if a body ended orderly and without its terminal event: `Policy.truncation` may accept that."""
    return any(answered.startswith(("clean-end", "no-terminal")) for answered in met)


def _let_losers_close() -> None:
    """One that lost a race of sync attempts closes its connection itself, on its own thread."""
    for thread in threading.enumerate():
        if thread.name.startswith("l0-attempt-"):
            thread.join(120)
            assert not thread.is_alive(), f"{thread.name} goes on"


def _once(call: Made) -> None:
    """No event twice, none of another answer."""
    ids = {found for event in call.events for found in _IDS.findall(event.to_json(indent=None, warnings=False))}
    assert len(ids) <= (2 if call.api.name == "responses" else 1), ids
    if call.api.name == "responses":
        numbers = [event.sequence_number for event in call.events]
        assert all(one + 1 == other for one, other in pairwise(numbers)), numbers
    if call.api.name == "messages":
        kinds = [event.type for event in call.events]
        for kind in ("message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"):
            assert kinds.count(kind) <= 1, kinds


@contextmanager
def built(number: int) -> Iterator[World]:
    """So many providers, l0 on, and all of it taken down in the end."""
    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        places = [Place(stack.enter_context(simulator(seed=seed))) for seed in range(number)]
        world = World(places, loop)
        for place in places:
            assert hasattr(place.server, "_chosen_reply"), "the hook of the simulator has another name"
            place.server._chosen_reply = place.answer  # type: ignore[method-assign]
            _clients(stack, loop, place)
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument(tracer_provider=world.provider)
        stack.callback(l0.uninstrument)
        l0.instrument()
        yield world
        world.provider.shutdown()


def _clients(stack: ExitStack, loop: asyncio.AbstractEventLoop, place: Place) -> None:
    def note(response: Any) -> None:
        if response.request.headers[CALL] == place.serves:
            place.responses.append(weakref.ref(response))  # one that nobody has any more is closed by the collector

    async def anote(response: Any) -> None:
        note(response)

    for sdk, kinds in ((openai, ("OpenAI", "AsyncOpenAI")), (anthropic, ("Anthropic", "AsyncAnthropic"))):
        transport = transport_of(sdk)
        url = place.server.openai if sdk is openai else place.server.anthropic
        for kind, sync in zip(kinds, (True, False), strict=True):
            http = transport.Client if sync else transport.AsyncClient
            hooks = {"response": [note if sync else anote]}
            client = getattr(sdk, kind)(api_key="k", base_url=url, http_client=http(event_hooks=hooks, timeout=10))
            client._calculate_retry_timeout = lambda *_: 0.0
            place.clients[sdk.__name__, sync] = client
            stack.callback(client.close if sync else lambda made=client: loop.run_until_complete(made.close()))
