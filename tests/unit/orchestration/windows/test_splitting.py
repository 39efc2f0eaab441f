"""Window cutting: windows are parts of the document, cover it, respect the size, and end at boundaries."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.orchestration.windows.splitting import BOUNDARIES, cut
from l0.orchestration.windows.text_measures import CharacterMeasure, EstimatedTokenMeasure, TokenMeasure

WORDS = [
    "a",
    "bc",
    "word",
    "Hello",
    "東京",
    "é",
    "👍",
    " ",
    "  ",
    "\n",
    "\n\n",
    ". ",
    "! ",
    "。",
    "Mr. ",
    "\n \n",
    "x" * 30,
]
DOCUMENTS = st.lists(st.sampled_from(WORDS), max_size=120).map("".join)
UNITS = {
    "characters": CharacterMeasure(),
    "estimate": EstimatedTokenMeasure(),
    "tokenizer": TokenMeasure(str.split),
    "counter": TokenMeasure(len),
}


def windows(document, strategy="token", size=10, overlap=0, unit=UNITS["characters"], piece=7):
    pieces = (document[at : at + piece] for at in range(0, len(document), piece))
    return list(cut(pieces, strategy, size, overlap, unit))


@given(
    document=DOCUMENTS,
    size=st.integers(1, 30),
    share=st.floats(0, 0.99),
    strategy=st.sampled_from(list(BOUNDARIES)),
    unit=st.sampled_from(list(UNITS)),
    piece=st.integers(1, 50),
)
def test_windows_cover_the_document(document, size, share, strategy, unit, piece):
    overlap, measure = int(size * share), UNITS[unit]
    found = windows(document, strategy, size, overlap, measure, piece)
    assert overlap or "".join(text for _, text in found) == document
    ends = [start + len(text) for start, text in found]
    assert ends == sorted(set(ends))
    assert ends[-1:] == ([len(document)] if document else [])
    for start, text in found:
        assert document[start : start + len(text)] == text
        assert measure.count(text) <= size or len(text) == 1
    for (start, text), (following, _) in pairwise(found):
        assert start < following <= start + len(text)
        assert measure.count(document[following : start + len(text)]) <= overlap


@given(document=DOCUMENTS, piece=st.integers(1, 50), strategy=st.sampled_from(list(BOUNDARIES)))
def test_windows_do_not_depend_on_the_pieces_of_the_document(document, piece, strategy):
    expected = windows(document, strategy, 12, 3, UNITS["estimate"], piece=10_000)
    assert windows(document, strategy, 12, 3, UNITS["estimate"], piece) == expected


TABLE = [
    ("char", 4, 0, "abcdefgh", ["abcd", "efgh"]),
    ("char", 4, 1, "abcdefgh", ["abcd", "defg", "gh"]),
    ("token", 12, 0, "one two three four", ["one two ", "three four"]),
    ("token", 12, 6, "one two three four", ["one two ", "two three ", "three four"]),
    ("token", 4, 0, "abcdefgh", ["abcd", "efgh"]),
    ("sentence", 20, 0, "It rains. It pours. Mr. Old snores.", ["It rains. It pours. ", "Mr. Old snores."]),
    ("sentence", 20, 10, "It rains. It pours. He sleeps.", ["It rains. It pours. ", "It pours. He sleeps."]),
    ("sentence", 20, 0, "J. S. Bach wrote it. All of it.", ["J. S. Bach wrote it.", " All of it."]),
    ("sentence", 21, 0, "J. S. Bach wrote it. All of it.", ["J. S. Bach wrote it. ", "All of it."]),
    ("sentence", 8, 0, "天気。明日は雨。", ["天気。明日は雨。"]),
    ("sentence", 7, 0, "天気。明日は雨。", ["天気。", "明日は雨。"]),
    ("paragraph", 12, 0, "one\n\ntwo\n\nthree is longer", ["one\n\ntwo\n\n", "three is ", "longer"]),
    ("paragraph", 14, 6, "one\n\ntwo two\n\nthree three", ["one\n\ntwo two\n\n", "three three"]),
    ("paragraph", 14, 9, "one\n\ntwo two\n\nend", ["one\n\ntwo two\n\n", "two two\n\nend"]),
]


@pytest.mark.parametrize(("strategy", "size", "overlap", "document", "expected"), TABLE)
def test_window_boundaries(strategy, size, overlap, document, expected):
    assert [text for _, text in windows(document, strategy, size, overlap)] == expected


def test_windows_of_an_infinite_document():
    def endless():
        while True:
            yield "word " * 100

    found = cut(endless(), "token", 50, 5, UNITS["estimate"])
    assert [next(found)[0] for _ in range(3)] == [0, 180, 360]
