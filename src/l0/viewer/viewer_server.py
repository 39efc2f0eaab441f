"""Run the viewer on loopback until the program is interrupted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from .call_store import CallStore
from .live_calls import LiveCalls
from .recorded_calls import RecordedCalls
from .recording_folders import RecordingFolders
from .request_guard import LOOPBACK
from .retention import StoreLimits
from .viewer_app import viewer_app

_GRACE_SECONDS = 3
_BACKLOG = 128


class PortTakenError(Exception):
    """The port cannot be opened. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerConfig:
    """The settings of the viewer.

    ``port``: 0 for any free one. ``database``: the file that keeps the calls. ``recordings``: folders of recordings.
    """

    port: int
    database: Path
    limits: StoreLimits = field(default_factory=StoreLimits)
    recordings: RecordingFolders = field(default_factory=RecordingFolders)


class ViewerServer:
    """The server of the viewer. Creating it opens its port and its file; `run` serves.

    Raises `PortTakenError` or `DatabaseError`.
    """

    def __init__(self, config: ViewerConfig) -> None:
        self._socket = _listen(config.port)
        live = LiveCalls()
        try:
            self._store = CallStore(config.database, config.limits, live.publish)
        except BaseException:
            self._socket.close()
            raise
        self.database = config.database
        self.origin = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"
        settings = uvicorn.Config(
            viewer_app(self._store, live, RecordedCalls(config.recordings)),
            http="h11",
            ws="none",
            loop="asyncio",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = _Server(settings, live)

    def run(self) -> None:
        """Serve until `stop`, or until SIGINT or SIGTERM if called in the main thread."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Let `run` answer what it has received, and return. May be called in any thread."""
        self._server.end()


class _Server(uvicorn.Server):
    """A server that ends the feeds of open pages when it ends, so that it does not wait for them."""

    def __init__(self, config: uvicorn.Config, live: LiveCalls) -> None:
        super().__init__(config)
        self._live = live
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.end()

    def end(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._live.close)


def _listen(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((LOOPBACK, port))
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise PortTakenError(f"port {port} cannot be opened ({error.strerror or error})") from error
    return opened


def serve(config: ViewerConfig, on_start: Callable[[ViewerServer], None]) -> None:
    """Run a server in the foreground. ``on_start``: called once the port and the file are open."""
    server = ViewerServer(config)
    on_start(server)
    server.run()
