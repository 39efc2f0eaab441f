"""Run the calls of a plan with the real SDKs: half in threads, half as asyncio tasks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from queue import SimpleQueue
from threading import Event, Thread
from time import perf_counter
from typing import Any, Literal

from l0.simulator.script_grammar import HEADER

from .content import content_of, reports_failure
from .demo_provider import CALL_ID_HEADER, ScriptedSimulator
from .failure_causes import numbered
from .judge import Result
from .plan import APIS, SDKS, Api, PlannedCall

METHODS: Mapping[Api, Callable[[Any], Any]] = {
    "chat": attrgetter("chat.completions.create"),
    "responses": attrgetter("responses.create"),
    "completions": attrgetter("completions.create"),
    "messages": attrgetter("messages.create"),
}
"""Functions that return an API's method of a client."""
_MODEL = "simulated"
_PROMPT = "Say what you are asked to say."
_MESSAGES = [{"role": "user", "content": _PROMPT}]
_ARGUMENTS: Mapping[Api, dict[str, Any]] = {
    "chat": {"model": _MODEL, "messages": _MESSAGES},
    "responses": {"model": _MODEL, "input": _PROMPT},
    "completions": {"model": _MODEL, "prompt": _PROMPT},
    "messages": {"model": _MODEL, "max_tokens": 4096, "messages": _MESSAGES},
}

_MODULES: Mapping[Api, str] = {
    "chat": "openai.resources.chat",
    "responses": "openai.resources.responses",
    "completions": "openai.resources.completions",
    "messages": "anthropic.resources.messages",
}

Clients = Mapping[Api, Any]
"""The client of each API."""


def available_apis() -> tuple[Api, ...]:
    """Return the APIs of the installed SDKs. Older versions of openai do not have the Responses API."""
    return tuple(api for api in APIS if find_spec(SDKS[api]) is not None and find_spec(_MODULES[api]) is not None)


class FailureEvent(Exception):  # noqa: N818 - it represents an event, and is never raised
    """The SDK returned an event that reports a failed answer."""


class OtherFormatError(Exception):
    """An object of the SDK does not have the fields of the API. The message is the name of its class."""


class AnswerReader:
    """Reads one answer as a user would, and measures its times."""

    def __init__(self, call: PlannedCall) -> None:
        self._call = call
        self._began = perf_counter()
        self._last: float | None = None
        self._first: float | None = None
        self._pieces: list[str] = []
        self._gaps: list[float] = []
        self._error: BaseException | None = None

    def add(self, event: Any) -> None:
        """Record one event of the answer."""
        try:
            failed = reports_failure(self._call.api, event)
            piece = "" if failed else content_of(self._call.api, event)
        except (AttributeError, TypeError) as error:
            raise OtherFormatError(type(event).__name__) from error
        if failed:
            self._error = FailureEvent(event.type)
        elif piece:
            now = perf_counter()
            if self._last is None:
                self._first = now - self._began
            else:
                self._gaps.append(now - self._last)
            self._last = now
            self._pieces.append(piece)

    def result(self, client: Any = None, error: BaseException | None = None) -> Result:
        """Return the result of the call. ``error``: the exception of the ``client``'s SDK, if any."""
        return Result(
            call=self._call,
            content="".join(self._pieces),
            error=error or self._error,
            catchable=error is None or isinstance(error, _sdk_errors(client)),
            first=self._first,
            gaps=tuple(self._gaps),
        )


def _sdk_errors(client: Any) -> tuple[type[BaseException], ...]:
    """Return the exceptions that the bare SDK may raise: its own, its transport's, and `ValueError` for broken JSON."""
    (base_client,) = (kind for kind in type(client).__mro__ if kind.__name__ == "BaseClient")
    sdk = base_client.__module__.removesuffix("._base_client")
    package, streaming = import_module(sdk), import_module(f"{sdk}._streaming")
    # The version of the SDK decides between httpx and httpx2, so the classes are taken from its own module.
    transport = getattr(streaming, "httpx2", None) or streaming.httpx
    return (package.APIError.__base__, transport.TransportError, transport.DecodingError, ValueError)


def read(clients: Clients, call: PlannedCall, run: str, find_method: Callable[[Any], Any] | None = None) -> Result:
    """Make one call with a sync client.

    ``run``: name of the run, which makes the request's id unique. ``find_method``: returns the method of the client;
    ``None`` for that of openai's and anthropic's clients.
    """
    reader = AnswerReader(call)
    try:
        with numbered(call.number), _create(clients, call, run, find_method) as stream:
            for event in stream:
                reader.add(event)
    except Exception as error:
        return reader.result(clients[call.api], error)
    return reader.result()


