"""Equality and similarity of answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.orchestration.consensus.similarity import by_characters, check_available, equal, likeness, unequal_texts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=3), parts, max_size=4),
    max_leaves=12,
)


def never(left, right):
    return 0.0


@given(JSON)
def test_likeness_of_a_value_to_itself_is_one(value):
    assert equal(value, value)
    assert likeness(value, value, never) == 1.0


@given(JSON, JSON)
def test_likeness_is_symmetric_and_bounded(left, right):
    assert equal(left, right) == equal(right, left)
    assert likeness(left, right, never) == pytest.approx(likeness(right, left, never))
    assert 0 <= likeness(left, right, never) <= 1
    assert not equal(left, right) or likeness(left, right, never) == 1.0


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (True, 1, False),
        (0, False, False),
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        ("a  b\n", "a b", True),
        ("a", "A", False),
        ([1, 2], (1, 2), True),
        ([1, 2], [2, 1], False),
        ("ab", ["a", "b"], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": None}, {}, False),
        (None, 0, False),
    ],
)
def test_equality_of_values(left, right, same):
    assert equal(left, right) is same


@pytest.mark.parametrize(
    ("left", "right", "share"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, 0.5),
        ({"a": 1}, {"a": 1, "b": 3, "c": 4, "d": 5}, 0.25),
        ([1, 2, 3, 4], [1, 2, 3], 0.75),
        ({"a": [1, 2]}, {"a": [1, 3]}, 0.5),
        ([1], {"a": 1}, 0.0),
        ("text", 5, 0.0),
    ],
)
def test_likeness_of_structures_is_the_mean_of_their_parts(left, right, share):
    assert likeness(left, right, never) == share


def test_equality_ends_at_the_first_difference():
    class Never(dict):
        def __getitem__(self, key):
            raise AssertionError("looked at")

    assert not equal([1, Never(a=1)], [2, Never(a=1)])


@pytest.mark.parametrize(
    ("left", "right", "least", "most"),
    [
        ("The capital is Paris.", "The capital is Paris", 0.95, 1.0),
        ("Paris", "London", 0.0, 0.4),
        ("June 18, 1815", "June 18, 1805", 0.0, 0.0),
        ("about 3.5 million", "about 35 million", 0.0, 0.0),
        ("Version 2 is out.", "Version 2 is out!", 0.9, 1.0),
    ],
)
def test_likeness_of_texts_by_characters(left, right, least, most):
    pytest.importorskip("rapidfuzz", reason="the extra `text` is not installed")
    assert least <= by_characters(left, right) <= most


def test_unequal_texts_of_two_structures():
    left, right = {"a": "x", "b": ["y", 1], "c": "same"}, {"a": "z", "b": ["w", 2], "c": "same", "d": "more"}
    assert set(unequal_texts(left, right)) == {("x", "z"), ("y", "w")}


def test_import_error_names_the_text_extra(monkeypatch):
    monkeypatch.setattr("l0.orchestration.consensus.similarity.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"l0-otel\[text\]"):
        check_available()
