"""Find functions of an SDK that another library has put in place of L0's, so that calls pass L0 by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from l0.model.own_packages import is_own

from .foreign_wrappers import home, reaches
from .function_patches import FunctionPatches


def bypasses(patches: FunctionPatches, sdk: str) -> list[str]:
    """Return one text for each function that hides a patch: another library's that does not call L0's. ``sdk``: the
    name of the SDK's package."""
    found = []
    for owner, name, patched in patches.in_place():
        for place in _family(owner):
            held = vars(place).get(name)
            if held is not None and _is_foreign(held, sdk) and not reaches(held, patched):
                found.append(f"{place.__module__}.{place.__qualname__}.{name} is a function of {home(held)}")
    return found


def _family(owner: Any) -> Iterator[type]:
    if isinstance(owner, type):
        yield owner
        heirs: list[type] = owner.__subclasses__()
        for heir in heirs:
            yield from _family(heir)


def _is_foreign(function: Any, sdk: str) -> bool:
    module = home(function)
    return not is_own(module) and module.partition(".")[0] != sdk
