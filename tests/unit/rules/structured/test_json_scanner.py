"""The scanner's status of every prefix, compared with real parsers, for any chunk boundaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import needs_traffic
from structured_kit import OWN, PUBLIC, continuable, pieces, recorded, whole

from l0.rules.structured.json_scanner import JsonScanner, ScanStatus

BROKEN, EMPTY, INSIDE, COMPLETE = ScanStatus.BROKEN, ScanStatus.EMPTY, ScanStatus.INSIDE, ScanStatus.COMPLETE


def scan(*parts: str) -> JsonScanner:
    scanner = JsonScanner()
    for part in parts:
        scanner.feed(part)
    return scanner


def state(scanner: JsonScanner) -> tuple[object, ...]:
    return scanner.status, scanner.at, scanner.reason, scanner.open, scanner.in_string, scanner.in_escape


def expected(text: str) -> ScanStatus:
    """Return the status of a text according to real parsers."""
    if not text.strip(" \t\r\n"):
        return EMPTY
    if whole(text):
        return COMPLETE
    return INSIDE if continuable(text) else BROKEN


@pytest.mark.parametrize("text", [*PUBLIC, *OWN])
def test_scanner_status_of_every_prefix_matches_real_parsers(text: str) -> None:
    scanner = JsonScanner()
    assert scanner.status is EMPTY
    for end in range(1, len(text) + 1):
        scanner.feed(text[end - 1])
        assert scanner.status is expected(text[:end]), (text[:end], scanner.reason)


@needs_traffic
def test_scanner_status_of_recorded_json_is_complete_only_at_its_end() -> None:
    assert len(recorded()) > 5_000
    for text in recorded():
        scanner = JsonScanner()
        for char in text[:-1]:
            scanner.feed(char)
            assert scanner.status is INSIDE, text[: scanner.at]
        scanner.feed(text[-1])
        assert scanner.status is (COMPLETE if whole(text) else BROKEN), text


@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        ("[1,]", "a value was expected", 3),
        ('{"a":1,}', "a key in double quotes was expected", 7),
        ("{a:1}", "a key in double quotes or } was expected", 1),
        ('{"a" 1}', "a colon was expected", 5),
        ("[1 2]", "a comma or a closing bracket was expected", 3),
        ("[1}", "a closing bracket that does not match", 2),
        ("[]]", "extra text after the value", 2),
        ("1,", "extra text after the value", 1),
        ('"a\nb"', "a control character in a string", 2),
        ('{"a\nb"', "a control character in a key", 3),
        ('"\\x', "an invalid escape", 2),
        ('"\\u12g', "an invalid escape", 5),
        ("[01]", "a malformed number", 2),
        ("[nil]", "an invalid literal", 2),
    ],
)
def test_scanner_error_has_a_place_and_a_reason(text: str, reason: str, at: int) -> None:
    scanner = scan(text, "more")
    assert (scanner.status, scanner.reason, scanner.at) == (BROKEN, reason, at)
    assert scanner.feed("still more") == 0
    assert scanner.feed("still more", 2) == 2


@pytest.mark.parametrize(
    ("text", "open_", "in_string", "in_escape"),
    [
        ("[", "[", False, False),
        ('{"a":[{"b', "{[{", True, False),
        ('{"a":[{"b\\', "{[{", True, True),
        ('["\\u00', "[", True, True),
        ('["\\u00e9', "[", True, False),
        ('["a"', "[", False, False),
        ("[[],{}", "[", False, False),
        ("[]", "", False, False),
    ],
)
def test_scanner_tracks_open_brackets_and_strings(text: str, open_: str, in_string: bool, in_escape: bool) -> None:
    scanner = scan(*text)
    assert (scanner.open, scanner.depth) == (open_, len(open_))
    assert (scanner.in_string, scanner.in_escape) == (in_string, in_escape)


@pytest.mark.parametrize("text", ['{"a":1} and more', "[]]", "12, and", "12]", "true\nthen", '"a""b"'])
def test_scanner_stops_after_a_value_that_is_not_alone(text: str) -> None:
    scanner = JsonScanner(alone=False)
    consumed = scanner.feed(text)
    assert scanner.status is COMPLETE
    assert whole(text[:consumed])
    assert scanner.feed(text[consumed:]) == 0


def test_scanner_has_no_nesting_limit() -> None:
    assert scan("[" * 100_000).depth == 100_000
    assert scan("[" * 100_000, "]" * 100_000).status is COMPLETE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
broken_texts = st.text(alphabet="{}[]\",:\\u0019e.-+ \ntruefalsn'/ax", max_size=30) | st.sampled_from((*PUBLIC, *OWN))


@given(broken_texts, st.lists(st.integers(0, 60), max_size=6))
def test_scanner_ignores_chunk_boundaries(text: str, cuts: list[int]) -> None:
    assert state(scan(*pieces(text, cuts))) == state(scan(text))


@given(broken_texts)
def test_scanner_status_of_any_text_matches_real_parsers(text: str) -> None:
    assert scan(text).status is expected(text)


@given(json_values, st.sampled_from([None, 2]), st.booleans())
def test_scanner_accepts_serialized_json(value: object, indent: int | None, ascii_only: bool) -> None:
    import json

    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert scan(text).status is COMPLETE
