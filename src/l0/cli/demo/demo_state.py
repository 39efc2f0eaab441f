"""Options of the demo, and its state while it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from l0.model.policy import Policy

from ..inputs import check_range
from .demo_telemetry import Destination
from .failure_causes import FailureCauses
from .judge import AnswerVerdict, Result, VerdictCounts, judge
from .plan import APIS, Api


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Options of the demo.

    ``calls``: calls per run. ``concurrency``: concurrent calls. ``fault_share``: share of faulty requests, 0 to 1.
    ``traffic``: folder with recorded bodies. ``otlp``: URL of a collector. Raises `l0.cli.inputs.InputError`.
    """

    calls: int = 600
    concurrency: int = 64
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
    """State of one run of the plan.

    ``label``, ``note``: texts of its row in the table. ``instrumented``: false for the SDKs without l0. ``example``:
    the result of the example call, which took ``example_requests`` requests. ``verdicts``: the verdict on each call of
    the plan, by its number. ``verdict_counts``: the same summed up by API. ``requests``: requests of each call, by its
    number. ``warm_up``: healthy calls before the run. ``failures``: causes of failed attempts, from l0. ``seconds``:
    duration of the run.
    """

    name: str
    label: str
    note: str
    instrumented: bool = True
    policy: Policy | None = None
    example: Result | None = None
    example_requests: int = 0
    verdict_counts: dict[Api, VerdictCounts] = field(default_factory=lambda: {api: VerdictCounts() for api in APIS})
    verdicts: dict[int, AnswerVerdict] = field(default_factory=dict)
    requests: Mapping[int, int] = field(default_factory=dict)
    warm_up: VerdictCounts = field(default_factory=VerdictCounts)
    failures: FailureCauses = field(default_factory=FailureCauses)
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        """Add the result of one call of the plan."""
        self.verdict_counts[result.call.api].add(result)
        self.verdicts[result.call.number] = judge(result)

    @property
    def total(self) -> VerdictCounts:
        """Return the verdict counts of all calls of the plan."""
        return sum(self.verdict_counts.values(), VerdictCounts())

    @property
    def wrong(self) -> list[Result]:
        """Return the results that must not occur with l0: broken answers without an error, and exceptions that
        the bare SDK never raises."""
        return self.total.wrong + self.warm_up.wrong


_BARE = partial(DemoRun, name="bare", label="bare SDKs", note="silent: broken, no error", instrumented=False)
_DEFAULT = partial(DemoRun, name="l0", label="l0.instrument()", note="nothing is silent")
_AGENT = partial(DemoRun, name="agent", label="Policy.agent()", note="text once it is complete", policy=Policy.agent())


@dataclass(slots=True, kw_only=True)
class Demo:
    """State of the demo. ``source``: where the answers come from. ``lock``: held while results of planned calls are
    added or read."""

    options: DemoOptions
    source: str
    telemetry: Destination
    bare: DemoRun = field(default_factory=_BARE)
    default: DemoRun = field(default_factory=_DEFAULT)
    agent: DemoRun = field(default_factory=_AGENT)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def runs(self) -> tuple[DemoRun, DemoRun, DemoRun]:
        """Return the runs in order."""
        return self.bare, self.default, self.agent

    @property
    def wrong(self) -> list[Result]:
        """Return the results of l0 that must not occur."""
        return self.default.wrong + self.agent.wrong
