"""Four processes that call a provider, and one Collector that gets the spans and metrics of all of them.

    pip install 'l0-otel[openai,otlp]'
    docker compose --file collector-config/docker-compose.yml up --detach
    python examples/fleet.py

`make example-fleet` does all of it. Then open the dashboards: http://localhost:3000, folder L0; traces are at
http://localhost:16686. Without Docker, `l0 view` receives the spans too, and shows each call at http://127.0.0.1:4318.
A simulated provider fails a fifth of the requests. With a key, `OPENAI_API_KEY=... python examples/fleet.py --live`
calls a real model. If L0_FLEET=redis://localhost:6379/0 is set, the processes share one retry budget and one breaker.
"""

import os
import socket
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from urllib.parse import urlsplit

try:
    import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    from openai import APIError, OpenAI

    import l0
    from l0.testing import simulator
except ImportError as missing:
    sys.exit(f"{missing}. This example needs: pip install 'l0-otel[openai,otlp]'")

COLLECTOR = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
PROCESSES, CALLS = 4, 25


def call(client: OpenAI, question: str) -> str:
    """Stream one answer, and return its outcome in words."""
    try:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": question}], stream=True
        )
        return "answered" if any(chunk.choices for chunk in list(stream)) else "empty"
    except APIError as error:
        return f"failed: {getattr(error, 'reason', type(error).__name__)}"


def process(number: int) -> list[str]:
    """Instrument the SDKs of this process, as each worker of a server does, and make its calls."""
    # `budget` limits retries to a tenth of the traffic; `breaker` stops calls to a provider that is down.
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0.2), budget=True, breaker=True), otlp=COLLECTOR)
    with OpenAI() as client:
        return [call(client, f"Tell me fact {number}-{fact}.") for fact in range(CALLS)]


def fleet() -> None:
    """Make all calls, and print the number of each outcome."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        outcomes = Counter(result for results in pool.map(process, range(PROCESSES)) for result in results)
    for outcome, count in outcomes.most_common():
        print(f"{count:5}  {outcome}")


def main() -> None:
    """Check that the Collector listens; then call a real model, or the simulator."""
    address = urlsplit(COLLECTOR)
    try:
        socket.create_connection((address.hostname or "localhost", address.port or 4318), timeout=5).close()
    except OSError as error:
        sys.exit(f"No Collector at {COLLECTOR} ({error}). Start it as this file's first lines say, or run `l0 view`.")
    # A dashboard's rates need several exports: one per second instead of one per minute.
    os.environ.update(OTEL_SERVICE_NAME="fleet-example", OTEL_METRIC_EXPORT_INTERVAL="1000")
    if "--live" in sys.argv:
        fleet()
        return
    with simulator(delays="gemini-2.5-flash-lite") as sim:
        os.environ.update(OPENAI_BASE_URL=sim.openai, OPENAI_API_KEY="none")
        sim.on(reply="answer explain_rain | status 503 rate=0.15 | reset at_event=9 rate=0.05")
        fleet()


if __name__ == "__main__":
    main()
