"""Where a new attempt's text meets what the user has: nothing lost, nothing twice, however it is cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from l0.wire.joining import LEAST_OVERLAP, Continued, Diverged, Joint, Replayed, Spliced, joint, overlap

texts = st.text(alphabet="ab \u00e9\U0001f600", max_size=80)
cuttings = st.lists(st.integers(0, 400), max_size=30)
prose = st.text(alphabet="abcdefghijklmnopqrstuvwxyz .,", min_size=0, max_size=400)
told = st.text(alphabet="abcdefghijklmnopqrstuvwxyz .,", min_size=LEAST_OVERLAP, max_size=400)


def pieces(text: str, places: list[int]) -> list[str]:
    """Any cutting of a text, empty pieces included."""
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def joined(made: Joint, text: str, places: list[int]) -> str:
    """What a user gets of ``text``."""
    return "".join(made.pass_on(piece) for piece in pieces(text, places)) + made.flush()


# The same answer again


@given(before=texts, after=texts, places=cuttings)
@settings(max_examples=200)
def test_the_same_answer_again_is_swallowed_up_to_where_it_broke(before, after, places):
    assert joined(Replayed(before), before + after, places) == after


@given(before=texts, other=texts, places=cuttings)
@settings(max_examples=200)
def test_another_answer_is_noticed_before_any_of_it_is_shown(before, other, places):
    made, shown = Replayed(before), ""
    if other.startswith(before):
        return
    with pytest.raises(Diverged):
        for piece in pieces(other, places):
            shown += made.pass_on(piece)
        made.flush()
    assert shown == ""


@given(before=texts.filter(bool), places=cuttings)
@settings(max_examples=80)
def test_an_answer_that_is_shorter_the_second_time_is_another_one(before, places):
    made = Replayed(before)
    for piece in pieces(before[:-1], places):
        assert made.pass_on(piece) == ""
    assert not made.reached
    with pytest.raises(Diverged):
        made.flush()


def test_how_far_it_has_come():
    made = Replayed("ab")
    assert not made.reached
    assert (made.pass_on("a"), made.reached) == ("", False)
    assert (made.pass_on("bc"), made.reached) == ("c", True)
    assert Replayed("").reached


# The model's own continuation


@given(before=texts, text=texts, places=cuttings)
def test_a_continuation_after_a_prefill_is_all_new(before, text, places):
    assert joined(Continued(before.rstrip()), text, places) == text


@given(before=texts, text=texts.filter(lambda text: text == text.lstrip()), places=cuttings)
def test_white_space_that_was_not_sent_may_come_again_or_not(before, text, places):
    stripped = before[len(before.rstrip()) :]
    assert joined(Continued(before), stripped + text, places) == text
    assert joined(Continued(before), text, places) == text


def test_no_more_white_space_is_swallowed_than_the_user_has():
    assert joined(Continued("a\n"), "\n\nb", [1, 2]) == "\nb"
    assert joined(Continued("a\n\n"), "\n b", [1]) == " b"
    assert joined(Continued("a"), " b", [1]) == " b"


# A continuation by instruction


def spliced(before: str, text: str, places: list[int]) -> str | None:
    """What a user gets of ``text``; ``None`` where it is another answer."""
    try:
        return joined(Spliced(before), text, places)
    except Diverged:
        return None


@given(before=told, after=prose, repeated=st.integers(LEAST_OVERLAP, 300), places=cuttings)
@settings(max_examples=300)
def test_an_overlap_is_removed_wherever_it_begins(before, after, repeated, places):
    again = before[-repeated:]
    assume(overlap(before, again + after) == len(again))
    assert spliced(before, again + after, places) == after


@given(before=prose.filter(bool), after=prose, places=cuttings)
@settings(max_examples=200)
def test_an_answer_that_begins_from_the_start_is_swallowed_to_where_it_broke(before, after, places):
    assert spliced(before, before + after, places) == after


@given(before=prose, text=prose, places=cuttings)
@settings(max_examples=300)
def test_the_cutting_into_pieces_changes_nothing(before, text, places):
    assert spliced(before, text, places) == spliced(before, text, [])


@given(before=told, repeated=st.integers(0, 60), after=prose, places=cuttings)
@settings(max_examples=200)
def test_what_is_removed_is_the_end_of_what_the_user_has(before, repeated, after, places):
    text = before[max(len(before) - repeated, 0) :] + after
    whole = spliced(before, text, places)
    if whole is None:  # it begins as the answer does, and then says something else
        assert text[:LEAST_OVERLAP] == before[:LEAST_OVERLAP]
        return
    removed = text[: len(text) - len(whole)]
    assert text == removed + whole
    assert before.endswith(removed)
    assert not removed or len(removed) >= min(LEAST_OVERLAP, len(before))


def test_an_answer_that_begins_as_the_first_did_and_goes_on_otherwise_is_not_mixed_in():
    before = "The tide forgets the names we wrote, the gulls"
    assert spliced(before, "The tide forgets all that we ever said.", [3, 9]) is None
    assert spliced(before, "The tide forgets the names", []) is None
    assert spliced(before, "The tide rises.", []) == "The tide rises."


@given(before=st.text("xyz", min_size=1, max_size=50), after=st.text("uvw", max_size=50), places=cuttings)
@settings(max_examples=100)
def test_what_does_not_overlap_is_kept(before, after, places):
    assert spliced(before, after, places) == after


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("He laughed: ha ha", " ha ha!", " ha ha!"),  # a repetition that is meant
        ("He laughed: ha ha", "ha ha ha!", "ha ha ha!"),
        ("no, no, no, no, ", "no, no, no.", "no, no, no."),
        ("The harbour wakes before", " wakes before the town", " wakes before the town"),  # 13 characters: kept
        ("The harbour wakes before", "harbour wakes before the town", " the town"),
        ("The harbour wakes before", "The harbour wakes before the town", " the town"),
        ("Short", "Short and sweet", " and sweet"),  # began from the start
        ("One, two, three", "", ""),
        ("x" * 300, "x" * 256 + "y", "y"),
        ("-" * 20 + "\nTable", "-" * 18 + "\nTable of tides", " of tides"),  # it begins as it repeats
    ],
)
def test_repetition_and_overlap(before, after, expected):
    for places in ([], range(300)):
        assert joined(Spliced(before), after, list(places)) == expected


def test_a_long_answer_that_begins_from_the_start_again_is_noticed():
    """Its end is beyond the window: nothing of it may be shown as if it were new."""
    before = "".join(f"Sentence number {number} of a long answer. " for number in range(40))
    made = Spliced(before)
    assert joined(made, before + "And the rest.", list(range(0, 2000, 7))) == "And the rest."


def test_an_overlap_of_a_thousand_characters_is_found():
    before = "".join(f"Sentence number {number} of a long answer. " for number in range(100))
    assert spliced(before, before[-1000:] + "And the rest.", list(range(0, 2000, 7))) == "And the rest."


def test_strategies_have_their_joints():
    assert isinstance(joint("exact", "a"), Replayed)
    assert isinstance(joint("prefill", "a"), Continued)
    assert isinstance(joint("splice", "a"), Spliced)


@given(before=prose, after=prose)
def test_no_longer_overlap_exists(before, after):
    found = overlap(before, after)
    assert before.endswith(after[:found])
    for longer in range(max(found + 1, LEAST_OVERLAP), min(len(before), len(after)) + 1):
        assert not before.endswith(after[:longer])
