"""`import l0` is cheap and offers what it says."""

import ast
import re
import subprocess
import sys
from importlib.metadata import version
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


def test_reference_has_every_public_name() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    assert set(l0.__all__) <= set(re.findall(r"^::: l0\.(\w+)$", page, re.MULTILINE))


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


CLASH = """
import asyncio
{imports}
l0.instrument()
with l0.policy(timeout=l0.Timeout()):
    pass
l0.uninstrument()

async def main():
    stream = await l0(stream=lambda: iter(["te", "xt"]))
    print(await stream.read(), l0.__version__ == l0.l0.__version__)
    print((await l0.structured(int, lambda: iter(["42"]))).value)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "imports",
    ["import l0\nfrom l0 import l0", "from l0 import l0\nimport l0", "import l0", "from l0 import l0"],
    ids=["function last", "module last", "module", "function"],
)
def test_module_and_function_of_the_same_name_do_not_clash(imports: str) -> None:
    command = [sys.executable, "-W", "error", "-c", CLASH.format(imports=imports)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "text True\n42\n"), done.stderr


def test_function_has_no_protocol_of_the_module() -> None:
    assert not hasattr(l0.l0, "__path__")
    assert not hasattr(l0.l0, "nothing")
    assert l0.structured is not None


def test_version_is_that_of_the_distribution() -> None:
    assert l0.__version__ == version("l0-otel")


def test_package_runs_as_a_command() -> None:
    command = [sys.executable, "-m", "l0", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"l0-otel {version('l0-otel')}\n"
