"""An agent and a gateway, over TLS: what the agent took is on its disk until the gateway has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from backends import Collector, Jaeger, Prometheus
from evidence import Evidence, Running
from found import program
from servers import LOOPBACK, wait_for

PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Fleet:
    """An agent, the gateway that it sends to, and the back ends of that."""

    agent: Collector
    gateway: Collector
    jaeger: Jaeger
    prometheus: Prometheus

    def has_all(self, loads: Sequence[Evidence]) -> None:
        """Wait until every trace and attempt of the loads has arrived. Nothing may be missing, double or reported."""
        traces = {trace for did in loads for trace in did.traces.values()}
        attempts = sum(sum(did.attempts().values()) for did in loads)
        service = loads[0].service
        wait_for("all traces", lambda: set(self.jaeger.traces(service)) == traces)
        wait_for("all attempts", lambda: self.prometheus.total("l0_attempts_total") == attempts)
        assert sum(map(len, self.jaeger.traces(service).values())) == sum(did.spans() for did in loads)
        assert not any("OTLP export" in did.warnings for did in loads)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """The back ends of a fleet, none of them started."""
    authority = trustme.CA()
    certificate = authority.issue_cert(LOOPBACK)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "gateway.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "gateway.key")
    jaeger = Jaeger(program("jaeger"), tmp_path)
    gateway = Collector(program("otelcol-contrib"), tmp_path, "contrib", "gateway", name="gateway")
    prometheus = Prometheus(program("prometheus"), tmp_path, gateway.metrics)
    gateway.server.set(
        GATEWAY_CERT=str(tmp_path / "gateway.pem"),
        GATEWAY_KEY=str(tmp_path / "gateway.key"),
        TRACES_URL=jaeger.otlp,
        PROMETHEUS_URL=prometheus.write,
        SAMPLING_WAIT="2s",
        SAMPLING_PERCENTAGE="100",
    )
    agent = Collector(program("otelcol-contrib"), tmp_path, "agent", name="agent")
    agent.server.set(
        GATEWAY=f"{LOOPBACK}:{gateway.grpc}",
        GATEWAY_CA=str(tmp_path / "ca.pem"),
        AGENT_QUEUE=str(tmp_path / "queue"),
    )
    return Fleet(agent, gateway, jaeger, prometheus)


def test_agent_queues_spans_while_the_gateway_is_down(fleet: Fleet, tmp_path: Path) -> None:
    with fleet.jaeger.server, fleet.prometheus.server:
        with fleet.agent.server:
            did = Running(fleet.agent.otlp, tmp_path, "--calls", "40").evidence()
        # The agent is gone as well: all there is lies on its disk.
        with fleet.gateway.server, fleet.agent.server:
            fleet.has_all([did])


def test_processes_share_an_agent_and_a_gateway_that_starts_late(fleet: Fleet, tmp_path: Path) -> None:
    with fleet.jaeger.server, fleet.prometheus.server, fleet.agent.server:
        loads = []
        for number in range(PROCESSES):
            (folder := tmp_path / f"process-{number}").mkdir()
            loads.append(Running(fleet.agent.otlp, folder, "--calls", "40", "--seed", str(number + 1)))
        for load in loads:
            load.wait_until_warm()
        with fleet.gateway.server:
            fleet.has_all([load.evidence() for load in loads])
