"""Call a function after each import of a module.

`wrapt`'s import hooks run only once. A module that is removed from `sys.modules` and imported again is a new module
with unpatched functions.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, cast

from .late_imports import late_imports

if TYPE_CHECKING:
    from importlib.abc import Loader  # it imports pathlib and tempfile


class _Finder:
    """A finder that lets the other finders find a module, and wraps the loader that they return."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[[], None]] = {}
        self._searching = threading.local()  # prevents recursion: `find_spec` below calls this finder again

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - only top-level packages are registered
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        callback = self.callbacks.get(fullname)
        if callback is None or fullname in sys.modules or getattr(self._searching, "name", None) == fullname:
            return None
        self._searching.name = fullname
        try:
            spec = find_spec(fullname)
        finally:
            self._searching.name = None
        if spec is not None and hasattr(spec.loader, "exec_module"):
            with late_imports():
                from .patching_loader import PatchingLoader  # it imports wrapt and asyncio, as the SDKs do

            spec.loader = cast("Loader", PatchingLoader(spec.loader, callback))
        return spec


_FINDER = _Finder()


def after_import(name: str, callback: Callable[[], None]) -> None:
    """Call ``callback``, which must not raise, after every import of the top-level package ``name`` from now on."""
    _FINDER.callbacks[name] = callback
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def take_others(name: str, callback: Callable[[], None]) -> list[Callable[[], None]]:
    """Unregister and return the callbacks for ``name``, also those of earlier copies of l0: all but ``callback``."""
    return _take(lambda registered, function: registered == name and function != callback)


def take_all() -> list[Callable[[], None]]:
    """Unregister and return all callbacks, also those of earlier copies of l0."""
    return _take(lambda *_: True)


def _take(is_taken: Callable[[str, Callable[[], None]], bool]) -> list[Callable[[], None]]:
    """Unregister and return the callbacks for which ``is_taken``, a function of name and callback, is true.

    A copy that was removed from `sys.modules`, so that l0 was imported again, still has its finder in `sys.meta_path`.
    """
    kind = (_Finder.__module__, _Finder.__qualname__)
    taken = []
    for finder in list(sys.meta_path):
        if (type(finder).__module__, type(finder).__qualname__) == kind:
            callbacks: dict[str, Callable[[], None]] = finder.callbacks  # type: ignore[attr-defined]
            names = [name for name, callback in list(callbacks.items()) if is_taken(name, callback)]
            taken += [callbacks.pop(name) for name in names if name in callbacks]
            if not callbacks:
                sys.meta_path.remove(finder)
    return taken


def forget(name: str) -> None:
    """Stop calling back for ``name``."""
    _FINDER.callbacks.pop(name, None)
    if not _FINDER.callbacks and _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


def importable(name: str) -> bool:
    """Return True if a package can be found, without importing it. Its parents are imported, if it has any."""
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return find_spec(name) is not None
    except Exception:  # `find_spec` imports the parent of a submodule, which may raise anything
        return False
