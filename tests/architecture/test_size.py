"""Functions are short and flat, a file has one public concept, and names are unique."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(file for room in ("src", "instrumentation", "scripts") for file in (ROOT / room).rglob("*.py"))
PACKAGES = [file for file in SOURCES if file.parent.name != "scripts"]
MAX_FUNCTION_LINES = 60
MAX_NESTING = 4
MAX_CONCEPTS = 2
DEEPER = {
    "async_driver.py:relay": 8,  # the loop over chunks: one function, so that a chunk costs no further call
    "sync_driver.py:relay": 8,  # the same
    "http.py:_read_chunks": 5,  # one state per part of a chunk
    "stream.py:_with_callbacks": 5,  # one block per callback
}
"""Functions that may be nested deeper, with their depth and the reason."""
MORE_CONCEPTS = {
    "async_deadlines.py": "the same reads under asyncio and trio, and their fixed deadline",
    "body_parser.py": "implementations of one protocol, one for each form of a body",
    "declared_sdks.py": "declarations of one kind, of a few lines each",
    "breaker.py": "a breaker, its permit and the table of breakers",
    "markup_signs.py": "three small counters with one interface",
    "migration.py": "the names of another package, which are nowhere else",
    "overlap.py": "implementations of one protocol, one for each way to resume",
    "spans.py": "an observer and the span of one call that it makes",
    "text_measures.py": "implementations of one protocol",
    "watchdog.py": "a thread, the deadline that it keeps and the reads that use it",
}
"""Files that may have more public classes, with the reason."""
PROVIDER_MODULES = {"describe", "instrumentor", "provider", "resuming"}
"""Every provider package has these."""
PLAIN_BASES = {"Protocol", "NamedTuple", "TypedDict", "Enum", "StrEnum", "IntEnum"}
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions of a source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def too_large(source: str) -> list[str]:
    """Return the functions of a source that are over the limit, with their sizes."""
    found = []
    for node in functions(source):
        length = (node.end_lineno or 0) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            found.append(f"{node.name}: {length} lines")
    return found


def nesting(node: ast.AST) -> int:
    """Return how many blocks are nested in a function. An `elif` is not deeper than its `if`."""
    deepest = 0
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, SCOPES) or not isinstance(child, ast.AST):
                continue
            is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and name == "orelse" and len(value) == 1
            deepest = max(deepest, nesting(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


def too_deep(source: str) -> dict[str, int]:
    """Return the functions of a source that are nested too deep, with their depth."""
    return {node.name: nesting(node) for node in functions(source) if nesting(node) > MAX_NESTING}


def is_plain(node: ast.ClassDef) -> bool:
    """Return True for a value, an enum, a protocol or an exception: those may stand beside a concept."""
    bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
    if bases & PLAIN_BASES or any(base.endswith(("Error", "Exception", "Warning")) for base in bases):
        return True
    return any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)


def concepts(source: str) -> set[str]:
    """Return the public classes of a source that are more than values. Sync and async twins count once."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and not is_plain(node)]
    return {node.name.removeprefix("Async") for node in classes if not node.name.startswith("_")}


def public_classes(file: Path) -> list[str]:
    body = ast.parse(file.read_text()).body
    return [node.name for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def repeated(named: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """Return the names that several files have, with these files."""
    homes: dict[str, list[str]] = defaultdict(list)
    for name, file in named:
        homes[name].append(str(file.relative_to(ROOT)))
    return {name: files for name, files in homes.items() if len(files) > 1}


def test_size_limit_catches_a_long_function() -> None:
    body = "    pass\n"
    assert too_large("async def f():\n" + body * 60) == ["f: 61 lines"]
    assert too_large("def f():\n" + body * 59) == []


@pytest.mark.parametrize(("depth", "found"), [(4, {}), (5, {"f": 5})])
def test_nesting_limit_catches_a_deep_function(depth: int, found: dict[str, int]) -> None:
    lines = ["def f():", *(" " * level + "if x:" for level in range(1, depth + 1)), " " * (depth + 1) + "pass"]
    assert too_deep("\n".join(lines)) == found
    assert too_deep("def f():\n if a: pass\n" + " elif b: pass\n" * 9) == {}


def test_concepts_are_counted_without_values_and_twins() -> None:
    values = "class A(Protocol): ...\n@dataclass(frozen=True)\nclass B: ...\nclass C(E, StrEnum): ...\nclass _D: ...\n"
    assert concepts(values + "class F: ...\nclass AsyncF: ...\nclass G(LookupError): ...\nclass H: ...") == {"F", "H"}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_are_small(file: Path) -> None:
    assert too_large(file.read_text()) == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_are_flat(file: Path) -> None:
    found = {f"{file.name}:{name}": depth for name, depth in too_deep(file.read_text()).items()}
    assert found == {name: depth for name, depth in DEEPER.items() if name.startswith(f"{file.name}:")}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_file_has_one_public_concept(file: Path) -> None:
    found = concepts(file.read_text())
    assert len(found) <= MAX_CONCEPTS or file.name in MORE_CONCEPTS, f"{file.name} has {sorted(found)}: split it"


def test_public_class_names_are_unique() -> None:
    assert repeated((name, file) for file in PACKAGES for name in public_classes(file)) == {}


def test_module_names_are_unique() -> None:
    found = repeated((file.stem, file) for file in PACKAGES if file.stem != "__init__")
    assert {name: files for name, files in found.items() if name not in PROVIDER_MODULES} == {}
