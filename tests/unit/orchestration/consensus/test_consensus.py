"""`Consensus`: its strategies, resolutions, errors, and early decisions."""

import asyncio
import json
import pickle

import pytest
from orchestration_tasks import Gate, returning, run
from pydantic import BaseModel

from l0.model.policy import PolicyError
from l0.orchestration.consensus.consensus import Consensus
from l0.orchestration.consensus.outcome import ConsensusError
from l0.orchestration.consensus.settings import ConsensusPreset
from l0.orchestration.results import BranchStatus


class Person(BaseModel):
    name: str
    born: int


def all_of(*values):
    return [returning(value) for value in values]


def test_consensus_of_two_equal_answers():
    found = run(Consensus.run(all_of("Paris", "Paris")))
    assert (found.value, found.status, found.agreement, found.supporters) == ("Paris", "agreed", 1.0, (0, 1))
    assert not found.early
    assert found.duration_ms > 0


def test_consensus_cancels_tasks_that_cannot_change_the_outcome():
    slow = Gate()
    found = run(Consensus.run([slow, *all_of("Paris", "Paris")]))
    assert (found.value, found.early, slow.cancelled) == ("Paris", True, True)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.branches[0].status is BranchStatus.CANCELLED


def test_consensus_waits_for_tasks_that_can_change_the_outcome():
    slow = Gate("Paris")

    async def main():
        deciding = asyncio.ensure_future(Consensus.run([slow, *all_of("Paris", "London")]))
        for _ in range(20):
            await asyncio.sleep(0)
        waited = not deciding.done()
        slow.open()
        return waited, await deciding

    waited, found = run(main())
    assert waited
    assert (found.value, found.supporters) == ("Paris", (0, 1))


@pytest.mark.parametrize(
    ("options", "values", "value", "status"),
    [
        ({}, ["a", "a", "b"], "a", "agreed"),
        ({"minimum_agreement": 0.9}, ["a", "a", "b"], "a", "voted"),
        ({"strategy": "majority", "threshold": 0.6}, ["the cat sat", "the cat sits", "dogs"], "the cat sat", "agreed"),
        ({"strategy": "unanimous", "threshold": 1.0}, ["a", " a\n", "a"], "a", "agreed"),
        ({"strategy": "unanimous", "resolve": "vote"}, ["a", "a", "b"], "a", "voted"),
        ({"strategy": "weighted", "weights": [1.0, 0.8, 0.6]}, ["x", "y", "y"], "y", "voted"),
        ({"strategy": "weighted", "weights": [1.0, 0.3, 0.3]}, ["x", "y", "y"], "x", "agreed"),
        ({"strategy": "best", "score": len}, ["a", "ccc", "bb"], "ccc", "best"),
        ({"strategy": "best"}, ["the cat", "the cats", "dog"], "the cat", "best"),
        ({"resolve": "best", "score": len}, ["a", "ccc", "bb"], "ccc", "best"),
        ({"resolve": "merge"}, ["It rains.", "It pours."], "It rains. It pours.", "merged"),
        ({"resolve": "merge"}, [["a"], ["b"]], ["a", "b"], "merged"),
        ({"threshold": 1.0}, [7, 7.0, 8], 7, "agreed"),
        ({"preset": Consensus.STRICT}, ["a", "a"], "a", "agreed"),
        ({"preset": Consensus.LENIENT}, ["aa", "zz"], "aa zz", "merged"),
        ({"preset": Consensus.BEST}, ["aaa bbb", "aaa bbc", "zzz"], "aaa bbb", "best"),
    ],
)
def test_consensus_strategies_and_resolutions(options, values, value, status):
    found = run(Consensus.run(all_of(*values), **options))
    assert (found.value, found.status) == (value, status)


@pytest.mark.parametrize(
    ("options", "values", "message"),
    [
        ({}, ["a", "b"], "50% agree, 60% required, and the vote is tied"),
        ({}, ["a", "b", "c"], "tied"),
        ({}, ["a", ValueError("x"), ValueError("y")], "33% agree"),
        ({}, [ValueError("x"), ValueError("y")], "no task gave an answer"),
        ({"strategy": "unanimous", "threshold": 1.0}, ["a", "a", "b"], "67% agree, 100% required"),
        ({"strategy": "unanimous"}, ["a", "a", ValueError("x")], "67% agree, 100% required"),
        ({"resolve": "fail"}, ["a", "b", "c"], "no consensus of 3 tasks"),
        ({}, [{"n": 1, "m": 1}, {"n": 2, "m": 1}], "different fields: n"),
        ({"strategy": "best"}, [ValueError("x"), ValueError("y")], "no task gave an answer"),
    ],
)
def test_consensus_error_names_the_reason(options, values, message):
    with pytest.raises(ConsensusError, match=message) as raised:
        run(Consensus.run(all_of(*values), **options))
    errors = [value for value in values if isinstance(value, Exception)]
    assert len(raised.value.branches) == len(values)
    assert (raised.value.__cause__ is not None) == bool(errors)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (str(copy), copy.agreement) == (str(raised.value), raised.value.agreement)


@pytest.mark.parametrize("values", [["a", "b"], ["a", ValueError("x")]])
def test_strict_consensus_fails_at_the_first_different_answer(values):
    slow = Gate()
    with pytest.raises(ConsensusError):
        run(Consensus.strict([*all_of(*values), slow]))
    assert slow.cancelled


