"""Define the measured cases. A case is plain data, because it is sent to the worker process that runs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Api = Literal["chat", "responses", "messages"]
How = Literal["stream", "helper", "whole", "idle"]
Server = Literal["burst", "paced"]

PACED_MS = 10.0
"""Milliseconds between two tokens of the paced server: 100 tokens a second."""
GROUPS = {
    "streams": "25 streams of 200 tokens",
    "burst": "One stream of 5,000 tokens",
    "paced": "Streams at 100 tokens per second",
    "concurrent": "Concurrent async streams, chat",
    "whole": "Calls that do not stream",
    "helpers": "The stream helpers of the SDKs, 10 streams of 200 tokens",
    "length": "Long answers, chat, sync",
    "idle": "Open streams that wait for their next token, chat, async",
    "cold start": "From the start of the process to the end of a first answer, sync",
}
"""Titles of the groups, in the order of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One measurement: ``calls`` answers of ``tokens`` tokens each, ``at_once`` of them at a time.

    ``label``: its name within its group. ``how``: ``stream``, the SDK's stream ``helper``, ``whole`` for calls that do
    not stream, or ``idle`` for streams that all stay open after their first event. ``fresh``: runs in its own process,
    whose start, imports and memory are measured as well. ``quick``: part of a short run, and the only cases for peers.
    ``target``: the most that the fully instrumented variant may cost, as a share of the bare SDK. ``turns``: messages
    of the conversation before this one.
    """

    name: str
    label: str
    group: str
    api: Api
    how: How = "stream"
    sync: bool = True
    tokens: int = 200
    calls: int = 25
    at_once: int = 1
    server: Server = "burst"
    fresh: bool = False
    quick: bool = False
    target: float | None = None
    turns: int = 0


_APIS: dict[Api, str] = {"chat": "chat", "responses": "Responses", "messages": "messages"}
_STREAMS: dict[Api, float] = {"chat": 0.12, "responses": 0.13, "messages": 0.38}
_BURST: dict[Api, float] = {"chat": 0.07, "responses": 0.08, "messages": 0.22}
"""Targets of the groups "streams" and "burst"."""
_WHOLE, _CONVERSATION = 0.80, 0.12
"""Targets of calls that do not stream. Only openai has one for long conversations: it transforms them for each call."""
_CONCURRENT = {200: 0.22, 1000: 0.35}
"""Targets by the number of concurrent streams."""
_PACED = 0.45
"""Target of 50 concurrent paced streams."""


def _flavour(sync: bool) -> str:
    return "sync" if sync else "async"


def _streams() -> list[Case]:
    cases: list[Case] = []
    for api, title in _APIS.items():
        for sync in (True, False):
            name = f"{api} {_flavour(sync)}"
            case = Case(name=name, label=f"{title}, {_flavour(sync)}", group="streams", api=api, sync=sync)
            cases += [
                replace(case, name=f"{name}, 25 x 200", quick=True, target=_STREAMS[api]),
                replace(case, name=f"{name}, 1 x 5,000", group="burst", tokens=5000, calls=1, target=_BURST[api]),
                replace(case, name=f"{name} helper", group="helpers", how="helper", calls=10),
                replace(case, name=f"{name} paced", group="paced", tokens=100, calls=1, server="paced"),
            ]
    return cases


def _concurrent() -> list[Case]:
    many = [
        Case(
            name=f"{at_once:,} at once x {tokens}",
            label=f"{at_once:,} at once",
            group="concurrent",
            api="chat",
            sync=False,
            tokens=tokens,
            calls=max(at_once, 20),
            at_once=at_once,
            quick=at_once == 200,
            target=_CONCURRENT.get(at_once),
        )
        for at_once, tokens in ((1, 200), (50, 100), (200, 100), (1000, 20))
    ]
    paced = Case(
        name="50 at once, paced at 100 tokens/s",
        label="chat, 50 at once",
        group="paced",
        api="chat",
        sync=False,
        tokens=100,
        calls=50,
        at_once=50,
        server="paced",
        quick=True,
        target=_PACED,
    )
    idle = Case(
        name="1,000 idle streams",
        label="1,000 idle streams",
        group="idle",
        api="chat",
        how="idle",
        sync=False,
        tokens=20,
        calls=1000,
        at_once=1000,
        fresh=True,
    )
    return [*many, paced, idle]


def _whole() -> list[Case]:
    answers = [
        Case(
            name=f"{api} {_flavour(sync)} whole",
            label=f"{title}, {_flavour(sync)}",
            group="whole",
            api=api,
            sync=sync,
            how="whole",
            tokens=50,
            calls=60,
            quick=api == "chat",
            target=_WHOLE,
        )
        for api, title in _APIS.items()
        for sync in (True, False)
    ]
    conversations = [
        replace(
            case,
            name=f"{case.api} {_flavour(case.sync)}, 50 turns",
            label=f"{case.label}, 50 turns",
            calls=20,
            turns=50,
            target=None if case.api == "messages" else _CONVERSATION,
            quick=False,
        )
        for case in answers
    ]
    return answers + conversations


def _lengths() -> list[Case]:
    return [
        Case(
            name=f"{tokens:,} tokens",
            label=f"{tokens:,} tokens",
            group="length",
            api="chat",
            tokens=tokens,
            calls=calls,
            fresh=tokens >= 100_000,  # so that the peak memory of the process is that of this answer
        )
        for tokens, calls in ((2_000, 5), (20_000, 1), (100_000, 1))
    ]


def _starts() -> list[Case]:
    return [
        Case(
            name=f"{api} cold",
            label=title,
            group="cold start",
            api=api,
            tokens=20,
            calls=1,
            fresh=True,
            quick=api == "chat",
        )
        for api, title in _APIS.items()
    ]


CASES: tuple[Case, ...] = (*_streams(), *_concurrent(), *_whole(), *_lengths(), *_starts())
