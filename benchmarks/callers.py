"""Make one call, through an SDK or through a replacement of it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol

from .cases import Api, Case

_MODELS: dict[Api, str] = {"chat": "gpt-4o", "responses": "gpt-4o", "messages": "claude-sonnet-4-5"}


_TURN = "Forty crates of fish left before the fog had lifted, and nobody asked for the price of ice. " * 2
"""One turn of a conversation."""

Open = Callable[[], Awaitable[AsyncIterator[Any]]]
"""Makes one asynchronous call. Returns the iterator of what arrives."""


class UnsupportedError(Exception):
    """The variant has no such call."""


class Caller(Protocol):
    """Makes the calls of a case. Asynchronous ones all belong to one event loop."""

    def stream(self, case: Case) -> Callable[[], Iterator[Any]]:
        """Return a function that makes one synchronous call and returns the iterator of what arrives.

        Raises `UnsupportedError` if the variant has no such call.
        """

    def astream(self, case: Case) -> Open:
        """Return the same for asynchronous calls."""


def _prompt(case: Case) -> str:
    stalls = " | stall at_event=2" if case.how == "idle" else ""
    return f"[[simulate: tokens {case.tokens}{stalls}]]"


def _arguments(case: Case) -> dict[str, Any]:
    prompt = _prompt(case)
    body: dict[str, Any] = {"model": _MODELS[case.api]}
    before = [{"role": ("user", "assistant")[turn % 2], "content": _TURN} for turn in range(case.turns)]
    if case.api == "responses":
        body["input"] = [*before, {"role": "user", "content": prompt}] if before else prompt
    else:
        body["messages"] = [*before, {"role": "user", "content": prompt}]
    if case.api == "messages":
        body["max_tokens"] = 100_000
    if case.how in ("stream", "idle"):
        body["stream"] = True
    return body


def _client(case: Case, origin: str) -> Any:
    if case.api == "messages":
        import anthropic

        kind: Any = anthropic.Anthropic if case.sync else anthropic.AsyncAnthropic
        return kind(api_key="unused", base_url=origin, timeout=600)
    import openai

    kind = openai.OpenAI if case.sync else openai.AsyncOpenAI
    return kind(api_key="unused", base_url=f"{origin}/v1", timeout=600)


def _endpoint(client: Any, case: Case) -> Callable[..., Any]:
    owner = {"chat": lambda: client.chat.completions, "responses": lambda: client.responses}.get(
        case.api, lambda: client.messages
    )()
    made: Callable[..., Any] = owner.stream if case.how == "helper" else owner.create
    return made


class SdkCaller:
    """Makes calls through openai and anthropic, which a variant may have patched."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._clients: dict[tuple[bool, bool, int], Any] = {}

    def client(self, case: Case) -> Any:
        """Return the client of all calls of a kind, as in applications. Each number of concurrent calls has its own."""
        key = (case.sync, case.api == "messages", case.at_once)
        if key not in self._clients:
            self._clients[key] = _client(case, self._origin)
        return self._clients[key]

    def stream(self, case: Case) -> Callable[[], Iterator[Any]]:
        call, arguments = _endpoint(self.client(case), case), _arguments(case)

        def one() -> Iterator[Any]:
            if case.how == "whole":
                return iter((call(**arguments),))
            opened = call(**arguments)
            return _entered(opened) if case.how == "helper" else iter(opened)

        return one

    def astream(self, case: Case) -> Open:
        call, arguments = _endpoint(self.client(case), case), _arguments(case)

        async def one() -> AsyncIterator[Any]:
            if case.how == "helper":
                return _aentered(call(**arguments))
            answer = await call(**arguments)
            return _single(answer) if case.how == "whole" else aiter(answer)

        return one


class StreamCaller(SdkCaller):
    """A caller for variants that differ only for streams."""

    def stream(self, case: Case) -> Callable[[], Iterator[Any]]:
        if case.how == "whole":
            raise UnsupportedError
        return super().stream(case)

    def astream(self, case: Case) -> Open:
        if case.how == "whole":
            raise UnsupportedError
        return super().astream(case)


def _entered(helper: AbstractContextManager[Any]) -> Iterator[Any]:
    with helper as events:
        yield from events


async def _aentered(helper: AbstractAsyncContextManager[Any]) -> AsyncIterator[Any]:
    async with helper as events:
        async for event in events:
            yield event


async def _single(answer: Any) -> AsyncIterator[Any]:
    yield answer


class LiteLLMCaller:
    """Calls through `litellm.completion`, which replaces an SDK instead of wrapping one."""

    def __init__(self, origin: str) -> None:
        self._litellm: Any = importlib.import_module("litellm")
        self._origin = origin

    def _arguments(self, case: Case) -> dict[str, Any]:
        if case.api == "responses" or case.how == "helper":
            raise UnsupportedError
        chat = case.api == "chat"
        return {
            "model": f"{'openai' if chat else 'anthropic'}/{_MODELS[case.api]}",
            "messages": [{"role": "user", "content": _prompt(case)}],
            "api_base": f"{self._origin}/v1" if chat else self._origin,
            "api_key": "unused",
            "stream": case.how == "stream",
            "max_tokens": 100_000,
        }

    def stream(self, case: Case) -> Callable[[], Iterator[Any]]:
        arguments, call = self._arguments(case), self._litellm.completion
        if case.how == "whole":
            return lambda: iter((call(**arguments),))
        return lambda: iter(call(**arguments))

    def astream(self, case: Case) -> Open:
        arguments, call = self._arguments(case), self._litellm.acompletion

        async def one() -> AsyncIterator[Any]:
            answer = await call(**arguments)
            return _single(answer) if case.how == "whole" else aiter(answer)

        return one


class L0PythonCaller:
    """Makes calls through `l0.run` of L0 for Python, over the openai SDK's asynchronous streams. It reads no others."""

    def __init__(self, origin: str) -> None:
        l0_python: Any = importlib.import_module("l0")  # its environment has L0 for Python, not this library
        self._run = l0_python.run
        self._timeout = l0_python.Timeout(initial_token=60_000, inter_token=60_000)
        self._sdk = SdkCaller(origin)

    def stream(self, case: Case) -> Callable[[], Iterator[Any]]:  # noqa: ARG002
        raise UnsupportedError

    def astream(self, case: Case) -> Open:
        if case.api != "chat" or case.how != "stream":
            raise UnsupportedError
        client, arguments = self._sdk.client(case), _arguments(case)

        async def one() -> AsyncIterator[Any]:
            opened = await self._run(stream=lambda: client.chat.completions.create(**arguments), timeout=self._timeout)
            return aiter(opened)

        return one
