"""Options of the demo, and its state while it runs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..inputs import check_range
from .demo_telemetry import Destination
from .judge import Result, VerdictCounts
from .plan import APIS, SDKS, Api
from .tally import AttemptTally


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Options of the demo.

    ``calls``: calls per run. ``concurrency``: concurrent calls. ``fault_share``: share of faulty requests, 0 to 1.
    ``traffic``: folder with recorded bodies. ``otlp``: URL of a collector. Raises `l0.cli.inputs.InputError`.
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
class DemoRun:
    """State of one run of the plan. ``broken``: faults served, by SDK and kind. ``seconds``: duration of the run."""

    name: str
    tallies: dict[Api, VerdictCounts] = field(default_factory=lambda: {api: VerdictCounts() for api in APIS})
    warm_up: VerdictCounts = field(default_factory=VerdictCounts)
    broken: Mapping[str, Counter[str]] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=Counter)
    seconds: float = 0.0

    def of(self, sdk: str) -> VerdictCounts:
        """Return the tally of one SDK."""
        return sum((tally for api, tally in self.tallies.items() if SDKS[api] == sdk), VerdictCounts())

    @property
    def total(self) -> VerdictCounts:
        """Return the tally of all calls of the plan."""
        return sum(self.tallies.values(), VerdictCounts())

    @property
    def wrong(self) -> list[Result]:
        """Return the results that must not occur: broken answers without an error, and foreign exceptions."""
        return self.total.wrong + self.warm_up.wrong


@dataclass(slots=True, kw_only=True)
class Demo:
    """State of the demo. ``source``: origin of the answers. ``lock``: held while figures are read or changed."""

    options: DemoOptions
    source: str
    telemetry: Destination
    bare: DemoRun = field(default_factory=lambda: DemoRun(name="bare"))
    covered: DemoRun = field(default_factory=lambda: DemoRun(name="l0"))
    attempts: AttemptTally = field(default_factory=AttemptTally)
    lock: threading.Lock = field(default_factory=threading.Lock)
