"""Docstrings say what a thing is or does, and texts use plain words."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("src", "instrumentation", "scripts", "tests", "benchmarks", "examples")
SOURCES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
UNCLEAR = re.compile(
    # a question word in place of a verb or a noun, or a class or test that "returns" something
    r'^ *"""(?:What|Whether|Where|How|Who)\b.*'
    r'|^ *(?:class \w+.*|(?:async )?def test_\w+\([^)]*\).*):\n +"""Return\b.*',
    re.MULTILINE,
)
PLAIN_WORDS = {
    r"\bof (its|their|your|one's) own\b(?! \w)": "its own X, a separate X, or X",
    r"\b[Aa]n UR[IL]\b": "a URL",
    r"\bfor ever\b": "forever; for a fault: every request",
    r"\bReturn (true|whether)\b": "Return True if",
}
"""Patterns that no source, test or page contains, with the words to use instead."""
EXEMPT = {
    "test_english.py": "the patterns",
    "test_drift_rule.py": "the text of an answer",
    "test_fallback.py": "the text of an answer",
    "test_parameters.py": "the name of a case",
}


@cache
def text_of(file: Path) -> str:
    return file.read_text("utf-8")


@pytest.mark.parametrize(
    "source",
    [
        '"""Whether it is open."""',
        'class Result:\n    """Return the result."""',
        'def test_reset(\n    sync: bool,\n) -> None:\n    """Return the exception."""',
    ],
)
def test_unclear_docstring_is_found(source: str) -> None:
    assert UNCLEAR.search(source)
    assert not UNCLEAR.search('class Result:\n    def get() -> int:\n        """Return the result."""')


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    found = {file.name: UNCLEAR.findall(text_of(file)) for file in SOURCES}
    assert {name: docstrings for name, docstrings in found.items() if docstrings} == {}


@pytest.mark.parametrize("pattern", PLAIN_WORDS)
def test_texts_use_plain_words(pattern: str) -> None:
    found = re.compile(pattern)
    files = [file for file in (*SOURCES, *PAGES) if file.name not in EXEMPT]
    matches = {str(file.relative_to(ROOT)): match[0] for file in files if (match := found.search(text_of(file)))}
    assert matches == {}, f"write: {PLAIN_WORDS[pattern]}"


CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
ONE_TERM = re.compile(r"(?<!\*time to )(?<!\*)\bfirst[- ]tokens?\b", re.IGNORECASE)
"""A term with two meanings. In italics it is quoted: the name that others, or a label, give it."""


def test_pages_tell_the_first_chunk_of_a_call_from_the_first_content_of_an_attempt() -> None:
    found = {file.name: ONE_TERM.findall(CODE.sub("`", text_of(file))) for file in PAGES}
    assert {name: words for name, words in found.items() if words} == {}, "write: first chunk, or first content"


def test_pages_have_no_doubled_words() -> None:
    doubled = re.compile(r"\b([a-zA-Z]{2,})\s+\1\b")
    found = {file.name: doubled.findall(CODE.sub("`", text_of(file))) for file in PAGES}
    assert {name: words for name, words in found.items() if words} == {}
