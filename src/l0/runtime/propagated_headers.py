"""The headers that propagate the trace of a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from l0.model.ports import CallObserver

from .observer_guard import headers_of


class PropagatedHeaders(Mapping[str, str]):
    """The headers of all observers of a call, read at the first access: most providers request none."""

    __slots__ = ("_call_observers", "_known")

    def __init__(self, call_observers: Sequence[CallObserver]) -> None:
        self._call_observers = call_observers
        self._known: dict[str, str] | None = None

    @property
    def _headers(self) -> dict[str, str]:
        if self._known is None:
            self._known = {
                name: value for observer in self._call_observers for name, value in headers_of(observer).items()
            }
        return self._known

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)
