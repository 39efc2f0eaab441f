"""L0's own observers (spans and metrics), which each instrumentor sets for the calls of its SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from l0.model.ports import Observer


@dataclass(frozen=True, slots=True)
class OwnObservers:
    """The observers of each SDK that is instrumented, in the order in which they were set.

    ``of_others``: those of calls that go through none of these SDKs, such as a source of the explicit API that is a
    plain generator. ``_given``: the SDKs whose instrumentor got OpenTelemetry providers from the program.
    """

    _by_sdk: Mapping[str | None, Sequence[Observer]] = field(default_factory=dict)
    _given: frozenset[str | None] = frozenset()
    of_others: Sequence[Observer] = ()

    def of(self, sdk: str | None) -> Sequence[Observer]:
        """Return the observers of the calls of one SDK."""
        return self._by_sdk.get(sdk, self.of_others)

    def with_sdk(self, sdk: str | None, observers: Sequence[Observer], *, given: bool = False) -> OwnObservers:
        """Return these observers with those of ``sdk`` added or replaced."""
        others = self.without(sdk)
        by_sdk = {**others._by_sdk, sdk: tuple(observers)}
        return _own(by_sdk, others._given | {sdk} if given else others._given)

    def without(self, sdk: str | None) -> OwnObservers:
        """Return these observers without those of ``sdk``."""
        return _own({name: own for name, own in self._by_sdk.items() if name != sdk}, self._given - {sdk})


def _own(by_sdk: Mapping[str | None, Sequence[Observer]], given: frozenset[str | None]) -> OwnObservers:
    """Return observers with the choice for calls through none of the SDKs: those that were set last, among those with
    providers from the program if there are any. The others report to the global providers."""
    candidates = [own for sdk, own in by_sdk.items() if sdk in given] or list(by_sdk.values())
    return OwnObservers(by_sdk, given, candidates[-1] if candidates else ())
