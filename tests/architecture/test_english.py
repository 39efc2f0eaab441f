"""Docstrings say what a thing is or does, and texts use plain words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("src", "instrumentation", "scripts", "tests", "benchmarks", "examples")
SOURCES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
TEXTS = [*SOURCES, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
QUESTION_WORDS = ("What", "Whether", "Where", "How", "Who")
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


def unclear_docstrings(source: str) -> Iterator[str]:
    """Yield the docstrings that open with a question word, and those of classes and tests that open with 'Return'."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, DOCUMENTED):
            continue
        text = ast.get_docstring(node)
        first = text.split()[0] if text else ""
        is_test = not isinstance(node, ast.Module) and node.name.startswith("test_")
        returns_nothing = is_test or isinstance(node, ast.ClassDef)
        if text and (first in QUESTION_WORDS or (first == "Return" and returns_nothing)):
            yield text.splitlines()[0]


@pytest.mark.parametrize(
    "source",
    [
        '"""Whether it is open."""',
        'class Result:\n    """Return the result."""',
        'def test_reset():\n    """Return the exception."""',
    ],
)
def test_unclear_docstring_is_found(source: str) -> None:
    assert len(list(unclear_docstrings(source))) == 1
    assert list(unclear_docstrings('def result():\n    """Return the result."""')) == []


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    assert [f"{file.name}: {line}" for file in SOURCES for line in unclear_docstrings(file.read_text("utf-8"))] == []


@pytest.mark.parametrize("pattern", PLAIN_WORDS)
def test_texts_use_plain_words(pattern: str) -> None:
    found = re.compile(pattern)
    texts = {file: file.read_text("utf-8") for file in TEXTS if file.name not in EXEMPT}
    lines = {f"{file.relative_to(ROOT)}: {match[0]}" for file, text in texts.items() for match in found.finditer(text)}
    assert lines == set(), f"write: {PLAIN_WORDS[pattern]}"
