"""Plays one scenario through a real SDK, sync or async, and writes down everything that can be seen of it."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
from parity_table import CALLS, Scenario
from server_time import ServerTime

import l0
from l0.config import CONFIG
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent
from l0.shared_state.terminal_event_sources import TerminalEventSources
from l0.simulator.server import Simulator
from l0.testing import simulator

_ID = re.compile(r"[0-9a-f]{24}|call_\w+")
_SAID = re.compile(r"\[Errno \d+\] [\w ]+|(Read|Connect)Error(?=\.)")
"""The messages of a transport about a broken connection: backends have different ones, or none."""
_TIMES = re.compile(r"'(created_at|created|completed_at)': [\d.]+")


class Recorder:
    """An observer that remembers what does not depend on the time of day."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def observe(self, call: Any) -> "Recorder":
        self.events.append(("call", call.operation, call.dialect, call.model, call.streaming, call.strict))
        return self

    def notify(self, event: CallEvent) -> None:
        match event:
            case AttemptStarted(attempt=attempt):
                self.events.append(("start", attempt.number))
            case AttemptEnded(number=number, failure=failure, status=status):
                self.events.append(("end", number, failure.cause.value if failure else None, status))
            case CallEnded() as end:
                causes = tuple(failure.cause.value for failure in end.failures)
                chunks = end.stream_stats.chunks if end.stream_stats else None
                self.events.append(
                    (
                        "over",
                        end.outcome.value,
                        causes,
                        end.attempts,
                        end.text,
                        _ID.sub("ID", str(end.metadata)),
                        chunks,
                    )
                )

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        return {}


@dataclass
class Trace:
    """The observations of a user, an observer and the server. Ids are removed: every request has its own."""

    items: list[str] = field(default_factory=list)
    error: tuple[Any, ...] | None = None
    events: list[Any] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """Return the only `CallEnded` that the observer received."""
        (end,) = [event for event in self.events if event[0] == "over"]
        assert self.events[-1] is end
        return str(end[1])


def told(item: Any) -> str:
    """Type and content of an object of the SDK."""
    dump = getattr(item, "model_dump", None)
    content = dump(warnings=False) if dump is not None else item
    return _TIMES.sub("", _ID.sub("ID", f"{type(item).__name__} {content!r}"))


def described(error: BaseException) -> tuple[Any, ...]:
    """Class, bases, text, notes and fields of an exception."""
    fields = [name for name in ("status_code", "partial_text", "reason", "attempts", "body") if hasattr(error, name)]
    values = tuple((name, _ID.sub("ID", repr(getattr(error, name)))) for name in fields)
    bases = tuple(f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__)
    notes = tuple(_SAID.sub("broken", _ID.sub("ID", note)) for note in getattr(error, "__notes__", ()))
    text = _SAID.sub("broken", _ID.sub("ID", str(error)))
    return bases, text, notes, values, _neutral(type(error.__cause__).__name__)


def _neutral(name: str) -> str:
    """Return one name for the exceptions that end a read: they differ by backend."""
    broken = ("ReadError", "RemoteProtocolError", "ConnectError", "CancelledError")
    return "TransportError" if name in broken else name


@dataclass
class Stage:
    """Simulator, clients and the loop of the async ones."""

    server: Simulator
    runner: asyncio.Runner
    clients: dict[str, Any]
    recorder: Recorder = field(default_factory=Recorder)

    @classmethod
    @contextmanager
    def built(cls) -> Iterator["Stage"]:
        with ExitStack() as stack:
            clock = ServerTime()
            stack.enter_context(clock.kept())
            server = stack.enter_context(simulator())
            runner = stack.enter_context(asyncio.Runner(loop_factory=clock.loop))
            ours: dict[str, Any] = {"api_key": "x", "base_url": server.openai}
            theirs: dict[str, Any] = {"api_key": "x", "base_url": server.anthropic}
            clients = {
                "sync openai": openai.OpenAI(**ours),
                "async openai": openai.AsyncOpenAI(**ours),
                "sync anthropic": anthropic.Anthropic(**theirs),
                "async anthropic": anthropic.AsyncAnthropic(**theirs),
            }
            for name, client in clients.items():
                client._calculate_retry_timeout = lambda *_: 0.0  # the SDKs' own delays are half a second and more
                close = (lambda c: runner.run(c.close())) if name.startswith("async") else (lambda c: c.close())
                stack.callback(close, client)
            yield cls(server, runner, clients)

    def play(self, scenario: Scenario, flavour: str) -> Trace:
        """One run of one scenario, in a process that has seen nothing yet."""
        trace = Trace()
        CONFIG.shared_state.terminal_event_sources = TerminalEventSources()
        self.recorder.events = trace.events
        CONFIG.set_observers([self.recorder])
        self.server.reset()
        self.server.script(*scenario.script)
        call = CALLS[scenario.api]
        client = self.clients[f"{flavour} {call.sdk}"]
        if scenario.max_retries is not None:
            client = client.with_options(max_retries=scenario.max_retries)
            client._calculate_retry_timeout = lambda *_: 0.0
        try:
            if flavour == "sync":
                with l0.policy(scenario.policy):
                    play_sync(scenario, client, trace.items)
            else:
                self.runner.run(_within_policy(scenario, client, trace.items))
        except Exception as error:
            trace.error = described(error)
        self.server.wait_idle(120)
        trace.requests = [
            (json.dumps(request.body, sort_keys=True), request.headers.get("x-stainless-retry-count"))
            for request in self.server.requests
        ]
        return trace


