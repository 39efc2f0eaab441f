"""The part of AWS Lambda that gives events to a function: its runtime API, which also freezes the process.

A function that asks for its next event is stopped until there is one, and never runs in between.
"""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread

TIMEOUT_MS = 60_000
"""The time-out of the function. Only a hang exceeds it."""


class LambdaService:
    """One environment with one process of a function."""

    def __init__(self) -> None:
        self.address = ""
        self.frozen = Event()
        self._events: Queue[tuple[bytes, int] | None] = Queue()
        self._answers: Queue[bytes] = Queue()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start the process, and return when it is frozen before its first event."""
        variables = {**environment, "AWS_LAMBDA_RUNTIME_API": self.address}
        self._process = subprocess.Popen(command, cwd=folder, env=variables)
        self._wait_until_frozen()

    def invoke(self, event: bytes, timeout_ms: int = TIMEOUT_MS) -> bytes:
        """Thaw the process for one event. Return the answer when the process is frozen again."""
        self.frozen.clear()
        self._events.put((event, timeout_ms))
        answer = self._answers.get(timeout=TIMEOUT_MS / 1000)
        self._wait_until_frozen()
        return answer

    def end(self) -> None:
        """Kill the frozen process, as Lambda does with an environment that it no longer needs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._events.put(None)

    def next_event(self) -> tuple[bytes, int] | None:
        """Freeze the process, and wait for its next event. Return None if the process has ended."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self.frozen.set()
        event = self._events.get()
        if event is not None:
            self._process.send_signal(signal.SIGCONT)
        return event

    def answered(self, body: bytes) -> None:
        """Take the answer of the function, or its error."""
        self._answers.put(body)

    def _wait_until_frozen(self) -> None:
        assert self.frozen.wait(TIMEOUT_MS / 1000), "the function does not ask for its next event"


@contextmanager
def lambda_service() -> Iterator[LambdaService]:
    """Serve the runtime API on loopback."""
    service = LambdaService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            event = service.next_event()
            if event is None:
                return
            body, timeout_ms = event
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "one")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + timeout_ms))
            self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000")
            self.send_header("Content-Type", "application/json")
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:answer")
            self._send(body)

        def do_POST(self) -> None:
            service.answered(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(202)
            self._send(b"")

        def _send(self, body: bytes) -> None:
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.address = f"127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.end()
            server.shutdown()
            thread.join()
