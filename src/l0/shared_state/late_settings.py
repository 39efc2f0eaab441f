"""Let SDKs be patched before the settings of the process are imported.

The settings (`l0.config`) need the engine and telemetry, most of what `l0` can import. `l0.instrument()` imports them
only if it is given settings, so that it is fast; else the first call does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

MakeObservers = Callable[[], Sequence[Any]]


class Settings(Protocol):
    """The settings of the process."""

    def set_observers(self, observers: Sequence[Any], sdk: str | None = None, *, given: bool = False) -> None:
        """Set the observers of the calls through one SDK. ``given``: the program gave their OpenTelemetry providers."""
        ...

    def drop_observers(self, sdk: str) -> None:
        """Forget the observers of the calls through one SDK."""
        ...

    def reset(self) -> None:
        """Forget the settings that code and the environment have made."""
        ...


class LateSettings:
    """The settings, once they are imported. Takes no lock, because signal handlers may make the first call."""

    def __init__(self) -> None:
        self.loaded: Settings | None = None
        self.instrumented: set[str] = set()
        """The import names of the SDKs whose calls go through the engine."""
        self.seen: set[str] = set()
        """The packages of all SDKs that were ever instrumented. Their frames are between the program's and L0's."""
        self._waiting: dict[str, tuple[MakeObservers, bool]] = {}

    def set_observers(self, sdk: str, make: MakeObservers, *, given: bool = False) -> None:
        """Set the observers of the calls through one SDK, now or when the settings are imported.

        ``given``: the program gave their OpenTelemetry providers.
        """
        self._waiting.pop(sdk, None)  # the settings take them in the order in which they were set
        self._waiting[sdk] = make, given
        self._hand_over()

    def drop_observers(self, sdk: str) -> None:
        """Forget the observers of the calls through one SDK, also those that the settings have not taken yet."""
        self._waiting.pop(sdk, None)
        if self.loaded is not None:
            self.loaded.drop_observers(sdk)

    def connect(self, settings: Settings) -> None:
        """Hand over what was set before, at the end of the settings' import."""
        self.loaded = settings  # before the hand-over: what is set from now on, in any thread, is handed over there
        self._hand_over()

    def reset(self) -> None:
        """Forget all settings, also those that wait for the import."""
        self._waiting.clear()
        if self.loaded is not None:
            self.loaded.reset()

    def _hand_over(self) -> None:
        if self.loaded is None:
            return
        for sdk in list(self._waiting):
            waiting = self._waiting.pop(sdk, None)
            if waiting is not None:
                make, given = waiting
                self.loaded.set_observers(make(), sdk, given=given)


LATE_SETTINGS = LateSettings()