def test_consensus_vote_stops_if_it_is_settled():
    slow = Gate()
    found = run(Consensus.run([*all_of("a", "a", "a", "b", "c"), slow], minimum_agreement=0.9))
    assert (found.value, found.status, slow.cancelled) == ("a", "voted", True)


def test_consensus_vote_needs_a_second_supporter():
    async def main():
        deciding = asyncio.ensure_future(
            Consensus.run(
                [*all_of("x", "y"), slow], strategy="weighted", weights=[5, 3, 1], minimum_agreement=0.9, threshold=1.0
            )
        )
        for _ in range(20):
            await asyncio.sleep(0)
        slow.open()
        return await deciding

    slow = Gate("x")
    found = run(main())
    assert (found.value, found.status, found.supporters) == ("x", "voted", (0, 2))


def test_consensus_of_models_is_decided_field_by_field():
    people = [Person(name="Ada", born=1815), Person(name="Ada", born=1816), Person(name="Eda", born=1816)]
    found = run(Consensus.run(all_of(*people), threshold=1.0))
    assert found.value == Person(name="Ada", born=1816)
    assert {name: len(part.supporters) for name, part in found.fields.items()} == {"name": 2, "born": 2}


def test_consensus_parse_failure_is_a_failed_task():
    texts = ['{"name": "Ada", "born": 1815}', "Sorry!", '{"born": 1815, "name": "Ada"}']
    found = run(Consensus.run(all_of(*texts), parse=Person.model_validate_json))
    assert found.value == Person(name="Ada", born=1815)
    assert found.branches[1].status is BranchStatus.FAILED
    assert run(Consensus.standard(all_of(*texts), parse=json.loads)).value == {"name": "Ada", "born": 1815}


def same_meaning(left, right):
    return 1.0 if {left, right} <= {"yes", "indeed"} else 0.0


async def meaning(left, right):
    await asyncio.sleep(0)
    return same_meaning(left, right)


@pytest.mark.parametrize("similarity", [meaning, same_meaning])
def test_consensus_uses_the_similarity_function_of_the_user(similarity):
    found = run(Consensus.run(all_of("yes", "indeed", "no"), similarity=similarity))
    assert (found.value, found.supporters) == ("yes", (0, 1))
    fields = run(Consensus.lenient(all_of({"a": "yes"}, {"a": "indeed"}, {"a": "no"}), similarity=similarity))
    assert fields.value == {"a": "yes"}


def test_similarity_function_is_called_once_per_pair():
    asked = []

    def similarity(left, right):
        asked.append(frozenset((left, right)))
        return 0.0

    with pytest.raises(ConsensusError):
        run(Consensus.run(all_of("a", "b", "c", "d"), similarity=similarity, resolve="vote"))
    assert len(asked) == len(set(asked))


def test_similarity_error_fails_its_task():
    def similarity(left, right):
        raise LookupError("no embedding")

    with pytest.raises(ConsensusError) as raised:
        run(Consensus.run(all_of("a", "b"), similarity=similarity))
    assert isinstance(raised.value.branches[1].error, LookupError)


async def scored(answer):
    await asyncio.sleep(0)
    return -len(answer)


def test_best_strategy_uses_the_score_of_the_user():
    found = run(Consensus.best(all_of("long answer", "short", ValueError("x")), score=scored))
    assert (found.value, found.status) == ("short", "best")
    assert found.agreement == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("field", "work", "options"),
    [
        ("Consensus.run", all_of("a"), {}),
        ("Consensus.run", [returning("a"), "text"], {}),
        ("Consensus.strategy", all_of(1, 2), {"strategy": "most"}),
        ("Consensus.resolve", all_of(1, 2), {"resolve": "dice"}),
        ("Consensus.threshold", all_of(1, 2), {"threshold": 1.5}),
        ("Consensus.threshold", all_of(1, 2), {"threshold": True}),
        ("Consensus.minimum_agreement", all_of(1, 2), {"minimum_agreement": 0}),
        ("Consensus.weights", all_of(1, 2), {"strategy": "weighted"}),
        ("Consensus.weights", all_of(1, 2), {"strategy": "weighted", "weights": [1.0]}),
        ("Consensus.weights", all_of(1, 2), {"strategy": "weighted", "weights": [0, 0]}),
        ("Consensus.weights", all_of(1, 2), {"strategy": "weighted", "weights": [1, -1]}),
        ("Consensus.weights", all_of(1, 2), {"weights": [1.0, 1.0]}),
        ("Consensus.preset", all_of(1, 2), {"preset": "strict"}),
    ],
)
def test_consensus_rejects_invalid_arguments(field, work, options):
    with pytest.raises(PolicyError, match=field):
        run(Consensus.run(work, **options))


def test_consensus_checks_the_text_extra_before_any_request(monkeypatch):
    monkeypatch.setattr("l0.orchestration.consensus.similarity.find_spec", lambda name: None)
    asked = Gate()
    with pytest.raises(ImportError, match=r"l0-otel\[text\]"):
        run(Consensus.run([asked, asked]))
    assert not asked.begun
    assert run(Consensus.strict(all_of("a", "a"))).value == "a"
    assert run(Consensus.run(all_of("a", "a"), similarity=meaning)).value == "a"


def test_consensus_presets_are_values():
    assert ConsensusPreset() == Consensus.STANDARD
    assert Consensus.STRICT.strategy == "unanimous"
