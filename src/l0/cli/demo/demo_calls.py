"""The steps of the demo: plan, bare run, instrumented run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import l0
from l0.simulator import corpus
from l0.simulator.pacing import Delays
from l0.simulator.playback import Traffic
from l0.simulator.simulator_config import SimulatorConfig, SimulatorError

from ..inputs import InputError
from . import demo_provider
from .content import recorded
from .demo_state import Demo, DemoOptions, DemoRun
from .demo_telemetry import destination
from .judge import Result
from .load import Load, available_apis
from .plan import APIS, Api, KnownAnswer, PlannedCall, plan, shipped

DELAYS = Delays(first_token_ms=40, inter_token_ms=2, stragglers=0.02)
"""Delays of a fast model, so that the demo is short. Log-normal with some stragglers, as for real models."""


def prepare(options: DemoOptions) -> tuple[Demo, list[PlannedCall]]:
    """Check the options and make the plan. Raises `InputError` for invalid options."""
    missing = [name for name in ("openai", "anthropic") if find_spec(name) is None]
    if missing:
        raise InputError(f"the demo requires both SDKs: pip install 'l0-otel[{','.join(missing)}]'")
    answers: Mapping[Api, Sequence[KnownAnswer]] = shipped(corpus.answers())
    source = f"{max(map(len, answers.values()))} shipped answers"
    if options.traffic is not None:
        found = _recorded(options.traffic)
        source = f"{source} and {sum(map(len, found.values()))} recorded streams"
        answers = {api: [*answers[api], *found[api]] for api in APIS}
    demo = Demo(options=options, source=source, telemetry=destination(options.otlp))
    return demo, plan(options.calls, options.seed, options.fault_share, answers, available_apis())


def perform(demo: Demo, planned: list[PlannedCall]) -> None:
    """Make both runs. The figures in ``demo`` are updated while they run."""
    l0.uninstrument()
    config = SimulatorConfig(seed=demo.options.seed, delays=DELAYS, traffic_dir=demo.options.traffic)
    with demo_provider.provider(config) as simulator:
        load = Load(simulator=simulator, concurrency=demo.options.concurrency)
        _run(demo, demo.bare, load, planned)
        with _instrumented(demo):
            _run(demo, demo.covered, load, planned)
    demo.telemetry.flush()


def _run(demo: Demo, run: DemoRun, load: Load, planned: list[PlannedCall]) -> None:
    def done(result: Result) -> None:
        with demo.lock:
            run.tallies[result.call.api].add(result)

    # One complete answer per API: after these, l0 knows that this origin ends its streams with a terminal event.
    firsts = {call.api: replace(call, faults=()) for call in reversed(planned)}
    for result in load.one_by_one(f"{run.name}-warm-up", firsts.values()):
        run.warm_up.add(result)
    load.simulator.reset()
    demo.attempts.clear()
    began = perf_counter()
    load.run(run.name, planned, done)
    seconds = perf_counter() - began
    load.simulator.wait_idle()
    log = load.simulator.requests
    with demo.lock:
        run.seconds = seconds
        run.broken, run.requests = demo_provider.count_faults(log), demo_provider.count_requests(log)


@contextmanager
def _instrumented(demo: Demo) -> Iterator[None]:
    l0.instrument(otlp=demo.telemetry.url or False, observers=[demo.attempts], console=False)
    try:
        yield
    finally:
        l0.uninstrument()


def _recorded(folder: Path) -> dict[Api, list[KnownAnswer]]:
    """Return the recorded streams with their content, by API. Raises `InputError` for an invalid folder."""
    try:
        traffic = Traffic(folder)
        return {
            api: [_known(api, name, traffic.named(api, name).content) for name in traffic.names(api)] for api in APIS
        }
    except SimulatorError as error:
        raise InputError(f"--traffic: {error}") from error


def _known(api: Api, name: str, body: bytes) -> KnownAnswer:
    try:
        return KnownAnswer(name=f"recorded {name}", content=recorded(api, body), numbered=b'"sequence_number"' in body)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"--traffic: {name} is not a recorded {api} stream: {error!r}") from error
