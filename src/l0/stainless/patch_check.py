"""Find functions of an SDK that another library has put in place of L0's, so that calls pass L0 by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .sdk_patches import SdkPatches


def bypasses(patches: SdkPatches) -> list[str]:
    """Return one text for each function that hides a patch: another library's that does not call L0's."""
    found = []
    for owner, name, patched in patches.in_place():
        for place in _family(owner):
            held = vars(place).get(name)
            if held is not None and _is_foreign(held, patches.sdk.name) and not _calls(held, patched):
                found.append(f"{place.__module__}.{place.__qualname__}.{name} is a function of {_home(held)}")
    return found


def _family(owner: Any) -> Iterator[type]:
    if isinstance(owner, type):
        yield owner
        heirs: list[type] = owner.__subclasses__()
        for heir in heirs:
            yield from _family(heir)


def _home(function: Any) -> str:
    while hasattr(function, "_self_wrapper"):  # wrapt shows the module of the wrapped function
        function = function._self_wrapper
    return str(getattr(function, "__module__", None) or type(function).__module__)


def _is_foreign(function: Any, sdk: str) -> bool:
    return _home(function).partition(".")[0] not in {"l0", "l0_openai", "l0_anthropic", sdk}


def _calls(function: Any, patched: Any) -> bool:
    """Return True if ``function`` wraps ``patched``, as far as ``__wrapped__`` tells."""
    while function is not None:
        if function is patched or getattr(function, "_self_parent", None) is patched:
            return True
        function = getattr(function, "__wrapped__", None)
    return False
