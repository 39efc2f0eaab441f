"""The plan of the demo, made before it starts: calls, faults of their requests, and the correct answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from l0.simulator.answers import Answer
from l0.simulator.faults import Fault

Api = Literal["chat", "responses", "completions", "messages"]
APIS: tuple[Api, ...] = ("chat", "responses", "completions", "messages")
SDKS: Mapping[Api, str] = {"chat": "openai", "responses": "openai", "completions": "openai", "messages": "anthropic"}

SEPARATOR = ";"
"""Separates the scripts of the first, second and later requests of one call."""

_MAX_FAULTS = 6
"""Maximum number of faulty requests per call. A bare SDK sends three requests per call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """One answer that the provider may give.

    ``name``: its name in the text grammar of the simulator. ``content``: text and tool calls. ``numbered``: true if its
    events have sequence numbers, so that a client can detect a missing or duplicate event.
    """

    name: str
    content: str
    numbered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call: its correct answer, and the faults of its first, second, ... request. Later requests have no fault."""

    number: int
    api: Api
    concurrent: Literal["threads", "asyncio"]
    answer: KnownAnswer
    faults: tuple[Fault, ...]

    @property
    def script(self) -> str:
        """Return the script for the simulator, with one part per request."""
        steps = [f"{self.answer.name} | {fault}" for fault in self.faults]
        return f" {SEPARATOR} ".join([*steps, self.answer.name])


def plan(
    calls: int, seed: int, share: float, answers: Mapping[Api, Sequence[KnownAnswer]], apis: Sequence[Api] = APIS
) -> list[PlannedCall]:
    """Plan ``calls`` calls, spread over these APIs, threads and tasks. ``share``: share of faulty requests, 0 to 1.

    The same arguments give the same plan.
    """
    dice = random.Random(seed)
    planned = []
    for number in range(calls):
        api = apis[number % len(apis)]
        answer = dice.choice(answers[api])
        planned.append(
            PlannedCall(
                number=number,
                api=api,
                concurrent="threads" if number // len(apis) % 2 else "asyncio",
                answer=answer,
                faults=_faults(dice, share, api, answer.numbered),
            )
        )
    return planned


def shipped(answers: Mapping[str, Answer]) -> dict[Api, list[KnownAnswer]]:
    """Return the answers of the corpus, by API, without long ones, refusals and early stops.

    Refusals and early stops would look broken without any fault.
    """
    complete = {name: answer for name, answer in answers.items() if answer.stop == "stop" and not answer.refusal}
    short = {name: answer for name, answer in complete.items() if not answer.tokens}
    text_only = {name: answer for name, answer in short.items() if answer.text and not answer.tool_calls}
    any_kind = {name: answer for name, answer in short.items() if answer.text or answer.tool_calls}
    chosen = {api: text_only if api == "completions" else any_kind for api in APIS}
    return {api: [_known(api, *item) for item in chosen[api].items()] for api in APIS}


def _known(api: Api, name: str, answer: Answer) -> KnownAnswer:
    calls = "".join(call.name + call.arguments for call in answer.tool_calls)
    return KnownAnswer(name=f"answer {name}", content=answer.text + calls, numbered=api == "responses")


def _faults(dice: random.Random, share: float, api: Api, numbered: bool) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    while len(faults) < _MAX_FAULTS and dice.random() < share:
        faults.append(_fault(dice, api, numbered))
    return tuple(faults)


def _fault(dice: random.Random, api: Api, numbered: bool) -> Fault:
    """Choose one fault of the catalogue. Half of them occur before the answer begins, half inside it."""
    early, late = dice.randint(0, 1), dice.randint(4, 14)
    refused = {"retry-after-ms": str(dice.randint(20, 200))}
    before = [
        Fault.status(429, refused),
        Fault.status(500, refused),
        Fault.status(529 if api == "messages" else 503, refused),
        Fault.refuse(dice.choice(("fin", "rst"))),
        Fault.empty(),
        Fault.html(),
        Fault.json_error(),
    ]
    inside = [
        Fault.clean_end(at_event=early),
        Fault.clean_end(at_event=late),
        Fault.cut(at_event=early),
        Fault.cut(at_event=late),
        Fault.reset(at_event=dice.choice((early, late))),
        Fault.in_band_error(at_event=dice.choice((early, late))),
        Fault.malformed(at_event=late),
    ]
    if numbered:  # without numbers, no client can detect these faults
        inside += [Fault.duplicate(at_event=late), Fault.drop(at_event=late), Fault.reorder(at_event=late)]
    return dice.choice(dice.choice((before, inside)))
