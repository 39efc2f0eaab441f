"""Patch the functions of an SDK with the methods of one object, which the first call loads."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from l0.stainless.function_patches import FunctionPatches
from l0.stainless.late_imports import late_imports

_log = logging.getLogger("l0")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedSdk:
    """An imported SDK. ``name``: its import name; ``root``: the first part of that. ``base``: its patched module."""

    name: str
    version: str
    base: Any

    @property
    def root(self) -> str:
        return self.name.partition(".")[0]


class WrappedPatches(FunctionPatches):
    """The patches of one SDK. ``load``: returns the object that serves the calls. Each of its methods has the name of a
    patched function, and takes the function itself, its instance, and the arguments."""

    def __init__(self, sdk: WrappedSdk, load: Callable[[WrappedSdk], Any]) -> None:
        super().__init__(f"{sdk.name} {sdk.version}")
        self.sdk = sdk
        self._load = load
        self._calls: Any = None

    def apply(self, functions: Sequence[tuple[Any, str]]) -> None:
        """Patch the functions. Raises `AttributeError`, and patches nothing, if the SDK lacks one of them."""
        self.put([(owner, name, partial(self._call, name)) for owner, name in functions])

    def _call(self, name: str, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        calls = (self._calls or self._loaded()) if self.active else None
        return wrapped(*args, **kwargs) if calls is None else getattr(calls, name)(wrapped, instance, args, kwargs)

    def _loaded(self) -> Any:
        """Import what serves the calls, at the first one. Return ``None`` if the SDK must serve this call itself, such
        as while the interpreter shuts down."""
        with late_imports():
            try:
                self._calls = self._load(self.sdk)
            except Exception as error:
                if not sys.is_finalizing():
                    _log.warning("l0 leaves a call to the %s SDK: %r", self.sdk.name, error)
        return self._calls
