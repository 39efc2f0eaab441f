"""`import l0` is cheap and offers what it says."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import l0

SOURCE = Path(l0.__file__).read_text()
HEAVY = {"opentelemetry", "wrapt", "openai", "anthropic", "httpx", "httpx2", "pydantic", "jiter", "asyncio", "anyio"}


def test_import_loads_nothing_heavy() -> None:
    script = "import sys; before = set(sys.modules); import l0; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "l0" in loaded
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()


@pytest.mark.parametrize("name", l0.__all__)
def test_name_resolves(name: str) -> None:
    assert getattr(l0, name) is not None
    assert name in dir(l0)


def test_table_of_public_names_matches_the_module() -> None:
    assert sorted(l0.__all__) == sorted(l0._MODULES)


def test_type_checkers_see_the_same_homes() -> None:
    checked = {
        alias.name: "." + (node.module or "")
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert checked == l0._MODULES


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'l0' has no attribute 'nothing'"):
        _ = l0.nothing


def test_renamed_names_still_resolve_and_warn() -> None:
    with pytest.warns(DeprecationWarning, match="l0.Seam is now l0.ResumePoint"):
        assert l0.Seam is l0.ResumePoint
    with pytest.warns(DeprecationWarning, match=r"l0\.slo\.Standing is now l0\.slo\.SloStatus"):
        assert l0.slo.Standing is l0.slo.SloStatus
