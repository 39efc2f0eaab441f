"""Define the measured cases. A case is plain data, because it is sent to the worker process that runs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Api = Literal["chat", "responses", "messages"]
How = Literal["stream", "helper", "whole"]
Server = Literal["burst", "paced"]

PACED_MS = 10.0
"""Milliseconds between two tokens of the paced server: 100 tokens a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One measurement: ``calls`` answers of ``tokens`` tokens each, ``at_once`` of them at a time.

    ``fresh``: in its own process, whose start, imports and memory are measured as well. ``rounds``: at most so
    many, whatever the run asks for. ``quick``: part of a short run, and
    what peers take part in. ``target``: the most that DESIGN allows for the
    fully instrumented variant, as a share of the bare SDK. ``turns``: messages of the conversation before this one.
    """

    name: str
    group: str
    api: Api
    how: How = "stream"
    sync: bool = True
    tokens: int = 200
    calls: int = 25
    at_once: int = 1
    server: Server = "burst"
    fresh: bool = False
    rounds: int = 99
    quick: bool = False
    target: float | None = None
    turns: int = 0


_TARGETS: dict[tuple[Api, bool], float] = {
    ("chat", True): 0.20,
    ("chat", False): 0.22,
    ("responses", True): 0.24,
    ("responses", False): 0.24,
    ("messages", True): 0.56,
    ("messages", False): 0.62,
}
_APIS: tuple[Api, ...] = ("chat", "responses", "messages")


def _flavour(sync: bool) -> str:
    return "sync" if sync else "async"


def _streams() -> list[Case]:
    made: list[Case] = []
    for api in _APIS:
        for sync in (True, False):
            name, target = f"{api} {_flavour(sync)}", _TARGETS[api, sync]
            made += [
                Case(name=f"{name}, 25 x 200", group="streams", api=api, sync=sync, quick=True, target=target),
                Case(name=f"{name}, 1 x 5,000", group="burst", api=api, sync=sync, tokens=5000, calls=1),
                Case(name=f"{name} helper", group="helpers", api=api, sync=sync, how="helper", tokens=200, calls=10),
                Case(name=f"{name} paced", group="paced", api=api, sync=sync, calls=1, server="paced", rounds=3),
            ]
    return made


def _concurrent() -> list[Case]:
    made = []
    for at_once, tokens in ((1, 200), (50, 100), (200, 100), (1000, 20)):
        made.append(
            Case(
                name=f"{at_once:,} at once x {tokens}",
                group="concurrent",
                api="chat",
                sync=False,
                tokens=tokens,
                calls=max(at_once, 20),
                at_once=at_once,
                quick=at_once == 200,
                target=0.40 if at_once == 200 else None,
                rounds=3,
            )
        )
    return made


def _whole() -> list[Case]:
    answers = [
        Case(
            name=f"{api} {_flavour(sync)} whole",
            group="whole",
            api=api,
            sync=sync,
            how="whole",
            tokens=50,
            calls=60,
            quick=api == "chat",
            target=1.0 if api == "chat" else None,
        )
        for api in _APIS
        for sync in (True, False)
    ]
    talks = [
        replace(each, name=f"{each.api} {_flavour(each.sync)}, 50 turns", calls=20, turns=50, target=None, quick=False)
        for each in answers
    ]
    return answers + talks


def _lengths() -> list[Case]:
    lengths = ((2_000, 10, 3), (20_000, 1, 3), (100_000, 1, 2))
    many = [
        Case(name=f"{tokens:,} tokens", group="length", api="chat", tokens=tokens, calls=calls, rounds=rounds)
        for tokens, calls, rounds in lengths
    ]
    # In its own process, so that its peak memory is that of this answer.
    million = Case(name="1,000,000 tokens", group="length", api="chat", tokens=1_000_000, calls=1, fresh=True, rounds=1)
    return [*many, million]


def _starts() -> list[Case]:
    return [
        Case(name=f"{api} cold", group="cold start", api=api, tokens=20, calls=1, fresh=True, quick=api == "chat")
        for api in _APIS
    ]


CASES: tuple[Case, ...] = (*_streams(), *_concurrent(), *_whole(), *_lengths(), *_starts())
