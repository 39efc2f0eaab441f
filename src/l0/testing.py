"""Test kit: a simulated provider for tests of code that calls one."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TypeVar

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
