"""The back ends of one test: each configured by the files that users copy, with hosts and ports put in."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from servers import LOOPBACK, Server, answers, free_ports, listens

CONFIG = Path(__file__).resolve().parents[2] / "collector-config"

_JAEGER = """
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
extensions:
  jaeger_storage:
    backends: {{memory: {{memory: {{max_traces: 100000}}}}}}
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
"""


def get(url: str, **parameters: str | float) -> Any:
    """A JSON answer."""
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=30) as response:
        return json.load(response)


class Jaeger:
    """Version 2, all in memory."""

    def __init__(self, program: str, folder: Path) -> None:
        otlp, self._query, grpc = free_ports(3)
        self.otlp = f"http://{LOOPBACK}:{otlp}"
        config = folder / "jaeger.yaml"
        config.write_text(_JAEGER.format(otlp=otlp, query=self._query, grpc=grpc))
        up = f"http://{LOOPBACK}:{self._query}/api/services"
        self.server = Server("jaeger", [program, "--config", str(config)], folder, lambda: answers(up))
        self.server.set(OTEL_TRACES_SAMPLER="always_off")  # of itself

    def traces(self, service: str) -> dict[str, list[dict[str, Any]]]:
        """Spans by trace, as the query API gives them."""
        found = get(
            f"http://{LOOPBACK}:{self._query}/api/traces", service=service, limit=100_000, start=0, end=4 * 10**15
        )
        return {trace["traceID"]: trace["spans"] for trace in found["data"]}


class Prometheus:
    """With the users' own configuration and rules."""

    def __init__(self, program: str, folder: Path, collector_metrics: int) -> None:
        (self._port,) = free_ports(1)
        self.url = f"http://{LOOPBACK}:{self._port}"
        self.write = f"{self.url}/api/v1/write"
        made = folder / "prometheus"
        shutil.copytree(CONFIG / "prometheus", made)
        config = made / "prometheus.yml"
        text = config.read_text().replace("collector:8888", f"{LOOPBACK}:{collector_metrics}")
        config.write_text(text.replace("alertmanager:9093", f"{LOOPBACK}:{free_ports(1)[0]}"))
        command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={LOOPBACK}:{self._port}",
            "--web.enable-remote-write-receiver",
            "--enable-feature=exemplar-storage",
        ]
        self.server = Server("prometheus", command, folder, lambda: answers(f"{self.url}/-/ready"))

    def query(self, expression: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Run an instant query. Raises if it does not parse."""
        result: list[dict[str, Any]] = get(f"{self.url}/api/v1/query", query=expression, **parameters)["data"]["result"]
        return result

    def series(self, expression: str, start: float, end: float) -> list[list[float]]:
        """A query over a range, a point a second: the values of every series."""
        found = get(f"{self.url}/api/v1/query_range", query=expression, start=start, end=end, step=1)
        return [[float(value) for _, value in one["values"]] for one in found["data"]["result"]]

    def sums(self, metric: str, *by: str) -> dict[tuple[str, ...], float]:
        """A counter, added up by labels."""
        found = self.query(f"sum by ({', '.join(by)}) ({metric})")
        return {tuple(one["metric"].get(label, "") for label in by): float(one["value"][1]) for one in found}

    def total(self, metric: str) -> float:
        """Return the sum of all series; 0 if there are none."""
        return sum(self.sums(metric).values())

    def exemplars(self, metric: str, start: float, end: float) -> list[dict[str, Any]]:
        """Of a metric's series: their labels and values."""
        found = get(f"{self.url}/api/v1/query_exemplars", query=metric, start=int(start), end=int(end))["data"]
        return [exemplar for one in found for exemplar in one["exemplars"]]


class Vmagent:
    """Takes OTLP and writes to Prometheus: for a Prometheus that was built without an OTLP receiver."""

    def __init__(self, program: str, folder: Path, write: str) -> None:
        (port,) = free_ports(1)
        self.otlp = f"http://{LOOPBACK}:{port}/opentelemetry"
        command = [
            program,
            f"-httpListenAddr={LOOPBACK}:{port}",
            f"-remoteWrite.url={write}",
            f"-remoteWrite.tmpDataPath={folder / 'vmagent'}",
            "-remoteWrite.flushInterval=1s",
            "-opentelemetry.usePrometheusNaming",
        ]
        self.server = Server("vmagent", command, folder, lambda: answers(f"http://{LOOPBACK}:{port}/health"))


class Agent:
    """Datadog's test agent: decodes OTLP as it comes, and says what it got. All in memory."""

    def __init__(self, program: str, folder: Path) -> None:
        native, http, grpc = free_ports(3)
        self.otlp = f"http://{LOOPBACK}:{http}"
        ports = ["--port", str(native), "--otlp-http-port", str(http), "--otlp-grpc-port", str(grpc)]
        up = f"http://{LOOPBACK}:{native}/info"
        self.server = Server(
            "agent", [program, "--host", LOOPBACK, *ports], folder, lambda: answers(up) and listens(http)
        )

    def got(self, signal: str) -> list[dict[str, Any]]:
        """Every export of traces, metrics or logs, in order, in OTLP's JSON."""
        exports: list[dict[str, Any]] = get(f"{self.otlp}/test/session/{signal}")
        return exports


class Collector:
    """With one or more of the users' configurations, laid over each other."""

    def __init__(self, program: str, folder: Path, *configs: str, name: str = "collector") -> None:
        self.grpc, self.http, self.metrics = free_ports(3)
        self.otlp = f"http://{LOOPBACK}:{self.http}"
        own = {
            "COLLECTOR_HOST": LOOPBACK,
            "COLLECTOR_GRPC_PORT": str(self.grpc),
            "COLLECTOR_HTTP_PORT": str(self.http),
            "COLLECTOR_METRICS_PORT": str(self.metrics),
        }
        files = [word for config in configs for word in ("--config", str(CONFIG / "collector" / f"{config}.yaml"))]
        self.server = Server(name, [program, *files], folder, lambda: listens(self.http), own)
