"""The headers that propagate a trace are read from the observers only if a provider requests them, and once."""

from typing import Any

import pytest

from l0.runtime.propagated_headers import PropagatedHeaders
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_rate_limiter import LogRateLimiter


class Propagating:
    """An observer with headers. ``reads``: how often they were read."""

    def __init__(self, **headers: str) -> None:
        self._headers = headers
        self.reads = 0

    def headers(self) -> dict[str, str]:
        self.reads += 1
        return self._headers


class Failing:
    """An observer whose headers cannot be read."""

    def headers(self) -> Any:
        raise RuntimeError


def test_headers_of_all_observers_are_read_once_at_the_first_access():
    one, other = Propagating(a="1", b="1"), Propagating(b="2")
    observers: list[Any] = [one, Failing(), other]
    headers = PropagatedHeaders(observers)
    assert (one.reads, other.reads) == (0, 0)
    assert bool(headers)
    assert {**headers} == {"a": "1", "b": "2"}
    assert headers["b"] == "2"
    assert len(headers) == 2
    assert (one.reads, other.reads) == (1, 1)


def test_observer_that_fails_is_reported(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CALL_LOG, "_rate_limiter", LogRateLimiter())
    broken: Any = Failing()
    assert {**PropagatedHeaders([broken])} == {}
    assert "Failing.headers failed and is ignored: RuntimeError" in caplog.text


def test_no_observer_has_no_headers():
    assert not PropagatedHeaders([])
