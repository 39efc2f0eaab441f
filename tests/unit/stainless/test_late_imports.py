"""Modules that L0 imports late belong to the copy of L0 that imports them."""

import sys
from types import ModuleType

import pytest

from l0.stainless import late_imports


def test_module_that_another_thread_imports_is_kept_if_a_provider_package_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module becomes an attribute of its package only when its import ends."""
    module = ModuleType("l0.half_imported")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(late_imports._own, "l0_gone", ModuleType("l0_gone"))
    with late_imports.late_imports():
        assert sys.modules.get(module.__name__) is module


def test_second_copy_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sys.modules["l0"], ModuleType("l0")
    monkeypatch.setitem(sys.modules, "l0", second)
    with late_imports.late_imports():
        assert sys.modules["l0"] is first
    assert sys.modules["l0"] is second
