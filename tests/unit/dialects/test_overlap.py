"""Joining of a new attempt's text to the delivered text: nothing is lost or repeated, whatever the pieces."""

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from l0.dialects.overlap import (
    MIN_OVERLAP,
    Diverged,
    ExactReplay,
    OverlapMatcher,
    PrefillContinuation,
    SplicedContinuation,
    overlap,
    overlap_matcher,
)

texts = st.text(alphabet="ab \u00e9\U0001f600", max_size=80)
cuttings = st.lists(st.integers(0, 400), max_size=30)
prose = st.text(alphabet="abcdefghijklmnopqrstuvwxyz .,", min_size=0, max_size=400)
long_prose = st.text(alphabet="abcdefghijklmnopqrstuvwxyz .,", min_size=MIN_OVERLAP, max_size=400)


def pieces(text: str, places: list[int]) -> list[str]:
    """Split a text into pieces at any places, including empty pieces."""
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def joined(made: OverlapMatcher, text: str, places: list[int]) -> str:
    """Return the text that the user gets from ``text``."""
    return "".join(made.pass_on(piece) for piece in pieces(text, places)) + made.flush()


# Exact replay


@given(before=texts, after=texts, places=cuttings)
@settings(max_examples=200)
def test_replay_drops_the_text_up_to_the_break(before, after, places):
    assert joined(ExactReplay(before), before + after, places) == after


@given(before=texts, other=texts, places=cuttings)
@settings(max_examples=200)
def test_replay_diverges_before_new_text_is_delivered(before, other, places):
    made, shown = ExactReplay(before), ""
    if other.startswith(before):
        return
    with pytest.raises(Diverged):
        for piece in pieces(other, places):
            shown += made.pass_on(piece)
        made.flush()
    assert shown == ""


@given(before=texts.filter(bool), places=cuttings)
@settings(max_examples=80)
def test_shorter_replay_diverges(before, places):
    made = ExactReplay(before)
    for piece in pieces(before[:-1], places):
        assert made.pass_on(piece) == ""
    assert not made.reached
    with pytest.raises(Diverged):
        made.flush()


def test_replay_reached():
    made = ExactReplay("ab")
    assert not made.reached
    assert (made.pass_on("a"), made.reached) == ("", False)
    assert (made.pass_on("bc"), made.reached) == ("c", True)
    assert ExactReplay("").reached


# Continuation from a prefill


def prefilled(before: str, text: str, places: list[int], *, stripped: bool = True) -> str:
    """Return the text that the user gets from ``text``."""
    return joined(PrefillContinuation(before, stripped=stripped), text, places)


@given(before=texts, text=texts, places=cuttings)
def test_prefill_continuation_is_all_new(before, text, places):
    assume(len(before) < MIN_OVERLAP or not text.startswith(before.rstrip()))
    assert prefilled(before.rstrip(), text, places) == text
    assert prefilled(before, text, places, stripped=False) == text


@given(before=texts, text=texts.filter(lambda text: text == text.lstrip()), places=cuttings)
def test_prefill_continuation_may_repeat_white_space(before, text, places):
    space = before[len(before.rstrip()) :]
    assume(len(before) < MIN_OVERLAP or not (space + text).startswith(before.rstrip()))
    assume(len(before) < MIN_OVERLAP or not text.startswith(before.rstrip()))
    assert prefilled(before, space + text, places) == text
    assert prefilled(before, text, places) == text


def test_prefill_continuation_drops_only_delivered_white_space():
    assert prefilled("a\n", "\n\nb", [1, 2]) == "\nb"
    assert prefilled("a\n\n", "\n b", [1]) == " b"
    assert prefilled("a", " b", [1]) == " b"


def test_prefill_continuation_keeps_white_space_after_that_in_the_request():
    assert prefilled("First paragraph.\n", "\nSecond", [1], stripped=False) == "\nSecond"


@pytest.mark.parametrize("stripped", [True, False])
@given(before=long_prose.filter(lambda text: text.strip()), after=prose, places=cuttings)
def test_prefill_continuation_drops_the_repeated_prefill(stripped, before, after, places):
    assert prefilled(before, before + after, places, stripped=stripped) == after
    after = after.lstrip()
    assert prefilled(before, before.rstrip() + after, places, stripped=stripped) == after


def test_prefill_continuation_keeps_part_of_a_repetition():
    before = "The harbour wakes before the town"
    assert prefilled(before, "The harbour wakes", [4]) == "The harbour wakes"
    assert prefilled(before, "The harbour sleeps", [4, 14]) == "The harbour sleeps"
    assert prefilled("ha ha", "ha ha", [2]) == "ha ha"


# Continuation by instruction (splice)


