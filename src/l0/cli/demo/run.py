"""The demo from beginning to end: plan, bare run, instrumented run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import l0
from l0.cli.inputs import InputError
from l0.simulator import corpus
from l0.simulator.config import SimulatorConfig, SimulatorError
from l0.simulator.pacing import Delays
from l0.simulator.playback import Traffic

from . import provider
from .content import recorded
from .judge import Result
from .load import Load, offered
from .plan import APIS, Api, Known, Planned, plan, shipped
from .state import Demo, Options, Run
from .telemetry import destination

DELAYS = Delays(first_token_ms=40, inter_token_ms=2, stragglers=0.02)
"""A quick model, so that the demo is quick; the shape (log-normal, some stragglers) is that of real ones."""


def prepare(options: Options) -> tuple[Demo, list[Planned]]:
    """Plan it; raises `InputError` for what cannot be obeyed."""
    missing = [name for name in ("openai", "anthropic") if find_spec(name) is None]
    if missing:
        raise InputError(f"the demo drives both SDKs: pip install 'l0-otel[{','.join(missing)}]'")
    answers: Mapping[Api, Sequence[Known]] = shipped(corpus.answers())
    source = f"{max(map(len, answers.values()))} shipped answers"
    if options.traffic is not None:
        found = _recorded(options.traffic)
        source = f"{source} and {sum(map(len, found.values()))} recorded streams"
        answers = {api: [*answers[api], *found[api]] for api in APIS}
    demo = Demo(options=options, source=source, telemetry=destination(options.otlp))
    return demo, plan(options.calls, options.seed, options.fault_share, answers, offered())


def perform(demo: Demo, planned: list[Planned]) -> None:
    """Both runs; the figures in ``demo`` grow meanwhile."""
    l0.uninstrument()
    config = SimulatorConfig(seed=demo.options.seed, delays=DELAYS, traffic_dir=demo.options.traffic)
    with provider.provider(config) as simulator:
        load = Load(simulator=simulator, concurrency=demo.options.concurrency)
        _run(demo, demo.bare, load, planned)
        with _instrumented(demo):
            _run(demo, demo.covered, load, planned)
    demo.telemetry.flush()


def _run(demo: Demo, run: Run, load: Load, planned: list[Planned]) -> None:
    def done(result: Result) -> None:
        with demo.lock:
            run.tallies[result.call.api].add(result)

    # One whole answer of each kind: from then on l0 knows that this origin ends its streams as it should.
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
        run.broken, run.requests = provider.broken(log), provider.requests(log)


@contextmanager
def _instrumented(demo: Demo) -> Iterator[None]:
    l0.instrument(otlp=demo.telemetry.url or False, observers=[demo.attempts])
    try:
        yield
    finally:
        l0.uninstrument()


def _recorded(folder: Path) -> dict[Api, list[Known]]:
    """The recorded streams, and what each says when nothing goes wrong."""
    try:
        traffic = Traffic(folder)
        return {
            api: [_known(api, name, traffic.named(api, name).content) for name in traffic.names(api)] for api in APIS
        }
    except SimulatorError as error:
        raise InputError(f"--traffic: {error}") from error


def _known(api: Api, name: str, body: bytes) -> Known:
    try:
        return Known(name=f"recorded {name}", said=recorded(api, body), numbered=b'"sequence_number"' in body)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"--traffic: {name} is no recorded {api} stream: {error!r}") from error
