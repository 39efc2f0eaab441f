"""Compare the effects of a load with the ledger of its simulated provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers import wait_for

LOAD = Path(__file__).parent / "load.py"
PROVIDERS = {"chat": "openai", "completions": "openai", "responses": "openai", "messages": "anthropic"}
"""The provider by the ledger's dialect."""
LONGEST = 180.0
"""Seconds that a load may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``requests``: by call, in order of arrival, as (dialect, what was answered). ``warnings``: the program's log.
    ``objectives``: bad and all events of each, by its name and provider, as the process itself counted them;
    ``budgets``: what is left, by name, provider and model, if there is enough data.
    ``began``, ``ended``: seconds since the epoch."""

    service: str
    traces: dict[int, str]
    verdicts: dict[int, str]
    requests: dict[int, list[tuple[str, str]]]
    objectives: dict[tuple[str, str], tuple[int, int]]
    budgets: dict[tuple[str, str, str], float]
    memory_kb: tuple[int, int]
    warnings: str
    began: float
    ended: float

    def answered(self) -> Iterable[tuple[str, str]]:
        """Every request, as (provider, what was answered)."""
        return ((PROVIDERS[dialect], said) for made in self.requests.values() for dialect, said in made)

    def attempts(self) -> Counter[tuple[str, ...]]:
        """Requests by provider."""
        return Counter((provider,) for provider, _ in self.answered())

    def calls(self) -> Counter[tuple[str, ...]]:
        """Calls by provider."""
        return Counter((PROVIDERS[made[0][0]],) for made in self.requests.values())

    def spans(self) -> int:
        """Spans of all calls: the application's own, the call's, and those of its attempts if there were several."""
        return sum(2 + (len(made) if len(made) > 1 else 0) for made in self.requests.values())

    def of(self, provider: str) -> list[int]:
        """The calls of a provider."""
        return [call for call, made in self.requests.items() if PROVIDERS[made[0][0]] == provider]

    def faults(self, provider: str = "") -> Counter[str]:
        """Return the treatment of requests by one provider or by all, as text."""
        calls = self.of(provider) if provider else self.requests
        return Counter(_kind(*request) for call in calls for request in self.requests[call])


def _kind(dialect: str, said: str) -> str:
    """A fault without its options. Which status counts; an error inside messages has its own codes."""
    words = said.split()
    if words[0] == "status":
        return " ".join(words[:2])
    return f"{words[0]} of messages" if (words[0], dialect) == ("in-band-error", "messages") else words[0]


class Running:
    """A load under way."""

    def __init__(self, otlp: str, folder: Path, *arguments: str, **environment: str) -> None:
        self._began = time.time()
        self._errors = folder / "load.err"
        self._output = folder / "load.json"
        own = {
            "OTEL_SERVICE_NAME": "l0-backends-load",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "L0_RULE_METRICS": "all",  # a load is small
        }
        with self._errors.open("wb") as errors, self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(LOAD), "--otlp", otlp, *arguments],
                env=os.environ | own | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    def wait_until_warm(self) -> None:
        """Until the first calls are through."""
        wait_for("the load is warm", lambda: "warm\n" in self.said())

    def said(self) -> str:
        """The program's log so far."""
        return self._errors.read_text()

    def evidence(self) -> Evidence:
        """Collect all of it. Raises if the load failed or did not end."""
        try:
            code = self._process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise
        if code:
            raise RuntimeError(f"the load failed: {self._errors.read_text()[-3000:]}")
        told: dict[str, Any] = json.loads(self._output.read_text())
        requests: dict[int, list[tuple[str, str]]] = {}
        for request in told["requests"]:
            requests.setdefault(request["call"], []).append((request["dialect"], request["answered"]))
        return Evidence(
            service=told["service"],
            traces={int(number): trace for number, trace in told["traces"].items()},
            verdicts={int(number): verdict for number, verdict in told["verdicts"].items()},
            requests=requests,
            objectives=_objectives(told["objectives"]),
            budgets={
                (one["slo"], one["provider"], one["model"]): one["budget"]
                for one in told["objectives"]
                if one["budget"] is not None
            },
            memory_kb=tuple(told["memory_kb"]),
            warnings=self._errors.read_text(),
            began=self._began,
            ended=time.time(),
        )


def _objectives(told: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Of all models together."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for one in told:
        bad, total = sums.get((one["slo"], one["provider"]), (0, 0))
        sums[one["slo"], one["provider"]] = bad + one["bad"], total + one["total"]
    return sums
