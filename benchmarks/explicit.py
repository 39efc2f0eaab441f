"""Measure the engine alone: `python -m benchmarks.explicit` (`--tokens`, `--rounds`, `--no-peer`, `--name`).

There is no provider: an async iterator in the process yields words, and the explicit API delivers them. The cost is CPU
time per token. L0 for Python, the peer, does the same in its own environment, in turn with this library. It has no
adapter for plain text, so it gets the smallest that its interface allows.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from .peers import PEERS, UnavailableError, python_of

_ROOT = Path(__file__).parents[1]
_RESULTS = Path(__file__).parent / "results"
_PEER = PEERS["l0-python"]
SCENARIOS: dict[str, float] = {
    "plain": 3,
    "one guardrail": 3,
    "guardrails": 3,
    "strict guardrails": 10,
    "drift": 3,
    "timeouts": 10,
    "callbacks": 3,
    "full stack": 3,
    "full stack, timeouts": 10,
}
"""The configurations, each with its target: how many times faster than the peer it must be."""
_WORDS = tuple(
    f"{first}{middle}{last}"
    for first in "bcdfglmnprst"
    for middle in ("a", "e", "i", "o", "u", "ea")
    for last in ("len", "n", "lo", "m", "ne", "rit", "st", "ve")
)
"""Made-up words, drawn at random into sentences. No passage occurs twice, so that no rule finds anything."""
_SENTENCE = 12
"""Words of a sentence."""
_REPEATS = 10
"""Answers in one measurement, fewer if they are long. The fastest counts."""

Answer = Callable[[str], Awaitable[int]]
"""Runs one answer in a scenario. Returns the number of events."""


def main() -> int:
    """Return 0 once everything is measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explicit", description=__doc__)
    parser.add_argument("--tokens", type=int, default=2_000, help="length of an answer (default 2,000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each scenario runs (default 5)")
    parser.add_argument("--no-peer", action="store_true", help="measure this library only")
    parser.add_argument("--name", default="explicit", help="the result's file name (default: explicit)")
    parser.add_argument("--worker", choices=("own", "peer"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        _work(args.worker, args.tokens)
        return 0
    best = _play(_interpreters(peer=not args.no_peer), args.tokens, args.rounds)
    rows = [_row(name, {who: figures[name] for who, figures in best.items()}) for name in SCENARIOS]
    for row in rows:
        sys.stdout.write(_line(row) + "\n")
    _RESULTS.mkdir(exist_ok=True)
    path = _RESULTS / f"{args.name}.json"
    path.write_text(json.dumps({"tokens": args.tokens, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"\nwrote {path.relative_to(_ROOT)}\n")
    return 0


def _interpreters(*, peer: bool) -> dict[str, Path]:
    found = {"own": Path(sys.executable)}
    if peer:
        try:
            found["peer"] = python_of(_PEER)
        except UnavailableError as reason:
            sys.stderr.write(f"without {_PEER.title}: {reason}\n")
    return found


def _play(interpreters: dict[str, Path], tokens: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the microseconds per token by library and scenario: the lowest of all rounds. Libraries take turns."""
    best: dict[str, dict[str, float]] = {who: {} for who in interpreters}
    for number in range(rounds):
        for who in list(interpreters)[:: -1 if number % 2 else 1]:
            command = [str(interpreters[who]), "-m", "benchmarks.explicit", "--worker", who, "--tokens", str(tokens)]
            done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
            for name, figure in json.loads(done.stdout.splitlines()[-1]).items():
                best[who][name] = min(figure, best[who].get(name, figure))
    return best


def _row(name: str, figures: dict[str, float]) -> dict[str, Any]:
    row: dict[str, Any] = {"scenario": name, "target": SCENARIOS[name], **figures}
    if "peer" in figures:
        row["times_faster"] = round(figures["peer"] / figures["own"], 2)
    return row


def _line(row: dict[str, Any]) -> str:
    text = f"{row['scenario']:22} {row['own']:8.2f} us per token"
    if "peer" in row:
        verdict = "" if row["times_faster"] >= row["target"] else "  (misses the target)"
        text += f" {row['peer']:8.2f} {_PEER.title}  {row['times_faster']:6.2f} x, target {row['target']:.0f}{verdict}"
    return text


# -- the worker ------------------------------------------------------------------------------------------------------


def _work(who: str, tokens: int) -> None:
    words = _prose(tokens)
    answer = _own(words) if who == "own" else _peer(words)
    figures = {name: asyncio.run(_measure(answer, name, tokens)) for name in SCENARIOS}
    sys.stdout.write(json.dumps(figures) + "\n")


def _prose(tokens: int) -> list[str]:
    drawn = random.Random(7).choices(_WORDS, k=tokens)
    drawn[::_SENTENCE] = [word.capitalize() for word in drawn[::_SENTENCE]]
    ends = range(_SENTENCE, tokens + 1, _SENTENCE)
    return [f"{word}. " if number in ends else f"{word} " for number, word in enumerate(drawn, start=1)]


async def _measure(answer: Answer, scenario: str, tokens: int) -> float:
    """Return the microseconds of CPU time per token."""
    await answer(scenario)
    best = float("inf")
    for _ in range(max(2, min(_REPEATS, 200_000 // tokens))):
        gc.collect()
        before = time.process_time()
        events = await answer(scenario)
        best = min(best, time.process_time() - before)
        if events < tokens:
            raise RuntimeError(f"{scenario}: {events} events of {tokens} tokens")
    return round(best / tokens * 1e6, 3)


def _ignore(*_: Any) -> None:
    """Do nothing: a callback."""


def _own(words: list[str]) -> Answer:
    from l0 import Guardrails, Retry, Timeout, l0

    guarded = {"guardrails": Guardrails.recommended()}
    full = guarded | {"drift": True, "retry": Retry(), "on_token": _ignore, "on_complete": _ignore}
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "one guardrail": {"guardrails": [Guardrails.json_rule()]},
        "guardrails": guarded,
        "strict guardrails": {"guardrails": Guardrails.strict()},
        "drift": {"drift": True},
        "timeouts": {"timeout": Timeout()},
        "callbacks": {"on_token": _ignore},
        "full stack": full,
        "full stack, timeouts": full | {"timeout": Timeout()},
    }

    async def source() -> AsyncIterator[str]:
        for word in words:
            yield word

    async def answer(scenario: str) -> int:
        events = 0
        async for _ in await l0(source, **options[scenario]):
            events += 1
        return events

    return answer


def _peer(words: list[str]) -> Answer:
    theirs: Any = import_module("l0")  # the peer has the same name, in its own environment
    event: Any = import_module("l0.types").Event
    kinds: Any = import_module("l0.types").EventType

    class Words:
        name = "words"

        def detect(self, stream: Any) -> bool:  # noqa: ARG002
            return True

        async def wrap(self, stream: Any, options: Any = None) -> AsyncIterator[Any]:  # noqa: ARG002
            async for word in stream:
                yield theirs.AdaptedEvent(event=event(type=kinds.TOKEN, text=word), raw_chunk=word)
            yield theirs.AdaptedEvent(event=event(type=kinds.COMPLETE), raw_chunk=None)

    guarded = {"guardrails": theirs.Guardrails.recommended()}
    full = guarded | {"drift_detector": theirs.DriftDetector(), "retry": theirs.Retry()}
    # Its strict preset rejects a complete answer that is not JSON; ours leaves that to a separate rule.
    strict = [rule for rule in theirs.Guardrails.strict() if rule.name != "strict_json"]
    intervals = theirs.CheckIntervals(guardrails=5, drift=10, checkpoint=10)  # the defaults of this library
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "one guardrail": {"guardrails": [theirs.Guardrails.json()]},
        "guardrails": guarded,
        "strict guardrails": {"guardrails": strict},
        "drift": {"drift_detector": theirs.DriftDetector()},
        "timeouts": {"timeout": theirs.Timeout()},
        "callbacks": {"on_token": _ignore},
        "full stack": full,
        "full stack, timeouts": full | {"timeout": theirs.Timeout()},
    }

    async def source() -> AsyncIterator[str]:
        for word in words:
            yield word

    async def answer(scenario: str) -> int:
        chosen = {"adapter": Words(), **options[scenario]}
        if "on_token" not in chosen:
            chosen["check_intervals"] = intervals
        # Its `run` has no callback for tokens, and its `wrap` no drift detection: its full stack has no callbacks.
        stream = theirs.wrap(source(), **chosen) if "on_token" in chosen else await theirs.run(stream=source, **chosen)
        events = 0
        async for _ in stream:
            events += 1
        return events

    return answer


if __name__ == "__main__":
    raise SystemExit(main())
