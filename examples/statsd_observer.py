"""Count LLM calls with statsd: calls by outcome, failed attempts by cause, and the time to the first chunk.

    pip install 'l0-otel[openai]'
    OPENAI_API_KEY=... python examples/statsd_observer.py

Sends datagrams to STATSD_HOST (localhost) and STATSD_PORT (8125), such as ``l0.openai.gpt-4o-mini.ok:1|c``.
"""

import os
import re
import socket
import sys
from contextlib import suppress

import openai

import l0


class StatsdObserver(l0.types.Observer):
    """Counts every call. It sends datagrams without waiting, and drops those that cannot be sent."""

    def __init__(self, host: str = "localhost", port: int = 8125) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._address = address
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)

    def observe(self, call: l0.types.Call) -> l0.types.CallObserver:
        """Return the observer of one call."""
        return StatsdCallObserver(self, f"l0.{_word(call.provider)}.{_word(call.model)}")

    def send(self, metric: str) -> None:
        """Send one metric."""
        with suppress(OSError):
            self._socket.sendto(metric.encode(), self._address)


class StatsdCallObserver(l0.types.CallObserver):
    """Counts one call."""

    def __init__(self, statsd: StatsdObserver, prefix: str) -> None:
        self._statsd = statsd
        self._prefix = prefix

    def notify(self, event: l0.types.CallEvent) -> None:
        """Count an attempt that failed, or a call that ended."""
        match event:
            case l0.types.AttemptEnded(failure=l0.types.Failure() as failure):
                self._statsd.send(f"{self._prefix}.attempts_failed.{failure.cause.value}:1|c")
            case l0.types.CallEnded():
                self._statsd.send(f"{self._prefix}.{event.outcome.value}:1|c")
                if event.stream_stats is not None and event.stream_stats.first_chunk is not None:
                    self._statsd.send(f"{self._prefix}.first_chunk:{1_000 * event.stream_stats.first_chunk:.0f}|ms")


def _word(name: str) -> str:
    """Return a name without the characters that separate parts of a metric."""
    return re.sub(r"[^\w-]", "_", name)


def main() -> None:
    """Stream one answer."""
    host, port = os.environ.get("STATSD_HOST", "localhost"), os.environ.get("STATSD_PORT", "8125")
    l0.instrument(observers=[StatsdObserver(host, int(port))])
    client = openai.OpenAI()
    try:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Why is the sky blue?"}], stream=True
        )
        for chunk in stream:
            print(*(choice.delta.content or "" for choice in chunk.choices), sep="", end="", flush=True)
        print()
    except openai.OpenAIError as error:
        print(f"\nno answer: {type(error).__name__}", file=sys.stderr)


if __name__ == "__main__":
    main()
