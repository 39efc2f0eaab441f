"""Final texts beside the sum of their deltas."""

import pytest

from l0.dialects.final_texts import Agreement, FinalTexts, same_arguments

SAME, NEARLY, ALONE, DIFFERENT = Agreement
A, B = (0, 0), (1, 0)


@pytest.mark.parametrize(
    ("pieces", "place", "final", "agreement"),
    [
        ({A: ["He", "y"]}, A, "Hey", SAME),
        ({A: ["He", "y"]}, A, "Hey you", DIFFERENT),
        ({A: ["He", "y"]}, A, "yHe", DIFFERENT),
        ({A: ["He", "y "]}, A, "Hey", NEARLY),
        ({A: ["He", "y"]}, A, "", NEARLY),
        ({A: ["He", "y"]}, A, None, NEARLY),
        ({A: ["He", "y"]}, B, "Hey", NEARLY),
        ({A: ["He", "y"]}, B, "you", DIFFERENT),
        ({A: ["one"], B: ["two"]}, A, "two", NEARLY),
        ({}, A, "Hey", ALONE),
        ({}, A, "", SAME),
    ],
)
def test_final_text(pieces, place, final, agreement):
    texts = FinalTexts()
    texts.fragments = {key: list(value) for key, value in pieces.items()}
    assert texts.compare(place, final) is agreement


def test_final_texts_without_deltas_agree_with_each_other():
    texts = FinalTexts()
    assert [texts.compare(A, "one"), texts.compare(B, "two")] == [ALONE, ALONE]
    assert [texts.compare(A, "one"), texts.compare(B, "two")] == [SAME, SAME]
    assert texts.compare(A, "another") is DIFFERENT


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a":1}', '{"a": 1}', True),
        ('{"a":1}', "", True),
        ('{"a":1}', '{"a":2}', False),
        ('{"a"', '{"a":1}', False),
        ("plain text", "plain text ", True),
    ],
)
def test_same_arguments(one, other, same):
    assert same_arguments(one, other) is same
