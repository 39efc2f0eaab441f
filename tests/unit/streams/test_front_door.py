"""The module `l0` and the function `l0.l0` behave like a module and a function for Python's own tools.

Both have the same name in a program, so either must do what the other one does.
"""

import copy
import importlib
import inspect
import pickle
import pkgutil
import pydoc
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

import l0 as module
from l0 import l0 as function

BOTH = pytest.mark.parametrize("named", [module, function], ids=["module", "function"])
OWN = {name for name in dir(ModuleType("l0")) if name.startswith("__")}


def bound(*imports: str) -> dict[str, Any]:
    """Return the names of a program after its imports."""
    names: dict[str, Any] = {}
    exec("\n".join(imports), names)
    return names


@BOTH
def test_both_are_callable_with_the_parameters_of_run(named: Any) -> None:
    assert callable(named)
    parameters = inspect.signature(named).parameters
    assert next(iter(parameters)) == "stream"
    assert parameters == inspect.signature(function).parameters


@BOTH
def test_pickle_and_copy_give_the_same_object(named: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(named, protocol)) is named
    assert copy.copy(named) is named
    assert copy.deepcopy({"key": [named]})["key"][0] is named


def test_only_the_module_is_a_module() -> None:
    assert isinstance(module, ModuleType)
    assert inspect.ismodule(module)
    assert not isinstance(function, ModuleType)


def test_module_reloads_in_place() -> None:
    instrument = module.instrument
    assert importlib.reload(module) is module
    assert callable(module)
    assert isinstance(module, ModuleType)
    assert module.instrument is instrument
    assert module.l0 is function


@pytest.mark.parametrize(
    "imports",
    [
        ("from l0 import l0", "import l0.testing"),
        ("import l0.testing", "from l0 import l0"),
        ("import l0", "import l0.testing", "from l0 import l0, testing"),
    ],
    ids=["submodule last", "function last", "all"],
)
def test_submodules_are_found_through_either_name(imports: tuple[str, ...]) -> None:
    assert bound(*imports)["l0"].testing is importlib.import_module("l0.testing")


@pytest.mark.parametrize("target", ["l0.run_sync", "l0.slo.report", "l0.testing.simulator"])
def test_patched_names_are_replaced_and_restored(target: str) -> None:
    before = pkgutil.resolve_name(target)
    with mock.patch(target) as replaced:
        assert pkgutil.resolve_name(target) is replaced
    assert pkgutil.resolve_name(target) is before


@BOTH
def test_patched_attributes_are_replaced_and_restored(named: Any) -> None:
    before = named.race
    with mock.patch.object(named, "race") as replaced:
        assert named.race is replaced
    assert named.race is before


@BOTH
def test_completion_shows_the_public_names_and_no_helpers(named: Any) -> None:
    shown = {name for name in dir(named) if not name.startswith("_")}
    assert shown == set(module.__all__)
    assert "__version__" in dir(named)
    assert set(dir(module)) >= OWN


def submodules() -> set[str]:
    return {found.name for found in pkgutil.iter_modules(module.__path__)}


def test_no_submodule_takes_the_place_of_a_public_name() -> None:
    assert submodules() & set(module.__all__) == set(module._GROUPS["Modules"])


@BOTH
def test_help_and_inspect_find_the_source(named: Any) -> None:
    assert inspect.getdoc(named)
    assert inspect.getmodule(named) is not None
    assert "l0" in pydoc.render_doc(named.instrument)
