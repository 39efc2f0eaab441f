"""Segments: their boundaries and fields, independent of the chunks in which the text arrives."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.rules.drift.segments import MAX_SEGMENT, Segment, Segmenter, in_quotation

TEXTS = st.text(alphabet=st.sampled_from('ab. \n!?…"“„)*`~é。|#'), max_size=700)


def segments(*pieces: str) -> list[Segment]:
    segmenter = Segmenter()
    found = [segment for piece in pieces for segment in segmenter.feed(piece)]
    return [*found, *segmenter.finish()]


def texts(text: str) -> list[str]:
    return [segment.text for segment in segments(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("One. Two!  Three", ["One. ", "Two! ", " Three"]),
        ("He said (yes.) Then left", ["He said (yes.) ", "Then left"]),
        ("a line\nanother\n\n\nlast", ["a line\n", "another\n", "last"]),
        ("3.14 is not an end", ["3.14 is not an end"]),
        ("今日は雨。明日は晴れ。", ["今日は雨。", "明日は晴れ。"]),
        ("x" * (MAX_SEGMENT + 5), ["x" * MAX_SEGMENT, "x" * 5]),
        ("word " * 60, [("word " * 60)[:255], ("word " * 60)[255:]]),
    ],
)
def test_segments_are_sentences_and_lines(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@given(TEXTS, st.lists(st.integers(0, 700), max_size=12))
def test_segments_do_not_depend_on_chunk_boundaries(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[begin:end] for begin, end in pairwise(places)]
    assert segments(*pieces) == segments(text) == segments(*text)


@given(TEXTS)
def test_segments_are_the_text_without_its_empty_lines(text: str) -> None:
    for segment in segments(text):
        assert text[segment.at : segment.at + len(segment.text)] == segment.text
        assert 0 < len(segment.text) <= MAX_SEGMENT
        assert segment.starts_line == (segment.at == 0 or text[segment.at - 1] == "\n")
    joined = "".join(segment.text for segment in segments(text))
    assert re.sub(r"\n+", "\n", joined).strip("\n") == re.sub(r"\n+", "\n", text).strip("\n")


def test_code_block_ends_only_at_its_own_fence() -> None:
    text = "talk\n````python title\nx = 1\n```\n````\ntalk\n~~~\nopen"
    assert [segment.code_language for segment in segments(text)] == [None, *["python"] * 4, None, "", ""]


def test_fence_inside_a_sentence_does_not_open_a_code_block() -> None:
    assert [segment.code_language for segment in segments("Write ```python to begin. Then\ncode")] == [None, None, None]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('He said "no. Never." Then', [False, True, False]),
        ("Er rief: „Nein. Nie.“ Dann", [False, True, False]),
        ("Dijo: «No. Nunca». Luego", [False, True, False]),
        ('an open " mark. ends\nwith its line', [False, True, False]),
        ("> quoted. Still quoted.\nnot quoted", [True, True, False]),
        ("say “this. And” that. No", [False, True, False]),
    ],
)
def test_quotation_spans_sentences(text: str, quoted: list[bool]) -> None:
    assert [segment.quoted for segment in segments(text)] == quoted


@pytest.mark.parametrize(
    ("text", "inside"), [('a "b', True), ('a "b" c', False), ("»a« b", False), ("„a", True), ("plain", False)]
)
def test_in_quotation(text: str, inside: bool) -> None:
    assert in_quotation(text, len(text)) is inside
    assert in_quotation(text, 0) is False
