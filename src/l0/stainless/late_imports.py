"""Import parts of L0 late, so that they belong to the copy of L0 that imports them.

A program may remove l0 from `sys.modules`, as some test tools do, and import a second copy. The patches of the first
copy still run. What they import must belong to the first copy, because the second one has its own settings and classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from l0.model.own_packages import is_own
from l0.shared_state.forks import FORK_GATE

_own: dict[str, ModuleType] = {}
"""The packages of this copy."""


def keep_packages(*modules: str) -> None:
    """Remember the packages of these modules as this copy's, unless the program has removed this copy by now."""
    if _own.setdefault("l0", sys.modules["l0"]) is sys.modules.get("l0"):
        packages = {name.partition(".")[0] for name in modules if is_own(name)}
        _own.update({name: sys.modules[name] for name in packages if name in sys.modules})


@contextmanager
def late_imports() -> Iterator[None]:
    """Let imports in this block find the modules of this copy.

    A fork waits for the block (`ForkGate`): a child would wait forever for a module that another thread was importing.
    """
    with FORK_GATE:
        # A provider package that is missing is no sign of a second copy. To replace the modules then would lose those
        # that another thread is importing at the time, and import them twice.
        if sys.modules.get("l0") is _own["l0"]:
            yield
            return
        others = _loaded()
        _replace({name: module for package in list(_own.values()) for name, module in _with_submodules(package)})
        try:
            yield
        finally:
            _replace(others)


def _loaded() -> dict[str, ModuleType]:
    """Return L0's modules in `sys.modules`, of any copy."""
    return {name: module for name, module in list(sys.modules.items()) if is_own(name)}


def _with_submodules(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """Yield a module and its submodules, which are attributes of it because they were imported."""
    yield package.__name__, package
    for name, value in list(vars(package).items()):
        if isinstance(value, ModuleType) and value.__name__ == f"{package.__name__}.{name}":
            yield from _with_submodules(value)


def _replace(modules: dict[str, ModuleType]) -> None:
    for name in _loaded():
        sys.modules.pop(name, None)
    sys.modules.update(modules)


keep_packages()
