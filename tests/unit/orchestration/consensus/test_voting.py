"""Votes: the winner, and that missing answers do not change a settled vote."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.orchestration.consensus.similarity import equal
from l0.orchestration.consensus.voting import ABSENT, Ballot, Vote, decide

VALUES = st.sampled_from(["a", "b", "c"])
STRUCTURES = st.fixed_dictionaries({"x": VALUES}, optional={"y": VALUES, "z": st.fixed_dictionaries({"w": VALUES})})
WEIGHTS = st.sampled_from([0.5, 1.0, 1.0, 2.0])


def ballot(total, missing=0.0, share=0.6, min_answers=2):
    return Ballot(alike=equal, total=total, missing=missing, needed=share * total, min_answers=min_answers)


def votes(*values):
    return [Vote(voter=index, value=value) for index, value in enumerate(values)]


def decided(*values, missing=0, share=0.6):
    return decide(votes(*values), ballot(len(values) + missing, missing, share))


@pytest.mark.parametrize(
    ("values", "missing", "agreed", "settled", "hopeless", "tied"),
    [
        ("aab", 0, True, True, False, False),
        ("ab", 0, False, False, True, True),
        ("aa", 1, True, True, False, False),
        ("a", 2, False, False, False, False),
        ("abc", 0, False, False, True, True),
        ("aabb", 0, False, False, True, True),
        ("aaab", 1, True, True, False, False),
        ("aab", 2, False, False, False, False),
        ("abc", 1, False, False, True, True),
        ("aa", 3, False, False, False, False),
        ("aaa", 2, True, True, False, False),
    ],
)
def test_vote_state(values, missing, agreed, settled, hopeless, tied):
    found = decided(*values, missing=missing)
    assert (found.agreed, found.settled, found.hopeless, found.tied) == (agreed, settled, hopeless, tied)


def test_agreement_needs_two_answers():
    assert not decided("a", missing=1, share=0.5).agreed
    assert decided("a", "a", share=1.0).agreed
    assert decide(votes("a"), ballot(1.2, share=0.6, min_answers=1)).agreed


def test_vote_tie_goes_to_the_higher_weight_then_the_first():
    heavy = [Vote(voter=0, value="a"), Vote(voter=1, value="b", weight=1.0), Vote(voter=2, value="b", weight=0.0)]
    assert decide(heavy, ballot(2.0)).value == "a"
    heavy = [Vote(voter=0, value="a"), Vote(voter=1, value="b", weight=2.0)]
    assert decide(heavy, ballot(3.0)).value == "b"


def test_vote_decides_fields_separately():
    found = decided({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2})
    assert found.value == {"a": 1, "b": 2}
    assert found.agreement == pytest.approx(2 / 3)
    assert found.supporters == {1}
    assert found.agreed
    assert found.fields["a"].supporters == {0, 1}


def test_vote_leaves_out_a_field_that_most_answers_lack():
    found = decided({"a": 1}, {"a": 1, "b": 2}, {"a": 1})
    assert found.value == {"a": 1}
    assert found.fields["b"].value is ABSENT


def test_vote_on_nested_structures():
    found = decided({"p": {"x": 1, "y": 1}}, {"p": {"x": 1, "y": 2}}, {"p": {"x": 3, "y": 2}})
    assert found.value == {"p": {"x": 1, "y": 2}}


def test_vote_of_a_text_disagrees_with_every_field():
    found = decided({"a": 1}, {"a": 1}, "nonsense")
    assert (found.value, found.agreed) == ({"a": 1}, True)
    assert found.agreement == pytest.approx(2 / 3)
    assert decided({"a": 1}, "nonsense", "nonsense").value == "nonsense"
    assert decided({}, {}).value == {}


def test_different_structures_together_outvote_a_text():
    received = [
        Vote(voter=0, value="a", weight=2.5),
        Vote(voter=1, value={"x": 1}),
        Vote(voter=2, value={"x": 1, "y": 2}),
    ]
    assert not decide(received, ballot(5.5, missing=1.0)).settled
    assert decide(received, ballot(4.5)).settled


@settings(max_examples=300)
@given(st.data(), st.one_of(st.just(VALUES), st.just(STRUCTURES), st.just(VALUES | STRUCTURES)), st.floats(0.1, 1.0))
def test_settled_vote_is_not_changed_by_missing_answers(data, values, share):
    all_votes = [
        Vote(voter=index, value=data.draw(values), weight=data.draw(WEIGHTS))
        for index in range(data.draw(st.integers(2, 7)))
    ]
    total = sum(vote.weight for vote in all_votes)
    order = data.draw(st.permutations(all_votes))
    received = data.draw(st.integers(1, len(order)))
    # Some of the missing tasks never answer.
    answering = [vote for vote in order[received:] if data.draw(st.booleans())]
    now = decide(order[:received], ballot(total, sum(vote.weight for vote in order[received:]), share))
    then = decide(order[:received] + answering, ballot(total, 0.0, share))
    if now.settled:
        assert equal(now.value, then.value)
        assert then.agreed or not now.agreed
    if now.hopeless:
        assert not then.agreed
    if now.settled and received == len(order):
        assert not now.tied


@given(st.lists(STRUCTURES | VALUES, min_size=1, max_size=6), st.randoms())
def test_vote_does_not_depend_on_the_order_of_answers(values, random):
    made = votes(*values)
    shuffled = random.sample(made, len(made))
    left, right = decide(made, ballot(len(made))), decide(shuffled, ballot(len(made)))
    assert equal(left.value, right.value)
    assert (left.agreement, left.agreed, left.tied) == (right.agreement, right.agreed, right.tied)
