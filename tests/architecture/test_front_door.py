"""`import l0` is cheap and offers what it says."""

import ast
import pydoc
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import l0
from l0 import types

HEAVY = {"opentelemetry", "wrapt", "openai", "anthropic", "httpx", "httpx2", "pydantic", "jiter", "asyncio", "anyio"}


def test_import_loads_nothing_heavy() -> None:
    script = "import sys; before = set(sys.modules); import l0; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "l0" in loaded
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()


def test_reference_has_every_public_name() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: (l0\.[\w.]+)$", page, re.MULTILINE)
    public = [f"l0.{name}" for name in l0.__all__ if name != "types"] + [f"l0.types.{name}" for name in types.__all__]
    # Not public names, but the options of the explicit API, and what an adapter of one's own must have.
    others = ["call_options.CallArguments", "adapters.Adapter", "adapters.Decoder"]
    assert sorted(listed) == sorted(public + [f"l0.streams.{name}" for name in others])


@pytest.mark.parametrize("module", [l0, types, l0.slo], ids=lambda module: module.__name__)
def test_public_names_resolve_and_are_all_that_dir_shows(module: ModuleType) -> None:
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert {name for name in dir(module) if not name.startswith("__")} == set(module.__all__)


def test_each_value_has_one_public_name() -> None:
    values = [getattr(module, name) for module in (l0, types) for name in module.__all__]
    assert len({id(value) for value in values}) == len(values)


@pytest.mark.parametrize("module", [l0, types], ids=lambda module: module.__name__)
def test_type_checkers_see_the_same_homes(module: ModuleType) -> None:
    checked = {
        alias.name: "." + (node.module or "")
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.col_offset == 4
        for alias in node.names
    }
    assert {name: home for name, home in checked.items() if name in module.__all__} == module._HOMES


def test_help_is_one_page_with_every_name_under_its_topic() -> None:
    page = pydoc.plain(pydoc.render_doc(l0))
    assert len(page.splitlines()) < 100
    topics = re.split(rf"^({'|'.join(l0._GROUPS)})[^\n]*$", str(l0.__doc__), flags=re.MULTILINE)[1:]
    shown = {title: re.findall(r"\w+", names) for title, names in zip(topics[::2], topics[1::2], strict=True)}
    assert list(shown) == list(l0._GROUPS)
    for title, names in l0._GROUPS.items():
        assert [name for name in shown[title] if name in names] == list(names)


def test_star_import_has_every_public_name() -> None:
    room: dict[str, object] = {}
    exec("from l0 import *", room)
    assert set(l0.__all__) <= set(room)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'l0' has no attribute 'nothing'"):
        _ = l0.nothing


def test_renamed_names_still_resolve_and_warn() -> None:
    with pytest.warns(DeprecationWarning, match="l0.Seam is now l0.types.ResumePoint"):
        assert l0.Seam is types.ResumePoint
    with pytest.warns(DeprecationWarning, match=r"l0.CallEnded is now l0\.types\.CallEnded") as caught:
        assert l0.CallEnded is types.CallEnded
    assert caught[0].filename == __file__
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
