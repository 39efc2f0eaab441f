"""Call back after a module is imported, each time it is.

`wrapt`'s hooks run once. A module that is dropped from `sys.modules` and imported again is a new one, with functions
that nobody has patched.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

import wrapt


class _Loader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # older ones of it take no argument
    """A module's loader, which calls back when the module is there."""

    def __init__(self, loader: Any, imported: Callable[[], None]) -> None:
        super().__init__(loader)
        self._self_imported = imported

    def exec_module(self, module: ModuleType) -> None:
        loader = self.__wrapped__
        # The module shows its own loader: resources and reloads ask for it.
        module.__loader__ = loader
        if module.__spec__ is not None:
            module.__spec__.loader = loader
        loader.exec_module(module)
        self._self_imported()


class _Finder(MetaPathFinder):
    """Finds nothing itself: it asks the other finders, and wraps the loader that they give."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[[], None]] = {}
        self._asking = threading.local()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the names are of top-level packages
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        callback = self.callbacks.get(fullname)
        if callback is None or fullname in sys.modules or getattr(self._asking, "name", None) == fullname:
            return None
        self._asking.name = fullname
        try:
            spec = find_spec(fullname)
        finally:
            self._asking.name = None
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = cast(Loader, _Loader(spec.loader, callback))
        return spec


_FINDER = _Finder()


def after_import(name: str, callback: Callable[[], None]) -> None:
    """Call ``callback`` after every import of the top-level package ``name`` from now on. It must not raise."""
    _FINDER.callbacks[name] = callback
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def forget(name: str) -> None:
    """Call back no more."""
    _FINDER.callbacks.pop(name, None)
    if not _FINDER.callbacks and _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


def importable(name: str) -> bool:
    """Return whether a top-level package could be imported. Nothing is imported."""
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
