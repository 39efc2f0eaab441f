"""Reading for facts never reaches the user: any field of any event or answer may be anything at all.

With everything on (tracer, meter, captured content, guardrails, drift, objectives), what a user gets of more than 5,000
mutants is what the bare SDK gives. `TEST_FACTS=full` tries every mutant in every way.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from facts_bodies import ANSWERS, REFUSALS, STREAMS, wire
from facts_mutants import mutants
from facts_runs import ASKED_AS_JSON, POLICY, Got, Player
from facts_verdict import FULL, decides, decides_answer, decides_explicitly, fails, faults, sampled
from installed import HAS_RESPONSES

import l0
from l0.telemetry.names import CONTENT_SWITCH

ONE_IN, ONE_IN_EXPLICIT, ONE_IN_SHADOW = 2.9, 8, 20
SHADOW = replace(
    POLICY,
    mode="shadow",
    hold="message",
    retry=l0.Retry(base_delay=0),
    timeout=l0.Timeout(initial_token=60_000, inter_token=60_000),
    fallback=l0.Fallback(model="other"),
)
NAMES = [name for name in STREAMS if HAS_RESPONSES or not name.startswith("responses")]
DIALECTS = [dialect for dialect in ANSWERS if HAS_RESPONSES or dialect != "responses"]
CHECKED = replace(SHADOW, structured=True)
DIALECTS_WITH_SCHEMA = [dialect for dialect in DIALECTS if dialect in ASKED_AS_JSON]
WAYS = [(sync, raw) for sync in (True, False) for raw in (True, False)]


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONTENT_SWITCH, "SPAN_AND_EVENT")
        made = Player()
        made.instrument()
        yield made
        made.close()


def bare_of(player: Player, dialect: str) -> Got:
    with player.bare():
        return player.play(dialect)


def flavours(dice: int) -> list[bool]:
    return [True, False] if FULL else [bool(dice % 2)]


def ways(dice: int) -> list[tuple[bool, bool]]:
    return WAYS if FULL else [WAYS[dice % len(WAYS)]]


def test_there_are_more_than_5000_mutants():
    of_streams = [
        sum(1 for _ in sampled(mutants(event), f"{name} {at}", one_in))
        for name, (_, events) in STREAMS.items()
        for at, event in enumerate(events)
        for one_in in (ONE_IN, ONE_IN_EXPLICIT)
    ]
    of_answers = [
        sum(1 for _ in sampled(mutants(answer), dialect, one_in))
        for dialect, answer in ANSWERS.items()
        for one_in in (ONE_IN, ONE_IN_EXPLICIT)
    ]
    assert sum(of_streams) + sum(of_answers) > 5000


def stream_differences(player: Player, name: str, one_in: float) -> list[str]:
    """Return what differs for the user of a stream, over one mutant in ``one_in``, under the policy in force."""
    dialect, events = STREAMS[name]
    player.load(wire(name), streaming=True)
    bare, healthy = bare_of(player, dialect), player.play(dialect)
    found = faults(bare, healthy, failing=fails(name), requests=healthy.requests)
    for at, event in enumerate(events):
        for dice, mutant in sampled(mutants(event), f"{name} {at}", one_in):
            player.load(wire(name, at=at, changed=mutant.value), streaming=True)
            bare, decided = bare_of(player, dialect), decides(name, at, mutant)
            for sync in flavours(dice):
                ours = player.play(dialect, sync=sync)
                wrong = faults(bare, ours, decided=decided, failing=fails(name), requests=healthy.requests)
                found += [f"event {at}, {mutant}: {fault}" for fault in wrong]
    return found


def answer_differences(player: Player, dialect: str, one_in: float) -> list[str]:
    """As `stream_differences`, of a complete answer."""
    found = []
    for dice, mutant in sampled(mutants(ANSWERS[dialect]), dialect, one_in):
        player.load(json.dumps(mutant.value).encode(), streaming=False)
        bare = bare_of(player, dialect)
        for sync in flavours(dice):
            ours = player.play(dialect, sync=sync)
            found += [f"{mutant}: {fault}" for fault in faults(bare, ours, decided=decides_answer(mutant))]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_streams(name, player):
    assert stream_differences(player, name, ONE_IN) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_whole_answers(dialect, player):
    assert answer_differences(player, dialect, ONE_IN) == []


@pytest.mark.parametrize("name", [name for name in NAMES if STREAMS[name][0] in ASKED_AS_JSON])
def test_streams_that_a_schema_only_observes(name, player):
    """`structured=True` and a request with a schema, in shadow mode."""
    with l0.policy(CHECKED), player.asking_for_json():
        assert stream_differences(player, name, ONE_IN_SHADOW) == []


@pytest.mark.parametrize("name", NAMES)
def test_streams_that_a_policy_only_observes(name, player):
    """In shadow mode. The policy's rules and limits see every mutant, and the user gets what the default gives."""
    with l0.policy(SHADOW):
        assert stream_differences(player, name, ONE_IN_SHADOW) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_whole_answers_that_a_policy_only_observes(dialect, player):
    with l0.policy(SHADOW):
        assert answer_differences(player, dialect, ONE_IN_SHADOW) == []


