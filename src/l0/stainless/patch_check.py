"""Find functions that stand in place of L0's patches of an SDK, so that calls bypass L0."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from l0.model.own_packages import is_own

from .foreign_wrappers import home, reaches
from .function_patches import FunctionPatches


def bypasses(patches: FunctionPatches, sdk: str) -> list[str]:
    """Describe each function of another library that replaced a patch and does not call it. ``sdk``: the name of the
    SDK's package."""
    found = []
    for owner, name, patched in patches.in_place():
        for place in _with_subclasses(owner):
            held = vars(place).get(name)
            if held is not None and _is_foreign(held, sdk) and not reaches(held, patched):
                found.append(f"{place.__module__}.{place.__qualname__}.{name} is a function of {home(held)}")
    return found


def is_undone(patches: FunctionPatches, sdk: str) -> bool:
    """Return True if another library has put an earlier function back in place of a patch, as when it removes a patch
    of its own that was there before ours. ``sdk``: as in `bypasses`."""
    return any(
        held is not patched and not reaches(held, patched) and (not _is_foreign(held, sdk) or reaches(patched, held))
        for owner, name, patched in patches.in_place()
        if isinstance(owner, type | ModuleType) and (held := vars(owner).get(name)) is not None
    )


def _with_subclasses(owner: Any) -> Iterator[type]:
    if isinstance(owner, type):
        yield owner
        subclasses: list[type] = owner.__subclasses__()
        for subclass in subclasses:
            yield from _with_subclasses(subclass)


def _is_foreign(function: Any, sdk: str) -> bool:
    module = home(function)
    return not is_own(module) and module.partition(".")[0] != sdk
