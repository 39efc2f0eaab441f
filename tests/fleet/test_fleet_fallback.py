"""A fleet that falls back to its local state, or returns from it, says so in metrics and in the log."""

import logging
from collections.abc import Callable, Iterator, Sequence
from math import inf
from time import monotonic, sleep
from typing import Any

import openai
import pytest
import redis
from caller import REQUEST, TARGET
from fleet_kit import PATIENCE_S
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from redis_server import RedisServer

import l0
from l0.config import CONFIG
from l0.shared_state.fleet import fleet as module
from l0.shared_state.fleet.fleet import LONGEST_WAIT_S, Fleet, FleetRequest, FleetState
from l0.simulator.server import Simulator
from l0.stainless.discovery import instrumentors


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    """The reader of the metrics of this process."""
    made = InMemoryMetricReader()
    provider = MeterProvider([made])
    for instrumentor in instrumentors():
        if instrumentor.sdk_name == "openai":
            instrumentor.instrument(meter_provider=provider)
    yield made
    l0.uninstrument()
    provider.shutdown()


class Exchange:
    """The exchange with Redis that is under way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._began_at = inf
        send = Fleet._send

        def timed(fleet: Fleet, requests: Sequence[FleetRequest]) -> list[Any]:
            self._began_at = monotonic()
            try:
                return send(fleet, requests)
            finally:
                self._began_at = inf

        monkeypatch.setattr(Fleet, "_send", timed)

    def lasts_s(self) -> float:
        """Return for how long it has lasted so far. Negative if there is none."""
        return monotonic() - self._began_at


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """An exchange as long as Redis likes it to be."""
    monkeypatch.setattr(module, "SOCKET_TIMEOUT_S", PATIENCE_S)
    return Exchange(monkeypatch)


@pytest.fixture
def fleet(sim: Simulator, redis_server: RedisServer, reader: InMemoryMetricReader, exchange: Exchange) -> Fleet:
    """The fleet of this process, which has made a call."""
    l0.instrument(l0.Policy(retry=l0.Retry(), budget=True), fleet=redis_server.url)
    with openai.OpenAI(api_key="k", base_url=sim.openai) as client:
        assert list(client.chat.completions.create(**REQUEST))
    found = CONFIG.shared_state.fleet
    assert found is not None
    found.begin()
    wait_until(lambda: found._redis is not None)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)


def exported(reader: InMemoryMetricReader) -> tuple[int, dict[str, int]]:
    """Return the level of the state, and the changes to each state."""
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {m.name: m.data.data_points for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    (level,) = metrics["l0.fleet.state"]
    changes = {str(point.attributes["l0.fleet.state"]): point.value for point in metrics["l0.fleet.changes"]}
    return level.value, changes


def about_redis(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.getMessage().startswith("Redis")]


def test_redis_that_dies_and_comes_back(
    fleet: Fleet, redis_server: RedisServer, reader: InMemoryMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "l0")
    before = exported(reader)[1]
    redis_server.kill()
    wait_until(lambda: fleet.state is FleetState.AWAY)
    level, changes = exported(reader)
    assert (level, changes["away"] - before["away"]) == (2, 1)
    redis_server.start()
    wait_until(lambda: fleet.state is FleetState.SHARED)
    level, changes = exported(reader)
    assert (level, changes["away"] - before["away"], changes["shared"] - before["shared"]) == (0, 1, 1)
    wait_until(lambda: len(about_redis(caplog)) == 2)
    (warned, why), (told, back) = about_redis(caplog)
    assert (warned, told) == ("WARNING", "INFO")
    assert f"{redis_server.url} does not answer (ConnectionError): each process follows its own" in why
    assert "answers again" in back


def test_slow_redis(
    fleet: Fleet,
    redis_server: RedisServer,
    reader: InMemoryMetricReader,
    caplog: pytest.LogCaptureFixture,
    exchange: Exchange,
) -> None:
    caplog.set_level(logging.INFO, "l0")
    before = exported(reader)[1]
    with redis.Redis.from_url(redis_server.url) as client:
        client.client_pause(1000 * PATIENCE_S, all=False)
        CONFIG.shared_state.retry_budgets[TARGET].spend()
        level, changes = exported(reader)
        assert (level, changes["slow"] - before["slow"]) == (1, 1)
        wait_until(lambda: exchange.lasts_s() > 2 * LONGEST_WAIT_S)
        client.client_unpause()
    wait_until(lambda: fleet.state is FleetState.SHARED)
    assert exported(reader)[0] == 0
    wait_until(lambda: len(about_redis(caplog)) == 2)
    (warned, why), (told, back) = about_redis(caplog)
    assert (warned, told) == ("WARNING", "INFO")
    assert "took longer than 2 ms: no call waits for it" in why
    assert "is fast again" in back
