"""Patch functions of an SDK with the methods of one object, which is created at the first call."""

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
    """An imported SDK. ``name``: its import name. ``base``: its patched module."""

    name: str
    version: str
    base: Any

    @property
    def root(self) -> str:
        """The top-level package of the SDK."""
        return self.name.partition(".")[0]


class WrappedPatches(FunctionPatches):
    """The patches of one SDK. ``load``: a function that returns the object that serves the calls. For each patched
    function, this object has a method of the same name. Its arguments are those of a wrapper of wrapt: the original
    function, the instance that it is bound to, the positional arguments, and the keyword arguments."""

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
        """Create the object that serves the calls. Return ``None`` if that fails, as it can while the interpreter
        shuts down: the SDK then serves this call itself."""
        with late_imports():
            try:
                self._calls = self._load(self.sdk)
            except Exception as error:
                if not sys.is_finalizing():
                    _log.warning("l0 leaves a call to the %s SDK: %r", self.sdk.name, error)
        return self._calls