@pytest.mark.parametrize("dialect", DIALECTS_WITH_SCHEMA)
def test_whole_answers_that_a_schema_only_observes(dialect, player):
    with l0.policy(CHECKED), player.asking_for_json():
        assert answer_differences(player, dialect, ONE_IN_SHADOW) == []


@pytest.mark.parametrize("dialect", DIALECTS_WITH_SCHEMA)
def test_schema_reads_each_of_these_streams(dialect, player):
    """The healthy answers are no JSON, so a schema that is read at all is violated."""
    player.load(wire(dialect), streaming=True)
    with l0.policy(CHECKED), player.asking_for_json():
        (span,) = player.play(dialect).spans
    assert span.attributes["l0.guardrail.violations"] == ("schema",)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("dialect", REFUSALS)
def test_error_responses(dialect, status, player):
    found = []
    for mutant in mutants(REFUSALS[dialect]):
        player.load(json.dumps(mutant.value).encode(), streaming=False, status=status)
        bare = bare_of(player, dialect)
        assert bare.error is not None
        for sync in (True, False):
            ours = player.play(dialect, sync=sync)
            found += [f"{mutant}: {fault}" for fault in faults(bare, ours, decided=False)]
            if (type(ours.error), str(ours.error)) != (type(bare.error), str(bare.error)):
                found.append(f"{mutant}: {ours.error!r} in place of {bare.error!r}")
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_streams_through_the_explicit_api(name, player):
    dialect, events = STREAMS[name]
    player.load(wire(name), streaming=True)
    healthy = player.explicit(dialect, sync=True, raw=False)
    found = []
    for at, event in enumerate(events):
        for dice, mutant in sampled(mutants(event), f"{name} {at}", ONE_IN_EXPLICIT):
            player.load(wire(name, at=at, changed=mutant.value), streaming=True)
            bare = bare_of(player, dialect)
            decided = decides(name, at, mutant) or decides_explicitly(dialect, at, mutant)
            for sync, raw in ways(dice):
                ours = player.explicit(dialect, sync=sync, raw=raw)
                wrong = faults(bare, ours, decided=decided or healthy.error is not None, items=raw)
                found += [f"event {at}, {mutant}, {sync=}, {raw=}: {fault}" for fault in wrong]
    assert found == []


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect != "embeddings"])
def test_whole_answers_through_the_explicit_api(dialect, player):
    found = []
    for dice, mutant in sampled(mutants(ANSWERS[dialect]), dialect, ONE_IN_EXPLICIT):
        player.load(json.dumps(mutant.value).encode(), streaming=False)
        bare = bare_of(player, dialect)
        for sync, raw in ways(dice):
            ours = player.explicit(dialect, sync=sync, raw=raw)
            decided = decides_explicitly(dialect, None, mutant)
            found += [f"{mutant}, {sync=}, {raw=}: {fault}" for fault in faults(bare, ours, decided=decided, items=raw)]
    assert found == []


def test_what_was_measured_is_exported(player):
    """The figures of thousands of odd answers are collected like any others."""
    player.load(wire("chat"), streaming=True)
    player.play("chat")
    data: Any = player.reader.get_metrics_data()
    names = {metric.name for r in data.resource_metrics for s in r.scope_metrics for metric in s.metrics}
    assert "gen_ai.client.token.usage" in names


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("data", ["[" * 100_000, '{"id": ' + "9" * 5000 + "}", "{"], ids=["deep", "huge", "cut"])
def test_what_the_bare_sdk_cannot_decode_raises_the_same_class(data, sync, player):
    """Deep JSON and huge integers raise neither a class of the SDK's nor of JSON."""
    first = wire("chat").partition(b"\n\n")[0]
    player.load(first + b"\n\ndata: " + data.encode() + b"\n\n", streaming=True)
    bare, ours = bare_of(player, "chat"), player.play("chat", sync=sync)
    assert bare.error is not None
    assert isinstance(ours.error, type(bare.error))


@pytest.mark.parametrize("sync", [True, False])
def test_thinking_in_a_list_of_parts(sync, player):
    """Mistral's reasoning models send `content` as a list."""
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    _, events = STREAMS["chat"]
    changed = {**events[1], "choices": [{"index": 0, "delta": {"content": thought}, "finish_reason": None}]}
    player.load(wire("chat", at=1, changed=changed), streaming=True)
    bare, ours = bare_of(player, "chat"), player.play("chat", sync=sync)
    assert faults(bare, ours, decided=False) == []
    assert ours.spans[0].attributes["gen_ai.usage.output_tokens"] == 7
