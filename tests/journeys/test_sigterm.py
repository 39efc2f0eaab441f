"""A server that ends in an orderly way at SIGTERM: the SLO events of its last request are stored.

uvicorn's command line imports the application while its own signal handlers are installed, `uvicorn.run` afterwards.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from makers import free_port

from l0.shared_state.slo_storage import Storage
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

UVICORN = ["-m", "uvicorn", "--port", "{port}", "--log-level", "warning", "--lifespan", "off"]
GUNICORN = ["-m", "gunicorn", "--threads", "4", "--log-level", "warning", "--bind", "127.0.0.1:{port}"]
SERVERS = {
    "gunicorn": [*GUNICORN, "served_app:wsgi"],
    "gunicorn with 2 workers": [*GUNICORN, "--workers", "2", "served_app:wsgi"],
    "uvicorn": [*UVICORN, "served_app:asgi"],
    "uvicorn with 2 workers": [*UVICORN, "--workers", "2", "served_app:asgi"],
    "uvicorn.run": ["served_app.py", "{port}"],
}
LONG = 120.0


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=LONG) as answer:
        body: bytes = answer.read()
        return body


def up(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until it serves; that is its first request."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            assert ask(url).endswith(b"ok")
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("the server does not come up")


def stored(path: Path) -> int:
    """Calls that an objective knows of."""
    return sum(
        bucket.count.total
        for (slo, *_), bucket in Storage(path).load()
        if slo.startswith("availability") and bucket.width == 7200
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
@pytest.mark.parametrize("name", SERVERS)
def test_slo_events_of_a_request_that_ends_after_sigterm_are_stored(sim: Simulator, tmp_path: Path, name: str) -> None:
    port = free_port()
    path = tmp_path / "slo.db"
    url = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen(
        [sys.executable, *(part.format(port=port) for part in SERVERS[name])],
        cwd=Path(__file__).parent,
        env={**os.environ, "SLO_STORE": str(path), "PROVIDER": sim.openai},
    )
    try:
        up(url, server)
        sim.reset()
        sim.script(Fault.stall(at_event=3, seconds=1.0))
        last = threading.Thread(target=ask, args=(url,))
        last.start()
        while not sim.requests:
            time.sleep(0.01)
        server.send_signal(signal.SIGTERM)
        last.join(LONG)
        server.wait(LONG)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    assert stored(path) == 2
