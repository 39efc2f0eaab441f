"""Test kit: a simulated provider, and recorded calls as a provider, for tests of code that calls one."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import TypeVar

from l0.replay.replay_script import Match
from l0.replay.replay_server import ReplayOptions, ReplayServer
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig

S = TypeVar("S", bound=Simulator)


@contextmanager
def simulator(
    *,
    seed: int = 0,
    delays: Delays | None = None,
    traffic_dir: str | PathLike[str] | None = None,
    port: int = 0,
    host_names: Iterable[str] = (),
) -> Iterator[Simulator]:
    """Run a simulated OpenAI and Anthropic server on loopback, in its own thread, until the block ends.

    `seed` determines ids and delays. `delays`: None for no delays. `traffic_dir`: a directory of recorded streams to
    play. `port`: 0 for a free port. `host_names`: further names that requests may carry in their `Host` header. Use
    `.openai` or `.anthropic` as the `base_url` of a client, and `.script(…)` to define the next answers. Raises
    `l0.simulator.simulator_config.SimulatorError` if the server cannot start.
    """
    config = SimulatorConfig(
        port=port,
        seed=seed,
        delays=delays,
        traffic_dir=None if traffic_dir is None else Path(traffic_dir),
        host_names=tuple(host_names),
    )
    with serving(Simulator(config)) as running:
        yield running


@contextmanager
def replay(
    path: str | PathLike[str],
    *,
    call: str | None = None,
    speed: float = 1.0,
    match: Match = "body",
    port: int = 0,
) -> Iterator[ReplayServer]:
    """Serve recorded calls as a provider on loopback, in its own thread, until the block ends.

    `path`: a recording, or a folder of them. `call`: only this call, by its id, the beginning of it, its trace id, or
    "last". `speed`: `math.inf` for no waits between the reads. `match`: "body" finds the recorded attempt by method,
    path and body; "order" by method and path. Each attempt answers one request, also that of another client or SDK
    version; `.reset()` begins again. A request without a recorded answer gets status 404, with the nearest recorded
    request in its message, which `.unmatched` lists as well. Raises `l0.recording.recording.RecordingError` if there is
    no recording or no such call, and `ValueError` for a value that is not allowed.
    """
    server = ReplayServer(path, ReplayOptions(call=call, speed=speed, match=match), SimulatorConfig(port=port))
    with closing(server.recording), serving(server) as running:
        yield running


@contextmanager
def serving(running: S) -> Iterator[S]:
    """Run an existing simulator in the same way as `simulator`."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(running.start())
        thread = threading.Thread(target=loop.run_forever, name="l0-simulator", daemon=True)
        thread.start()
        try:
            yield running
        finally:
            try:
                asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
            finally:
                loop.call_soon_threadsafe(loop.stop)
                thread.join(10)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
