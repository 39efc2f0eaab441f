"""The load reads an answer of each API, whether or not there are back ends."""

from load import CallLog, warm_up

import l0
from l0.cli.demo.demo_provider import provider
from l0.cli.demo.load import available_apis
from l0.cli.demo.plan import plan, shipped
from l0.simulator import corpus
from l0.simulator.simulator_config import SimulatorConfig


def test_load_reads_a_whole_answer_of_each_api() -> None:
    planned = plan(40, 1, 0.0, shipped(corpus.answers()), available_apis())
    call_log = CallLog()
    l0.instrument()
    try:
        with provider(SimulatorConfig()) as simulator:
            warm_up(call_log, simulator, planned)
    finally:
        l0.uninstrument()
    assert list(call_log.verdicts.values()) == ["whole"] * len(available_apis())