def play_sync(scenario: Scenario, client: Any, items: list[str]) -> None:
    """Run the sync code of a user."""
    call = CALLS[scenario.api]
    resource, arguments = call.resource(client), call.arguments | scenario.more
    match scenario.use:
        case "whole":
            items.append(told(resource.create(**arguments)))
        case "all":
            _collected(resource.create(**arguments, stream=True), items)
        case "first":
            stream = resource.create(**arguments, stream=True)
            items.append(told(next(stream)))
            stream.close()
        case "break":
            with resource.create(**arguments, stream=True) as stream:
                for item in stream:
                    items.append(told(item))
                    break
        case "unread":
            resource.create(**arguments, stream=True).close()
        case "raw":
            raw = resource.with_raw_response.create(**arguments, stream=True)
            items.append(f"{raw.status_code} {raw.retries_taken}")
            _collected(raw.parse(), items)
        case "lines":
            with resource.with_streaming_response.create(**arguments, stream=True) as response:
                for line in response.iter_lines():
                    items.append(_ID.sub("ID", line))
        case "helper":
            with resource.stream(**arguments) as stream:
                for event in stream:
                    items.append(event.type)
                items.append(told(getattr(stream, call.final)()))


def _collected(stream: Any, items: list[str]) -> None:
    for item in stream:
        items.append(told(item))
    items.append(f"{type(stream).__name__.removeprefix('Async')} {stream.response.status_code}")


async def _within_policy(scenario: Scenario, client: Any, items: list[str]) -> None:
    """A runner keeps one context for all its runs, so the policy is set inside."""
    with l0.policy(scenario.policy):
        await play_async(scenario, client, items)


async def play_async(scenario: Scenario, client: Any, items: list[str]) -> None:
    """The same, word for word, with ``await``."""
    call = CALLS[scenario.api]
    resource, arguments = call.resource(client), call.arguments | scenario.more
    match scenario.use:
        case "whole":
            items.append(told(await resource.create(**arguments)))
        case "all":
            await _acollected(await resource.create(**arguments, stream=True), items)
        case "first":
            stream = await resource.create(**arguments, stream=True)
            items.append(told(await anext(stream)))
            await stream.close()
        case "break":
            async with await resource.create(**arguments, stream=True) as stream:
                async for item in stream:
                    items.append(told(item))
                    break
        case "unread":
            await (await resource.create(**arguments, stream=True)).close()
        case "raw":
            raw = await resource.with_raw_response.create(**arguments, stream=True)
            items.append(f"{raw.status_code} {raw.retries_taken}")
            parsed = raw.parse()
            await _acollected(await parsed if asyncio.iscoroutine(parsed) else parsed, items)
        case "lines":
            async with resource.with_streaming_response.create(**arguments, stream=True) as response:
                async for line in response.iter_lines():
                    items.append(_ID.sub("ID", line))
        case "helper":
            async with resource.stream(**arguments) as stream:
                async for event in stream:
                    items.append(event.type)
                items.append(told(await getattr(stream, call.final)()))


async def _acollected(stream: Any, items: list[str]) -> None:
    async for item in stream:
        items.append(told(item))
    items.append(f"{type(stream).__name__.removeprefix('Async')} {stream.response.status_code}")
