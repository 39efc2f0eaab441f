"""An agent and a gateway, over TLS: what the agent took is on its disk until the gateway has it."""

from __future__ import annotations

from pathlib import Path

import trustme
from backends import Collector, Jaeger, Prometheus
from evidence import Running
from found import program
from servers import LOOPBACK, wait_for


def test_agent_queues_spans_while_the_gateway_is_down(tmp_path: Path) -> None:
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
    with jaeger.server, prometheus.server:
        with agent.server:
            did = Running(agent.otlp, tmp_path, "--calls", "40").evidence()
        # The agent is gone as well: all there is lies on its disk.
        with gateway.server, agent.server:
            wait_for("all traces", lambda: set(jaeger.traces(did.service)) == set(did.traces.values()))
            attempts = sum(did.attempts().values())
            wait_for("all attempts", lambda: prometheus.total("l0_attempts_total") == attempts)
            assert sum(map(len, jaeger.traces(did.service).values())) == did.spans()
            assert did.warnings.count("OTLP export") == 0
