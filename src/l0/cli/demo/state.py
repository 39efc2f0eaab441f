"""What the demo is asked for, and what it has found so far."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from l0.cli.inputs import check_range

from .judge import Result, Tally
from .plan import APIS, SDKS, Api
from .tally import AttemptTally
from .telemetry import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``fault_share``: of requests, 0 to 1; ``traffic``: a folder of recorded bodies; ``otlp``: URL of a collector.

    Raises `l0.cli.inputs.InputError`.
    """

    calls: int = 600
    concurrency: int = 32
    seed: int = 0
    fault_share: float = 0.3
    traffic: Path | None = None
    otlp: str | None = None

    def __post_init__(self) -> None:
        check_range("--calls", self.calls, 1, 100_000)
        check_range("--concurrency", self.concurrency, 2, 500)
        check_range("--fault-share", self.fault_share, 0, 1)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of the plan, while it goes on and after. ``broken``: requests by SDK and by what was done to them."""

    name: str
    tallies: dict[Api, Tally] = field(default_factory=lambda: {api: Tally() for api in APIS})
    warm_up: Tally = field(default_factory=Tally)
    broken: Mapping[str, Counter[str]] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=Counter)
    seconds: float = 0.0

    def of(self, sdk: str) -> Tally:
        """All of one SDK."""
        return sum((tally for api, tally in self.tallies.items() if SDKS[api] == sdk), Tally())

    @property
    def total(self) -> Tally:
        """All calls of the plan."""
        return sum(self.tallies.values(), Tally())

    @property
    def wrong(self) -> list[Result]:
        """What must not happen."""
        return self.total.wrong + self.warm_up.wrong


@dataclass(slots=True, kw_only=True)
class Demo:
    """All that there is to show. ``source``: where the answers come from. ``lock`` is held while figures change."""

    options: Options
    source: str
    telemetry: Destination
    bare: Run = field(default_factory=lambda: Run(name="bare"))
    covered: Run = field(default_factory=lambda: Run(name="l0"))
    attempts: AttemptTally = field(default_factory=AttemptTally)
    lock: threading.Lock = field(default_factory=threading.Lock)
