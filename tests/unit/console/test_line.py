"""Lines of styled text, wrapped to a width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.console.line import Line, columns


def texts(line: Line, width: int | None) -> list[str]:
    return ["".join(text for text, _ in row) for row in line.rows(width)]


def test_line_without_a_width_is_one_row() -> None:
    parts = (("a" * 300, ""), (" b", "bad"))
    assert list(Line(parts).rows(None)) == [parts]  # type: ignore[arg-type]


def test_line_breaks_at_spaces_and_hangs() -> None:
    line = Line((("one two three", ""),), hang="| ")
    assert texts(line, 8) == ["one two", "| three"]


def test_long_word_is_broken() -> None:
    assert texts(Line((("abcdefghij", ""),), hang=">"), 4) == ["abcd", ">efg", ">hij"]


def test_styles_stay_with_their_words() -> None:
    line = Line((("good ", "good"), ("bad news", "bad")), hang="  ")
    rows = [[part for part in row if part[0]] for row in line.rows(8)]
    assert rows == [[("good ", "good"), ("bad", "bad")], [("  ", "dim"), ("news", "bad")]]


@pytest.mark.parametrize(("text", "expected"), [("abc", 3), ("模型", 4), ("e\u0301", 1), ("✓↻", 2)])
def test_columns_of_a_terminal(text: str, expected: int) -> None:
    assert columns(text) == expected


def test_wide_characters_take_two_columns() -> None:
    assert texts(Line((("模型模型", ""),)), 5) == ["模型", "模型"]


@given(st.lists(st.text(alphabet="ab 模é", min_size=1)), st.integers(min_value=4, max_value=20))
def test_rows_fit_and_no_word_is_lost(words: list[str], width: int) -> None:
    line = Line(tuple((word, "") for word in words), hang=" ")  # type: ignore[misc]
    rows = texts(line, width)
    assert all(columns(row) <= width for row in rows)
    assert "".join(rows).replace(" ", "") == line.text.replace(" ", "")
