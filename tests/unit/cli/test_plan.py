"""The plan of the demo: reproducible by seed, with the requested share of faults, all of them detectable."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.cli.demo.plan import APIS, SEPARATOR, KnownAnswer, plan, shipped
from l0.simulator import corpus, script_grammar

SHIPPED = shipped(corpus.answers())
UNNUMBERED = {api: [KnownAnswer(name="answer story", content="x")] for api in APIS}
UNSEEN = ("duplicate", "drop", "reorder")


def test_plan_depends_on_the_seed_only() -> None:
    assert plan(50, 7, 0.5, SHIPPED) == plan(50, 7, 0.5, SHIPPED)
    assert plan(50, 7, 0.5, SHIPPED) != plan(50, 8, 0.5, SHIPPED)


def test_plan_calls_every_api_from_threads_and_tasks() -> None:
    kinds = {(call.api, call.concurrent) for call in plan(8, 0, 0.0, SHIPPED)}
    assert kinds == {(api, kind) for api in APIS for kind in ("threads", "asyncio")}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_plan_has_the_requested_share_of_faults(share: float) -> None:
    calls = plan(4000, 1, share, SHIPPED)
    assert sum(bool(call.faults) for call in calls) / len(calls) == pytest.approx(share, abs=0.03)


def test_plan_with_a_fault_share_of_one_is_finite() -> None:
    assert {len(call.faults) for call in plan(10, 0, 1.0, SHIPPED)} == {6}


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_plan_has_no_order_faults_without_sequence_numbers(seed: int) -> None:
    for call in plan(40, seed, 0.9, UNNUMBERED):
        assert not any(fault.find(*UNSEEN) for fault in call.faults)


def test_plan_has_order_faults_with_sequence_numbers() -> None:
    faults = [fault for call in plan(2000, 0, 0.9, SHIPPED) for fault in call.faults if call.api == "responses"]
    assert {kind for kind in UNSEEN for fault in faults if fault.find(kind)} == set(UNSEEN)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_simulator_parses_every_script(seed: int) -> None:
    for call in plan(20, seed, 0.7, SHIPPED):
        *steps, last = [script_grammar.parse(step.strip()) for step in call.script.split(SEPARATOR)]
        assert [step.fault for step in steps] == list(call.faults)
        assert not last.fault
        assert {step.named for step in (*steps, last)} == {call.answer.name.removeprefix("answer ")}


def test_shipped_answers_are_judged_complete() -> None:
    for api in APIS:
        assert len(SHIPPED[api]) > 20
        assert all(known.content for known in SHIPPED[api])
    names = {known.name for known in SHIPPED["completions"]}
    assert names.isdisjoint({"answer refusal", "answer length", "answer tool_weather", "answer empty"})


def test_plan_calls_only_the_given_apis() -> None:
    assert [call.api for call in plan(4, 0, 0.0, SHIPPED, ("chat", "messages"))] == ["chat", "messages"] * 2
