"""Define the configuration of a simulator."""

from dataclasses import dataclass, field
from pathlib import Path

from .pacing import Delays


class SimulatorError(Exception):
    """The simulator cannot start, or does not have the requested item. The message names the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """Settings of one simulator.

    `host`: loopback by default, since the simulator does not authenticate. `port`: 0 for a free port. `seed`:
    determines all random values (ids, delays) together with the index of a request. `traffic_dir`: a directory of
    recorded bodies, which then answer streaming requests in turn. `delays`: None for no delays. `host_names`: names
    beside `host`, `localhost` and loopback addresses that requests may carry in their `Host` header; other names are
    refused with status 421. `replies`: pairs of a regular expression, searched in the last user message (empty: every
    request), and the text of the reply, as for `Simulator.on`. Raises `ValueError` for an invalid port and `TypeError`
    for a single string as `host_names`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    delays: Delays | None = None
    traffic_dir: Path | None = field(default=None)
    host_names: tuple[str, ...] = ()
    replies: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port!r} given, allowed is 0 (any free port) to 65535")
        if isinstance(self.host_names, str):
            raise TypeError(f"host_names: {self.host_names!r} given, allowed is a tuple of names")
