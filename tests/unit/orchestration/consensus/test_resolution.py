"""Resolution of answers that do not agree: merge and best."""

import pytest

from l0.orchestration.consensus.resolution import UnmergeableError, best, merged, similarity_scores
from l0.orchestration.consensus.similarity import equal
from l0.orchestration.consensus.voting import Vote


def votes(*values, weights=()):
    weights = weights or (1.0,) * len(values)
    return [
        Vote(voter=index, value=value, weight=weight)
        for index, (value, weight) in enumerate(zip(values, weights, strict=True))
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["It rains. It pours.", "It pours. He sleeps."], "It rains. It pours. He sleeps."),
        (["one\ntwo", "two\nthree"], "one\ntwo\nthree"),
        ([[1, 2], [2, 3]], [1, 2, 3]),
        ([{"a": [1], "b": "x"}, {"a": [2], "c": 3}], {"a": [1, 2], "b": "x", "c": 3}),
        ([{"a": {"b": [1]}}, {"a": {"b": [2]}}], {"a": {"b": [1, 2]}}),
        ([1, 2, 2], 2),
        ([1, "text", 1], 1),
    ],
)
def test_merge_of_answers(values, expected):
    assert merged(votes(*values), equal) == expected


def test_merge_of_scalars_keeps_the_most_weighted():
    assert merged(votes(1, 2, weights=(1.0, 3.0)), equal) == 2
    assert merged(votes(1, 1), equal) == 1


@pytest.mark.parametrize("values", [(42, 100), (1, "text"), ({"a": 42}, {"a": 100}), (1, 1, 2, 2)], ids=str)
def test_merge_of_values_with_equal_weight_is_refused(values):
    with pytest.raises(UnmergeableError):
        merged(votes(*values), equal)


def test_best_answer_is_the_most_similar_to_the_others():
    made = votes([1, 2, 3], [1, 2, 4], [9, 9, 9], [1, 2, 5])
    assert best(made, similarity_scores(made, lambda left, right: 0.0)).voter in {0, 1, 3}
    assert best(made, [0.0, 1.0, 1.0, 0.5]).voter == 1
