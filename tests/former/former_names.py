"""A plugin of pytest: each test of the suite of L0 for Python fails by itself if it uses a name that is not here.

The suite imports from private modules, and a file that cannot be imported counts as nothing. So its modules lead to the
public names here, and a name that is missing raises where a test uses it.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Generator, Sequence
from types import ModuleType
from typing import Any, NoReturn

import pytest

import l0
import l0.types

HOMES = {**l0._HOMES, **l0.types._HOMES}
"""The modules of the public names."""
HERE = ("l0.types.", "l0.runtime.")
"""Modules of the suite that are here as well."""
PUBLIC = {
    "_internal_run": "run",
    "auto_correct_json": "JSON.auto_correct",
    "create_token_event": "Adapters.token_event",
    "create_error_event": "Adapters.error_event",
    "create_complete_event": "Adapters.complete_event",
    "create_drift_detector": "DriftDetector",
    "deduplicate_continuation": "Continuation.deduplicate",
    "detect_overlap": "Continuation.detect_overlap",
    "extract_json": "JSON.extract",
    "extract_json_from_markdown": "JSON.extract_from_markdown",
    "get_adapter": "Adapters.get",
    "has_matching_adapter": "Adapters.has_matching",
    "is_valid_json": "JSON.is_valid",
    "register_adapter": "Adapters.register",
    "safe_json_parse": "JSON.parse",
    "unregister_adapter": "Adapters.unregister",
}
"""Private names that the suite uses for public functions."""


USED: list[str] = []
"""The names that are not here and that the test has used."""


class NotHereError(pytest.fail.Exception):
    """A test uses a name that is not here. Not an `Exception`, which a test could expect."""


class Missing:
    """Stands for a name that is not here."""

    def __init__(self, name: str) -> None:
        self.__dict__["missing"] = name

    def refuse(self, *_: object, **__: object) -> NoReturn:
        USED.append(self.missing)
        raise NotHereError(self.missing)

    __call__ = __setattr__ = __iter__ = __contains__ = __mro_entries__ = refuse  # type: ignore[assignment]

    def __getitem__(self, _: object) -> "Missing":
        return self  # in an annotation

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            USED.append(f"{self.missing}.{name}")
        raise AttributeError(f"{self.missing} is not here")


def public(name: str) -> Any:
    """Return a public name of l0, or what stands for a missing one."""
    if name.startswith("__"):
        raise AttributeError(name)
    name, _, attribute = PUBLIC.get(name, name).partition(".")
    if attribute:
        return getattr(public(name), attribute)
    if name in HOMES:  # a module of the suite may hide it in l0
        return getattr(importlib.import_module(HOMES[name], "l0"), name)
    try:
        return _resolve(name)
    except AttributeError:
        return Missing(name)


class FormerModule(ModuleType):
    """A module of the suite that is not here. Some have the name of a public function."""

    def __getattr__(self, name: str) -> Any:
        return public(name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return public(self.__name__.removeprefix("l0."))(*arguments, **named)


class FormerModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules below l0 that are not here."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith("l0.") or fullname.startswith(HERE):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = FormerModule


def lead_to_public_names(name: str) -> None:
    """Let a module that is here as well give the public names."""

    def found(wanted: str) -> Any:
        if wanted.startswith("__"):
            raise AttributeError(wanted)
        try:
            return importlib.import_module(f"{name}.{wanted}")
        except ModuleNotFoundError:
            return public(wanted)

    importlib.import_module(name).__getattr__ = found  # type: ignore[method-assign]


_resolve = l0.__getattr__
for module_name in HERE:
    lead_to_public_names(module_name.removesuffix("."))
sys.meta_path.append(FormerModules())


def _here(name: str) -> Any:
    try:
        return _resolve(name)
    except AttributeError:
        if name.startswith("_"):
            raise
        return Missing(name)


l0.__getattr__ = _here  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test that has used a missing name, whatever it expects."""
    USED.clear()
    yield
    if USED:
        pytest.fail(f"{USED[0]} is not here", pytrace=False)
