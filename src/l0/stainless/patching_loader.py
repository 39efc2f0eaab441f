"""A loader that calls a function after it has executed a module."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt


class PatchingLoader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # ObjectProxy is not generic in older versions
    """A wrapper of a module's loader that calls ``imported`` after the module is executed."""

    def __init__(self, loader: Any, imported: Callable[[], None]) -> None:
        super().__init__(loader)
        self._self_imported = imported

    def exec_module(self, module: ModuleType) -> None:
        loader = self.__wrapped__
        # Restore the original loader first: importlib.resources and reload use the module's loader.
        module.__loader__ = loader
        if module.__spec__ is not None:
            module.__spec__.loader = loader
        loader.exec_module(module)
        self._self_imported()
