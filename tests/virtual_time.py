"""An asyncio event loop whose clock jumps: a wait for a timer takes no time, however long it is and however slow the
machine."""

import asyncio
import pkgutil
import selectors
from collections.abc import Coroutine
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import pytest

import l0.recording
import l0.runtime
import l0.stainless
import l0.telemetry

_T = TypeVar("_T")


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # chosen by the platform
    """Moves the clock to the next timer in place of a wait for it."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "every task waits, and no timer is set"
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """For tests without sockets and without other threads."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._clock.now


def run(main: Coroutine[Any, Any, _T], *modules: ModuleType) -> _T:
    """Run a coroutine in virtual time; these modules' `perf_counter` is the same clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.MonkeyPatch.context() as patch:
        loop = runner.get_loop()
        for module in modules:
            patch.setattr(module, "perf_counter", loop.time)
        return runner.run(main)


def load_engine() -> list[ModuleType]:
    """Import what a first call would import, so that its clock can be replaced before. Return the modules."""
    return [
        import_module(found.name)
        for package in (l0.recording, l0.runtime, l0.stainless, l0.telemetry)
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
