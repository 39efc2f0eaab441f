"""The plan: the same for the same seed, with as many faults as asked for, and none that no client could see."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.cli.demo.plan import APIS, SEPARATOR, Known, plan, shipped
from l0.simulator import corpus, grammar

SHIPPED = shipped(corpus.answers())
UNNUMBERED = {api: [Known(name="answer story", said="x")] for api in APIS}
UNSEEN = ("duplicate", "drop", "reorder")


def test_the_same_seed_gives_the_same_plan_and_another_seed_another_one() -> None:
    assert plan(50, 7, 0.5, SHIPPED) == plan(50, 7, 0.5, SHIPPED)
    assert plan(50, 7, 0.5, SHIPPED) != plan(50, 8, 0.5, SHIPPED)


def test_every_api_is_called_from_threads_and_from_tasks() -> None:
    kinds = {(call.api, call.concurrent) for call in plan(8, 0, 0.0, SHIPPED)}
    assert kinds == {(api, kind) for api in APIS for kind in ("threads", "asyncio")}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_that_share_of_first_requests_breaks(share: float) -> None:
    calls = plan(4000, 1, share, SHIPPED)
    assert sum(bool(call.faults) for call in calls) / len(calls) == pytest.approx(share, abs=0.03)


def test_a_share_of_one_ends_all_the_same() -> None:
    assert {len(call.faults) for call in plan(10, 0, 1.0, SHIPPED)} == {6}


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_events_without_numbers_are_never_doubled_dropped_or_reordered(seed: int) -> None:
    for call in plan(40, seed, 0.9, UNNUMBERED):
        assert not any(fault.find(*UNSEEN) for fault in call.faults)


def test_numbered_events_are() -> None:
    faults = [fault for call in plan(2000, 0, 0.9, SHIPPED) for fault in call.faults if call.api == "responses"]
    assert {kind for kind in UNSEEN for fault in faults if fault.find(kind)} == set(UNSEEN)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_the_simulator_reads_every_script_as_it_was_meant(seed: int) -> None:
    for call in plan(20, seed, 0.7, SHIPPED):
        *steps, last = [grammar.parse(step.strip()) for step in call.script.split(SEPARATOR)]
        assert [step.fault for step in steps] == list(call.faults)
        assert not last.fault
        assert {step.named for step in (*steps, last)} == {call.answer.name.removeprefix("answer ")}


def test_no_shipped_answer_looks_broken_when_it_is_whole() -> None:
    for api in APIS:
        assert len(SHIPPED[api]) > 20
        assert all(known.said for known in SHIPPED[api])
    names = {known.name for known in SHIPPED["completions"]}
    assert names.isdisjoint({"answer refusal", "answer length", "answer tool_weather", "answer empty"})


def test_only_these_apis_are_called() -> None:
    assert [call.api for call in plan(4, 0, 0.0, SHIPPED, ("chat", "messages"))] == ["chat", "messages"] * 2
