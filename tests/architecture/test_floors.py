"""Rules of the layers that import-linter (`make contracts`) cannot express."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VALUES = sorted((ROOT / "src/l0/model").rglob("*.py"))


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports absolutely, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_import_finder_sees_every_form_of_import(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text("import a.b\ndef f():\n    from c.d import e\n    from .here import g\n")
    assert imported(file) == {"a", "c"}


@pytest.mark.parametrize("file", VALUES, ids=lambda file: file.name)
def test_model_imports_only_the_standard_library(file: Path) -> None:
    assert imported(file) <= sys.stdlib_module_names | {"l0"}
