"""Functions stay small enough to be read at one sitting."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(file for room in ("src", "instrumentation", "scripts") for file in (ROOT / room).rglob("*.py"))
MOST_LINES_OF_A_FUNCTION = 60


def too_large(source: str) -> list[str]:
    """Return the functions of a source that are over the limit, with their sizes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                found.append(f"{node.name}: {length} lines")
    return found


def test_size_limit_catches_a_long_function() -> None:
    body = "    pass\n"
    assert too_large("async def f():\n" + body * 60) == ["f: 61 lines"]
    assert too_large("def f():\n" + body * 59) == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_are_small(file: Path) -> None:
    assert too_large(file.read_text()) == []
