"""A healthy call makes the same calls with the log on and off, and none into its modules."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from calls_per_token import SHORT, count, reading

import l0
from l0.config import CONFIG
from l0.shared_state import shared
from l0.telemetry import call_log, log_lines, log_rate_limiter

LOGGER = logging.getLogger("l0")
APIS = ("chat", "responses", "messages")


@contextmanager
def logger(*, on: bool) -> Iterator[None]:
    handler, level = logging.NullHandler(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG if on else logging.CRITICAL)
    LOGGER.disabled = not on
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.disabled = False


@pytest.mark.parametrize("policy", [None, l0.Policy(breaker=True, budget=True)], ids=["no policy", "guarded"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("api", APIS)
def test_log_costs_a_healthy_call_no_calls(
    api: str, sync: bool, policy: l0.Policy | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a healthy call reached the log")

    # The failure rate of a breaker starts an entry in each new second, which would add calls to some answers.
    monkeypatch.setattr(shared, "monotonic", lambda: 0.0)
    monkeypatch.setattr(CONFIG, "shared_state", shared.SharedState())
    l0.instrument(policy)
    try:
        for _ in range(2):  # the first answers compile constructors and fill caches
            reading(api, sync, SHORT)()
        monkeypatch.setattr(call_log.CallLog, "write", fail)
        monkeypatch.setattr(log_lines.CallLines, "__init__", fail)
        monkeypatch.setattr(log_rate_limiter.LogRateLimiter, "admit", fail)
        counts = []
        for on in (False, True):
            with logger(on=on):
                counts.append(count(reading(api, sync, SHORT))[0])
    finally:
        l0.uninstrument()
    assert counts[0] == counts[1]