def spliced(before: str, text: str, places: list[int]) -> str | None:
    """Return the text that the user gets from ``text``, or ``None`` if the answer diverges."""
    try:
        return joined(SplicedContinuation(before), text, places)
    except Diverged:
        return None


@given(before=long_prose, after=prose, repeated=st.integers(MIN_OVERLAP, 300), places=cuttings)
@settings(max_examples=300)
def test_splice_removes_an_overlap(before, after, repeated, places):
    again = before[-repeated:]
    assume(overlap(before, again + after) == len(again))
    assert spliced(before, again + after, places) == after


@given(before=prose.filter(bool), after=prose, places=cuttings)
@settings(max_examples=200)
def test_splice_drops_an_answer_repeated_from_the_start(before, after, places):
    assert spliced(before, before + after, places) == after


@given(before=prose, text=prose, places=cuttings)
@settings(max_examples=300)
def test_splice_does_not_depend_on_pieces(before, text, places):
    assert spliced(before, text, places) == spliced(before, text, [])


@given(before=long_prose, repeated=st.integers(0, 60), after=prose, places=cuttings)
@settings(max_examples=200)
def test_splice_removes_only_the_end_of_the_delivered_text(before, repeated, after, places):
    text = before[max(len(before) - repeated, 0) :] + after
    new_text = spliced(before, text, places)
    if new_text is None:  # it begins like the answer, and then differs
        assert text[:MIN_OVERLAP] == before[:MIN_OVERLAP]
        return
    removed = text[: len(text) - len(new_text)]
    assert text == removed + new_text
    assert before.endswith(removed)
    assert not removed or len(removed) >= min(MIN_OVERLAP, len(before))


def test_splice_diverges_from_a_different_answer():
    before = "The tide forgets the names we wrote, the gulls"
    assert spliced(before, "The tide forgets all that we ever said.", [3, 9]) is None
    assert spliced(before, "The tide forgets the names", []) is None
    space = " " * 20
    code = f"{space}first = 1\n{space}second = 2\n{space}"
    assert spliced(code, f"{space}first = 1\n{space}other = 3", []) is None
    assert spliced(before, "The tide rises.", []) == "The tide rises."


@given(before=st.text("xyz", min_size=1, max_size=50), after=st.text("uvw", max_size=50), places=cuttings)
@settings(max_examples=100)
def test_splice_keeps_text_without_overlap(before, after, places):
    assert spliced(before, after, places) == after


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("He laughed: ha ha", " ha ha!", " ha ha!"),  # an intended repetition
        ("He laughed: ha ha", "ha ha ha!", "ha ha ha!"),
        ("no, no, no, no, ", "no, no, no.", "no, no, no."),
        (
            "The harbour wakes before",
            " wakes before the town",
            " wakes before the town",
        ),  # 13 characters: kept, as it is below the minimum
        ("The harbour wakes before", "harbour wakes before the town", " the town"),
        ("The harbour wakes before", "The harbour wakes before the town", " the town"),
        ("Short", "Short and sweet", " and sweet"),  # repeats the text from the start
        ("One, two, three", "", ""),
        ("x" * 300, "x" * 256 + "y", "y"),
        ("- item\n" * 8, "- item\n" * 3 + "- last\n", "- last\n"),
        ("-" * 20 + "\nTable", "-" * 18 + "\nTable of tides", " of tides"),  # repeats the end, which equals the start
    ],
)
def test_splice_examples(before, after, expected):
    for places in ([], range(300)):
        assert joined(SplicedContinuation(before), after, list(places)) == expected


def test_splice_detects_a_long_answer_repeated_from_the_start():
    """The repeated text is longer than the window. No part of it may be delivered as new text."""
    before = "".join(f"Sentence number {number} of a long answer. " for number in range(40))
    made = SplicedContinuation(before)
    assert joined(made, before + "And the rest.", list(range(0, 2000, 7))) == "And the rest."


def test_splice_finds_an_overlap_of_a_thousand_characters():
    before = "".join(f"Sentence number {number} of a long answer. " for number in range(100))
    assert spliced(before, before[-1000:] + "And the rest.", list(range(0, 2000, 7))) == "And the rest."


def test_joint_of_each_strategy():
    assert isinstance(overlap_matcher("exact", "a"), ExactReplay)
    assert isinstance(overlap_matcher("prefill", "a"), PrefillContinuation)
    assert isinstance(overlap_matcher("splice", "a"), SplicedContinuation)


repetitive = st.text("ab", max_size=80)


@given(before=prose | repetitive, after=prose | repetitive)
@settings(max_examples=300)
def test_overlap_is_the_longest(before, after):
    found = overlap(before, after)
    assert before.endswith(after[:found])
    for longer in range(max(found + 1, MIN_OVERLAP), min(len(before), len(after)) + 1):
        assert not before.endswith(after[:longer])