async def aread(clients: Clients, call: PlannedCall, run: str) -> Result:
    """Make one call with an async client."""
    reader = AnswerReader(call)
    try:
        with numbered(call.number):
            async with await _create(clients, call, run) as stream:
                async for event in stream:
                    reader.add(event)
    except Exception as error:
        return reader.result(clients[call.api], error)
    return reader.result()


def _create(clients: Clients, call: PlannedCall, run: str, find_method: Callable[[Any], Any] | None = None) -> Any:
    create = (find_method or METHODS[call.api])(clients[call.api])
    headers = {HEADER: call.script, CALL_ID_HEADER: call_id(run, call.number)}
    return create(**_ARGUMENTS[call.api], stream=True, extra_headers=headers)


def call_id(run: str, number: int) -> str:
    """Return the id of the requests of the call with this number."""
    return f"{run}-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Runs plans against one simulator. ``concurrency``: number of concurrent calls, half of them in threads."""

    simulator: ScriptedSimulator
    concurrency: int

    def one_by_one(self, run: str, calls: Iterable[PlannedCall]) -> list[Result]:
        """Make calls one after the other. ``run``: name that distinguishes their requests from those of other runs."""
        with ExitStack() as stack:
            calls = list(calls)
            clients = self._clients("", calls)
            for client in set(clients.values()):
                stack.enter_context(client)
            return [read(clients, call, run) for call in calls]

    def run(self, run: str, plan: Iterable[PlannedCall], done: Callable[[Result], None]) -> None:
        """Make all calls of a plan. ``done``: callback for every result, called from any thread.

        An interruption does not wait for the calls in flight: they can wait seconds for their next attempt. Their
        threads end with the process, and their results are dropped.
        """
        threads, tasks = deque[PlannedCall](), deque[PlannedCall]()
        for call in plan:
            (threads if call.concurrent == "threads" else tasks).append(call)
        size = max(self.concurrency // 2, 1)
        clients = self._clients("", threads)
        interrupted, ended = Event(), SimpleQueue[BaseException | None]()

        def deliver(result: Result) -> None:
            if not interrupted.is_set():
                done(result)

        def thread() -> None:
            while (call := _next(threads)) is not None:
                deliver(read(clients, call, run))

        workers = [thread] * size + [lambda: asyncio.run(self._tasks(run, tasks, size, deliver))]
        for worker in workers:
            Thread(target=_report, args=(worker, ended), name="l0-demo", daemon=True).start()
        try:
            for _ in workers:
                if (error := ended.get()) is not None:
                    raise error
        finally:
            interrupted.set()
            threads.clear()
            tasks.clear()
        for client in set(clients.values()):
            client.close()

    async def _tasks(self, run: str, calls: deque[PlannedCall], size: int, done: Callable[[Result], None]) -> None:
        async with AsyncExitStack() as stack:
            clients = self._clients("Async", calls)
            for client in set(clients.values()):
                await stack.enter_async_context(client)

            async def work() -> None:
                while (call := _next(calls)) is not None:
                    done(await aread(clients, call, run))

            await asyncio.gather(*(work() for _ in range(size)))

    def _clients(self, prefix: Literal["", "Async"], calls: Iterable[PlannedCall]) -> Clients:
        """Create clients as a user does, with the SDKs' default timeouts and two retries."""
        origins = {"openai": ("OpenAI", self.simulator.openai), "anthropic": ("Anthropic", self.simulator.anthropic)}
        apis: set[Api] = {call.api for call in calls}
        by_sdk = {
            sdk: getattr(import_module(sdk), prefix + origins[sdk][0])(api_key="demo", base_url=origins[sdk][1])
            for sdk in {SDKS[api] for api in apis}
        }
        return {api: by_sdk[SDKS[api]] for api in apis}


def _report(work: Callable[[], None], ended: SimpleQueue[BaseException | None]) -> None:
    """Do the work of one thread, and report its exception, or None."""
    try:
        work()
    except BaseException as error:
        ended.put(error)
    else:
        ended.put(None)


def _next(calls: deque[PlannedCall]) -> PlannedCall | None:
    try:
        return calls.popleft()  # atomic, so no lock is needed between threads
    except IndexError:
        return None
