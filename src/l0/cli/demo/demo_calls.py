"""The steps of the demo: plan; make a call that breaks with each of three set-ups; run the plan with each set-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import l0
from l0.simulator import corpus
from l0.simulator.faults import Fault
from l0.simulator.pacing import Delays
from l0.simulator.playback import Traffic
from l0.simulator.simulator_config import SimulatorConfig, SimulatorError

from ..inputs import InputError
from . import demo_provider
from .content import content_of_body
from .demo_state import Demo, DemoOptions, DemoRun
from .demo_telemetry import destination
from .judge import Result
from .load import Load, available_apis, call_id
from .plan import APIS, Api, KnownAnswer, PlannedCall, plan, shipped

DELAYS = Delays(first_token_ms=40, stragglers=0.02)
"""Delays of a fast model, so that the demo is short. Log-normal with some stragglers, as for real models."""


EXAMPLE = PlannedCall(
    number=1,
    api="chat",
    concurrent="threads",
    answer=KnownAnswer(name="answer steps", content=corpus.bundled_answer("steps").text),
    faults=(Fault.clean_end(at_event=19),),
)
"""The call whose answer is shown: instructions cut off in the third of four steps, without an error on the wire."""


def prepare(options: DemoOptions) -> tuple[Demo, list[PlannedCall]]:
    """Check the options and make the plan. Raises `InputError` for invalid options."""
    missing = [name for name in ("openai", "anthropic") if find_spec(name) is None]
    if missing:
        raise InputError(f"the demo requires both SDKs: pip install 'l0-otel[{','.join(missing)}]'")
    answers: Mapping[Api, Sequence[KnownAnswer]] = shipped(corpus.answers())
    source = f"{max(map(len, answers.values()))} shipped answers"
    if options.traffic is not None:
        found = _answers_in(options.traffic)
        source = f"{source} and {sum(map(len, found.values()))} recorded streams"
        answers = {api: [*answers[api], *found[api]] for api in APIS}
    demo = Demo(options=options, source=source, telemetry=destination(options.otlp))
    return demo, plan(options.calls, options.seed, options.fault_share, answers, available_apis())


def perform(demo: Demo, planned: list[PlannedCall], *, example_done: Callable[[], None] = lambda: None) -> None:
    """Make the calls of the example, then all runs. Update the figures in ``demo`` meanwhile.

    ``example_done``: called between the example and the runs.
    """
    l0.uninstrument()
    config = SimulatorConfig(seed=demo.options.seed, delays=DELAYS, traffic_dir=demo.options.traffic)
    with demo_provider.provider(config) as simulator:
        load = Load(simulator=simulator, concurrency=demo.options.concurrency)
        for run in demo.runs:
            with _instrumented(demo, run):
                _example(run, load)
        example_done()
        for run in demo.runs:
            with _instrumented(demo, run):
                _run(demo, run, load, planned)
    demo.telemetry.flush()


def _example(run: DemoRun, load: Load) -> None:
    # A healthy call first, so that l0 knows that this origin ends its streams with a terminal event.
    name = f"{run.name}-example"
    *_, run.example = load.one_by_one(name, [replace(EXAMPLE, number=0, faults=()), EXAMPLE])
    run.example_requests = load.simulator.requests_of(call_id(name, EXAMPLE.number))


def _run(demo: Demo, run: DemoRun, load: Load, planned: list[PlannedCall]) -> None:
    def done(result: Result) -> None:
        with demo.lock:
            run.add(result)

    # One complete answer per API, that of its first call: as before the example.
    warm_up = {call.api: replace(call, faults=()) for call in reversed(planned)}
    for result in load.one_by_one(f"{run.name}-warm-up", warm_up.values()):
        run.warm_up.add(result)
    run.failures.clear()  # the warm-up uses numbers of planned calls
    began = perf_counter()
    load.run(run.name, planned, done)
    seconds = perf_counter() - began
    load.simulator.wait_idle()
    with demo.lock:
        run.seconds = seconds
        run.requests = {call.number: load.simulator.requests_of(call_id(run.name, call.number)) for call in planned}


@contextmanager
def _instrumented(demo: Demo, run: DemoRun) -> Iterator[None]:
    if run.instrumented:
        l0.instrument(run.policy, otlp=demo.telemetry.url or False, observers=[run.failures], console=False)
    try:
        yield
    finally:
        l0.uninstrument()


def _answers_in(folder: Path) -> dict[Api, list[KnownAnswer]]:
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
        return KnownAnswer(
            name=f"recorded {name}", content=content_of_body(api, body), numbered=b'"sequence_number"' in body
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"--traffic: {name} is not a recorded {api} stream: {error!r}") from error
