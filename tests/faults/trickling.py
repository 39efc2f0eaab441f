"""A server over a real socket that says what it has to say byte by byte, for as long as somebody listens."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any

PAUSE = 0.05
"""Seconds between two bytes: many times shorter than any clock that is tested."""
LONGEST = 180.0
"""Seconds after which a connection is dropped: a bound that does not bound is noticed."""

Script = Callable[["Peer"], None]


class Peer:
    """One connection of a client."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self.connection = connection
        self.stopping = stopping

    def request(self) -> None:
        """Read the head of a request and its body."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += self._receive()
        head, _, body = seen.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        missing = int(lengths[0]) - len(body) if lengths else 0
        while missing > 0:
            missing -= len(self._receive())

    def _receive(self) -> bytes:
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("the client has left")
        return data

    def say(self, data: bytes) -> None:
        """Send at once."""
        self.connection.sendall(data)

    def trickle(self, filler: bytes, pause: float = PAUSE) -> None:
        """Send ``filler`` again and again."""
        for part in repeat(filler, int(LONGEST / pause) if pause else 10_000_000):
            self.say(part)
            if self.stopping.wait(pause) if pause else self.stopping.is_set():
                return


@contextmanager
def server(script: Script) -> Iterator[str]:
    """A server that plays ``script`` to every connection; gives its address."""
    stopping = threading.Event()
    peers: list[socket.socket] = []
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(LONGEST)
                script(Peer(connection, stopping))

        def accept() -> None:
            while not stopping.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    peers.append(connection)
                    threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopping.set()
            accepting.join()
            for peer in peers:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def answers(*scripts: Script) -> Script:
    """One script for each connection, in order; the last of them for all further ones."""
    left: Iterator[Script] = chain(scripts, repeat(scripts[-1]))

    def play(peer: Peer) -> None:
        next(left)(peer)

    return play


def headers(peer: Peer) -> None:
    """Headers without an end."""
    peer.request()
    peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-filler: ")
    peer.trickle(b"a")


def status_line(peer: Peer) -> None:
    """Not even a whole status line."""
    peer.request()
    peer.trickle(b"H")


def body(
    status: str, kind: str = "application/json", begin: bytes = b'{"error": {"message": "', **extra: str
) -> Script:
    """A body that goes on and on behind whole headers."""

    def play(peer: Peer) -> None:
        peer.request()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in extra.items())
        peer.say(f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}\r\n".encode() + begin)
        peer.trickle(b" ")

    return play


def redirect(peer: Peer) -> None:
    """From one place to the next: each answer is quick, and none is the last. What is read is trickling, too."""
    while True:
        peer.request()
        peer.say(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /v1/elsewhere\r\ncontent-length: 4\r\n\r\n")
        for _ in range(4):
            peer.say(b" ")
            if peer.stopping.wait(PAUSE):
                return


def unread(peer: Peer) -> None:
    """A request is taken in byte by byte."""
    while peer.connection.recv(1) and not peer.stopping.wait(PAUSE):
        pass


def flood(frame: bytes, pause: float = 0.0) -> Script:
    """Send a stream of frames without content, as fast as the client reads them."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        peer.trickle(frame, pause)

    return play


def complete_response(content: bytes, kind: str = "application/json", status: str = "200 OK", **extra: Any) -> Script:
    """Send a complete response, without delays."""

    def play(peer: Peer) -> None:
        while True:
            peer.request()
            more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in extra.items())
            head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {len(content)}\r\n\r\n"
            peer.say(head.encode() + content)

    return play
