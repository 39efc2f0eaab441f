"""Bodies, and what a user of each SDK receives for them."""

import asyncio
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import anthropic
import openai
from installed import HAS_RESPONSES
from recordings import TRAFFIC

from l0.simulator import corpus
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect, SimulatedRequest
from l0.simulator.playback import Chunks
from l0.simulator.server import Simulator

MESSAGE = [{"role": "user", "content": "hi"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"model": "gpt-4o", "messages": MESSAGE},
    "completions": {"model": "gpt-3.5-turbo-instruct", "prompt": "hi"},
    "responses": {"model": "gpt-4o", "input": "hi", "store": False},
    "messages": {"model": "claude-test", "max_tokens": 4096, "messages": MESSAGE},
}
"""The smallest request of each dialect that the installed SDKs have. ``store`` is off: what the provider keeps is not
safe to repeat."""

_KINDS = {
    "openai-chat": "chat",
    "openai-completion": "completions",
    "responses": "responses",
    "anthropic": "messages",
}
_DIALECTS = (CHAT, COMPLETIONS, RESPONSES, MESSAGES)
if not HAS_RESPONSES:
    del REQUESTS["responses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One body of one dialect. ``choices``: how many answers it holds."""

    name: str
    dialect: str
    content: bytes
    choices: int = 1

    def __str__(self) -> str:
        return f"{self.dialect}-{self.name}"


@lru_cache(maxsize=1)
def recorded() -> tuple[Sample, ...]:
    """Return every recorded body; empty if the folder is absent."""
    index = TRAFFIC / "index.json"
    if not index.exists():
        return ()
    rows = json.loads(index.read_text(encoding="utf-8"))
    return tuple(
        Sample(name=Path(row["file"]).stem, dialect=_KINDS[row["kind"]], content=(TRAFFIC / row["file"]).read_bytes())
        for row in rows
        if _KINDS[row["kind"]] in REQUESTS
    )


@lru_cache(maxsize=1)
def shipped() -> tuple[Sample, ...]:
    """Every answer of the shipped corpus, in every dialect; chat with two choices as well."""
    found = []
    for name, whole in corpus.answers().items():
        answer = replace(whole, tokens=min(whole.tokens, 300))
        found += [_shipped(name, dialect, answer, 1) for dialect in _DIALECTS if dialect.name in REQUESTS]
        found.append(_shipped(f"{name}-twice", CHAT, answer, 2))
    return tuple(found)


def _shipped(name: str, dialect: Dialect, answer: Any, choices: int) -> Sample:
    ask = SimulatedRequest(model="a-model", stream=True, choices=choices, store=False)
    content = b"".join(dialect.events(answer, ask, AnswerIdentity.of(0, 0)))
    return Sample(name=name, dialect=dialect.name, content=content, choices=choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """All chunks that a user got, and the error after them."""

    chunks: list[Any]
    error: Exception | None = None


class Player:
    """Plays bodies to the real SDKs."""

    def __init__(self, sim: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self.sim = sim
        self._loop = loop
        self._clients: dict[str, Any] = {
            "openai": openai.OpenAI(api_key="k", base_url=sim.openai),
            "anthropic": anthropic.Anthropic(api_key="k", base_url=sim.anthropic),
        }
        self._aclients: dict[str, Any] = {
            "openai": openai.AsyncOpenAI(api_key="k", base_url=sim.openai),
            "anthropic": anthropic.AsyncAnthropic(api_key="k", base_url=sim.anthropic),
        }

    def play(self, sample: Sample, *, sync: bool, chunks: Chunks = "event") -> Received:
        """Return the result of a body for the user."""
        self.sim.reset()
        self.sim.play(sample.content, chunks=chunks)
        return self.ask(sample, sync=sync)

    def ask(self, sample: Sample, *, sync: bool) -> Received:
        """Return the result of a provider that answers as it does now."""
        request = REQUESTS[sample.dialect] | ({"n": sample.choices} if sample.choices > 1 else {})
        if sync:
            return _sync(_method(self._clients, sample.dialect), request)
        return self._loop.run_until_complete(_async(_method(self._aclients, sample.dialect), request))

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            client.close()
        for client in self._aclients.values():
            self._loop.run_until_complete(client.close())


def _method(clients: dict[str, Any], dialect: str) -> Any:
    client = clients["anthropic" if dialect == "messages" else "openai"]
    return (client.chat.completions if dialect == "chat" else getattr(client, dialect)).create


def _sync(create: Any, request: dict[str, Any]) -> Received:
    chunks: list[Any] = []
    try:
        for chunk in create(**request, stream=True):
            chunks.append(chunk)  # noqa: PERF402 - what came before an error counts
    except Exception as error:
        return Received(chunks=chunks, error=error)
    return Received(chunks=chunks)


async def _async(create: Any, request: dict[str, Any]) -> Received:
    chunks: list[Any] = []
    try:
        async for chunk in await create(**request, stream=True):
            chunks.append(chunk)
    except Exception as error:
        return Received(chunks=chunks, error=error)
    return Received(chunks=chunks)


def difference(one: Any, other: Any, path: str = "") -> str | None:
    """Return the first difference of two values, types and order included; ``None`` if there is none."""
    if type(one) is not type(other):
        return f"{path}: {type(one).__name__}, not {type(other).__name__}"
    if isinstance(one, list | tuple):
        return _each(one, other, path)
    if isinstance(one, dict):
        keys = None if list(one) == list(other) else f"{path}: keys {list(one)}, not {list(other)}"
        return keys or _each(list(one.values()), list(other.values()), path)
    if hasattr(one, "model_dump"):
        return _models(one, other, f"{path}.{type(one).__name__}")
    return None if one == other else f"{path}: {one!r}, not {other!r}"


def _models(one: Any, other: Any, path: str) -> str | None:
    if one.model_dump(warnings=False) != other.model_dump(warnings=False):
        return f"{path}: {one!r}, not {other!r}"
    views = [lambda it: it.model_fields_set, lambda it: it.model_extra, lambda it: it.__dict__]
    return next(filter(None, (difference(view(one), view(other), path) for view in views)), None)


def _each(one: Any, other: Any, path: str) -> str | None:
    if len(one) != len(other):
        return f"{path}: {len(one)} items, not {len(other)}"
    found = (difference(*pair, f"{path}[{number}]") for number, pair in enumerate(zip(one, other, strict=True)))
    return next(filter(None, found), None)
